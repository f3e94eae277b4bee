"""Every code block of every page is at least what its readers need: Python compiles, data parses, commands exist.

Python is run as well: each page with Python is named by a test that does it. Commands are run by test_shell_blocks.py; those that it does
not run are read here by the parser of their own program.
"""

from __future__ import annotations

import configparser
import importlib.util
import json
import re
import shlex
import textwrap
import tomllib
from itertools import pairwise
from pathlib import Path

import celery.bin.celery
import click
import gunicorn.config
import pytest
import uvicorn
import waitress.adjustments
import yaml
from markdown_it import MarkdownIt

from omni_connector.cli.main import cli
from omni_connector.config.variables import VARIABLES

pytestmark = pytest.mark.docs

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *(path for path in sorted((ROOT / "docs").rglob("*.md")) if path.parent.name != "protocol"),
]
BLOCK = re.compile(r"^( *)```([^\n]*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)

SHOWN = {"text", "mermaid", "nginx"}
"""Output, diagrams (drawn in test_built_pages.py), and what tests/process/test_closed.py gives to nginx."""


def blocks():
    """Return page, language and text of all blocks, except directives of Sphinx."""
    for page in PAGES:
        for _, kind, text in BLOCK.findall(page.read_text(encoding="utf-8")):
            if not kind.startswith("{"):
                yield page.relative_to(ROOT), kind, textwrap.dedent(text)


def of_kind(*kinds):
    return [(str(page), text) for page, kind, text in blocks() if kind in kinds]


def test_every_block_says_what_it_is():
    known = {"python", "bash", "sh", "json", "yaml", "toml", "ini"} | SHOWN
    assert {(str(page), kind) for page, kind, _ in blocks() if kind not in known} == set()


def test_no_code_is_hidden_by_its_indentation():
    """An indented block has no language, so no test would find it."""
    hidden = {
        f"{page.relative_to(ROOT)}: {token.content.splitlines()[0]}"
        for page in PAGES
        for token in MarkdownIt().parse(page.read_text(encoding="utf-8"))
        if token.type == "code_block"
    }
    assert hidden == set()


def test_python_compiles_and_a_test_names_its_page():
    tests = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__)
    )
    for page, text in of_kind("python"):
        compile(text, page, "exec", flags=0x2000)  # Top-level await, as in a notebook.
        assert Path(page).name in tests, f"no test runs the code of {page}"


READERS = {
    "json": json.loads,
    "yaml": yaml.safe_load,
    "toml": tomllib.loads,
    "ini": configparser.ConfigParser().read_string,
}


def test_data_can_be_read():
    problems, count = [], 0
    for kind, read in READERS.items():
        for page, text in of_kind(kind):
            count += 1
            try:
                read(text)
            except (ValueError, yaml.YAMLError, configparser.Error) as error:
                problems.append(f"{page}: {error}")
    assert problems == []
    assert count > 0


def commands():
    """Return the commands of all shell blocks, as words, with their pages."""
    for page, text in of_kind("bash", "sh"):
        for line in text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            while words:
                end = words.index("&&") if "&&" in words else len(words)
                yield page, words[:end]
                words = words[end + 1 :]


def parse_click(command, words):
    """Read words as a command of click does, without looking whether files exist."""
    context = click.Context(command)
    while isinstance(command, click.Group):
        _, words, _ = command.make_parser(context).parse_args(list(words))
        if not words:  # Options of the program itself.
            return
        name, *words = words
        command = command.get_command(context, name)
        assert command is not None, f"there is no command {name}"
        context = click.Context(command, parent=context)
    command.make_parser(context).parse_args(list(words))


def check(words):  # noqa: C901 - a table of programs.
    """Fail where a command cannot be right."""
    program, *rest = words
    if program == "omni-connector":
        parse_click(cli, rest)
    elif program == "celery":
        parse_click(celery.bin.celery.celery, rest)
    elif program == "uvicorn":
        parse_click(uvicorn.main, [word.replace("$PORT", "8000") for word in rest])
    elif program == "gunicorn":
        gunicorn.config.Config().parser().parse_args(rest)
    elif program == "waitress-serve":
        waitress.adjustments.Adjustments.parse_args([word.replace("$PORT", "8000") for word in rest])
    elif program == "make":
        targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        assert {word for word in rest if "=" not in word} <= targets
    elif program == "export":
        names = {word.partition("=")[0] for word in rest}
        known = {each.name for each in VARIABLES}
        assert {
            name for name in names if name not in known and not name.startswith("OMNI_CONTRACT_")
        } == set()
    elif program == "pip":
        settings = configparser.ConfigParser()
        settings.read(ROOT / "setup.cfg")
        for extras in re.findall(r"(?:\.|omni-connector|whl)\[([^\]]+)\]", " ".join(rest)):
            assert set(extras.split(",")) <= set(settings["options.extras_require"])
    elif program == "python" and rest[0] == "-m":
        assert importlib.util.find_spec(rest[1]), rest[1]
    elif program in {"pytest", "mypy", "ruff"}:
        paths = [word for word in rest if "/" in word or word == "omni_connector"]
        assert all((ROOT / path).exists() for path in paths), paths


def test_commands_can_be_typed():
    wrong = []
    for page, words in commands():
        try:
            check(words)
        except (AssertionError, click.UsageError, SystemExit, ValueError) as error:
            wrong.append(f"{page}: {shlex.join(words)}: {error}")
    assert wrong == []


def test_architecture_lists_the_rooms_in_the_order_of_the_contract():
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    shown = re.search(r"```text\n(.*?)```", page, re.DOTALL)[1]
    contract, *_ = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = [layer.replace("omni_connector.", "").split(" | ") for layer in contract["layers"]]
    places = [
        [re.search(rf"(?:^|\|) *{each}(?:/|\.py)[:\s]", shown, re.MULTILINE).start() for each in layer]
        for layer in layers
    ]
    assert [max(upper) < min(lower) for upper, lower in pairwise(places)] == [True] * (len(places) - 1)


def test_every_extra_is_listed():
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    page = (ROOT / "docs" / "reference" / "extras.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `omni-connector\[([\w-]+)\]`", page, re.MULTILINE)
    assert sorted(listed) == sorted(settings["options.extras_require"])
