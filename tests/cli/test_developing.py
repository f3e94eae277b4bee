"""The parts of ``omni-connector dev``."""

from __future__ import annotations

import io
import json
import socket

import pytest
from cli_cases import NOTES

from omni_connector.cli.developing.child import MaskedOutput, described, failure
from omni_connector.cli.developing.files import WatchedFiles
from omni_connector.cli.developing.lines import PROGRESS_SECONDS, SHOWN_DOCUMENTS, ConnectorLines
from omni_connector.cli.developing.messages import Files, Order, Started, received, send
from omni_connector.cli.output import Output
from omni_connector.cli.source import stable_source_id
from omni_connector.console.connector_process import Failure
from omni_connector.console.run_logs import OUTPUT, RunLogs
from omni_connector.local import LocalManager
from omni_connector.masking import SecretScope
from omni_connector.run_reports import read_report
from omni_connector.target import load_connector

RUN = {
    "level": "INFO",
    "logger": "omni_connector.telemetry.run_log",
    "sync_run_id": "R1",
    "time": "2026-11-30T03:04:05.678+00:00",
}


def test_messages_arrive_as_they_were_sent():
    here, there = socket.socketpair()
    sent = [
        Order(
            target="a.py", manager_url="http://x", data_dir=".", config={"a": [1]}, assignments=[["a", "1"]]
        ),
        Started(name="n", source_types=["web"], config={}, credentials={"token": "t"}),
        Failure(problems=["p"], file="a.py", line=3),
        Files(files=["a.py"]),
    ]
    with here, there:
        for each in sent:
            send(here, each)
        here.shutdown(socket.SHUT_WR)
        assert list(received(there)) == sent


class TestWatchedFiles:
    @pytest.fixture
    def file(self, tmp_path):
        file = tmp_path / "a.py"
        file.write_text("a")
        return file

    def test_a_change_counts_when_two_looks_have_found_the_same(self, file):
        watched = WatchedFiles()
        watched.add([str(file)])
        assert watched.changed() == []
        file.write_text("ab")
        assert watched.changed() == []
        file.write_text("abc")
        assert (watched.changed(), watched.changed(), watched.changed()) == ([], [str(file)], [])

    def test_a_file_that_is_removed_and_written_anew_has_changed_once(self, file):
        watched = WatchedFiles()
        watched.add([str(file)])
        file.unlink()
        assert watched.changed() == []
        file.write_text("new")
        assert (watched.changed(), watched.changed()) == ([], [str(file)])

    def test_files_that_are_added_beside_them_count_while_one_may_be_missing(self, file):
        watched = WatchedFiles()
        watched.add([str(file)])
        watched.watch_folders()
        added = file.with_name("b.py")
        added.write_text("b")
        assert (watched.changed(), watched.changed()) == ([], [str(added)])


class TestFailure:
    def load(self, tmp_path, text, more=""):
        (tmp_path / "broken.py").write_text(text)
        (tmp_path / "below.py").write_text(more)
        with pytest.raises(Exception) as caught:
            load_connector(str(tmp_path / "broken.py"))
        return failure(caught.value)

    def test_names_the_line_in_which_the_error_was_raised(self, tmp_path, monkeypatch):
        monkeypatch.syspath_prepend(tmp_path)
        found = self.load(tmp_path, "import below\n", "x = 1\ny = nothing\n")
        assert (found.file, found.line, found.code) == (str(tmp_path / "below.py"), 2, "y = nothing")
        first, *_, last = found.traceback.strip().splitlines()
        assert first == "Traceback (most recent call last):"
        assert last.startswith("NameError: name 'nothing' is not defined")
        assert "importlib" not in found.traceback
        assert "target.py" not in found.traceback

    def test_names_the_line_of_a_syntax_error(self, tmp_path):
        found = self.load(tmp_path, "x = 1\ndef (:\n")
        assert (found.file, found.line, found.code) == (str(tmp_path / "broken.py"), 2, "def (:")

    def test_shows_no_secret(self, tmp_path):
        with SecretScope({"hunter2-hunter2"}):
            found = self.load(tmp_path, "raise ValueError('hunter2-hunter2')\n")
        assert "hunter2" not in str(found)


