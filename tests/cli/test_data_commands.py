"""``sources``, ``runs``, ``documents``, ``show`` and ``errors``: what the data directory holds."""

from __future__ import annotations

import json
import re
import sqlite3

import pytest

from omni_connector.local import LocalManager

LONG = "a-very-long-id-of-a-document-in-its-source/" * 4


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two sources: one with errors of each kind, and a second run; one that failed."""
    from cli_cases import NOTES
    from click.testing import CliRunner

    from omni_connector.cli.main import cli

    folder = tmp_path_factory.mktemp("data") / "data"
    config = {"users": ["ann@example.com"]}
    for name, more, mode in (
        ("notes", config | {"notes": 2, "broken": ["b1"]}, "full"),
        ("notes", config | {"notes": 1}, "incremental"),
        ("notes", config | {"notes": 0, "lost": [LONG]}, "incremental"),
        ("failing", {"notes": 1, "fail": "the disk is full"}, "full"),
    ):
        options = ["--config", json.dumps(more), "--source", name, "--mode", mode, "--data", str(folder)]
        CliRunner().invoke(cli, ["run", NOTES, *options])
    return folder


@pytest.fixture
def look(omni, data):
    """Return the JSON of a command, or its text."""

    def run(command, *args, exit_code=0, text=False):
        result = omni(command, *args, "--data", data, *([] if text else ["--json"]))
        assert result.exit_code == exit_code, result.output
        if text:
            return result.stdout if exit_code == 0 else result.stderr
        return json.loads(result.stdout)

    return run


def test_sources_with_their_last_run(look):
    failing, notes = look("sources")["sources"]
    assert (failing["name"], failing["last_run"]["status"], failing["documents"]) == ("failing", "failed", 1)
    assert (notes["documents"], notes["config"]["users"], notes["next_run_at"]) == (
        3,
        ["ann@example.com"],
        None,
    )
    assert [each["name"] for each in look("sources", "--status", "failed")["sources"]] == ["failing"]
    assert look("sources", "--source-type", "wiki")["sources"] == []
    header, first, _ = look("sources", text=True).splitlines()
    assert header.split() == ["NAME", "TYPE", "DOCUMENTS", "LAST", "RUN", "AT", "NEXT", "RUN"]
    assert first.split()[:4] == ["failing", "local_files", "1", "failed"]


def test_runs_newest_first_with_filters_and_pages(look):
    runs = look("runs")["runs"]
    assert [(each["source_name"], each["status"]) for each in runs] == [
        ("failing", "failed"),
        ("notes", "completed"),
        ("notes", "completed"),
        ("notes", "completed"),
    ]
    assert (runs[3]["counts"]["new"], runs[1]["counts"]["refused"]) == (2, 1)
    page = look("runs", "--limit", "1")
    assert look("runs", "--limit", "1", "--after", page["next"])["runs"] == [runs[1]]
    assert look("runs", "--source", "notes", "--errors")["runs"] == [runs[1]]
    assert look("runs", "--status", "failed")["runs"] == [runs[0]]
    assert runs[0]["id"] in look("runs", text=True)
    assert "did you mean notes?" in look("runs", "--source", "note", exit_code=3, text=True)


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (["--source", "notes"], ["note-0", "note-1", "note-2"]),
        (["--errors"], [LONG]),
        (["--change", "refused", "--source", "notes"], [LONG]),
        (["--run", "last"], ["note-0"]),
        (["--public"], ["note-0"]),
        (["--not-public", "--limit", "1"], ["note-0"]),
        (["--as", "Ann@example.com", "--source", "notes"], ["note-0", "note-1", "note-2"]),
        (["--as", "bob@example.com", "--source", "notes"], []),
        (["--group", "all@example.com"], []),
    ],
)
def test_documents_are_filtered(look, options, ids):
    assert [each["external_id"] for each in look("documents", *options)["documents"]] == ids


def test_the_table_of_documents_shows_whole_ids_and_how_it_goes_on(look, omni, data):
    text = look("documents", "--errors", text=True)
    assert LONG in [line.split()[0] for line in text.splitlines()]
    result = omni("documents", "--limit", "2", "--data", data)
    after = result.stderr.split()[-1]
    assert result.stderr == f"There is more: add --after {after}\n"
    assert [each["external_id"] for each in look("documents", "--after", after)["documents"]] == [
        "note-2",
        "note-0",
    ]


def test_a_document_is_shown_with_who_finds_it(look, omni, data):
    shown = look("show", "note-1", "--as", "bob@example.com")
    assert (shown["kind"], shown["document"]["title"], shown["as"]["finds_it"]) == (
        "document",
        "Note 1",
        False,
    )
    assert shown["document"]["content"] == "The quick brown fox number1 jumps over the lazy dog."
    assert [each["outcome"] for each in shown["history"]] == ["new"]
    assert look("show", shown["document"]["id"])["document"] == shown["document"]
    text = omni("show", "note-1", "--as", "ann@example.com", "--data", data).stdout
    assert "ann@example.com finds it" in text
    assert "The quick brown fox number1" in text
    assert omni("show", "note-1", "--content", "--data", data).stdout == f"{shown['document']['content']}\n"


def test_what_was_refused_a_run_and_a_source_are_shown_as_well(look):
    shown = look("show", LONG)
    assert (shown["document"]["is_indexed"], "content" in shown["document"]) == (False, False)
    assert shown["document"]["error"]
    assert look("show", "last")["run"]["error"] == "ValueError: the disk is full"
    assert look("show", "failing")["source"]["last_run"]["id"] == look("show", "last")["run"]["id"]
    assert "Last run" in look("show", "failing", text=True)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["note-11"], "note-11: there is no document, run or source with this id; did you mean note-1"),
        (["note-0"], "note-0: several sources have such a document. Add --source: failing, notes."),
        (["b1"], "b1: this document never arrived. See why with omni-connector errors."),
        (["last", "--content"], "last is no document: --content is about documents"),
    ],
)
def test_what_an_id_does_not_name_is_said(omni, data, args, message):
    result = omni("show", *args, "--data", data)
    assert (result.exit_code, message in result.stderr) == (3, True), result.stderr


def test_errors_of_each_kind(look, omni, data):
    found = look("errors")
    assert [each["error"] for each in found["failed_runs"]] == ["ValueError: the disk is full"]
    assert [(each["document_id"], each["error"]) for each in found["reported"]] == [
        ("b1", "ValueError: b1 cannot be read")
    ]
    assert [each["document_id"] for each in found["refused"]] == [LONG]
    assert look("errors", "--run", "last")["reported"] == []
    assert look("errors", "--source", "failing")["refused"] == []
    text = omni("errors", "--data", data).stdout
    assert "The connector reported:" in text
    assert "b1 cannot be read" in text


def test_errors_that_do_not_hold_any_more_are_left_out_or_marked(omni, run_notes):
    run_notes({"notes": 0, "fail": "the disk is full"}, exit_code=1)
    config = {"notes": 0, "broken": ["b1", "note-1"], "lost": ["note-2"]}
    first = run_notes(config, "--mode", "full", exit_code=4)
    found = json.loads(omni("errors", "--json").stdout)
    assert [each["document_id"] for each in found["reported"] + found["refused"]] == [
        "b1",
        "note-1",
        "note-2",
    ]
    assert found["failed_runs"] == []
    run_notes({"notes": 3, "broken": ["b1"]}, "--mode", "full", exit_code=4)
    found = json.loads(omni("errors", "--json").stdout)
    assert [each["document_id"] for each in found["reported"] + found["refused"]] == ["b1"]
    found = json.loads(omni("errors", "--all", "--json").stdout)
    assert [(each["document_id"], each["still_holds"]) for each in found["reported"]] == [
        ("b1", True),
        ("b1", False),
        ("note-1", False),
    ]
    assert [each["still_holds"] for each in found["failed_runs"] + found["refused"]] == [False, False]
    text = omni("errors", "--run", first["sync_run_id"]).stdout
    assert (
        "b1  (reported again in a later run)" not in text
    )  # Of a run that was named, only that one is looked at.
    assert text.count("(arrived in a later run)") == 2
    assert omni("errors", "--all").stdout.count("(a later run completed)") == 1


def test_all_of_it_works_while_a_manager_uses_the_data(look, data):
    with LocalManager(data, schedule=False):
        for args in (["sources"], ["runs"], ["documents"], ["errors"], ["show", "note-1"]):
            assert look(*args)


@pytest.mark.parametrize("command", ["sources", "runs", "documents", "errors", "state"])
def test_without_data_the_message_says_what_to_do(omni, command):
    result = omni(command)
    assert (result.exit_code, ".omni holds no documents yet" in result.stderr) == (3, True)


def test_a_source_is_added_and_changed(omni, tmp_path):
    result = omni("sources", "add", "wiki")
    assert (result.exit_code, "say what it is with --source-type TYPE" in result.stderr) == (3, True)
    (tmp_path / "token").write_text("v3ry-s3cret")
    options = ["--source-type", "web", "--set", "a=1", "--secret", "token=@token", "--every", "600", "--json"]
    added = json.loads(omni("sources", "add", "wiki", *options).stdout)
    assert (added["name"], added["is_new"]) == ("wiki", True)
    with LocalManager(".omni", schedule=False) as manager:
        changed = json.loads(omni("sources", "add", "wiki", "--set", "b=2", "--json").stdout)
        assert changed == added | {"is_new": False}
        row = manager.source(added["id"])
        assert (row.config, row.sync_interval_seconds, row.source_type) == ({"a": 1, "b": 2}, 600, "web")
        assert manager.credential(added["id"]).credentials == {"token": "v3ry-s3cret"}
        assert omni("sources", "add", "wiki", "--source-type", "x" * 70_000).exit_code in {0, 3}
    source = json.loads(omni("sources", "--json").stdout)["sources"][0]
    assert (source["last_run"], source["documents"]) == (None, 0)
    assert source["next_run_at"] == source["created_at"], "it is due since there is an interval"
    assert "  due" in omni("sources").stdout


def test_withheld_deletions_are_no_error_any_more_once_a_later_run_has_not_withheld_them(omni, tmp_path):
    (tmp_path / "listed.py").write_text(
        """
