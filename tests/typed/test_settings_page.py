"""The code and the messages of docs/how-to/settings.md."""

from __future__ import annotations

import importlib
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.type_checkers import BY_EACH_CHECKER, type_problems

from omni_connector import ConfigurationError
from omni_connector.event_loop import EventLoop
from omni_connector.runtime.connection import connection_problem
from omni_connector.runtime.hooks import HookCaller

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "settings.md").read_text()
CONNECTOR, TEST = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
[MESSAGES] = re.findall(r"^```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def notes(tmp_path, monkeypatch):
    (tmp_path / "notes.py").write_text(CONNECTOR)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "notes", raising=False)
    module = importlib.import_module("notes")
    yield module
    del sys.modules["notes"]


def test_the_test_of_the_page_passes(notes, tmp_path):
    namespace = {}
    exec(compile(TEST, "settings.md", "exec"), namespace)
    folder = tmp_path / "folder"
    folder.mkdir()
    namespace["test_new_notes_are_found"](folder)


def test_an_older_state_is_read_as_the_page_says(notes):
    state = notes.Notes.declared_types.state_of({"seconds": 0, "state_version": 1})
    assert state == notes.Progress(datetime(1970, 1, 1, tzinfo=UTC))


def test_the_messages_are_those_of_the_page(notes):
    wrong = {"foldr": "a", "include": "*.md", "since": "soon"}
    with pytest.raises(ConfigurationError) as refused:
        notes.Notes.declared_types.made_of(wrong, {"kind": "any"})
    assert list(refused.value.problems) == MESSAGES.splitlines()


def test_the_connection_is_checked(notes, tmp_path):
    loop = EventLoop("test-loop")
    try:
        hooks = HookCaller(notes.Notes(), loop)
        assert connection_problem(hooks, {"folder": str(tmp_path)}, {"token": "t"}) is None
        assert "no-folder is no folder" in connection_problem(hooks, {"folder": "no-folder"}, {"token": "t"})
    finally:
        loop.close()


def test_other_keys_are_taken_where_the_class_says_so(notes):
    class Lenient(notes.Settings):
        takes_other_keys = True

    class Open(notes.Notes):
        config = Lenient

    config, _ = Open.declared_types.made_of({"folder": "a", "of_others": 1}, {"token": "t"})
    assert config == Lenient(Path("a"))
    assert "additionalProperties" not in Open.declared_types.schemas["config"]


@BY_EACH_CHECKER
def test_the_page_passes_type_checkers(checker, tmp_path):
    assert type_problems(checker, tmp_path / "notes.py", CONNECTOR) == ""
