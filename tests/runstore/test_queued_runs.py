"""Runs that one process claims and another executes, by a queue that the test holds in its hands."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from support.partitioned import Drives
from support.scripted import Holding, Scripted, emit, sync_request
from support.waiting import eventually

from omni_connector import Settings
from omni_connector.exceptions import RunQueueError, SdkClientError, SyncConflictError
from omni_connector.runstore.leases import KeeperTimes
from omni_connector.runstore.store import LEASE_SECONDS
from omni_connector.runtime import queueing
from omni_connector.runtime.options import RuntimeOptions
from omni_connector.telemetry.instruments import Instruments
from omni_connector.telemetry.tracing import Tracing

WAIT_SECONDS = 60.0
QUICK = KeeperTimes(lease_seconds=60, renew_seconds=0.02, idle_seconds=0.02, retry_seconds=0.02)
SETTINGS = Settings(manager_url="http://manager")

pytestmark = pytest.mark.parametrize("make_store", ["sqlite", "redis"], indirect=True)


class Queue:
    """Keeps what was sent; ``is_away`` lets it refuse."""

    def __init__(self):
        self.sent = []
        self.is_away = False
        self.is_closed = False

    def put(self, queued, mode):
        if self.is_away:
            raise RunQueueError("The broker is away")
        self.sent.append((queued, mode))

    def close(self):
        self.is_closed = True

    def wait(self, count=1):
        eventually(lambda: len(self.sent) >= count)
        return self.sent[count - 1][0]


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(queueing, "LOOK_SECONDS", 0.02)


@pytest.fixture
def queue():
    return Queue()


@pytest.fixture
def process(serve, queue):
    """Make services: those with ``sends`` send their runs, the others are workers."""

    def make(connector, *, sends=False, tracing=None):
        options = RuntimeOptions(
            dispatch_seconds=0.0, queue=queue if sends else None, instruments=Instruments(tracing=tracing)
        )
        settings = attrs.evolve(SETTINGS, queue_seconds=WAIT_SECONDS)
        return serve(connector, settings=settings, options=options, times=QUICK)

    return make


def test_a_run_is_running_from_the_answer_until_its_worker_ends_it(process, queue, manager):
    moment = dt.datetime(2026, 11, 29, 12, tzinfo=dt.UTC)
    web, worker = process(Scripted(), sends=True), process(connector := Scripted(lambda ctx: emit(ctx, 3)))
    request = sync_request(mode="incremental", checkpoint={"page": 7}, last_sync_at=moment.isoformat())
    web.start_sync(request)
    queued = queue.wait()
    assert queue.sent[0][1] == "incremental"
    assert web.is_running("run-1")
    web.start_sync(request)  # A repeat.
    with pytest.raises(SyncConflictError):
        web.start_sync(sync_request(run="run-2"))
    worker.execute(queued)
    (call,) = connector.syncs
    assert (call[2], call[3].last_sync_at) == ({"page": 7}, moment)
    assert not web.is_running("run-1")
    assert web.report("run-1").outcome == "completed"
    assert len(manager.events) == 1
    assert len(queue.sent) == 1


def test_a_run_goes_on_with_the_trace_of_the_request_that_has_sent_it(process, queue):
    def tracing(name):
        provider = TracerProvider()
        return Tracing(name, provider=provider)

    seen = []

    def note(ctx):
        seen.append(trace.get_current_span().get_span_context().trace_id)

    web = process(Scripted(), sends=True, tracing=(sending := tracing("web")))
    worker = process(Scripted(note), tracing=tracing("worker"))
    request = sending.begin_request("POST", "/sync", {})
    sent = trace.get_current_span().get_span_context().trace_id
    web.start_sync(sync_request())
    request.end()
    worker.execute(queue.wait())
    assert seen == [sent]


def test_what_waits_outlives_the_process_that_has_sent_it(process, queue):
    web, other, worker = process(Scripted(), sends=True), process(Scripted()), process(one := Scripted())
    web.start_sync(sync_request())
    queued = queue.wait()
    web.close()
    assert queue.is_closed
    assert other.is_running("run-1")
    worker.execute(queued)
    assert len(one.syncs) == 1


def test_a_worker_reads_a_source_in_partitions(process, queue, manager):
    web, worker = process(Drives(), sends=True), process(connector := Drives())
    web.start_sync(sync_request())
    worker.execute(queue.wait())
    assert set(connector.given) == {"a", "b", "c"}
    assert {event["document_id"] for event in manager.events} == connector.documents()
    assert web.report("run-1").outcome == "completed"


def test_a_second_delivery_is_dropped(process, queue):
    web, worker, other = (
        process(Scripted(), sends=True),
        process(one := Holding()),
        process(second := Scripted()),
    )
    web.start_sync(sync_request())
    queued = queue.wait()
    run = worker._starter.adopt(queued)
    one.meet()
    other.execute(queued)
    worker.execute(queued)
    one.release.set()
    assert run.over.wait(60)
    other.execute(queued)
    worker.execute(queued)
    assert len(one.syncs) == 1
    assert not second.syncs


def test_a_run_that_is_cancelled_while_it_waits_is_not_executed(process, queue):
    web, worker = process(Scripted(), sends=True), process(connector := Scripted())
    web.start_sync(sync_request())
    queued = queue.wait()
    assert web.cancel("run-1")
    assert not web.is_running("run-1")
    worker.execute(queued)
    assert not connector.syncs
    web.start_sync(sync_request(run="run-2"))  # The slot is free.


def test_a_run_that_no_worker_takes_is_given_back(process, queue, caplog, clock, monkeypatch):
    monkeypatch.setattr(queueing, "time", clock)
    web, worker = process(Scripted(), sends=True), process(connector := Scripted())
    web.start_sync(sync_request())
    queued = queue.wait()
    assert web.is_running("run-1")
    clock.let_pass(WAIT_SECONDS)
    eventually(lambda: not web.is_running("run-1"))
    eventually(lambda: "No worker took run run-1 within 60 s (OMNI_QUEUE_SECONDS)" in caplog.text)
    worker.execute(queued)  # Too late.
    assert not connector.syncs
    web.start_sync(sync_request(is_resume=True))
    worker.execute(queue.wait(2))
    assert len(connector.syncs) == 1


def test_a_run_that_waits_is_alive_at_the_manager(process, queue, manager, monkeypatch):
    monkeypatch.setattr(queueing, "HEARTBEAT_SECONDS", 0.05)
    web, worker = process(Scripted(), sends=True), process(Scripted())
    web.start_sync(sync_request())
    queued = queue.wait()
    eventually(lambda: "heartbeat" in manager.operations())
    beats = [call.args for call in manager.calls if call.operation == "heartbeat"]
    assert beats[0]["sync_run_id"] == "run-1"
    worker.execute(queued)


def test_while_the_broker_is_away_a_run_waits(process, queue, caplog):
    web, worker = process(Scripted(), sends=True), process(connector := Scripted())
    queue.is_away = True
    web.start_sync(sync_request())
    eventually(lambda: "The broker is away. Runs wait until it can be used again." in caplog.text)
    assert web.is_running("run-1")
    queue.is_away = False
    worker.execute(queue.wait())
    assert len(connector.syncs) == 1


def test_what_the_broker_did_not_get_is_free_when_the_process_ends(process, queue):
    web, other = process(Scripted(), sends=True), process(Scripted())
    queue.is_away = True
    web.start_sync(sync_request())
    eventually(lambda: web._starter._sender._is_away)
    web.close()
    assert not other.is_running("run-1")
    other.start_sync(sync_request(run="run-2"))


def test_while_the_store_is_away_a_run_waits(process, queue):
    web, worker = process(Scripted(), sends=True), process(connector := Scripted())
    web.store.is_away = True
    web.start_sync(sync_request())
    assert not queue.sent
    web.store.is_away = False
    worker.execute(queue.wait())
    assert len(connector.syncs) == 1


def test_a_worker_that_cannot_reach_the_manager_gives_the_run_up(process, queue, manager, caplog):
    web, worker = process(Scripted(), sends=True), process(connector := Scripted())
    web.start_sync(sync_request())
    queued = queue.wait()
    manager.on("sync_config", SdkClientError("The manager is away", operation="sync_config"))
    worker.execute(queued)
    assert "Run run-1 is not started here" in caplog.text
    assert not connector.syncs
    assert not web.is_running("run-1")


def test_a_worker_that_ends_gives_the_run_up(process, queue):
    web, worker = process(Scripted(), sends=True), process(connector := Scripted())
    web.start_sync(sync_request())
    queued = queue.wait()
    worker.drain()
    worker.execute(queued)
    assert not connector.syncs
    assert not web.is_running("run-1")


def test_a_worker_waits_for_no_run_that_outlives_its_end(process, queue):
    web, worker = process(Scripted(), sends=True), process(connector := Holding())
    worker.shutdown_seconds = 0.2
    web.start_sync(sync_request())
    run = worker._starter.adopt(queue.wait())
    connector.meet()
    worker.drain()
    assert run.over.is_set()
    assert run.thread.is_alive()
    connector.release.set()
    run.thread.join(60)


def test_what_waits_is_held_until_a_worker_may_take_it_last(process, queue, clock):
    """Also when the process that has sent it is gone: nothing renews its claim."""
    web, other, worker = process(Scripted(), sends=True), process(Scripted()), process(one := Scripted())
    web.start_sync(sync_request())
    queued = queue.wait()
    web.close()
    clock.let_pass(WAIT_SECONDS - 1)
    assert other.is_running("run-1")
    with pytest.raises(SyncConflictError):
        other.start_sync(sync_request(run="run-2"))
    worker.execute(queued)
    assert len(one.syncs) == 1


def test_what_waits_ends_by_itself_when_the_process_that_has_sent_it_is_gone(process, queue, clock):
    web, other, worker = process(Scripted(), sends=True), process(Scripted()), process(one := Scripted())
    web.start_sync(sync_request())
    queued = queue.wait()
    web.close()
    clock.let_pass(WAIT_SECONDS + LEASE_SECONDS)
    assert not other.is_running("run-1")
    worker.execute(queued)
    assert not one.syncs
    other.start_sync(sync_request(run="run-2"))
