"""What a run logs carries the run, wherever it is logged: threads, tasks, partitions."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading

import pytest
from support.scripted import Scripted, emit, sync_request

from omni_connector import ConfigurationError, Connector
from omni_connector.models import SourceRow, SyncConfig
from omni_connector.models.partition import Partition
from omni_connector.telemetry.log_context import FIELDS, RunIdentity, current_run, in_run

log = logging.getLogger("wiki.connector")


@pytest.fixture
def lines(caplog):
    """Return the records of the connector's own logger, with what a handler of an application sees of the run."""
    caplog.set_level(logging.INFO)

    def found(message=None):
        return [
            {name: getattr(record, name, None) for name in FIELDS}
            for record in caplog.records
            if record.name == log.name and message in {None, record.getMessage()}
        ]

    return found


RUN = {
    "connector": "scripted",
    "source_id": "source-1",
    "source_name": None,
    "sync_run_id": "run-1",
    "sync_mode": "full",
    "partition": None,
    "trace_id": None,
}


def test_lines_of_sync_and_of_the_thread_that_sends_carry_the_run(serve, ended, lines, caplog, manager):
    def send(_):
        log.info("Sending")

    def script(ctx):
        log.info("Reading")
        emit(ctx, 1)

    manager.on("send_events", send)
    service = serve(Scripted(script))
    service.start_sync(sync_request())
    ended(service)
    assert lines("Reading") == lines("Sending") == [RUN]
    (sending,) = [record for record in caplog.records if record.getMessage() == "Sending"]
    assert sending.threadName == "omni-send-run-1"
    ours = [record for record in caplog.records if record.name.startswith("omni_connector.telemetry")]
    assert [record.sync_run_id for record in ours] == ["run-1", "run-1"], "also the first and the last line"


def test_lines_of_threads_that_are_started_through_the_context_carry_the_run(serve, ended, lines):
    def work(number):
        log.info("Page %d", number)
        return number

    def script(ctx):
        load = ctx.in_run(work)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            assert list(pool.map(load, range(8))) == list(range(8))
        thread = threading.Thread(target=ctx.in_run(work), args=(8,))
        thread.start()
        thread.join()

    service = serve(Scripted(script))
    service.start_sync(sync_request())
    assert ended(service).outcome == "completed"
    assert lines() == [RUN] * 9


def test_lines_of_coroutines_tasks_and_their_threads_carry_the_run(serve, ended, lines):
    class Wiki(Connector):
        name = "scripted"
        version = "1"
        source_types = ["web"]

        async def sync(self, source_config, credentials, state, ctx):
            log.info("coroutine")
            async with asyncio.TaskGroup() as group:
                group.create_task(self.task())
            await asyncio.to_thread(log.info, "thread")
            await ctx.content_storage.save("text")

        async def task(self):
            log.info("task")

    service = serve(Wiki())
    service.start_sync(sync_request())
    assert ended(service).outcome == "completed"
    assert lines() == [RUN] * 3


def test_lines_of_a_partition_name_it(serve, ended, lines):
    class Mailboxes(Connector):
        name = "scripted"
        version = "1"
        source_types = ["web"]
        partition_workers = 2

        def partitions(self, source_config, credentials, state, ctx):
            log.info("listing")
            return [Partition(key="a"), Partition(key="b")]

        def sync_partition(self, partition, source_config, credentials, state, ctx):
            log.info("reading %s", partition.key)

    service = serve(Mailboxes())
    service.start_sync(sync_request())
    assert ended(service).outcome == "completed"
    assert lines("listing") == [RUN]
    for key in ("a", "b"):
        assert lines(f"reading {key}") == [RUN | {"partition": key}]


def test_two_runs_at_once_are_told_apart(serve, ended, lines):
    both = threading.Barrier(2)

    def script(ctx):
        both.wait(60)
        log.info(ctx.sync_run_id)

    service = serve(Scripted(script))
    for number in "12":
        service.start_sync(sync_request(run=f"run-{number}", source=f"source-{number}"))
    for number in "12":
        ended(service, f"run-{number}")
        assert [line["source_id"] for line in lines(f"run-{number}")] == [f"source-{number}"]


def test_nothing_is_left_behind_a_run():
    run = RunIdentity("c", "r", "s", "full")
    with in_run(run):
        assert current_run() is run
    assert current_run() is None


def test_a_failure_is_said_once_with_the_name_of_the_source_and_its_causes(serve, manager, ended, caplog):
    manager.config = SyncConfig(credentials={"token": "very-secret-token"})
    manager.sources["source-1"] = SourceRow(id="source-1", name="Team wiki", source_type="web")

    def fail(ctx):
        try:
            raise ValueError("bad page of very-secret-token")  # noqa: TRY301
        except ValueError as error:
            raise RuntimeError("page 7 cannot be read") from error

    service = serve(Scripted(fail))
    service.start_sync(sync_request())
    ended(service)
    (error,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    first, *rest = error.splitlines()
    assert first == (
        "Sync of source 'Team wiki' (source-1) failed: RuntimeError: page 7 cannot be read "
        "(caused by ValueError: bad page of ***)"
    )
    assert "very-secret-token" not in error
    assert rest[0] == "Traceback (most recent call last):"


def test_a_mistake_in_the_settings_is_one_line(serve, ended, caplog):
    def fail(ctx):
        raise ConfigurationError("The source has no folder. Set folder in its settings.")

    service = serve(Scripted(fail))
    service.start_sync(sync_request())
    ended(service)
    (error,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert error == (
        "Sync of source source-1 failed: ConfigurationError: The source has no folder. Set folder in its settings."
    )


@pytest.mark.parametrize("is_async", [False, True], ids=["blocking", "async"])
def test_progress_is_in_the_report_of_the_run(serve, ended, is_async):
    class Blocking(Scripted):
        def sync(self, source_config, credentials, state, ctx):
            ctx.progress(total=8, phase="pages")
            ctx.increment_scanned(2)

    class Async(Scripted):
        async def sync(self, source_config, credentials, state, ctx):
            await ctx.progress(total=8, phase="pages")
            await ctx.increment_scanned(2)

    service = serve(Async() if is_async else Blocking())
    service.start_sync(sync_request())
    report = ended(service)
    assert (report.phase, report.total, report.share) == ("pages", 8, 0.25)
    assert report.remaining_seconds > 0


@pytest.mark.parametrize("wrong", [{"total": -1}, {"total": 1.5}, {"total": True}, {"phase": 3}])
def test_progress_that_makes_no_sense_is_refused(serve, ended, wrong):
    service = serve(Scripted(lambda ctx: ctx.progress(**wrong)))
    service.start_sync(sync_request())
    assert ended(service).outcome == "failed"


def test_the_next_run_of_a_source_knows_its_name_from_the_beginning(serve, manager, ended, caplog):
    caplog.set_level(logging.INFO)
    manager.sources["source-1"] = SourceRow(id="source-1", name="Team wiki", source_type="web")

    def fail(ctx):
        raise RuntimeError("no")

    service = serve(Scripted(fail))
    for run in ("run-1", "run-2"):
        service.start_sync(sync_request(run=run))
        ended(service, run)
    assert manager.operations().count("source") == 1
    assert "Full sync of source 'Team wiki' (source-1) started, from nothing" in caplog.text
