import codecs
import errno
import json
import os
import re
import stat
from pathlib import Path

import pytest
from cli_cases import CONNECTORS, NOTES, connector, wait_for_line
from support.ports import free_port

from omni_connector.cli.source import stable_source_id
from omni_connector.local import LocalManager, open_store
from omni_connector.local.store import running_manager

SOURCE_ID = stable_source_id("notes", "notes")


def documents():
    return {document.external_id: document for document in open_store(".omni").documents()}


TYPED_NOTES = """
from dataclasses import dataclass

from omni_connector import Connector


@dataclass
class Settings:
    prefix: str
    count: int = 1


@dataclass
class Secrets:
    token: str
    user: str


class Typed(Connector[Settings, Secrets]):
    name, version, source_types = "typed", "1", ["web"]

    def sync(self, config, credentials, state, ctx):
        ctx.complete()
"""


def test_a_run_brings_the_documents_and_says_how_to_find_them(omni):
    result = omni("run", NOTES, "--set", "notes=1234")
    assert result.exit_code == 0, result.output
    assert len(documents()) == 1234
    assert documents()["note-7"].content == "The quick brown fox number7 jumps over the lazy dog."
    lines = result.stdout.splitlines()
    assert lines[1] == "Source      notes (local_files), read by notes 1.2.3"
    assert lines[2] == "Sync        full: a source's first incremental sync is always a full one"
    assert lines[3].startswith("Result      completed after ")
    assert lines[4].startswith("Documents   1,234 scanned, 1,234 emitted, 0 deleted, 0 errors; ")
    assert lines[5:] == [
        "Index       1,234 documents of this source in .omni",
        "Checkpoint  saved; the next run continues from it",
        "Search      omni-connector search WORD",
    ]
    assert "note-1233" not in result.stderr


def test_a_second_run_continues_from_the_saved_state(run_notes):
    first = run_notes({"notes": 2})
    assert (first["sync_mode"], first["upgraded_to_full"]) == ("full", True)
    second = run_notes({"notes": 2})
    assert (second["sync_mode"], second["upgraded_to_full"]) == ("incremental", False)
    assert list(documents()) == ["note-0", "note-1", "note-2", "note-3"]
    assert second["documents_in_index"] == 4
    assert second["source"]["id"] == first["source"]["id"] == SOURCE_ID


def test_the_summary_for_machines_has_everything(run_notes):
    summary = run_notes(
        {"notes": 2, "broken": ["a"], "lost": ["b"]}, "--mode", "full", "--data", "elsewhere", exit_code=4
    )
    seconds, rate, run_id = (
        summary.pop("seconds"),
        summary.pop("documents_per_second"),
        summary.pop("sync_run_id"),
    )
    assert seconds >= 0
    assert rate >= 0
    assert len(run_id) == 26
    dead = summary.pop("dead_letters")  # One bad event takes its batch along (PROTOCOL, section 19).
    assert [event["document_id"] for event in dead] == ["note-0", "note-1", "b"]
    assert {event["event_type"] for event in dead} == {"document_created"}
    assert all(event["reason"] for event in dead)
    assert summary == {
        "status": "completed",
        "reason": None,
        "exit_code": 4,
        "connector": {"name": "notes", "version": "1.2.3"},
        "source": {"id": SOURCE_ID, "name": "notes", "source_type": "local_files"},
        "requested_mode": "full",
        "sync_mode": "full",
        "upgraded_to_full": False,
        "resumed": False,
        "scanned": 2,
        "emitted": 3,
        "deleted": 0,
        "indexed": 0,
        "error_count": 1,
        "errors": [{"document_id": "a", "stage": "connector", "reason": "ValueError: a cannot be read"}],
        "dead_letter_count": 3,
        "documents_in_index": 0,
        "has_checkpoint": True,
        "data_dir": "elsewhere",
    }


def test_json_is_alone_on_standard_output_although_the_connector_prints(omni):
    result = omni("run", NOTES, "--json")
    assert json.loads(result.stdout)["status"] == "completed"
    assert "the connector prints" in result.stderr


