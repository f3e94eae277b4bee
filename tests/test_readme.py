"""The code in README and docs runs, type-checks, and names what is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask
from support.mcp_servers import python_server
from support.processes import ListeningSocket, start_gunicorn

from omni_connector import Connector
from omni_connector.cli.main import cli
from omni_connector.models.manifest import BUILT_IN_SOURCE_TYPES
from omni_connector.testing import call_action, run_sync, serve_connector

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
DOCS = ROOT / "docs"


def blocks(text):
    """Return the Python code in a page."""
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


ITEMS, BLOCKING, ASYNC, TEST = blocks(README)
ACTION, HANDMADE = blocks((DOCS / "how-to" / "actions.md").read_text())
[SERVER] = blocks((DOCS / "how-to" / "mcp.md").read_text())
[MOUNT] = blocks((DOCS / "how-to" / "flask.md").read_text())
NOTES, _ = blocks((DOCS / "how-to" / "deletions.md").read_text())
TICKETS, _ = blocks((DOCS / "how-to" / "incremental.md").read_text())
ASYNC_ITEMS = ITEMS.replace("Iterator", "AsyncIterator").replace("def fetch_items", "async def fetch_items")

PUBLIC_CONTRACT = """\
from omni_connector import (
    Connector,
    Document,
    DocumentMetadata,
    DocumentPermissions,
    SyncContext,
)

class MyConnector(Connector):
    @property
    def name(self) -> str:
        return "my-connector"

    @property
    def version(self) -> str:
        return "1.0.0"

    @property
    def sync_modes(self) -> list[str]:
        return ["full", "incremental"]

    async def sync(
        self,
        source_config: dict,
        credentials: dict,
        state: dict | None,
        ctx: SyncContext,
    ) -> None:
        cursor = state.get("cursor") if state else None

        async for item in fetch_items(credentials, cursor):
            if ctx.is_cancelled():
                await ctx.fail("Cancelled by user")
                return

            # Store content
            content_id = await ctx.content_storage.save(item["content"])

            # Emit document
            await ctx.emit(Document(
                external_id=item["id"],
                title=item["title"],
                content_id=content_id,
                metadata=DocumentMetadata(url=item["url"]),
                permissions=DocumentPermissions(public=True),
            ))

            await ctx.increment_scanned()
            cursor = item["cursor"]

        await ctx.complete(new_state={"cursor": cursor})

if __name__ == "__main__":
    MyConnector().serve(port=8000)
