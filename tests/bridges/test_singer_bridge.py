"""The Singer bridge with a tap that does what a test asks; real taps are in test_real_taps.py."""

import json
import logging
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from attrs import define
from support import a_tap
from support.waiting import QUICKLY, eventually

from omni_connector import Document, DocumentPermissions, secret
from omni_connector.bridges import singer_run, singer_tap
from omni_connector.bridges.singer import SingerConnector
from omni_connector.bridges.singer_catalog import replication_methods, selected
from omni_connector.bridges.singer_config import TapConfig
from omni_connector.bridges.singer_tap import TapFolder
from omni_connector.exceptions import ConfigurationError
from omni_connector.runtime.run_stack import thread_of_run
from omni_connector.testing import serve_connector


class Issues(SingerConnector):
    name = "issues"
    version = "1.0.0"
    tap = (sys.executable, a_tap.__file__)

    def document(self, record, stream):
        return Document(external_id=stream.key(record), title=record["title"], content=record.get("body", ""))

    def permissions(self, record, stream):
        return DocumentPermissions(users=["ann@example.com"])


@pytest.fixture(autouse=True)
def every_state_is_saved(monkeypatch):
    monkeypatch.setattr(singer_run.Pace, "is_due", lambda self: True)


SCHEMA = {"type": "SCHEMA", "stream": "issues", "schema": {"properties": {}}, "key_properties": ["id"]}


def record(n, **more):
    return {"type": "RECORD", "stream": "issues", "record": {"id": n, "title": f"Issue {n}"}, **more}


def state(n):
    return {"type": "STATE", "value": {"bookmarks": {"issues": {"id": n}}}}


def config(*lines, **more):
    return {"lines": [SCHEMA, *lines], "streams": [{"tap_stream_id": "issues", "stream": "issues"}], **more}


def test_a_tap_is_read_from_its_state_on(run_sync, tmp_path):
    report = tmp_path / "report.json"
    first = run_sync(Issues(), config=config(record(1), record(2), state(2)))
    assert (first.status, sorted(first.documents)) == ("completed", ["issues/1", "issues/2"])
    assert first.documents["issues/1"].permissions["users"] == ["ann@example.com"]
    assert first.state == {"singer": {"bookmarks": {"issues": {"id": 2}}}, "versions": {}}
    second = run_sync(Issues(), config=config(record(3), state(3), report=str(report)), mode="incremental")
    assert (list(second.documents), second.deletions) == (["issues/3"], [])
    assert json.loads(report.read_text())["state"] == {"bookmarks": {"issues": {"id": 2}}}


def test_what_a_tap_does_not_list_any_more_is_deleted_where_it_lists_everything(run_sync):
    rows = [record(n, version=1) for n in range(12)]
    activate = {"type": "ACTIVATE_VERSION", "stream": "issues", "version": 1}
    run_sync(Issues(), config=config(*rows, activate, state(1)))
    metadata = [{"breadcrumb": [], "metadata": {"forced-replication-method": "FULL_TABLE"}}]
    whole = {"streams": [{"tap_stream_id": "issues", "stream": "issues", "metadata": metadata}]}
    of_each_parent = {"type": "STATE", "value": {"bookmarks": {"issues": {"partitions": [{"id": 1}]}}}}
    for lines in ([activate, *rows[1:], state(1)], [*rows[1:], of_each_parent]):
        part = run_sync(Issues(), config={**config(*lines), **whole}, mode="incremental")
        assert (part.status, part.deletions) == ("completed", [])
    new = {**activate, "version": 2}
    after = run_sync(Issues(), config=config(new, *rows[1:], new, state(1)), mode="incremental")
    assert (after.deletions, after.state["versions"]) == (["issues/0"], {"issues": 2})
    gone = {
        "type": "RECORD",
        "stream": "issues",
        "record": {"id": 5, "title": "", "_sdc_deleted_at": "2026-01-01"},
    }
    assert run_sync(Issues(), config=config(gone), mode="incremental").deletions == ["issues/5"]


