"""Secrets from files, variables and standard input."""

from __future__ import annotations

import json

import pytest
from cli_cases import CONNECTORS, NOTES
from click.testing import CliRunner

from omni_connector.cli.main import cli
from omni_connector.cli.source import parse_sources
from omni_connector.local import open_store

TYPED = f"{CONNECTORS / 'typed_notes.py'}:TypedNotes"
SECRET = "v3ry-s3cret"


@pytest.fixture
def omni(tmp_path):
    """Run a command with something on standard input, and variables."""
    (tmp_path / "token").write_text(f"{SECRET}\n")
    (tmp_path / "all.json").write_text(json.dumps({"token": SECRET}))

    def run(*args, text="", **environ):
        return CliRunner(env=environ).invoke(cli, [str(arg) for arg in args], input=text)

    return run


def stored():
    [source] = {document.source_id for document in open_store(".omni").documents()}
    return open_store(".omni").credentials(source)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--credentials", "all.json"], ""),
        (["--credentials", "@all.json"], ""),
        (["--credentials", "env:ALL"], ""),
        (["--credentials", "-"], json.dumps({"token": SECRET})),
        (["--secret", "token=@token"], ""),
        (["--secret", "token=env:TOKEN"], ""),
        (["--secret", "token=-"], f"{SECRET}\n"),
    ],
)
def test_credentials_come_from_each_place(omni, options, text):
    result = omni("run", NOTES, *options, text=text, ALL=json.dumps({"token": SECRET}), TOKEN=SECRET)
    assert result.exit_code == 0, result.output
    assert stored() == {"token": SECRET}
    assert SECRET not in result.output


def test_a_secret_setting_and_a_credential_are_given_alike(omni):
    options = ["--set", "folder=a", "--secret", "pin=env:PIN", "--secret", "token=@token"]
    result = omni("run", TYPED, *options, "-v", PIN="s3cret-pin")
    assert result.exit_code == 0, result.output
    assert "the pin is ***" in result.output
    assert stored() == {"token": SECRET}
    result = omni("run", TYPED, "--set", "folder=a", "--secret", "pin=-", "--mode", "full", text="s3cret-pin")
    assert result.exit_code == 0, result.output  # The credentials of the first run are kept.
    assert stored() == {"token": SECRET}


@pytest.mark.parametrize(
    ("options", "exit_code", "message"),
    [
        (["--secret", f"token={SECRET}"], 2, "--secret token: name where the value is: @FILE, env:NAME or -"),
        (["--secret", "token=env:NONE"], 3, "--secret token env:NONE: the environment has no variable NONE"),
        (["--secret", "token=@absent"], 3, "--secret token: No such file or directory. Name a file"),
        (
            ["--secret", "token=-"],
            3,
            "--secret token - (standard input): there is nothing. Put the value there",
        ),
        (
            ["--secret", "a.b=@token", "--secret", "a=@token", "--secret", "a.c=@token"],
            2,
            "--secret a.c: a has a",
        ),
        (["--credentials", "env:TOKEN"], 3, "--credentials env:TOKEN is neither JSON nor TOML"),
        (
            ["--credentials", "-", "--secret", "token=-"],
            2,
            "both read standard input: give one of them otherwise",
        ),
    ],
)
def test_what_is_not_at_its_place_is_named_and_not_repeated(omni, options, exit_code, message):
    text = "{}" if "--credentials" in options else ""
    result = omni("run", NOTES, *options, "-v", text=text, TOKEN=SECRET)
    assert (result.exit_code, message in result.stderr) == (exit_code, True), result.output
    assert SECRET not in result.output


def test_a_source_of_the_manager_comes_from_a_file(tmp_path):
    file = tmp_path / "source.toml"
    file.write_text(f'name = "notes"\nsource_type = "web"\ncredentials = {{token = "{SECRET}"}}\n')
    [source] = parse_sources([f"@{file}"])
    assert (source.typed["name"], source.typed["credentials"]) == ("notes", {"token": SECRET})