"""
"""The asynchronous quick start; connectors that were written after it must run unchanged."""

QUICK_STARTS = pytest.mark.parametrize(
    ("items", "block"),
    [(ITEMS, BLOCKING), (ASYNC_ITEMS, ASYNC)],
    ids=["blocking", "async"],
)


def load(items: str, block: str) -> type[Connector]:
    """Return the connector that a quick start defines."""
    namespace: dict[str, object] = {"__name__": "quick_start"}
    exec(compile(items + block, "README.md", "exec"), namespace)
    return namespace["MyConnector"]


def test_the_async_quick_start_is_the_public_contracts_word_for_word():
    assert ASYNC == PUBLIC_CONTRACT


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
def test_a_quick_start_reads_everything_again_in_a_later_full_run(omni_manager, items, block):
    connector = load(items, block)()
    scanned = [
        run_sync(connector, manager=omni_manager, mode=mode).scanned
        for mode in ("full", "incremental", "full")
    ]
    assert scanned == [1, 0, 1]


@pytest.mark.slow
@QUICK_STARTS
def test_a_quick_start_is_served_by_gunicorn(omni_manager, tmp_path, items, block):
    (tmp_path / "my_connector.py").write_text(items + block)
    env = {"CONNECTOR_MANAGER_URL": omni_manager.url, "PYTHONPATH": str(tmp_path)}
    with (
        ListeningSocket() as address,
        start_gunicorn(address, "my_connector:MyConnector", "--workers", "2", env=env),
    ):
        kind = load(items, block)().source_types[0]
        omni_manager.wait_for_connector(kind)
        source = omni_manager.add_source(source_type=kind, credentials={"token": "t"}).id
        assert omni_manager.wait_for_run(omni_manager.trigger(source)).status == "completed"
    assert [document.title for document in omni_manager.documents(source)] == ["First"]


def test_the_mounting_example_mounts(monkeypatch, my_connector):
    monkeypatch.setenv("CONNECTOR_MANAGER_URL", "http://manager.invalid:8090")
    namespace = {"__name__": "__main__"}
    exec(compile(MOUNT, "README.md", "exec"), namespace)
    app = namespace["app"]
    assert isinstance(app, Flask)
    health = app.test_client().get("/connectors/mine/health")
    assert health.json == {"status": "healthy", "service": "my-connector"}
    for service in app.extensions["omni_connector"].values():
        service.close()


@pytest.fixture
def my_connector(monkeypatch, tmp_path):
    """The blocking quick start, saved as the README says, in the current directory."""
    (tmp_path / "my_connector.py").write_text(ITEMS + BLOCKING)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield "my_connector.py"
    sys.modules.pop("my_connector", None)


def test_the_testing_example_passes(my_connector):
    namespace: dict[str, object] = {}
    exec(compile(TEST, "README.md", "exec"), namespace)
    assert namespace["test_everything_arrives"]() is None


def test_the_commands_after_the_quick_start_run_it_and_find_what_arrived(my_connector):
    (text,) = re.findall(r"search what arrived:\n\n```bash\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    outputs = [CliRunner().invoke(cli, line.split()[1:]).output for line in text.splitlines()]
    assert my_connector in text
    assert "completed after" in outputs[0]
    assert "1. First" in outputs[1]


@pytest.mark.parametrize(
    ("block", "name", "action", "params", "result"),
    [
        (ACTION, "ConnectorWithAction", "count", {"text": "one two"}, 2),
        (ACTION, "ConnectorWithAction", "count", {"text": "one two", "unit": "lines"}, 1),
        (HANDMADE, "ConnectorWithHandmadeAction", "count_words", {"text": "one two"}, {"words": 2}),
    ],
)
def test_the_actions_can_be_called(my_connector, omni_manager, block, name, action, params, result):
    namespace = {"__name__": "__main__"}
    exec(compile(block, "README.md", "exec"), namespace)
    answer = call_action(namespace[name](), action, params, manager=omni_manager)
    assert answer.result == result


def test_the_mcp_server_is_given_the_token_and_its_tools_are_actions(my_connector, omni_manager):
    namespace = {"__name__": "__main__"}
    exec(compile(SERVER, "README.md", "exec"), namespace)

    class WithServerOfTheTests(namespace["ConnectorWithServer"]):
        mcp_server = python_server("awkward")

    with serve_connector(WithServerOfTheTests(), omni_manager) as served:
        served.put_source(credentials={"token": "t0p-secret"})
        served.load_mcp_catalogue({"token": "t0p-secret"})
        answer = served.call_action("environment", {"name": "GITHUB_PERSONAL_ACCESS_TOKEN"})
    assert answer.result == {"content": "t0p-secret"}


def test_an_action_says_what_is_wrong_with_its_parameters(my_connector, omni_manager):
    namespace = {"__name__": "__main__"}
    exec(compile(ACTION, "README.md", "exec"), namespace)
    answer = call_action(namespace["ConnectorWithAction"](), "count", {"text": 5}, manager=omni_manager)
    assert (answer.status_code, answer.error) == (400, "text: text is required, not a whole number")


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """Every block of README and docs as a module, beside the connector that they import."""
    folder = tmp_path_factory.mktemp("programs")
    programs = {
        "my_connector": ITEMS + BLOCKING,
        "async_quick_start": ASYNC_ITEMS + ASYNC,
        "action": ACTION,
        "handmade_action": HANDMADE,
        "mcp_server": SERVER,
        "mount": MOUNT,
        "test_it": TEST,
        "properties": PROPERTIES,
        "inventory": f"{NOTES}\n{LISTED}",
        "cursor": f"{TICKETS}\n{LISTED}",
    }
    for name, text in programs.items():
        (folder / f"{name}.py").write_text(text)
    return folder


LISTED = """
def list_notes(credentials: dict[str, Any], after: int | None) -> list[dict[str, Any]]:
    return []


def query(statement: str, *values: object) -> list[dict[str, Any]]:
    return []
"""
"""What the code about inventories reads."""

PROPERTIES = """
from typing import Any

from omni_connector import Connector, ErrorLimits, SearchOperator, SyncContext


class Attributes(Connector):
    name = "attributes"
    version = "1.0.0"
    display_name = "Attributes"
    source_types = ["web"]
    sync_modes = ["full", "incremental"]
    error_limits = ErrorLimits(share=None)

    def sync(
        self, source_config: dict[str, Any], credentials: dict[str, Any], state: dict[str, Any] | None, ctx: SyncContext
    ) -> None:
        for refused in ctx.flush():
            print(refused.document_id)


class Properties(Connector):
    @property
    def name(self) -> str:
        return "properties"

    @property
    def version(self) -> str:
        return "1.0.0"

    @property
    def source_types(self) -> list[str]:
        return ["web"]

    @property
    def search_operators(self) -> list[SearchOperator]:
        return []

    async def sync(
        self, source_config: dict[str, Any], credentials: dict[str, Any], state: dict[str, Any] | None, ctx: SyncContext
    ) -> None:
        for refused in await ctx.flush():
            print(refused.document_id)
"""
"""Both forms of a connector's attributes."""


