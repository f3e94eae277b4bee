import sys

import pytest

from omni_connector.cli.command_name import command_name


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """The command, in a directory that the shell does not search."""
    path = tmp_path / "my venv" / "omni-connector"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return path


def test_a_command_that_is_not_found_by_name_is_shown_as_it_was_typed(monkeypatch, installed):
    monkeypatch.setattr(sys, "argv", [str(installed)])
    assert command_name() == f"'{installed}'"
    monkeypatch.setattr(sys, "argv", [".venv/bin/omni-connector", "run"])
    assert command_name() == ".venv/bin/omni-connector"


def test_a_command_that_is_found_is_shown_by_name(monkeypatch, installed):
    monkeypatch.setattr(sys, "argv", [str(installed)])
    monkeypatch.setenv("PATH", str(installed.parent))
    assert command_name() == "omni-connector"


def test_started_as_a_module_it_is_shown_by_name(monkeypatch, installed):
    monkeypatch.setattr(sys, "argv", ["/lib/omni_connector/cli/__main__.py"])
    assert command_name() == "omni-connector"
