"""The way of events to the manager: order, barriers, batches, back-pressure, and errors that stay."""

from __future__ import annotations

import threading
from concurrent.futures import Future

import pytest
from support.waiting import eventually

from omni_connector.exceptions import (
    ConnectorError,
    ManagerUnreachableError,
    SdkClientError,
    SyncCancelledError,
    SyncFinishedError,
    SyncInterruptedError,
)
from omni_connector.models import Document, SyncMode
from omni_connector.models.events import CREATED, encode_delete, encode_upsert
from omni_connector.sync.delivery_limits import DeliveryLimits

WAIT = 60
IDS = {"sync_run_id": "run-1", "source_id": "source-1"}


def deletion(number):
    return encode_delete(f"doc-{number}", **IDS)


def upsert(number):
    return encode_upsert(CREATED, Document(external_id=number, title="T", content="x"), **IDS)


def sent(manager):
    return [event["document_id"] for event in manager.events]


def batches(manager):
    return [len(call.args["events"]) for call in manager.calls if call.operation == "send_events"]


class Gate:
    """Holds every call of one operation until it is opened."""

    def __init__(self, manager, operation="send_events"):
        self._reached = threading.Semaphore(0)
        self._open = threading.Event()
        manager.on(operation, self)

    def __call__(self, args):
        self._reached.release()
        assert self._open.wait(WAIT)

    def wait_until_reached(self):
        assert self._reached.acquire(timeout=WAIT)

    def open(self):
        self._open.set()


class Background(threading.Thread):
    """Runs a call in a thread; ``outcome`` waits for its value or error."""

    def __init__(self, call):
        super().__init__(name="test-background")
        self._call = call
        self._value = None
        self.start()

    def run(self):
        try:
            self._value = self._call()
        except BaseException as error:  # noqa: BLE001 - shown to the test.
            self._value = error

    def outcome(self):
        self.join(WAIT)
        assert not self.is_alive()
        return self._value


def test_everything_arrives_in_the_order_of_emission(make_delivery):
    rig = make_delivery(flush_events=70, batch_events=100)
    for number in range(1234):
        rig.delivery.put(deletion(number))
    assert rig.delivery.barrier()
    assert sent(rig.manager) == [f"doc-{number}" for number in range(1234)]
    assert max(batches(rig.manager)) <= 100