from omni_connector import Connector, DeletionLimits, Document

class Listed(Connector):
    name, version, source_types = "listed", "1", ["web"]
    sync_modes = ["full", "incremental"]
    deletion_limits = DeletionLimits()

    def sync(self, config, credentials, state, ctx):
        inventory = ctx.inventory()
        for number in range(config["number"]):
            if inventory.changed(str(number), "1"):
                ctx.emit(Document(external_id=str(number), title="T", content="c"))
        if config.get("fails"):
            raise ValueError("the disk is full")
        inventory.finish()
"""
    )

    def holding(*args):
        return [
            each["still_holds"] for each in json.loads(omni("errors", "--json", *args).stdout)["reported"]
        ]

    assert omni("run", "listed.py", "--set", "number=1").exit_code == 0
    first = omni("run", "listed.py", "--set", "number=0", "--json")
    assert "1 of 1 document was not found any more" in first.stdout
    assert "at most 1 document." in first.stdout
    assert omni("run", "listed.py").exit_code == 4
    assert (holding(), holding("--all")) == ([True], [True, False])
    result = omni("run", "listed.py", "--set", "fails=true", "--json")
    assert (result.exit_code, holding()) == (1, [True])
    assert re.search("failed +ValueError: the di", omni("runs", "--errors").stdout)
    assert omni("run", "listed.py", "--set", "number=1", "--set", "fails=false").exit_code == 0
    assert (holding(), holding("--all")) == ([], [False, False])
    assert holding("--run", json.loads(first.stdout)["sync_run_id"]) == [False]
    result = omni("run", "listed.py", "--set", "fails=true")
    assert "Checkpoint  not moved; the next run sends what is missing" in result.stdout


def test_a_run_that_no_process_executes_is_shown_as_interrupted(omni, run_notes):
    run_notes({"notes": 1})
    with sqlite3.connect(".omni/manager.sqlite3") as db:
        db.execute("UPDATE runs SET status = 'running'")
    assert "interrupted" in omni("runs").stdout
    assert "interrupted" in omni("sources").stdout
    assert "Status      interrupted; the next run resumes it" in omni("show", "last").stdout
    assert json.loads(omni("show", "last", "--json").stdout)["run"]["status"] == "interrupted"
    assert json.loads(omni("sources", "--json").stdout)["sources"][0]["last_run"]["status"] == "interrupted"

    def has(status):
        return bool(json.loads(omni("runs", "--status", status, "--json").stdout)["runs"])

    assert (has("interrupted"), has("running")) == (True, False)
    with LocalManager(".omni", schedule=False):
        assert "running" in omni("runs").stdout
        assert (has("interrupted"), has("running")) == (False, True)