class TestConnectorLines:
    @pytest.fixture
    def logs(self):
        return RunLogs()

    @pytest.fixture
    def take(self, logs, tmp_path, monkeypatch):
        shown = io.StringIO()
        monkeypatch.setattr("sys.stderr", shown)
        lines = ConnectorLines(Output(), logs, data_dir=tmp_path, name_of={"S1": "wiki"}.get)

        def take(line):
            shown.seek(0)
            shown.truncate()
            lines.take(json.dumps(line) if isinstance(line, dict) else line)
            return shown.getvalue()

        return take

    def test_a_line_of_the_log_is_shown_for_people_and_kept(self, take, logs):
        shown = take(RUN | {"event": "sync_started", "message": "Full sync of source 'x' started"})
        assert shown == "03:04:05 Full sync of source 'x' started\n"
        assert [line.text for line in logs.of("R1").lines] == ["Full sync of source 'x' started"]

    @pytest.mark.parametrize(
        ("source", "shown"),
        [({"source_id": "S1"}, "'wiki' (S1)"), ({"source_id": "S2"}, "S2"), ({"source_name": "x"}, "S1")],
    )
    def test_a_source_is_called_by_its_name_where_it_is_known(self, take, logs, source, shown):
        message = f"Full sync of source {source.get('source_id', 'S1')} started"
        assert f"Full sync of source {shown} started\n" in take(
            RUN | source | {"event": "sync_started", "message": message}
        )
        assert logs.of("R1").lines[0].text == f"Full sync of source {shown} started"

    def test_what_did_not_arrive_is_kept_with_the_data_when_the_run_ends(self, take, tmp_path):
        take(RUN | {"event": "sync_started", "message": "started"})
        text = "Document 'a (b): c' did not arrive as it should (connector): 500 (again): no"
        take(RUN | {"level": "WARNING", "document_id": "a (b): c", "message": text})
        assert read_report(tmp_path, "R1") == {}
        take(RUN | {"event": "sync_ended", "outcome": "failed", "errors": 7, "message": "failed"})
        reason = {"document_id": "a (b): c", "stage": "connector", "reason": "500 (again): no"}
        assert read_report(tmp_path, "R1") == {"error_count": 7, "errors": [reason]}

    def test_what_is_printed_belongs_to_the_runs_in_progress(self, take, logs):
        take("before")
        take(RUN | {"event": "sync_started", "message": "started"})
        assert take("hello") == "hello\n"
        assert take('{"a": 1}') == '{"a": 1}\n'
        take(RUN | {"event": "sync_ended", "outcome": "completed", "message": "completed"})
        take("after")
        found = logs.of("R1")
        assert [line.text for line in found.lines if line.level == OUTPUT] == ["hello", '{"a": 1}']
        assert found.outcome == "completed"

    def test_progress_becomes_figures_and_is_shown_now_and_then(self, take, logs, monkeypatch):
        now = [0.0]
        monkeypatch.setattr("omni_connector.cli.developing.lines.time.monotonic", lambda: now[0])
        line = RUN | {"event": "sync_progress", "message": "goes on", "scanned": 7}
        assert take(line) == ""
        now[0] = PROGRESS_SECONDS
        assert take(line | {"scanned": 9}) == "03:04:05 goes on\n"
        assert logs.of("R1").figures["scanned"] == 9
        assert logs.of("R1").lines == ()

    def test_of_the_sdk_only_warnings_are_shown_and_documents_a_few_times(self, take, logs):
        assert take(RUN | {"message": "registered"}) == ""
        wrong = RUN | {"level": "WARNING", "message": "page did not arrive", "document_id": "p"}
        shown = [take(wrong) for _ in range(SHOWN_DOCUMENTS + 3)]
        assert shown[0] == "03:04:05 Warning: page did not arrive\n"
        assert shown[SHOWN_DOCUMENTS:] == ["Further documents are shown in the console.\n", "", ""]
        assert len(logs.of("R1").errors) == SHOWN_DOCUMENTS + 3


def test_what_is_printed_is_masked_a_whole_line_at_a_time():
    stream = io.StringIO()
    output = MaskedOutput(stream)
    with SecretScope({"hunter2-hunter2"}):
        print("token hunter2-", end="", file=output)
        print("hunter2", file=output)
        print("begun", end="", file=output)
        output.flush()
    first, second = stream.getvalue().splitlines()
    assert first.startswith("token ")
    assert "hunter2" not in first
    assert second == "begun"


def test_a_value_below_a_stored_one_that_is_no_object_is_a_problem_and_no_failure(tmp_path):
    """The connector starts all the same, so that the settings can be changed in the console."""
    with LocalManager(tmp_path, schedule=False) as manager:
        source_id = stable_source_id("notes", "notes")
        manager.add_source(source_id=source_id, source_type="local_files", name="notes", config={"a": 1})
        order = Order(
            target=str(NOTES),
            manager_url=manager.url,
            data_dir=str(tmp_path),
            config={"a": {"b": 2}},
            assignments=[["a.b", "2"]],
        )
        started = described(load_connector(str(NOTES)), order)
    assert (started.is_known, len(started.problems)) == (True, 1)
    assert started.problems[0].startswith("--set a.b: a has a value already")
