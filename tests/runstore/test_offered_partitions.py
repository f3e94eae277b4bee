"""Partitions that one process offers and others read, by a queue that the test holds in its hands."""

from __future__ import annotations

import contextlib
import threading
import time

import attrs
import pytest
from support.partitioned import AsyncDrives, Drives, Gate, arrived, states
from support.scripted import WAIT, emit, sync_request
from support.waiting import QUICKLY, eventually

from omni_connector import Settings
from omni_connector.exceptions import RunQueueError, SdkClientError
from omni_connector.models.codec import encode
from omni_connector.partitions.merger import SavePace
from omni_connector.runstore.leases import KeeperTimes
from omni_connector.runtime import partition_offers, partition_readings
from omni_connector.runtime.options import RuntimeOptions

LEASE = 60.0
QUICK = KeeperTimes(lease_seconds=LEASE, renew_seconds=0.02, idle_seconds=0.02, retry_seconds=0.02)
COLOURS = pytest.mark.parametrize("kind", [Drives, AsyncDrives])

pytestmark = pytest.mark.parametrize("make_store", ["sqlite", "redis"], indirect=True)


class Queue:
    """Keeps what was sent; ``is_away`` lets it refuse."""

    def __init__(self):
        self.sent = []
        self.is_away = False

    def put_partition(self, task, token, mode):
        if self.is_away:
            raise RunQueueError("The broker is away")
        self.sent.append((task, token, mode))

    def next(self, key=None):
        """Wait for a message, about the partition if it is named; take it out."""
        message = eventually(lambda: next((each for each in self.sent if key in {None, each[0].key}), None))
        self.sent.remove(message)
        return message


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(partition_offers, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(partition_offers, "HOLDER_SECONDS", 0.05)
    monkeypatch.setattr(partition_offers, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(partition_readings, "LOOK_SECONDS", 0.02)


@pytest.fixture
def queue():
    return Queue()


class Worker:
    """A process that has runs and reads partitions; ``reads_here`` is off where a test decides who reads."""

    def __init__(self, stack, serve, queue, connector, *, seconds):
        self.connector = connector
        self.service = serve(
            connector,
            settings=Settings(manager_url="http://manager", queue_seconds=seconds),
            options=RuntimeOptions(
                dispatch_seconds=0.0,
                partition_queue=queue,
                save_pace=SavePace(least_seconds=0.0, bytes_per_second=10**12),
            ),
            times=QUICK,
        )
        self.store = self.service.store
        self._queue = queue
        self._stack = stack

    def take(self, key=None):
        """Read the next partition that is sent, in a thread, as a task would."""
        task, token, _ = self._queue.next(key)
        return self.deliver(task, token)

    def deliver(self, task, token):
        thread = threading.Thread(target=self.service.read_partition, args=(task, token))
        thread.start()
        self._stack.callback(thread.join, WAIT)
        return thread

    def only_offers(self):
        """Let others read everything."""
        self.service._readings.refuse_more()

    def report(self, run="run-1"):
        """Wait for the end of a run; return its report."""
        return eventually(
            lambda: (report := self.service.report(run)) and report.outcome != "running" and report
        )


@pytest.fixture
def process(serve, queue):
    with contextlib.ExitStack() as stack:

        def make(connector, *, seconds=60):
            return Worker(stack, serve, queue, connector, seconds=seconds)

        yield make


def die(dead, clock, *, run_of):
    """Let a process renew nothing any more, and its leases end; others claim theirs anew."""
    dead.store.is_away = True
    clock.let_pass(LEASE)
    eventually(lambda: run_of.store.holder("run/run-1"))


@COLOURS
def test_other_processes_read_the_partitions_of_a_run(process, manager, kind):
    one, two, three = process(kind("abc")), process(kind("abc")), process(kind("abc"))
    one.only_offers()
    one.service.start_sync(sync_request(mode="incremental"))
    two.take("b")
    three.take("a")
    two.take("c")
    report = one.report()
    assert report.outcome == "completed"
    assert (report.scanned, report.emitted) == (18, 18)
    assert (manager.scanned, manager.updated) == (18, 18)
    assert sorted(arrived(manager)) == sorted(one.connector.documents())
    assert states(manager.checkpoint) == {key: {"page": 2} for key in "abc"}
    assert manager.statuses == {"run-1": "completed"}
    assert [each.connector.given.keys() for each in (one, two, three)] == [set(), {"b", "c"}, {"a"}]


def test_what_other_processes_spend_on_partitions_is_in_the_figures_of_the_run(process, caplog):
    caplog.set_level("INFO")
    one, two = process(Drives("ab")), process(Drives("ab"))
    one.only_offers()
    two.connector.script = lambda ctx, partition: (ctx.sleep(0.05), two.connector.read(ctx, partition, None))
    one.service.start_sync(sync_request())
    for _ in range(2):  # One after the other, so that the sum of their times is less than the run's.
        two.take().join(WAIT)
    assert one.report().outcome == "completed"
    figures = [record for record in caplog.records if hasattr(record, "stage_seconds")][-1]
    assert (figures.outcome, figures.batches) == ("completed", 4)
    assert figures.stage_seconds["waiting_rate_limit"] >= 0.1
    assert figures.stage_seconds["reading"] < figures.seconds, (
        "the time in which the run waits is not its own"
    )


def test_saving_a_state_waits_for_no_look(process, manager, monkeypatch):
    monkeypatch.setattr(partition_readings, "LOOK_SECONDS", 2 * WAIT)
    one, two = process(Drives("a", pages=20)), process(Drives("a", pages=20))
    one.only_offers()
    one.service.start_sync(sync_request())
    two.take().join(WAIT)
    assert one.report().outcome == "completed"
    assert states(manager.checkpoint) == {"a": {"page": 20}}


def test_the_process_that_has_the_run_reads_as_well(process, manager):
    gate = Gate()
    one, two = process(Drives("ab")), process(Drives("ab"))
    one.connector.script = lambda ctx, partition: (
        gate.pass_through(),
        two.connector.read(ctx, partition, ctx.state),
    )
    one.service.start_sync(sync_request())
    gate.meet()
    two.take("b").join(WAIT)
    gate.open()
    assert one.report().outcome == "completed"
    assert [each.connector.given.keys() for each in (one, two)] == [{"a"}, {"b"}]
    assert set(arrived(manager)) == one.connector.documents()


def test_a_message_has_ids_only_and_is_good_once(process, queue):
    one, two = process(Drives("ab")), process(Drives("ab"))
    one.only_offers()
    one.service.start_sync(
        sync_request(
            mode="incremental", checkpoint={"omni_connector.partitions": 1, "run": "", "partitions": {}}
        )
    )
    messages = [queue.next("a"), queue.next("b")]
    assert {message[2] for message in messages} == {"incremental"}
    assert set(attrs.asdict(messages[0][0])) == {"sync_run_id", "source_id", "key"}
    for _ in range(3):
        for task, token, _ in messages:
            two.deliver(task, token).join(WAIT)
    assert one.report().outcome == "completed"
    assert {key: len(calls) for key, calls in two.connector.given.items()} == {"a": 1, "b": 1}


def test_no_more_than_partition_workers_are_read_at_once(process, queue):
    keys = [str(number) for number in range(10)]
    one, two = process(drives := Drives(keys)), process(Drives(keys))
    drives.partition_workers = 2
    one.only_offers()
    one.service.start_sync(sync_request())
    for _ in keys:
        assert len(queue.sent) <= 2
        two.take().join(WAIT)
    assert one.report().outcome == "completed"


def test_a_process_alone_reads_all_one_by_one(process, manager):
    alone = process(drives := Drives("abcdef"))
    alone.service.start_sync(sync_request())
    assert alone.report().outcome == "completed"
    assert set(arrived(manager)) == drives.documents()
    assert manager.scanned == 36


def test_a_partition_that_fails_elsewhere_stops_no_other(process, manager):
    def fails(ctx, partition):
        emit(ctx, "before")
        raise ValueError("no access")

    one, two = process(Drives("abc")), process(Drives("b", script=fails))
    one.connector.partition_workers = 3
    gate = Gate()
    one.connector.script = lambda ctx, partition: (
        gate.pass_through(),
        one.connector.read(ctx, partition, None),
    )
    one.service.start_sync(sync_request())
    two.take("b").join(WAIT)
    gate.open()
    assert one.report().outcome == "failed"
    assert "'b' (ValueError: no access)" in manager.error
    assert set(arrived(manager)) == one.connector.documents("a", "c") | {"before"}
    assert manager.checkpoint["partitions"].keys() == {"a", "c"}


def test_a_cancellation_reaches_partitions_everywhere(process, manager):
    def endless(ctx, partition):
        while True:
            ctx.sleep(0.01)
            ctx.raise_if_cancelled()

    web, one, two = (
        process(Drives()),
        process(Drives("ab", script=endless)),
        process(Drives("ab", script=endless)),
    )
    one.service.start_sync(sync_request())
    thread = two.take("b")
    eventually(lambda: "b" in two.connector.given)
    began = time.monotonic()
    assert web.service.cancel("run-1")
    thread.join(WAIT)
    assert one.report().outcome == "cancelled"
    assert time.monotonic() - began < QUICKLY


def test_what_a_dead_process_read_is_read_again_from_its_last_state(process, manager, clock):
    """And the one that was taken for dead sends nothing more."""
    gate = Gate()
    kept = {}

    def stops(ctx, partition):
        emit(ctx, "seen")
        ctx.increment_scanned(3)
        ctx.save_state({"page": 1})
        kept["checkpoint"] = True
        emit(ctx, "lost")
        ctx.increment_scanned(5)
        gate.pass_through()
        emit(ctx, "late")
        ctx.flush()

    one, dead, alive = process(Drives("a")), process(Drives("a", script=stops)), process(Drives("a"))
    one.only_offers()
    one.service.start_sync(sync_request())
    dead.take("a")
    gate.meet()
    eventually(lambda: manager.checkpoint and states(manager.checkpoint) == {"a": {"page": 1}})
    die(dead, clock, run_of=one)
    alive.take("a")
    report = one.report()
    gate.open()
    assert report.outcome == "completed"
    assert alive.connector.given["a"][0][0] == {"page": 1}
    assert (manager.scanned, report.scanned) == (6, 6)
    dead.store.is_away = False
    eventually(lambda: not dead.service._readings.alive(), seconds=QUICKLY)
    assert "late" not in arrived(manager)


def test_a_partition_that_kills_its_processes_fails(process, manager, clock):
    gate = Gate()
    one = process(Drives("ab"))
    one.only_offers()
    one.service.start_sync(sync_request())
    process(Drives("b")).take("b").join(WAIT)
    eventually(lambda: manager.checkpoint and manager.checkpoint["partitions"]["b"].get("done"))
    dead = []
    for _ in range(4):
        dead.append(process(Drives("a", script=lambda ctx, partition: gate.pass_through())))
        dead[-1].take("a")
        gate.meet()
        dead[-1].store.is_away = True
        clock.let_pass(LEASE)
        # Whoever is alive claims anew what it holds, unless the run is over by then.
        eventually(lambda: one.store.holder("run/run-1") or manager.error)
    assert one.report().outcome == "failed"
    gate.open()
    for each in dead:
        each.store.is_away = False
    eventually(lambda: not any(each.service._readings.alive() for each in dead), seconds=QUICKLY)
    assert "1 of 2 partitions failed: 'a' (4 processes that read it died)" in manager.error


def test_a_process_that_ends_leaves_its_partition_to_another(process, manager):
    begun = Gate()

    def slow(ctx, partition):
        for page in range((ctx.state or {"page": 0})["page"], 100):
            emit(ctx, f"a-{page}")
            ctx.increment_scanned()
            ctx.save_state({"page": page + 1})
            if page == 1:
                begun.pass_through()

    one, ends, goes_on = (
        process(Drives("a")),
        process(Drives("a", script=slow)),
        process(Drives("a", script=slow)),
    )
    one.only_offers()
    one.service.start_sync(sync_request())
    ends.take("a")
    begun.meet()
    drain = threading.Thread(target=ends.service.drain)
    drain.start()
    eventually(lambda: ends.service._readings.alive()[0].state.is_winding_down)
    begun.open()
    drain.join(WAIT)
    goes_on.take("a")
    assert one.report().outcome == "completed"
    (given,) = goes_on.connector.given["a"]
    assert 2 <= given[0]["page"] < 100
    assert arrived(manager) == [f"a-{page}" for page in range(100)]
    assert manager.scanned == 100


def test_a_run_whose_process_ends_stops_its_partitions_everywhere(process, manager):
    begun = Gate()

    def slow(ctx, partition):
        for page in range((ctx.state or {"page": 0})["page"], 10_000):
            emit(ctx, f"{partition.key}-{page}")
            ctx.increment_scanned()
            ctx.save_state({"page": page + 1})
            begun.pass_through()

    one, two = process(Drives("ab")), process(Drives("ab", script=slow))
    one.only_offers()
    one.service.start_sync(sync_request())
    two.take("a")  # The other is not begun.
    begun.meet()
    begun.open()
    one.service.drain()
    assert one.report().outcome == "interrupted"
    assert manager.statuses == {}
    eventually(lambda: not two.service._readings.alive())
    (state,) = states(manager.checkpoint).values()
    assert state["page"] == manager.scanned == len(arrived(manager))


def test_readers_stop_when_the_process_that_has_the_run_is_dead(process, manager, clock):
    def endless(ctx, partition):
        while True:
            ctx.sleep(0.01)
            ctx.raise_if_cancelled()

    one, two = process(Drives("a")), process(Drives("a", script=endless))
    one.only_offers()
    one.service.start_sync(sync_request())
    thread = two.take("a")
    eventually(lambda: "a" in two.connector.given)
    one.store.is_away = True
    clock.let_pass(LEASE)
    thread.join(WAIT)
    assert not thread.is_alive()
    one.store.is_away = False


def test_a_resumed_run_takes_its_partitions_from_readers_of_the_dead_one(process, manager, clock):
    """Two processes never hold one partition, and what is finished is not read again."""
    gate = Gate()
    one, old = process(Drives("ab")), process(Drives("ab"))
    old.connector.script = lambda ctx, partition: (gate.pass_through(), emit(ctx, "late"), ctx.flush())
    reader = process(Drives("ab"))
    one.only_offers()
    one.service.start_sync(sync_request())
    reader.take("b").join(WAIT)
    eventually(lambda: manager.checkpoint and manager.checkpoint["partitions"]["b"].get("done"))
    old.take("a")
    gate.meet()
    one.store.is_away = True
    clock.let_pass(LEASE)
    next_one = process(Drives("ab"))
    eventually(lambda: not next_one.service.is_running("run-1"))
    next_one.service.start_sync(sync_request(is_resume=True, checkpoint=manager.checkpoint))
    assert next_one.report().outcome == "completed"
    gate.open()
    assert next_one.connector.given.keys() == {"a"}
    one.store.is_away = False
    eventually(lambda: not old.service._readings.alive())
    assert "late" not in arrived(manager)
    assert manager.scanned == 12


def test_while_the_broker_is_away_partitions_are_read_one_by_one(process, manager, queue, caplog):
    queue.is_away = True
    one = process(Drives("abc"))
    one.service.start_sync(sync_request())
    assert one.report().outcome == "completed"
    assert "The broker is away. Partitions are read one by one until it can be used again." in caplog.text


def test_a_message_that_is_lost_is_sent_again(process, queue):
    one, two = process(Drives("a"), seconds=0.2), process(Drives("a"))
    one.only_offers()
    one.service.start_sync(sync_request())
    lost = queue.next("a")
    task, token, _ = queue.next("a")
    assert token != lost[1]
    two.deliver(lost[0], lost[1]).join(WAIT)
    assert not two.connector.given
    two.deliver(task, token)
    assert one.report().outcome == "completed"


def test_while_the_store_is_away_partitions_go_on(process, manager):
    gate = Gate()

    def slow(ctx, partition):
        gate.pass_through()
        two.connector.read(ctx, partition, ctx.state)

    one, two = process(Drives("a")), process(Drives("a", script=slow))
    one.only_offers()
    one.service.start_sync(sync_request())
    two.take("a")
    gate.meet()
    one.store.is_away = two.store.is_away = True
    gate.open()
    eventually(lambda: len(arrived(manager)) == 6)
    one.store.is_away = two.store.is_away = False
    assert one.report().outcome == "completed"
    assert manager.scanned == 6
    assert len(two.connector.given["a"]) == 1


def test_a_reader_that_cannot_reach_the_manager_leaves_the_partition_to_another(process, manager, caplog):
    one, two, three = process(Drives("a")), process(Drives("a")), process(Drives("a"))
    one.only_offers()
    one.service.start_sync(sync_request())
    manager.on("sync_config", SdkClientError("The manager is away", operation="sync_config"))
    two.take("a").join(WAIT)
    assert "Partition 'a' is not read here: The manager is away" in caplog.text
    manager.on("sync_config", None)
    three.take("a")
    assert one.report().outcome == "completed"


def test_errors_are_counted_once(process, manager):
    def errs(ctx, partition):
        for number in range(300):
            ctx.emit_error(f"{partition.key}-{number}", "broken")
            ctx.increment_scanned()
            if number % 50 == 0:
                ctx.save_state({"number": number})

    one, two = process(Drives("ab")), process(Drives("ab", script=errs))
    for each in (one, two):
        each.connector.error_limits = attrs.evolve(each.connector.error_limits, share=None)
        each.connector.partition_workers = 2
    one.only_offers()
    one.service.start_sync(sync_request())
    two.take("a")
    two.take("b")
    report = one.report()
    assert (report.outcome, report.error_count, report.scanned) == ("completed", 600, 600)


def test_a_large_state_travels_by_the_run_store(process, manager, queue):
    large = {"cursor": "x" * 1_000_000}
    one, two = (
        process(Drives("a", script=None)),
        process(Drives("a", script=lambda ctx, partition: ctx.save_state(large))),
    )
    one.only_offers()
    one.service.start_sync(sync_request())
    message = queue.next("a")
    assert len(encode(attrs.asdict(message[0]))) < 300
    two.deliver(message[0], message[1])
    assert one.report().outcome == "completed"
    assert states(manager.checkpoint) == {"a": large}


def test_a_process_that_slept_sends_nothing_of_a_partition_that_another_reads(process, manager):
    """The fence of a partition asks for the lease, before its own process has noticed anything."""
    gate = Gate()

    def late(ctx, partition):
        gate.pass_through()
        emit(ctx, "late")
        ctx.flush()

    one, asleep = process(Drives("a")), process(Drives("a", script=late))
    one.only_offers()
    one.service.start_sync(sync_request())
    asleep.take("a")
    gate.meet()
    (reading,) = asleep.service._readings.alive()
    assert not reading.sync.state.fence.is_set()
    reading.state.fence.is_assured = lambda: False
    assert reading.sync.state.fence.is_set()
    gate.open()
    eventually(lambda: not asleep.service._readings.alive())
    assert not arrived(manager)
    assert one.service.cancel("run-1")
    one.report()