def test_a_failed_sync_exits_1_with_the_reason_and_the_place_but_no_traceback(omni):
    result = omni("run", NOTES, "--set", "fail=the source is gone")
    assert result.exit_code == 1
    assert "failed after" in result.stdout
    assert "ValueError: the source is gone" in result.stdout
    assert "Kept        3 documents of this run arrived and can be found" in result.stdout
    assert "Checkpoint  not moved; the next run starts from the beginning" in result.stdout
    assert "ValueError: the source is gone (in " in result.stderr
    assert "notes.py, line " in result.stderr
    assert "Traceback" not in result.output


def test_a_failed_sync_after_a_completed_one_leaves_its_checkpoint(omni, run_notes):
    run_notes({"notes": 1})
    result = omni("run", NOTES, "--set", "fail=now", "--data", ".omni")
    assert "not moved; the next run starts from the last completed run's" in result.stdout
    assert run_notes({"notes": 1})["emitted"] == 1
    assert "note-1" in documents()


def test_verbose_shows_the_log_and_the_traceback(omni):
    result = omni("run", NOTES, "--set", "fail=now", "-v")
    assert "Traceback (most recent call last)" in result.stderr
    assert "]: Full sync of source " in result.stderr


def test_broken_documents_are_counted_and_the_first_are_shown(omni):
    broken = json.dumps([f"file-{number}" for number in range(8)])
    result = omni("run", NOTES, "--set", f"broken={broken}", "--set", "notes=20")
    assert result.exit_code == 4
    assert "Result      completed with 8 errors after " in result.stdout
    assert "8 errors" in result.stdout
    assert "Errors      file-0: ValueError: file-0 cannot be read" in result.stdout
    assert "file-4: " in result.stdout
    assert "file-5: " not in result.stdout
    assert "and 3 more; --json lists 100" in result.stdout
    assert result.stderr.count("did not arrive") == 5
    assert "-v shows all" in result.stderr


def test_events_that_the_manager_could_not_index_are_shown(omni):
    result = omni("run", NOTES, "--set", 'lost=["gone"]', "--set", "notes=0")
    assert result.exit_code == 4
    assert "Result      completed with 1 error after " in result.stdout
    assert "Not indexed 1 event that the manager accepted:" in result.stdout
    assert "            gone: " in result.stdout


def test_configuration_comes_from_a_file_and_single_values_go_on_top(omni, tmp_path):
    (tmp_path / "source.toml").write_text("notes = 5\nbroken = ['x']\n")
    result = omni("run", NOTES, "--config", "source.toml", "--set", "notes=1", "--json")
    summary = json.loads(result.stdout)
    assert (summary["emitted"], summary["error_count"]) == (1, 1)


def test_secrets_reach_the_connector_and_nobody_else(omni, tmp_path):
    (tmp_path / "secret.json").write_text('{"token": "hunter2-hunter2"}')
    result = omni("run", NOTES, "--set", "tell_secret=true", "--credentials", "secret.json", "-v")
    assert result.exit_code == 1
    assert "bad token" in result.stdout
    assert "hunter2-hunter2" not in result.output
    data = tmp_path / ".omni"
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert (data / ".gitignore").read_text() == "*\n"


def test_several_sources_of_one_connector_are_kept_apart(run_notes):
    run_notes({"notes": 1}, "--source", "mine")
    summary = run_notes({"notes": 2}, "--source", "yours", "--source-type", "web")
    assert summary["source"]["name"] == "yours"
    assert summary["source"]["source_type"] == "web"
    assert summary["documents_in_index"] == 2
    assert open_store(".omni").count_documents() == 3


def test_a_source_type_that_the_connector_does_not_read_is_refused(omni):
    result = omni("run", NOTES, "--source-type", "slack")
    assert result.exit_code == 3
    assert result.stderr == (
        "Error: --source-type slack: notes does not read such a source. Its types: local_files, web.\n"
    )