def test_the_environment_is_the_taps_own_and_its_config_is_for_the_owner_only_and_gone(
    run_sync, tmp_path, monkeypatch
):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the process")
    report = tmp_path / "report.json"
    result = run_sync(
        Issues(), config=config("die", report=str(report)), credentials={"token": "t0ken-7-of-the-source"}
    )
    told = json.loads(report.read_text())
    assert not told["environment"].keys() & {"AWS_SECRET_ACCESS_KEY", "CONNECTOR_MANAGER_URL"}
    assert told["environment"]["HOME"] == told["folder"]
    assert set(told["modes"].values()) == {"0o600", "0o700"}
    assert not Path(told["folder"]).exists()
    assert result.status == "failed"
    assert "ended with signal SIGKILL" in result.error


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        ([record(1), "Traceback: no"], "in stream 'issues', line 3: 'Traceback: no' is no Singer message"),
        slow([{"type": "RECORD", "stream": "issues"}], "line 2: .* its 'record' is missing"),
        slow(
            [{"type": "RECORD", "stream": "o", "record": {}}],
            "stream 'o', line 2: a RECORD came before the SCHEMA",
        ),
        ([record(1), "error no such table", "exit 3"], r"exit code 3; it said: .*no such table"),
        slow([record(1), "hang"], "wrote nothing for 0.6 s; it hangs"),
        slow([record(1), "long 300000"], "a message is longer than"),
        slow([{"type": "BATCH", "stream": "issues"}], "take batch_config out"),
    ],
)
def test_a_tap_that_fails_fails_the_run_with_what_and_where_and_nothing_is_deleted(
    run_sync, monkeypatch, lines, error
):
    monkeypatch.setattr(singer_tap, "LONGEST_LINE", 100_000)
    monkeypatch.setattr(Issues, "idle_minutes", 0.01 if "hang" in lines else 1)
    monkeypatch.setattr(Issues, "discovers", False)
    result = run_sync(Issues(), config=config(*lines))
    assert (result.status, result.deletions) == ("failed", [])
    assert re.search(error, result.error), result.error


def test_the_state_is_saved_after_the_records_before_it_only(run_sync):
    result = run_sync(Issues(), config=config(record(1), state(1), record(2), "exit 1"))
    assert (result.status, sorted(result.index)) == ("failed", ["issues/1", "issues/2"])
    assert result.saved_state["singer"] == {"bookmarks": {"issues": {"id": 1}}}
    assert result.saved_state["reads_all"] is True


def test_a_record_of_which_no_document_can_be_made_costs_only_itself(run_sync):
    rows = [record(1), {"type": "RECORD", "stream": "issues", "record": {"id": 2}}, record(3)]
    result = run_sync(Issues(), config=config(*rows))
    assert (result.status, sorted(result.documents)) == ("completed", ["issues/1", "issues/3"])
    assert [each.document_id for each in result.errors] == ["issues issues/2"]


UNREADABLE = {"type": "RECORD", "stream": "issues", "record": {"id": 3}}


@pytest.mark.parametrize("why", ["unreadable", slow("left out")])
def test_what_was_not_read_by_an_interrupted_run_stays_and_is_read_again(
    omni_manager, tmp_path, pass_a_day, why
):
    rows, report = [record(n) for n in range(12)], tmp_path / "report.json"
    with serve_connector(Issues(), omni_manager) as served:
        source = served.put_source(config=config(*rows, state(11)))
        omni_manager.wait_for_run(omni_manager.trigger(source, "full"), 60)
        pass_a_day()
        unread = [UNREADABLE] if why == "unreadable" else []
        served.put_source(source_id=source, config=config(*rows[:3], *unread, state(3), "hang"))
        run_id = omni_manager.trigger(source, "full")
        eventually(lambda: omni_manager.run(run_id).checkpoint is not None)
    with serve_connector(Issues(), omni_manager) as served:
        more = config(*rows[4:], state(11), report=str(report))
        if why == "left out":
            more["lines"] = [state(11)]  # The tap takes the stream for done.
        served.put_source(source_id=source, config=more)
        omni_manager.tick()
        assert omni_manager.wait_for_run(run_id, 60).status == "completed"
        assert json.loads(report.read_text())["state"] == state(3)["value"]  # It was resumed.
        assert len(list(omni_manager.documents())) == 12
        omni_manager.wait_for_run(omni_manager.trigger(source, "incremental"), 60)
    assert json.loads(report.read_text())["state"] is None  # What was not read is read again.


