"""Metrics of one connector over the processes of a server, and the figures of its runs."""

from __future__ import annotations

import os
import signal
import stat
from contextlib import contextmanager

import pytest
from attrs import evolve
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse
from support.waiting import eventually

from omni_connector.telemetry.families import FAMILIES
from omni_connector.telemetry.figures import Figures, Progress, RunEnd, RunFigures, Stage
from omni_connector.telemetry.log_context import RunIdentity
from omni_connector.telemetry.metrics import MOST_NOTED, Metrics
from omni_connector.telemetry.sample_files import SampleFiles

RUN = RunIdentity("web", "run-1", "source-1", "full")


@pytest.fixture
def make(tmp_path):
    made = []

    def make(folder=None):
        made.append(Metrics("web", folder))
        made[-1].begin()
        return made[-1]

    yield make
    for each in made:
        each.close()


def shown(metrics):
    """Return what a scrape says, by name and labels without that of the connector."""
    body, _ = metrics.exposition("text/plain")
    found = {}
    for family in parse(body.decode()):
        for sample in family.samples:
            labels = dict(sample.labels)
            assert labels.pop("connector") == "web"
            by_name = [labels[name] for name in sorted(labels)]
            found[sample.name.removeprefix("omni_connector_"), *by_name] = sample.value
    return found


def figures(scale=1, **more):
    documents = Figures(scanned=10 * scale, emitted=9 * scale, updated=8 * scale, refused=scale)
    stages = {Stage.READING: 2.5 * scale, Stage.SENDING_EVENTS: 1.0 * scale}
    return RunFigures(
        documents=documents, seconds=4.0 * scale, stages=stages, batches=scale, bytes_delivered=100 * scale
    )


def test_a_run_is_counted_while_it_goes_on_and_when_it_ends(make):
    metrics = make()
    metrics.run_started(RUN)
    assert shown(metrics)["runs_in_progress", "full"] == 1
    progress = Progress(total=40, done=10)
    metrics.run_moved(RUN, evolve(figures(), buffered_documents=7, buffered_bytes=70, progress=progress))
    found = shown(metrics)
    assert found["documents_total", "scanned"] == 10
    assert found["buffered_documents",] == 7
    assert found["buffered_bytes",] == 70
    assert found["run_progress_ratio", "source-1"] == 0.25

    metrics.run_ended(RUN, figures(3), RunEnd(outcome="completed"))
    found = shown(metrics)
    assert ("runs_in_progress", "full") not in found
    assert ("run_progress_ratio", "source-1") not in found
    assert found["runs_total", "full", "completed"] == 1
    assert found["run_duration_seconds_count", "full"] == 1
    assert found["run_duration_seconds_sum", "full"] == 12
    assert [found["documents_total", kind] for kind in ("scanned", "emitted", "updated", "refused")] == [
        30,
        27,
        24,
        3,
    ]
    assert found["delivered_bytes_total",] == 300
    assert found["batches_total",] == 3
    assert found["stage_seconds_total", "reading"] == 7.5
    assert found["buffered_documents",] == 0
    assert found["last_success_timestamp_seconds", "source-1"] > 1.7e9


def test_what_was_counted_before_a_resume_is_not_counted_again(make):
    metrics = make()
    metrics.run_started(RUN)
    before = Figures(scanned=6, updated=5)
    metrics.run_ended(RUN, evolve(figures(), before=before), RunEnd(outcome="left to the manager"))
    found = shown(metrics)
    assert found["documents_total", "scanned"] == 4
    assert found["documents_total", "updated"] == 3
    assert found["runs_total", "full", "left_to_the_manager"] == 1
    assert ("last_success_timestamp_seconds", "source-1") not in found


def test_a_run_that_never_started_is_counted(make):
    metrics = make()
    metrics.run_ended(RUN, RunFigures(), RunEnd(outcome="not started"))
    assert shown(metrics)["runs_total", "full", "not_started"] == 1


def test_requests_that_are_not_counted_yet_take_no_more_memory_than_a_thousand(make):
    metrics, most = make(), 0
    for _ in range(2_500):  # No scrape and no end of a run meanwhile.
        metrics.attempted("/sdk/content", "200", 0.02, 10)
        most = max(most, len(metrics._attempts["/sdk/content", "200"]))
    assert most <= MOST_NOTED
    assert shown(metrics)["manager_sent_bytes_total", "/sdk/content"] == 25_000


def test_the_manager_is_up_when_it_answered_last(make):
    metrics = make()
    assert ("manager_up",) not in shown(metrics)
    metrics.attempted("/sdk/content", "200", 0.02, 1000)
    assert shown(metrics)["manager_up",] == 1
    metrics.attempted("/sdk/content", "unreachable", 5.0, 1000)
    metrics.repeated("/sdk/content", "unreachable")
    found = shown(metrics)
    assert found["manager_up",] == 0
    assert found["manager_retries_total", "/sdk/content", "unreachable"] == 1
    assert found["manager_sent_bytes_total", "/sdk/content"] == 2000
    assert found["manager_request_duration_seconds_bucket", "/sdk/content", "0.025", "200"] == 1
    metrics.attempted("/sdk/content", "429", 0.1, 0)  # It says no, but it says something.
    metrics.failed("/sdk/content", "429")
    assert shown(metrics)["manager_up",] == 1
    assert shown(metrics)["manager_errors_total", "/sdk/content", "429"] == 1