def test_a_connector_without_source_types_is_told_to_have_some(omni):
    result = omni("run", connector("Typeless"))
    assert result.exit_code == 3
    assert "none; give it source_types" in result.stderr


def test_a_source_type_of_ones_own_works(omni):
    result = omni("run", connector("OwnType"))
    assert result.exit_code == 0, result.output
    assert "own-type (own_type)" in result.stdout
    assert result.stderr.count("Note: Omni has no source type own_type: ") == 1


def test_a_value_that_looks_like_no_text_is_mentioned(omni):
    assert "write --set public=true" in omni("run", NOTES, "--set", "public=True").stderr


@pytest.mark.parametrize(
    ("name", "reason"),
    [("BadSchema", "$ref"), ("BadMode", "ConnectorManifest.sync_modes: ['sometimes'] cannot be used")],
)
def test_a_connector_with_an_unusable_manifest_is_refused_at_once(omni, name, reason):
    result = omni("run", connector(name))
    assert result.exit_code == 3
    assert reason in result.stderr
    assert "Traceback" not in result.output


def test_a_bug_in_the_connector_is_one_line(omni):
    result = omni("run", connector("Buggy"))
    assert result.exit_code == 70
    assert "Error: RuntimeError: an unexpected state (in " in result.stderr
    assert "notes.py, line " in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("target", ["nowhere.py", "no_such_module:Class", str(CONNECTORS / "notes.py")])
def test_a_target_that_cannot_be_loaded_exits_3(omni, target):
    result = omni("run", target)
    assert result.exit_code == 3
    assert result.stderr.startswith("Error: ")


@pytest.mark.parametrize(
    ("name", "mode", "listed"),
    [("Notes", "realtime", "full, incremental"), ("Watching", "incremental", "realtime")],
)
def test_a_mode_that_the_connector_does_not_list_is_refused_at_once(omni, name, mode, listed):
    result = omni("run", connector(name), "--mode", mode)
    assert result.exit_code == 3
    refusal = f"--mode {mode}: {name.lower()} does not list this mode. Its sync_modes: {listed}."
    assert (result.stderr, result.stdout) == (f"Error: {refusal}\n", "")


def test_full_can_always_be_asked_for(omni):
    assert omni("run", connector("Watching"), "--mode", "full").exit_code == 0


def test_a_refusal_by_the_connector_is_shown_in_its_own_words(omni):
    result = omni("run", connector("Refusing"))
    assert (result.exit_code, result.stderr) == (1, "Error: No folder is given; add --set folder=...\n")


def test_a_sync_that_cannot_be_called_is_refused_at_the_start(omni):
    result = omni("run", connector("WrongSignature"))
    assert result.exit_code == 3
    assert "WrongSignature.sync takes (ctx), but is called with four arguments by position." in result.stderr
    assert "Write: def sync(self, source_config, credentials, state, ctx)" in result.stderr


def test_a_settings_file_with_a_byte_order_mark_is_read(run_notes, tmp_path):
    for name, text in (("source.toml", "notes = 5"), ("source.json", '{"notes": 5}')):
        (tmp_path / name).write_bytes(codecs.BOM_UTF8 + text.encode())
        result = run_notes(None, "--config", name, "--source", name)
        assert result["emitted"] == 5


@pytest.mark.parametrize("command", [["search", "fox"], ["run", NOTES]])
def test_a_damaged_database_is_one_line_that_says_what_to_do(omni, run_notes, command, tmp_path):
    run_notes({"notes": 200})
    database = tmp_path / ".omni" / "manager.sqlite3"
    content = database.read_bytes()
    database.write_bytes(content[:8192] + b"x" * (len(content) - 8192))
    result = omni(*command)
    assert result.exit_code == 3
    assert result.stderr.count("\n") == 1
    assert "is not a usable database" in result.stderr
    assert "Move .omni away, or use another data directory, and sync again" in result.stderr