@pytest.mark.parametrize("why", ["unread", "withheld"])
def test_the_next_run_reads_everything_again_if_a_stream_could_not_be_reconciled(
    run_sync, tmp_path, pass_a_day, why
):
    rows, report = [record(n) for n in range(12)], tmp_path / "report.json"
    run_sync(Issues(), config=config(*rows, state(11)))
    pass_a_day()
    left = [*rows[:3], UNREADABLE, *rows[4:]] if why == "unread" else rows[:3]
    assert run_sync(Issues(), config=config(*left, state(11))).deletions == []
    for expected in (None, state(11)["value"]):
        run_sync(Issues(), config=config(*rows, state(11), report=str(report)), mode="incremental")
        assert json.loads(report.read_text())["state"] == expected


def test_a_day_after_everything_was_listed_a_tap_is_started_without_a_state(run_sync, tmp_path, pass_a_day):
    report = tmp_path / "report.json"
    run_sync(Issues(), config=config(record(1), state(1)))
    pass_a_day()
    run_sync(Issues(), config=config(record(1), state(1), report=str(report)), mode="incremental")
    assert json.loads(report.read_text())["state"] is None


def test_what_a_tap_says_is_in_the_log_without_secrets(run_sync, caplog):
    caplog.set_level(logging.INFO)
    secret = "t0ken-7-of-the-source"
    run_sync(Issues(), config=config(f"error the token is {secret}"), credentials={"token": secret})
    said = [each.getMessage() for each in caplog.records if "the token is" in each.getMessage()]
    assert len(said) == 1
    assert secret not in said[0]


def test_a_cancellation_ends_the_whole_group_at_once(omni_manager, tmp_path):
    child = tmp_path / "child"
    with serve_connector(Issues(), omni_manager) as served:
        source = served.put_source(config=config(record(1), f"child {child}", state(1), "hang"))
        run_id = omni_manager.trigger(source, "full")
        eventually(lambda: omni_manager.run(run_id).checkpoint is not None)
        began = time.monotonic()
        omni_manager.cancel(run_id)
        thread = thread_of_run(run_id)
        if thread is not None:
            thread.join(60)
        assert time.monotonic() - began < QUICKLY
    # The kernel ends a group that was killed in its own time.
    eventually(lambda: is_gone(int(child.read_text())))


def is_gone(pid):
    """Say whether a process has ended; one that nobody has asked about yet counts as ended."""
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


def test_streams_are_selected_by_name_with_their_replication():
    catalog = {
        "streams": [
            {
                "tap_stream_id": "a",
                "stream": "a",
                "schema": {},
                "metadata": [{"breadcrumb": [], "metadata": {}}],
            },
            {"tap_stream_id": "b", "stream": "b", "schema": {}},
            {
                "tap_stream_id": "c",
                "stream": "c",
                "metadata": [{"breadcrumb": ["properties", "x"], "metadata": {}}],
            },
        ]
    }
    chosen = selected(catalog, {"a": "updated_at", "c": None})["streams"]
    assert [each["metadata"][0]["metadata"]["selected"] for each in chosen] == [True, False, True]
    assert (
        chosen[0]["replication_key"]
        == chosen[0]["metadata"][0]["metadata"]["replication-key"]
        == "updated_at"
    )
    assert chosen[2]["metadata"][1]["metadata"]["selected"] is True
    assert replication_methods({"streams": chosen}) == {"a": "INCREMENTAL", "c": "FULL_TABLE"}
    assert "selected" not in catalog["streams"][0]
    with pytest.raises(ConfigurationError, match="no stream 'isues'; did you mean 'issues'"):
        selected({"streams": [{"stream": "issues"}]}, ["isues"])


