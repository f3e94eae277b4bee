from __future__ import annotations

import json

import pytest
from cli_cases import connector

from omni_connector.local import LocalManager
from omni_connector.target import load_connector
from omni_connector.testing import serve_connector

ACTING = connector("Acting")


def test_an_action_is_given_parameters_settings_and_credentials(omni, tmp_path):
    (tmp_path / "secrets.json").write_text('{"token": "v3ry-s3cret"}')
    options = ["--param", "first=2", "--params", '{"second": 5}', "--as", "ann@example.com"]
    result = omni(
        "action", "add", ACTING, *options, "--set", "folder=a", "--credentials", "secrets.json", "--json"
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {
        "action": "add",
        "status": "success",
        "result": {"sum": 7, "config": {"folder": "a"}, "token": "***", "actor": "ann@example.com"},
    }
    assert not (tmp_path / ".omni").exists()


def test_without_settings_it_is_given_those_of_the_source_that_was_synced(omni):
    omni("run", ACTING, "--set", "notes=1", "--source", "mine")
    result = omni("action", "add", ACTING, "--source", "mine", "--param", "first=1")
    assert (result.exit_code, json.loads(result.stdout)["config"]) == (0, {"notes": 1})
    result = omni("action", "add", ACTING, "--source", "nine", "--param", "first=1")
    assert result.exit_code == 3
    assert "Error: --source nine: there is no such source; did you mean mine?" in result.stderr


def test_a_source_is_reached_through_the_manager_that_uses_the_data(omni):
    omni(
        "run", ACTING, "--set", "notes=2", "--source", "mine"
    )  # Without credentials: the action is run all the same.
    with LocalManager(".omni", schedule=False) as manager:
        [source] = manager.sources()
        result = omni("action", "add", "--param", "first=1")
        assert f"No connector for web is registered at {manager.url}" in result.stderr
        with serve_connector(load_connector(ACTING), manager):
            result = omni(
                "action", "add", "--source", source.id, "--param", "first=1", "--as", "a@example.com"
            )
            assert result.exit_code == 0, result.output
            assert json.loads(result.stdout) == {
                "sum": 2,
                "config": {"notes": 2},
                "token": None,
                "actor": "a@example.com",
            }
            assert "acting has no action ad; did you mean add?" in omni("action", "ad").stderr
    result = omni("action", "add")
    assert result.exit_code == 3
    assert (
        "No manager uses .omni, so that no connector serves the source mine. Name a TARGET" in result.stderr
    )


@pytest.mark.parametrize(
    ("options", "exit_code", "message"),
    [
        (["fail"], 1, "The action fail ended with an error"),
        (["fail"], 1, "there is no such note"),
        (["add"], 1, "first"),
        (["ad"], 3, "acting has no action ad; did you mean add?"),
        (
            ["add", "--source-type", "wab"],
            3,
            "--source-type wab: acting does not read such a source; did you mean web?",
        ),
        (["add", "--param", "first"], 2, "there is no ="),
        (["add", "--param", "fist=3"], 3, "add has no parameter fist; did you mean first?"),
        (
            ["add", "--params", '{"first": 1, "secnod": 3}'],
            3,
            "add has no parameter secnod; did you mean second?",
        ),
    ],
)
def test_errors_name_what_is_wrong(omni, options, exit_code, message):
    result = omni("action", options[0], ACTING, *options[1:])
    assert (result.exit_code, message in result.stderr) == (exit_code, True), result.output


def test_a_file_is_written_and_never_shown(omni, tmp_path):
    content = b"%PDF\x00\xff"
    assert omni("action", "export", ACTING).stdout_bytes == content
    result = omni("action", "export", ACTING, "--output", "here.pdf")
    assert (result.exit_code, result.stdout, (tmp_path / "here.pdf").read_bytes()) == (0, "", content)
    for name in ("all notes.pdf", "all notes-1.pdf"):
        file = json.loads(omni("action", "export", ACTING, "--json").stdout)["file"]
        assert file == {"path": name, "content_type": "application/pdf", "bytes": 6}
        assert (tmp_path / name).read_bytes() == content
    assert (
        json.loads(omni("action", "export", ACTING, "--param", "name=5", "--json").stdout)["file"]["path"]
        == "5"
    )
    omni("action", "export", ACTING, "--param", "name=../../etc/.profile", "--json")
    assert (tmp_path / "profile").read_bytes() == content


def test_settings_without_a_target_are_refused(omni):
    result = omni("action", "add", "--set", "a=1")
    assert (result.exit_code, "need a TARGET" in result.stderr) == (2, True)
