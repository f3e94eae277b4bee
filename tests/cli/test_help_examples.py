"""The examples at the end of each ``--help`` are run as they stand."""

from __future__ import annotations

import shlex

import pytest
from click.testing import CliRunner

from omni_connector.cli.main import COMMANDS, cli

CONNECTOR = """
from flask import Response
from omni_connector import Connector, Document, DocumentPermissions, action

class Notes(Connector):
    name = "notes"
    version = "1"
    source_types = ["web"]
    sync_modes = ["full", "incremental"]

    def sync(self, config, credentials, state, ctx):
        ctx.emit(Document(external_id="note-7", title="On call", content="Holiday policy, on call, engineers.",
            permissions=DocumentPermissions(users=["ann@example.com"])))

    @action
    def ping(self):
        '''Answer.'''
        return "pong"

    @action
    def export(self, format: str):
        '''Export all.'''
        return Response(b"%PDF", content_type="application/pdf")
"""
ENDLESS = {"manager", "serve", "--watch", "dev"}
"""Run until a signal comes; their arguments are parsed here."""


def examples(command):
    """Return the lines of the examples, and of those of the commands below it."""
    found = [command] if command in COMMANDS else []
    names = [[command], *([["sources", "add"]] if command == "sources" else [])]
    lines = [
        line.strip()
        for each in names
        for line in CliRunner().invoke(cli, [*each, "--help"], terminal_width=200).stdout.splitlines()
    ]
    return found, [line for line in lines if line.startswith("omni-connector ")]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with what the examples name, after a run."""
    folder = tmp_path_factory.mktemp("examples")
    (folder / "connector.py").write_text(CONNECTOR)
    (folder / "settings.toml").write_text('folder = "notes"')
    (folder / "credentials.json").write_text('{"password": "s3cret"}')
    (folder / "password.txt").write_text("s3cret")
    (folder / "source.toml").write_text('name = "notes"\nsource_type = "web"')
    data = ["--data", str(folder / ".omni")]
    CliRunner().invoke(cli, ["run", str(folder / "connector.py"), *data])
    return folder


def test_each_command_has_an_example():
    without = [each for each in COMMANDS if not examples(each)[1]]
    assert without == ["completion"], "its lines are those of shells"


@pytest.mark.parametrize("command", [each for each in COMMANDS if each not in {"check", "new", "completion"}])
def test_the_examples_of_the_help_work(command, place, monkeypatch):
    monkeypatch.chdir(place)
    monkeypatch.setenv("WIKI_TOKEN", "t0ken")
    omni = CliRunner()
    for line in examples(command)[1]:
        arguments = shlex.split(line)[1:]
        if ENDLESS & set(arguments):
            context = cli.make_context("omni-connector", arguments)
            cli.get_command(context, arguments[0]).make_context(arguments[0], arguments[1:], parent=context)
            continue
        result = omni.invoke(cli, [*arguments, *(["--yes"] if "--reset" in arguments else [])])
        if "--source" in arguments and command == "action":
            assert "No manager uses .omni" in result.stderr
        else:
            assert result.exit_code == 0, (line, result.output)


@pytest.mark.slow
def test_the_examples_of_check_and_new_work(place, monkeypatch):
    monkeypatch.chdir(place)
    for command in ("new", "check"):
        for line in examples(command)[1]:
            result = CliRunner().invoke(cli, shlex.split(line)[1:])
            assert result.exit_code in {0, 1}, (line, result.output)
