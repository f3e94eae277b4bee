"""``run`` and ``manifest`` with a connector that declares classes for settings and credentials."""

from __future__ import annotations

import datetime as dt
import json
import re

import pytest
from cli_cases import CONNECTORS, NOTES
from click.testing import CliRunner

from omni_connector.cli.inputs import read_config
from omni_connector.cli.main import cli
from omni_connector.cli.typed_inputs import typed_inputs
from omni_connector.exceptions import ConfigurationError
from omni_connector.local import open_store
from omni_connector.target import load_connector

TYPED = f"{CONNECTORS / 'typed_notes.py'}:TypedNotes"


@pytest.fixture(scope="module")
def connector():
    return load_connector(TYPED)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("version=1.10", "1.10"),
        ("version=5", "5"),
        ('version="5"', "5"),
        ("version=true", "true"),
        ("count=7", 7),
        ("deep=Yes", True),
        ("deep=off", False),
        ("share=0.5", 0.5),
        ("share=none", None),
        ("since=2026-02-03", "2026-02-03"),
        ("include=*.md", ["*.md"]),
        ("include=5", ["5"]),
        ("include=", []),
        ("version=", ""),
        ('include=["a", "b"]', ["a", "b"]),
        ("place.zip_code=01234", "01234"),
        ("place.zip_code=1234", "1234"),
    ],
)
def test_texts_become_what_the_settings_declare(connector, text, value):
    key, _, typed = text.partition("=")
    assignments = [("folder", "1"), ("pin", "1"), ("place.city", "Ulm"), (key, typed)]
    config, _ = typed_inputs(connector, (read_config(None, assignments), {"token": "t"}), assignments)
    assert (config["folder"], config["pin"]) == ("1", "1")
    *parents, last = key.split(".")
    assert (config["place"] if parents else config)[last] == value


def test_texts_in_files_are_converted_as_well(connector):
    inputs = ({"folder": "a", "pin": "b", "count": "7", "deep": "true"}, {"token": "t", "attempts": "2"})
    config, credentials = typed_inputs(connector, inputs, [])
    assert (config["count"], config["deep"], credentials["attempts"]) == (7, True, 2)


def test_what_cannot_be_converted_is_said_as_it_was_typed(connector):
    assignments = [("foldr", "a"), ("pin", "12"), ("count", "many"), ("deep", "1")]
    with pytest.raises(ConfigurationError) as refused:
        typed_inputs(connector, (read_config(None, assignments), {}), assignments)
    assert refused.value.problems == (
        "folder: text is required, and missing: give --set folder=...",
        "count: a whole number is required, not many",
        "deep: true or false is required, not 1",
        "foldr: there is no such key; did you mean folder?",
        "credentials.token: text is required, and missing: give it with --credentials FILE",
    )


@pytest.mark.parametrize(
    ("typed", "credentials", "problem"),
    [
        ("count=3.5", {"token": "t"}, "count: a whole number is required, not 3.5"),
        ("count=true", {"token": "t"}, "count: a whole number is required, not true"),
        ("token=t", {"token": "t"}, "token is a credential: give it with --credentials FILE"),
        (
            "count=3",
            {"tokn": "t"},
            "credentials.token: text is required, and missing; tokn is there, did you mean token?",
        ),
    ],
)
def test_a_problem_has_its_remedy_in_the_words_of_the_command_line(connector, typed, credentials, problem):
    assignments = [("folder", "a"), ("pin", "1"), tuple(typed.split("="))]
    with pytest.raises(ConfigurationError) as refused:
        typed_inputs(connector, (read_config(None, assignments), credentials), assignments)
    assert refused.value.problems == (problem,)


def test_a_run_is_given_the_converted_settings(omni, tmp_path):
    (tmp_path / "secrets.json").write_text(json.dumps({"token": "t0p-secret", "attempts": "2"}))
    options = [
        "--set",
        "folder=1",
        "--set",
        "pin=s3cret-pin",
        "--set",
        "since=2026-02-03",
        "--set",
        "deep=yes",
    ]
    result = omni("run", TYPED, *options, "--credentials", tmp_path / "secrets.json", "-v")
    assert result.exit_code == 0, result.output
    assert "is the text" not in result.output
    assert "the pin is ***" in result.output
    assert "s3cret-pin" not in result.output
    [document] = open_store(tmp_path / ".omni").documents()
    settings = load_connector(TYPED).declared_types.config.kind
    expected = settings(folder="1", pin="", deep=True, since=dt.date(2026, 2, 3))
    assert document.content == f"{expected} 3"
    result = omni("run", TYPED, *options, "--mode", "full")  # The credentials are kept.
    assert result.exit_code == 0, result.output
    [document] = open_store(tmp_path / ".omni").documents()
    assert document.content == f"{expected} 3"


def test_a_run_with_wrong_settings_is_not_started(omni, tmp_path):
    result = omni("run", TYPED, "--set", "foldr=1", "--set", "pin=s3cret-pin")
    assert result.exit_code == 3
    assert "did you mean folder?" in result.stderr
    assert "folder: text is required, and missing" in result.stderr
    assert "credentials.token: text is required, and missing" in result.stderr
    assert "s3cret" not in result.output
    assert not (tmp_path / ".omni").exists()


def test_help_after_a_target_lists_its_settings():
    text = CliRunner().invoke(cli, ["run", TYPED, "--help"], terminal_width=100).stdout
    rows = dict(re.findall(r"^  ([\w.]+) {2,}(.*)$", text, re.MULTILINE))
    assert rows["folder"] == "Folder that is read: text, required"
    assert rows["pin"] == "text, secret, required"
    assert rows["count"] == "At most: a whole number, default 5"
    assert rows["kinds"] == 'Kinds that are read: an array of text, default ["note"]'
    assert rows["include"] == "an array of text"
    assert rows["place.city"] == "name of it: text, required"
    assert rows["token"] == "Of the account: text, secret, required"
    assert "Settings (--config" not in CliRunner().invoke(cli, ["run", "--help"]).stdout
    assert "Settings (--config" not in CliRunner().invoke(cli, ["run", NOTES, "--help"]).stdout


def test_help_after_a_target_that_cannot_be_loaded_says_so(omni):
    result = omni("run", "nowhere.py", "--help")
    assert result.exit_code == 3
    assert "nowhere.py" in result.stderr


def test_the_manifest_shows_the_schemas(omni):
    shown = json.loads(omni("manifest", TYPED).stdout)
    assert shown["config_schema"]["required"] == ["folder", "pin"]
    assert shown["credentials_schema"]["properties"]["token"]["writeOnly"] is True
    assert "config_schema" not in json.loads(omni("manifest", NOTES).stdout)