def test_threads_that_emit_at_once_lose_nothing(make_delivery):
    rig = make_delivery(flush_events=10)

    def emit(worker):
        for number in range(100):
            rig.delivery.put(deletion(f"{worker}-{number}"))

    threads = [threading.Thread(target=emit, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    rig.delivery.barrier()
    for worker in range(4):
        own = [name for name in sent(rig.manager) if name.startswith(f"doc-{worker}-")]
        assert own == [f"doc-{worker}-{number}" for number in range(100)]


def test_no_thread_before_the_first_event_and_one_named_after_the_run_then(make_delivery):
    def senders():
        return [thread for thread in threading.enumerate() if thread.name.startswith("omni-send")]

    rig = make_delivery()
    assert senders() == []
    rig.delivery.put(deletion(1))
    (thread,) = senders()
    assert (thread.name, thread.daemon) == ("omni-send-run-1", True)
    rig.delivery.close()
    assert senders() == []


def test_a_barrier_returns_only_after_the_manager_has_accepted(make_delivery):
    rig = make_delivery()
    gate = Gate(rig.manager)
    rig.delivery.put(deletion(1))
    barrier = Background(rig.delivery.barrier)
    gate.wait_until_reached()
    assert barrier.is_alive()
    assert rig.delivery.barrier(timeout_seconds=0.01) is False
    gate.open()
    assert barrier.outcome() is True
    assert sent(rig.manager) == ["doc-1"]


def test_a_barrier_does_not_wait_for_what_comes_after_it(make_delivery):
    rig = make_delivery()
    rig.delivery.put(deletion(1))
    rig.delivery.barrier()
    rig.delivery.put(deletion(2))
    assert sent(rig.manager) == ["doc-1"]
    rig.delivery.barrier()
    assert batches(rig.manager) == [1, 1]


def test_a_barrier_with_nothing_to_send_sends_nothing(make_delivery):
    rig = make_delivery()
    assert rig.delivery.barrier()
    assert rig.manager.calls == []


def test_a_barrier_waits_for_the_contents_that_events_refer_to(make_delivery):
    rig = make_delivery()
    upload = Future()
    rig.delivery.put(upsert(1), upload=upload)
    assert rig.delivery.barrier(timeout_seconds=0.01) is False
    assert rig.manager.calls == []
    upload.set_result("content-9")
    assert rig.delivery.barrier()
    assert rig.manager.events[0]["content_id"] == "content-9"


def test_a_batch_goes_out_as_soon_as_enough_events_wait(make_delivery):
    rig = make_delivery(flush_events=3)
    for number in range(3):
        rig.delivery.put(deletion(number))
    rig.manager.wait_for(lambda manager: len(manager.events) == 3)
    rig.delivery.put(deletion(3))
    rig.delivery.put(deletion(4))
    rig.delivery.barrier()
    assert batches(rig.manager) == [3, 2]


def test_a_batch_goes_out_as_soon_as_enough_bytes_wait(make_delivery):
    rig = make_delivery(batch_bytes=3 * len(deletion(0).body))
    for number in range(3):
        rig.delivery.put(deletion(number))
    rig.manager.wait_for(lambda manager: len(manager.events) == 3)
    assert batches(rig.manager) == [3]


def test_a_request_is_no_larger_than_its_limit_unless_one_event_is(make_delivery):
    small, size = deletion(1), len(deletion(1).body)
    large = encode_delete("x" * 500, **IDS)
    rig = make_delivery(batch_bytes=3 * size)
    gate = Gate(rig.manager)
    rig.delivery.put(small)
    barrier = Background(rig.delivery.barrier)
    gate.wait_until_reached()
    for event in (small, small, small, small, large, small):
        rig.delivery.put(event)
    gate.open()
    barrier.outcome()
    rig.delivery.barrier()
    assert batches(rig.manager) == [1, 3, 1, 1, 1]


@pytest.mark.parametrize("counted_first", [False, True])
def test_an_event_does_not_wait_longer_than_its_time(make_delivery, counted_first):
    rig = make_delivery(flush_seconds=0.02)
    if counted_first:
        rig.delivery.count_scanned(1)
    rig.delivery.put(deletion(1))
    rig.manager.wait_for(lambda manager: len(manager.events) == 1)
    rig.delivery.put(deletion(2))
    rig.manager.wait_for(lambda manager: len(manager.events) == 2)
    assert sent(rig.manager) == ["doc-1", "doc-2"]


def test_a_count_does_not_wait_longer_than_its_time(make_delivery):
    rig = make_delivery(flush_seconds=0.02)
    rig.delivery.count_scanned(3)
    rig.manager.wait_for(lambda manager: manager.scanned == 3)
    rig.delivery.count_scanned(4)
    rig.manager.wait_for(lambda manager: manager.scanned == 7)
    assert "send_events" not in rig.manager.operations()


def test_counts_are_reported_in_sums_and_with_the_barrier(make_delivery):
    rig = make_delivery()
    for _ in range(50):
        rig.delivery.count_scanned(2)
    for number in range(5):
        rig.delivery.put(upsert(number), upload=_done(f"c-{number}"))
    rig.delivery.put(deletion(9))
    rig.delivery.barrier()
    assert (rig.manager.scanned, rig.manager.updated) == (100, 5)
    assert rig.manager.operations() == ["send_events", "add_scanned", "add_updated"]


def _done(value):
    future = Future()
    future.set_result(value)
    return future


def test_a_barrier_during_another_one_s_report_still_reports_its_own_counts(make_delivery):
    rig = make_delivery()
    gate = Gate(rig.manager, "add_scanned")
    rig.delivery.count_scanned(1)
    first = Background(rig.delivery.barrier)
    gate.wait_until_reached()
    rig.delivery.count_scanned(10)
    assert (
        rig.delivery.barrier(timeout_seconds=0.01) is False
    )  # Asked for, while the first is being answered.
    gate.open()
    assert first.outcome() is True
    rig.manager.wait_for(lambda manager: manager.scanned == 11)


def test_a_barrier_ends_when_the_sender_finds_that_another_process_has_the_run(make_delivery):
    rig = make_delivery()
    rig.delivery.put(deletion(1))
    rig.delivery.barrier()
    is_lost = threading.Event()

    def is_assured():
        if threading.current_thread().name.startswith("omni-send"):
            is_lost.set()
        return not is_lost.is_set()

    rig.stop.fence.is_assured = is_assured
    assert isinstance(Background(rig.delivery.barrier).outcome(), SyncCancelledError)


def test_emitting_waits_while_too_many_bytes_are_on_their_way(make_delivery):
    size = len(deletion(1).body)
    rig = make_delivery(buffer_bytes=4 * size, batch_bytes=size)
    gate = Gate(rig.manager)
    for _ in range(4):
        assert rig.delivery.has_room()
        rig.delivery.put(deletion(1))
    assert rig.delivery.has_room()
    rig.delivery.wait_for_room()
    rig.delivery.put(deletion(1))
    assert not rig.delivery.has_room()
    waiting = Background(rig.delivery.wait_for_room)
    gate.wait_until_reached()
    assert waiting.is_alive()
    gate.open()
    assert waiting.outcome() is None
    assert rig.delivery.has_room()


def test_the_bytes_of_contents_count_too(make_delivery):
    rig = make_delivery(buffer_bytes=1000)
    upload = Future()
    rig.delivery.put(upsert(1), upload=upload, content_bytes=900)
    assert not rig.delivery.has_room()
    upload.set_result("c")
    rig.delivery.barrier()
    assert rig.delivery.has_room()


def test_emitting_waits_while_too_many_events_wait(make_delivery):
    rig = make_delivery(buffer_events=5, flush_events=2, batch_events=2)
    gate = Gate(rig.manager)
    rig.delivery.put(deletion(0))
    rig.delivery.put(deletion(0))
    gate.wait_until_reached()  # The first two travel.
    for number in range(6):
        rig.delivery.put(deletion(number))
    assert not rig.delivery.has_room()
    waiting = Background(rig.delivery.wait_for_room)
    assert waiting.is_alive()
    gate.open()
    assert waiting.outcome() is None


UNREACHABLE = ManagerUnreachableError("no answer", operation="POST /sdk/events/batch")
FORBIDDEN = SdkClientError("403", operation="POST /sdk/events/batch", status=403)


@pytest.mark.parametrize("error", [UNREACHABLE, FORBIDDEN], ids=["unreachable", "forbidden"])
def test_an_error_of_the_background_surfaces_at_the_next_call_and_stays(make_delivery, error):
    rig = make_delivery(flush_events=1)
    rig.manager.on("send_events", error)
    rig.delivery.put(deletion(1))
    with pytest.raises(type(error)):
        rig.delivery.barrier()
    rig.manager.on("send_events", None)
    for call in (
        lambda: rig.delivery.put(deletion(2)),
        rig.delivery.check,
        lambda: rig.delivery.count_scanned(1),
        rig.delivery.barrier,
        rig.delivery.barrier,
    ):
        with pytest.raises(type(error)) as caught:
            call()
        assert caught.value is error
    assert sent(rig.manager) == []


def test_an_error_wakes_who_waits_for_room(make_delivery):
    rig = make_delivery(buffer_bytes=10, flush_events=1)
    gate = Gate(rig.manager)
    rig.delivery.put(deletion(1))
    gate.wait_until_reached()
    waiting = Background(rig.delivery.wait_for_room)
    rig.manager.on("send_events", None)
    rig.delivery._fail(UNREACHABLE)
    assert waiting.outcome() is UNREACHABLE
    gate.open()


def test_a_bug_in_the_background_is_told_too(make_delivery, caplog):
    rig = make_delivery(flush_events=1)
    rig.manager.on("send_events", ZeroDivisionError("oops"))
    rig.delivery.put(deletion(1))
    with pytest.raises(ConnectorError, match=r"delivery failed: ZeroDivisionError\('oops'\)"):
        rig.delivery.barrier()
    assert "Traceback" in caplog.text


def test_a_run_that_is_over_at_the_manager_is_cancelled(make_delivery):
    rig = make_delivery(flush_events=1)
    rig.manager.end_run("run-1")
    rig.delivery.put(deletion(1))
    with pytest.raises(SyncCancelledError, match=r"takes no more events for it: .*running sync run"):
        rig.delivery.barrier()
    assert rig.stop.fence.is_set()
    with pytest.raises(SyncCancelledError):
        rig.delivery.put(deletion(2))


def test_after_a_cancellation_what_waits_is_dropped_and_nothing_more_is_sent(make_delivery):
    rig = make_delivery(flush_events=1, batch_events=1)
    gate = Gate(rig.manager)
    upload = Future()
    rig.delivery.put(deletion(1))
    gate.wait_until_reached()
    rig.delivery.put(upsert(2), upload=upload)
    rig.delivery.put(deletion(3))
    barrier = Background(rig.delivery.barrier)
    rig.stop.cancel()
    assert isinstance(barrier.outcome(), SyncCancelledError)
    gate.open()
    rig.delivery.close()
    assert upload.cancelled()
    assert sent(rig.manager) == ["doc-1"]  # It was on its way already.
    for call in (
        lambda: rig.delivery.put(deletion(4)),
        rig.delivery.check,
        lambda: rig.delivery.count_scanned(1),
        rig.delivery.barrier,
    ):
        with pytest.raises(SyncCancelledError):
            call()
    assert rig.manager.operations() == ["send_events"]


def test_a_cancelled_run_does_not_wait_for_contents_that_wait_for_other_runs(make_delivery, caplog):
    """Their turn may come minutes later: the manager's client repeats what the manager does not take."""
    rig = make_delivery(flush_events=1)
    upload = Future()
    rig.delivery.put(upsert(1), upload=upload)
    eventually(lambda: rig.delivery._buffer.batch)
    rig.stop.cancel()
    rig.delivery._thread.join(WAIT)
    ended = not rig.delivery._thread.is_alive()
    upload.cancel()  # So that a failing test ends.
    assert ended
    assert sent(rig.manager) == []
    assert "failed" not in caplog.text


def test_a_cancelled_run_holds_no_memory(make_delivery):
    rig = make_delivery(flush_events=1, batch_events=1, buffer_events=1, buffer_bytes=1000)
    gate = Gate(rig.manager)
    rig.delivery.put(deletion(1))
    gate.wait_until_reached()
    for number in range(9):
        rig.delivery.put(deletion(number))
    assert not rig.delivery.has_room()
    rig.stop.cancel()
    assert rig.delivery.has_room()
    gate.open()


def test_an_interrupted_run_takes_nothing_more_but_delivers_what_it_has(make_delivery):
    rig = make_delivery()
    rig.delivery.put(deletion(1))
    rig.delivery.count_scanned(2)
    rig.stop.interrupt()
    with pytest.raises(SyncInterruptedError):
        rig.delivery.put(deletion(2))
    assert rig.delivery.barrier(timeout_seconds=WAIT)
    assert sent(rig.manager) == ["doc-1"]
    assert rig.manager.scanned == 2


def test_an_interruption_sends_what_waits_at_once(make_delivery):
    rig = make_delivery()
    rig.delivery.put(deletion(1))
    assert sent(rig.manager) == []
    rig.stop.interrupt()
    rig.manager.wait_for(lambda manager: len(manager.events) == 1)
    assert sent(rig.manager) == ["doc-1"]


def test_a_cancellation_after_an_interruption_drops_what_is_left(make_delivery):
    rig = make_delivery(batch_events=1)
    gate = Gate(rig.manager)
    for number in range(3):
        rig.delivery.put(deletion(number))
    rig.stop.interrupt()
    gate.wait_until_reached()
    rig.stop.cancel()
    gate.open()
    with pytest.raises(SyncCancelledError) as caught:
        rig.delivery.barrier()
    assert not isinstance(caught.value, SyncInterruptedError)
    rig.delivery.close()
    assert sent(rig.manager) == ["doc-0"]


def test_a_delivery_of_a_run_that_is_stopped_already_takes_nothing(make_delivery):
    rig = make_delivery()
    rig.stop.cancel("by hand")
    with pytest.raises(SyncCancelledError, match="by hand"):
        rig.delivery.put(deletion(1))


def test_a_closed_delivery_takes_nothing_and_is_closed_twice_without_harm(make_delivery):
    rig = make_delivery()
    rig.delivery.put(deletion(1))
    rig.delivery.close()
    rig.delivery.close()
    for call in (lambda: rig.delivery.put(deletion(2)), rig.delivery.barrier, rig.delivery.check):
        with pytest.raises(SyncFinishedError, match="left to the manager"):
            call()
    assert rig.stop._callbacks == {}


def test_closing_frees_who_waits(make_delivery):
    rig = make_delivery(buffer_bytes=10)
    upload = Future()
    rig.delivery.put(upsert(1), upload=upload, content_bytes=100)
    room = Background(rig.delivery.wait_for_room)
    closing = Background(rig.delivery.close)
    assert isinstance(room.outcome(), SyncFinishedError)
    assert upload.cancelled()
    assert closing.outcome() is None


@pytest.mark.parametrize(
    ("mode", "events"), [(SyncMode.FULL, 500), (SyncMode.INCREMENTAL, 100), (SyncMode.REALTIME, 1)]
)
def test_the_limits_are_those_of_the_protocol(mode, events):
    limits = DeliveryLimits.for_mode(mode)
    assert limits.flush_events == events
    assert limits.batch_events <= 500
    assert limits.batch_bytes < 2 * 1024 * 1024


def test_a_buffer_that_is_smaller_than_a_flush_holds_nobody_up(make_delivery, manager):
    rig = make_delivery(flush_events=500, buffer_events=4)
    for number in range(20):
        rig.delivery.put(encode_delete(str(number), sync_run_id="run-1", source_id="source-1"))
        rig.delivery.wait_for_room()
    rig.delivery.barrier()
    assert [event["document_id"] for event in manager.events] == [str(number) for number in range(20)]