def test_a_tap_that_is_not_installed_is_an_error_that_says_what_to_do(run_sync):
    class Missing(Issues):
        tap = "tap-nothing"

    result = run_sync(Missing(), config={})
    assert "There is no Singer tap 'tap-nothing' on PATH" in result.error
    Missing.tap = "/opt/no such/tap-nothing"
    assert run_sync(Missing(), config={}).error.endswith(
        "tap: there is no such file: /opt/no such/tap-nothing"
    )


def test_a_token_that_the_tap_has_changed_in_its_config_is_kept_for_the_next_run(run_sync, monkeypatch):
    given = []
    write = singer_tap.TapFolder.write
    monkeypatch.setattr(
        singer_tap.TapFolder,
        "write",
        lambda self, name, value: (
            (given.append(value["token"]) if name == "config.json" else None) or write(self, name, value)
        ),
    )
    for credentials in ({"token": "t0ken-7"}, {"token": "t0ken-7"}, {"token": "t0ken-8"}):
        run_sync(Issues(), config=config("rotate", "exit 1"), credentials=credentials)
    assert given == ["t0ken-7", "t0ken-7+", "t0ken-8"]


def test_a_new_token_is_masked_in_the_run_in_which_the_tap_gets_it(run_sync, caplog):
    caplog.set_level(logging.INFO)
    new = "n3w-t0ken-of-the-source"
    lines = [f"token {new}", f"error the token is {new}", "exit 1"]
    result = run_sync(Issues(), config={"lines": lines}, credentials={"token": "t0ken-7-of-the-source"})
    assert "the token is" in result.error
    assert "the token is" in caplog.text
    assert new not in result.error + caplog.text


class Place:
    """Keeps tokens in memory."""

    kept = None

    def read(self, name):
        return self.kept

    def save(self, name, token):
        self.kept = token


def test_a_new_token_is_kept_while_the_tap_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    place, secrets = Place(), []
    config = TapConfig(place, {"token": "old"}, secrets.append)
    with TapFolder() as folder:
        path = Path(config.write(folder))
        for half_written in ('["old"]', "{"):
            path.write_text(half_written)
            config.look()
            assert place.kept is None
        path.write_text('{"token": "new", "more": {"tokens": ["next"]}}')
        config.look()
    config.keep()
    assert place.kept["changes"] == {"token": "new", "more": {"tokens": ["next"]}}
    assert secrets == ["new", "next"]


def test_folders_of_processes_that_were_killed_are_removed_by_the_next_one(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with TapFolder() as used:
        used.write("config.json", {})
        left = tmp_path / "omni-tap-left"
        left.mkdir()
        (left / "config.json").write_text("{}")
        with TapFolder() as own:
            assert set(tmp_path.glob("omni-tap-*")) == {used.path, own.path}
    assert not list(tmp_path.glob("omni-tap-*"))


@define
class Settings:
    lines: list[dict[str, Any]]


@define
class Token:
    token: str = secret()


def test_declared_settings_become_the_config_of_the_tap(run_sync, tmp_path):
    class Typed(SingerConnector[Settings, Token]):
        name = "typed"
        version = "1.0.0"
        tap = Issues.tap
        discovers = False

        def document(self, record, stream):
            return Document(external_id=stream.key(record), title=record["title"], content="")

    credentials = {"token": "t0ken-7-of-the-source"}
    result = run_sync(Typed(), config={"lines": [SCHEMA, record(1)]}, credentials=credentials)
    assert (result.status, list(result.documents)) == ("completed", ["issues/1"])
    assert Typed().tap_config(Settings([]), Token("t")) == {"lines": [], "token": "t"}