def test_openmetrics_is_given_to_who_asks_for_it(make):
    metrics = make()
    metrics.run_ended(RUN, figures(), RunEnd(outcome="completed"))
    metrics.answered("/health", "GET", "200", 0.001)
    body, content_type = metrics.exposition("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert {family.name for family in parse_openmetrics(body.decode())} == {
        family.name.removesuffix("_total") for family in FAMILIES
    }


def test_names_follow_the_conventions():
    for family in FAMILIES:
        assert family.name.startswith("omni_connector_")
        assert (family.kind == "counter") == family.name.endswith("_total")
        assert (family.kind == "histogram") <= family.name.endswith("_seconds")
        assert family.text.endswith(".")


def test_two_processes_show_the_sum_whichever_is_asked(make, tmp_path):
    first, second = make(tmp_path / "m"), make(tmp_path / "m")
    for metrics in (first, second, second):
        metrics.run_ended(RUN, figures(), RunEnd(outcome="completed"))
    second.run_started(RUN)
    shown(second)  # Writes.
    for metrics in (first, second):
        found = shown(metrics)
        assert found["runs_total", "full", "completed"] == 3
        assert found["runs_in_progress", "full"] == 1
        assert found["processes", next(key[1] for key in found if key[0] == "processes")] == 2


def test_the_values_are_written_without_being_asked_for(make, tmp_path, monkeypatch):
    monkeypatch.setattr("omni_connector.telemetry.metrics.WRITE_SECONDS", 0.05)
    first, second = make(tmp_path), make(tmp_path)
    second.answered("/health", "GET", "200", 0.1)
    seen = ("http_request_duration_seconds_count", "/health", "GET", "200")
    eventually(lambda: seen in shown(first))
    assert shown(first)[seen] == 1


def test_after_a_restart_counters_and_successes_go_on(make, tmp_path):
    before = make(tmp_path)
    before.run_started(evolve(RUN, sync_run_id="endless"))
    before.run_ended(RUN, figures(), RunEnd(outcome="completed"))
    moment = shown(before)["last_success_timestamp_seconds", "source-1"]
    before.close()
    after = make(tmp_path)
    found = shown(after)
    assert found["runs_total", "full", "completed"] == 1
    assert found["last_success_timestamp_seconds", "source-1"] == moment
    assert ("runs_in_progress", "full") not in found
    assert [path.name for path in sorted(tmp_path.glob("*.json"))] == ["0.json"]


@contextmanager
def in_child(work):
    """Do something in a forked process, which is killed in the end."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            work()
            os.write(writing, b"1")
            signal.pause()
        finally:
            os._exit(1)
    os.close(writing)
    try:
        assert os.read(reading, 1) == b"1"
        yield
    finally:
        os.close(reading)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_workers_that_are_killed_leave_their_counters_and_no_gauges(make, tmp_path):
    asked = make(tmp_path / "m")
    metrics = Metrics("web", tmp_path / "m")

    def work():
        metrics.run_started(RUN)
        metrics.run_ended(evolve(RUN, sync_run_id="other"), figures(), RunEnd(outcome="failed"))
        metrics.exposition("")

    for number in range(1, 9):
        with in_child(work):
            found = shown(asked)
            assert found["runs_in_progress", "full"] == 1
            assert found["runs_total", "full", "failed"] == number
        found = shown(asked)
        assert ("runs_in_progress", "full") not in found
        assert found["runs_total", "full", "failed"] == number
    assert len(list((tmp_path / "m").iterdir())) == 4  # Two places, each with a lock and values.


def test_a_forked_process_has_nothing_of_its_parents(make, tmp_path):
    metrics = make(tmp_path / "m")
    metrics.answered("/health", "GET", "200", 0.1)
    with in_child(metrics.begin):
        pass
    metrics.close()
    files = SampleFiles(tmp_path / "m")
    places = [values["omni_connector_http_request_duration_seconds"] for values, _ in files.others()]
    assert [len(each) for each in places] == [1]  # The child was killed before it wrote.


def test_files_are_the_owners_alone(make, tmp_path):
    os.umask(0)
    make(tmp_path / "m").exposition("")
    os.umask(0o022)
    for path in (tmp_path / "m", *(tmp_path / "m").iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_damaged_and_foreign_files_are_passed_over(make, tmp_path):
    for name, text in {"7.json": "{", "8.json": '{"v": 99}', "9.json": "[]", "x.json": "{}"}.items():
        (tmp_path / name).write_text(text)
    assert shown(make(tmp_path))["buffered_bytes",] == 0


def test_without_a_usable_folder_it_shows_this_process(make, tmp_path, caplog):
    (tmp_path / "file").write_text("")
    metrics = make(tmp_path / "file")
    metrics.answered("/health", "GET", "200", 0.1)
    assert shown(metrics)["http_request_duration_seconds_count", "/health", "GET", "200"] == 1
    assert "GET /metrics shows one process only" in caplog.text