@pytest.mark.types
def test_the_code_passes_mypy_strict_with_bare_dicts(programs):
    check("mypy", "--strict", "--allow-any-generics", ".", folder=programs)


@pytest.mark.types
def test_the_code_passes_pyright(programs):
    check("pyright", "--pythonpath", sys.executable, ".", folder=programs)


@pytest.mark.types
def test_the_examples_pass_pyright():
    check("pyright", "--pythonpath", sys.executable, "examples", folder=ROOT)


@pytest.mark.types
def test_pyright_finds_what_is_wrong(programs, tmp_path):
    (tmp_path / "wrong.py").write_text(
        (programs / "properties.py").read_text().replace("ctx.flush()", "ctx.flash()")
    )
    with pytest.raises(AssertionError, match="flash"):
        check("pyright", "--pythonpath", sys.executable, ".", folder=tmp_path)


def check(*command, folder):
    """Run a type checker."""
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_else_a_connector_can_be_is_there():
    section = (DOCS / "how-to" / "actions.md").read_text().split("## What else a connector can declare")[1]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    for member in re.findall(r"`(\w+)[`(]", " ".join(cells)):
        assert hasattr(Connector, member), member


def test_every_link_of_the_readme_leads_somewhere():
    """Sphinx checks those of the pages."""
    for link in re.findall(r"\]\((?!https?://)([^)#]+)", README):
        assert (ROOT / link).exists(), link


def test_the_built_in_source_types_are_where_the_guide_says():
    listed = (ROOT / "docs" / "protocol" / "connector.openapi.yaml").read_text()
    (types,) = re.findall(r"^    SourceType:\n      enum: \[(.*)\]$", listed, re.MULTILINE)
    assert set(types.split(", ")) == BUILT_IN_SOURCE_TYPES


def test_every_example_is_documented_and_there():
    there = {path.name for path in (ROOT / "examples").glob("*.py")}
    page = (DOCS / "how-to" / "examples.md").read_text()
    assert set(re.findall(r"`examples/(\w+\.py)`", page)) == there


def test_the_readme_is_short():
    prose = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    assert len(prose.split()) <= 650


def test_the_readme_has_exactly_two_set_up_commands():
    section = README.split("## Try it")[1].split("\n## ")[0]
    assert re.findall(r"^```bash\n(.*?)\n^```", section, re.MULTILINE | re.DOTALL) == [
        "make demo",
        "make test",
    ]


# -- big sources --------------------------------------------------------------------------------------------------------

DRIVES, _, MIGRATING, DRIVES_TEST = blocks((DOCS / "how-to" / "big-sources.md").read_text())
SOURCE_OF_DRIVES = """\
def list_drives(credentials: dict[str, Any]) -> list[dict[str, str]]:
    return [{"id": "drive-1", "name": "One"}, {"id": "drive-2", "name": "Two"}]


def list_files(credentials: dict[str, Any], drive: str, cursor: str | None) -> Iterator[dict[str, Any]]:
    if cursor is None:
        files = [{"id": f"{drive}/{n}", "name": str(n), "text": "words", "readers": ["ann@example.com"]} for n in range(3)]
        yield {"files": files, "next": "end"}
"""


def drives_program():
    imports, _, rest = DRIVES.partition("\n\n\n")
    return f"{imports}\n\n\n{SOURCE_OF_DRIVES}\n\n{rest}\n\n{MIGRATING}"


def test_the_connector_with_partitions_runs_and_passes_its_test():
    namespace = {"__name__": "drives"}
    exec(compile(f"{drives_program()}\n\n{DRIVES_TEST}", "big-sources.md", "exec"), namespace)
    namespace["test_every_drive_is_read"](run_sync)
    migrated = namespace["MigratingDrives"]().migrate_state({"cursors": {"drive-1": "end"}})
    assert migrated == {"drive-1": {"cursor": "end"}}


@pytest.mark.parametrize("checker", [["mypy", "--strict"], ["pyright", "--pythonpath", sys.executable]])
@pytest.mark.types
def test_the_connector_with_partitions_passes_type_checkers(checker, tmp_path):
    for name, text in {
        "blocking": drives_program(),
        "awaiting": drives_program()
        .replace("    def partitions(", "    async def partitions(")
        .replace("    def sync_partition(", "    async def sync_partition(")
        .replace("Iterator[Partition]", "AsyncIterator[Partition]")
        .replace("import Iterator", "import AsyncIterator, Iterator")
        .replace("ctx.increment", "await ctx.increment")
        .replace("ctx.emit(", "await ctx.emit(")
        .replace("ctx.save", "await ctx.save"),
    }.items():
        (tmp_path / f"{name}.py").write_text(f"{text}\n\nDrives().serve\n")
    check(*checker, str(tmp_path), folder=ROOT)
