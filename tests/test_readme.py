"""The README's code runs, type-checks, and names what is there."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from flask import Flask

from omni_connector import Connector, Settings
from omni_connector.testing import run_sync

ROOT = Path(__file__).resolve().parents[1]
BLOCKS = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
BLOCKING, ASYNC, MOUNT, TEST = BLOCKS

ITEM = '{"id": "1", "title": "First", "url": "https://example.com/1", "content": "Hello", "cursor": "c1"}'
BLOCKING_ITEMS = f"""
    from collections.abc import Iterator

    def fetch_items(credentials: dict, cursor: str | None) -> Iterator[dict]:
        if cursor is None:
            yield {ITEM}
"""
ASYNC_ITEMS = f"""
    from collections.abc import AsyncIterator

    async def fetch_items(credentials: dict, cursor: str | None) -> AsyncIterator[dict]:
        if cursor is None:
            yield {ITEM}
"""
QUICK_STARTS = pytest.mark.parametrize(
    ("items", "block"),
    [(BLOCKING_ITEMS, BLOCKING), (ASYNC_ITEMS, ASYNC)],
    ids=["blocking", "async"],
)


def load(items: str, block: str) -> type[Connector]:
    """Return the connector that a quick start defines."""
    namespace: dict[str, object] = {"__name__": "quick_start"}
    exec(compile(textwrap.dedent(items) + block, "README.md", "exec"), namespace)
    return namespace["MyConnector"]


def test_the_async_quick_start_is_the_public_contracts_word_for_word():
    """The seed's quick start must run unchanged; its distinctive lines are here."""
    for line in (
        "    async def sync(",
        "        async for item in fetch_items(credentials, cursor):",
        '                await ctx.fail("Cancelled by user")',
        '            content_id = await ctx.content_storage.save(item["content"])',
        '        await ctx.complete(new_state={"cursor": cursor})',
        "    MyConnector().serve(port=8000)",
    ):
        assert line in ASYNC.splitlines(), line


@QUICK_STARTS
def test_a_quick_start_syncs_its_items_and_saves_its_cursor(items, block):
    result = run_sync(load(items, block)(), credentials={"token": "t"})

    assert result.status == "completed"
    assert result.documents["1"].title == "First"
    assert result.documents["1"].content == "Hello"
    assert result.documents["1"].url == "https://example.com/1"
    assert result.state == {"cursor": "c1"}
    assert result.scanned == 1


@QUICK_STARTS
def test_a_quick_start_passes_mypy_strict_with_bare_dicts(items, block, tmp_path):
    program = tmp_path / "quick_start.py"
    program.write_text(textwrap.dedent(items) + block)
    command = [sys.executable, "-m", "mypy", "--strict", "--allow-any-generics", str(program)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_mounting_example_mounts(monkeypatch):
    monkeypatch.setenv("CONNECTOR_MANAGER_URL", "http://manager.invalid:8090")
    namespace = {"MyConnector": load(BLOCKING_ITEMS, BLOCKING), "__name__": "__main__"}
    exec(compile(MOUNT, "README.md", "exec"), namespace)
    app = namespace["app"]
    assert isinstance(app, Flask)
    health = app.test_client().get("/connectors/mine/health")
    assert health.json == {"status": "healthy", "service": "my-connector"}
    for service in app.extensions["omni_connector"].values():
        service.close()


def test_the_testing_example_passes():
    namespace = {"MyConnector": load(BLOCKING_ITEMS, BLOCKING)}
    exec(compile(TEST, "README.md", "exec"), namespace)
    assert namespace["test_everything_arrives"]() is None


def test_every_environment_variable_is_documented():
    readme = (ROOT / "README.md").read_text()
    source = (ROOT / "omni_connector" / "config.py").read_text()
    named = set(re.findall(r"\b(?:CONNECTOR_[A-Z_]+|OMNI_CONNECTOR|PORT)\b", source))
    missing = {name for name in named if f"`{name}`" not in readme}
    assert not missing
    assert Settings.__name__ in source


def test_every_example_is_documented_and_there():
    readme = (ROOT / "README.md").read_text()
    there = {path.name for path in (ROOT / "examples").glob("*.py")}
    assert set(re.findall(r"`examples/(\w+\.py)`", readme)) == there


def test_the_readme_has_exactly_two_set_up_commands():
    text = (ROOT / "README.md").read_text()
    section = text.split("## Try it")[1].split("\n## ")[0]
    assert re.findall(r"^```bash\n(.*?)\n^```", section, re.MULTILINE | re.DOTALL) == [
        "make demo",
        "make test",
    ]