def test_without_incremental_a_run_is_full(omni):
    result = omni("run", connector("Watching"), "--json")
    assert json.loads(result.stdout)["requested_mode"] == "full"


def test_a_run_that_takes_too_long_is_cancelled(run_notes):
    summary = run_notes({"wait": True}, "--timeout", "0.5", exit_code=1)
    assert summary["status"] == "cancelled"
    assert summary["reason"] == "not done after 0.5 s (--timeout)"
    assert summary["indexed"] == 3


def test_a_run_that_takes_too_long_names_what_its_source_said_last(omni, tmp_path):
    url = f"http://127.0.0.1:{free_port()}"
    (tmp_path / "down.py").write_text(
        f"""
from omni_connector import Connector

class Down(Connector):
    name, version, source_types = "down", "1", ["web"]

    def sync(self, config, credentials, state, ctx):
        ctx.http("{url}").get("/items")
"""
    )
    result = omni("run", "down.py", "--timeout", "1")
    said = f"GET {url.removeprefix('http://')}/items: ConnectionRefusedError: [Errno {errno.ECONNREFUSED}] Connection refused, repeated in 0.5 s, 1 of 5"
    assert f"Warning: {said}" in result.stderr
    assert f"not done after 1 s (--timeout). The last error: {said}" in " ".join(result.stdout.split())
    assert "Kept        nothing of this run" in result.stdout


def test_deletions_that_await_approval_are_said_with_the_option_that_approves_them(omni, tmp_path):
    (tmp_path / "listed.py").write_text(
        """
from omni_connector import Connector, DeletionLimits, Document

class Listed(Connector):
    name, version, source_types = "listed", "1", ["web"]
    sync_modes = ["full", "incremental"]
    deletion_limits = DeletionLimits()

    def sync(self, config, credentials, state, ctx):
        inventory = ctx.inventory()
        for number in range(config.get("number", 0)):
            if inventory.changed(str(number), "1"):
                ctx.emit(Document(external_id=str(number), title="T", content="c"))
        inventory.finish()
"""
    )
    result = omni("run", "listed.py", "--set", "number=2")
    assert result.exit_code == 0
    for text in (result.stdout, omni("state").stdout):
        assert "Checkpoint  none needed: what was sent is in the inventory, .omni/inventory.sqlite3" in text
    shown = omni("state", "--reset", "--yes").stdout
    assert "there was nothing to forget. What was sent is in the inventory, which a reset keeps" in shown
    assert "To send everything again, run with --mode full." in shown
    result = omni("run", "listed.py", "--set", "number=0")
    assert "not found any more" not in result.stderr  # The summary says it, with the remedy.
    shown = " ".join(result.stdout.split())
    assert result.exit_code == 4
    assert "Result completed, but deletions await approval, after" in shown
    assert "Errors 2 of 2 documents were not found any more." in shown
    assert "at most 2 documents" in shown
    assert re.search("completed +deletions withheld", omni("runs").stdout)
    assert (
        f"errors --run {json.loads(omni('show', 'last', '--json').stdout)['run']['id']}"
        in omni("show", "last").stdout
    )
    assert "listed  deletions withheld\n" in omni("errors").stdout
    option = re.search(r"run again with (--set approve_deletions=2-\w+)\. It counts once", shown)[1]
    result = omni("run", "listed.py", *option.split())
    assert (result.exit_code, "2 deleted" in result.stdout) == (0, True), result.output
    for file in (tmp_path / ".omni").glob("inventory*"):
        file.unlink()
    result = omni("run", "listed.py", "--set", "number=2")
    assert result.exit_code == 4
    assert "Errors Its inventory in the SQLite file" in " ".join(result.stdout.split())
    assert "remove the source in Omni and add it again" in " ".join(result.stdout.split())
    assert "listed  empty inventory\n" in omni("errors").stdout


