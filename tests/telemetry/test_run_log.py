"""The lines about a run."""

import logging

import pytest

from omni_connector.config import LogSettings
from omni_connector.telemetry.figures import Figures, Progress, RunEnd, RunFigures, Stage
from omni_connector.telemetry.log_context import RunIdentity
from omni_connector.telemetry.run_log import RunLog, duration, progress_text

RUN = RunIdentity("wiki", "run-1", "source-1", "full", source_name="Team wiki")


def figures(seconds, emitted, **more):
    return RunFigures(seconds=seconds, documents=Figures(scanned=emitted, emitted=emitted), **more)


@pytest.fixture
def run_log(caplog):
    caplog.set_level(logging.INFO, "omni_connector.telemetry.run_log")
    return RunLog(LogSettings(), 30)


def test_a_run_says_its_mode_and_where_it_begins(run_log, caplog):
    run_log.run_started(RUN)
    run_log.run_started(
        RunIdentity(
            "wiki", "run-1", "source-1", "incremental", is_resume=True, starts_from="its own checkpoint"
        )
    )
    assert caplog.messages == [
        "Full sync of source 'Team wiki' (source-1) started, from nothing",
        "Incremental sync of source source-1 resumed, from its own checkpoint",
    ]


def test_how_far_it_is_is_said_every_thirty_seconds(run_log, caplog):
    run_log.run_started(RUN)
    for seconds in range(0, 100, 5):
        run_log.run_moved(RUN, figures(seconds, seconds * 10))
    lines = [record for record in caplog.records if "goes on" in record.getMessage()]
    assert [record.seconds for record in lines] == [30, 60, 90]
    assert {record.documents_per_second for record in lines} == {10.0}
    assert {record.sync_run_id for record in lines} == {"run-1"}
    assert lines[0].getMessage() == (
        "Sync of source 'Team wiki' (source-1) goes on: 300 scanned, 300 emitted, 0 deleted, 0 errors in 30.0 s; "
        "10.0 documents/s"
    )


def test_zero_seconds_write_no_such_line(caplog):
    run_log = RunLog(LogSettings(), 0)
    run_log.run_started(RUN)
    run_log.run_moved(RUN, figures(3600, 1))
    assert "goes on" not in caplog.text


def test_the_end_has_a_report(run_log, caplog):
    run_log.run_started(RUN)
    found = figures(
        176,
        352,
        stages={Stage.READING: 100.0, Stage.SENDING_EVENTS: 0.01, Stage.WAITING_MANAGER: 76.0},
        buffered_documents=7,
        parallel_uploads=2,
        batches=4,
        bytes_delivered=5000,
        progress=Progress(phase="pages", total=400, done=352, seconds=176),
    )
    run_log.run_ended(RUN, found, RunEnd(outcome="completed"))
    assert caplog.messages[-1] == (
        "Sync of source 'Team wiki' (source-1) completed: 352 scanned, 352 emitted, 0 deleted, 0 errors in 2 min 56 s; "
        "2.0 documents/s; reading the source 1 min 40 s, waiting for the manager 1 min 16 s; "
        "7 documents buffered, 2 uploads at once; pages: 88% of 400"
    )
    record = caplog.records[-1]
    assert (record.event, record.outcome, record.batches, record.share) == (
        "sync_ended",
        "completed",
        4,
        0.88,
    )
    assert record.stage_seconds["waiting_manager"] == 76.0


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (59.9, "59.9 s"), (125, "2 min 5 s"), (3720, "1 h 2 min")]
)
def test_durations_are_readable(seconds, text):
    assert duration(seconds) == text


def test_progress_says_what_is_done_and_how_long_the_rest_takes():
    assert progress_text(Progress(phase="users", done=7), goes_on=True) == "users: 7 done"
    half = Progress(phase="pages", total=400, done=200, seconds=8)
    assert progress_text(half, goes_on=True) == "pages: 50% of 400, 8.0 s left"