def test_what_is_typed_wrong_for_an_option_is_told_apart_from_a_file_that_cannot_be_used(omni, tmp_path):
    (tmp_path / "broken.json").write_text("{bad")
    for args, exit_code in (
        (("run", NOTES, "--config", "{bad"), 2),
        (("run", NOTES, "--config", "broken.json"), 3),
        (("run", NOTES, "--set", "a=1", "--set", "a.b=2"), 2),
        (("manager", "--source", "bad"), 2),
        (("manager", "--source", "[1]:"), 2),
        (("manager", "--source", "{}"), 2),
    ):
        result = omni(*args)
        assert (result.exit_code, result.stderr.startswith("Error: --")) == (exit_code, True), args


def test_a_realtime_run_lasts_until_it_is_cancelled(omni):
    result = omni(
        "run",
        connector("Watching"),
        "--mode",
        "realtime",
        "--set",
        "notes=2",
        "--timeout",
        "0.5",
        "--json",
    )
    summary = json.loads(result.stdout)
    assert (summary["sync_mode"], summary["status"], summary["indexed"]) == ("realtime", "cancelled", 2)


def test_another_configuration_for_the_same_source_is_mentioned(omni, run_notes):
    run_notes({"notes": 1})
    result = omni("run", NOTES, "--set", "notes=2")
    assert "Note: the configuration differs from the last run's (changed notes), whose" in result.stderr
    result = omni("run", NOTES, "--set", "note=secret", "--set", "a.b=1")
    assert "(added a.b, added note)" in result.stderr
    assert "secret" not in result.stderr
    assert "Note:" not in omni("run", NOTES, "--set", "notes=2").stderr
    result = omni("run", NOTES, "--config", '{"notes": 1}')
    assert "Note: --config replaces the stored settings of the source notes." in result.stderr
    assert "(removed a.b, removed note, changed notes)" in result.stderr


def test_a_run_keeps_what_is_stored_and_changes_what_is_typed(omni, tmp_path):
    """Settings count as given when they are stored; what the connector refuses changes nothing."""
    (tmp_path / "typed.py").write_text(TYPED_NOTES)
    assert omni("run", "typed.py", "--set", "count=9").exit_code == 3, "the prefix is missing"
    (tmp_path / "token").write_text("t0")
    (tmp_path / "user").write_text("u0")
    first = ("--set", "count=7", "--set", "prefix=A", "--secret", "token=@token", "--secret", "user=@user")
    assert omni("run", "typed.py", *first).exit_code == 0
    with LocalManager(".omni", schedule=False) as manager:
        manager.set_source(manager.sources()[0].id, sync_interval_seconds=600)

    def stored():
        with LocalManager(".omni", schedule=False) as manager:
            (source,) = manager.sources()
            secrets = manager.credential(source.id).credentials
            return source.config, secrets, source.sync_interval_seconds

    secrets = {"token": "t0", "user": "u0"}
    assert omni("run", "typed.py").exit_code == 0
    assert stored() == ({"count": 7, "prefix": "A"}, secrets, 600)
    assert omni("run", "typed.py", "--set", "cuont=3").exit_code == 3
    assert stored() == ({"count": 7, "prefix": "A"}, secrets, 600)
    (tmp_path / "token").write_text("t1")
    assert omni("run", "typed.py", "--set", "count=3", "--secret", "token=@token").exit_code == 0
    assert stored() == ({"count": 3, "prefix": "A"}, {"token": "t1", "user": "u0"}, 600)
    assert omni("run", "typed.py", "--config", '{"prefix": "B"}').exit_code == 0
    assert stored() == ({"prefix": "B"}, {"token": "t1", "user": "u0"}, 600)


def leave_behind(sync_type, checkpoint=None, *, completed_before=False):
    """Leave a run of the notes source running, as a killed process does."""
    with LocalManager(".omni", schedule=False) as manager:
        manager.add_source(source_id=SOURCE_ID, source_type="local_files", name="notes")
        calls = manager.app.test_client()
        for step in ("complete", None) if completed_before else (None,):
            body = {"source_id": SOURCE_ID, "sync_type": sync_type}
            run_id = calls.post("/sdk/sync/create", json=body).get_json()["sync_run_id"]
            if checkpoint is not None:
                calls.put(f"/sdk/sync/{run_id}/checkpoint", json=checkpoint)
            if step:
                calls.post(f"/sdk/sync/{run_id}/{step}", json={})
    return run_id


@pytest.mark.parametrize("args", [(), ("--mode", "incremental"), ("--mode", "full")])
def test_an_interrupted_run_is_resumed_from_its_checkpoint(omni, args):
    run_id = leave_behind("full", {"next": 40})
    result = omni("run", NOTES, "--set", "notes=1", "--json", *args)
    summary = json.loads(result.stdout)
    assert (summary["sync_run_id"], summary["resumed"], summary["status"]) == (run_id, True, "completed")
    assert list(documents()) == ["note-40"]
    assert "Resuming an interrupted run from its checkpoint." in result.stderr


def test_the_table_says_that_a_run_was_resumed(omni):
    leave_behind("full")
    assert "Sync        full, an interrupted run, resumed" in omni("run", NOTES).stdout


def test_an_interrupted_incremental_run_gives_way_to_a_full_one(run_notes):
    run_id = leave_behind("incremental", {"next": 40}, completed_before=True)
    summary = run_notes({"notes": 1}, "--mode", "full")
    assert summary["resumed"] is False
    assert summary["sync_mode"] == "full"
    with LocalManager(".omni", schedule=False) as manager:
        assert manager.run(run_id).status == "cancelled"


def test_an_interrupted_realtime_run_is_left_alone_by_the_others(run_notes):
    run_id = leave_behind("realtime")
    assert run_notes({"notes": 1})["resumed"] is False
    with LocalManager(".omni", schedule=False) as manager:
        assert manager.run(run_id).status == "running"


def test_killed_and_started_again_a_run_goes_on(process, run_notes):
    popen = process("run", NOTES, "--set", "notes=3", "--set", "wait=true")
    wait_for_line(popen, "waiting")
    popen.kill()
    popen.wait()
    summary = run_notes({"notes": 2})
    assert summary["resumed"] is True
    assert list(documents()) == [f"note-{number}" for number in range(5)]


def test_a_data_directory_in_use_is_refused(omni):
    with LocalManager(".omni", schedule=False):
        result = omni("run", NOTES)
    assert result.exit_code == 3
    assert ".omni is in use by another manager" in result.stderr
    with LocalManager(".omni") as manager:
        result = omni("run", NOTES)
        assert f"another manager, at {manager.url}, process {os.getpid()}." in result.stderr
        assert running_manager(Path(".omni")) == manager.url


def test_a_data_directory_that_cannot_be_made_is_refused(omni, tmp_path):
    (tmp_path / "file").write_text("")
    result = omni("run", NOTES, "--data", "file/data")
    assert result.exit_code == 3
    assert result.stderr.startswith("Error: --data file/data: the directory cannot be made: ")


def test_a_proxy_is_not_asked_for_this_machine(omni, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert omni("run", NOTES).exit_code == 0


def test_the_limit_of_bodies_in_the_environment_holds_and_is_named(omni, monkeypatch):
    assert omni("run", NOTES, "--set", "notes=1").exit_code == 0
    monkeypatch.setenv("CONNECTOR_MAX_BODY_BYTES", "20")
    result = omni("run", NOTES, "--set", "notes=1")
    assert result.exit_code != 0
    assert "CONNECTOR_MAX_BODY_BYTES allows 20" in result.output
    assert "Traceback" not in result.output


def test_a_wrong_variable_of_the_environment_is_named_before_the_sync(omni, monkeypatch):
    monkeypatch.setenv("CONNECTOR_MAX_BODY_BYTES", "lots")
    result = omni("run", NOTES, "--set", "notes=1")
    assert (result.exit_code, "CONNECTOR_MAX_BODY_BYTES='lots'" in result.output) == (3, True)
