"""Carries the events of one run to the manager, in order, while the connector reads on.

The promises are those of DESIGN ("Delivery"): a barrier returns only after everything emitted before it was
accepted; batches travel one at a time, in the order of emission; a document that the manager refuses is
skipped; memory is bounded by bytes. Errors of the background work surface at the next call, and stay: a run that
has lost events cannot complete.
"""

import logging
import threading
import time
from concurrent.futures import CancelledError

from omni_connector.exceptions import ConnectorError, SyncFinishedError, SyncRunEndedError
from omni_connector.forking import begins_anew
from omni_connector.manager.api import ManagerApi
from omni_connector.manager.pending import Pending
from omni_connector.models.events import EncodedEvent
from omni_connector.sync.content_ids import ContentIds
from omni_connector.sync.counters import Counters
from omni_connector.sync.delivery_limits import DeliveryLimits
from omni_connector.sync.event_buffer import EventBuffer, Waiting, bytes_of, is_read
from omni_connector.sync.ledger import ErrorLedger
from omni_connector.sync.payloads import PendingContent
from omni_connector.sync.refusal import Sender
from omni_connector.sync.run_info import RunInfo
from omni_connector.sync.state import RunState
from omni_connector.telemetry.figures import Stage
from omni_connector.telemetry.log_context import in_run
from omni_connector.telemetry.meter import RunMeter

log = logging.getLogger(__name__)


class Delivery:
    """The way of one run's events to the manager. ``close`` it; its thread is named after the run.

    Args:
        manager: where to; its waits end when the run is fenced.
        state: the run's state.
        ledger: where refused documents are noted.
        limits: when batches are sent.
        meter: learns what time is spent on.

    Attributes:
        sender: sends batches.
    """

    def __init__(
        self,
        run: RunInfo,
        manager: ManagerApi,
        state: RunState,
        ledger: ErrorLedger,
        limits: DeliveryLimits,
        *,
        meter: RunMeter,
    ) -> None:
        self._run_info = run
        self._state = state
        self._ledger = ledger
        self._limits = limits
        self._meter = meter
        self.counters = Counters(run, manager)
        self.sender = Sender(run, manager, ledger)
        self._content_ids = ContentIds(state, ledger, self.sender, meter)
        self._lock = threading.Lock()  # Protects everything below.
        self._work = threading.Condition(self._lock)  # The sender waits here for something to do ...
        self._changed = threading.Condition(self._lock)  # ... and everybody else for what it has done.
        self._listening = True  # The sender waits for work, or has not begun: a caller with some may wake it.
        self._asleep = True  # The sender waits, or is about to, without a time at which it wakes by itself.
        self._buffer = EventBuffer(limits)
        self._barrier = 0  # Everything up to this number is sent without waiting for company.
        self._counts_asked = 0  # How often counts were asked for ...
        self._counts_answered = 0  # ... and which of these the last report has answered.
        self._error: ConnectorError | None = None
        self._is_closed = False
        self._thread: threading.Thread | None = None
        self._forget_stop = state.on_stop(self._stopped)
        meter.watch_buffer(self._buffer.size)
        begins_anew(self)

    def after_fork(self) -> None:
        """Refuse to go on in another process: it has no thread that sends, and the parent sends what it has taken."""
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._changed = threading.Condition(self._lock)
        self._thread = None
        self._error = ConnectorError(
            "this run belongs to the process from which this one was forked: let that one use its context, and only read "
            "in this one"
        )

    def put(self, event: EncodedEvent, upload: Pending[str] | None = None, content_bytes: int = 0) -> bool:
        """Take an event; memory only, never blocks. Return whether the buffer is still below its limits. Raises like ``check``."""
        buffer = self._buffer
        item = (event, len(event.body) + content_bytes, upload, time.monotonic())
        with self._lock:
            if self._error is not None or not self._state.is_open:
                self.check()
            has_room = buffer.append(item)
            if self._listening and (self._asleep or buffer.is_full()):
                self._wake_sender()
        return has_room

    def add_bytes(self, content: PendingContent, size: int) -> None:
        """Count what was read for an event that was taken before."""
        with self._lock:
            self._buffer.add_bytes(content, size)

    @property
    def taken(self) -> int:
        """Events taken so far."""
        return self._buffer.put

    def check(self) -> None:
        """Let the connector go on, or raise what keeps it from that.

        Raises:
            SyncCancelledError: the run was cancelled.
            SyncFinishedError: it has ended, or is about to.
            SdkClientError: earlier events could not be delivered.
        """
        if self._error is not None or not self._state.is_open:
            self._state.require_open()
            self._check()

    def has_room(self) -> bool:
        """Return whether the buffer is below its limits."""
        return self._buffer.has_room()

    def wait_for_room(self) -> None:
        """Wait until the buffer is below its limits. Raises like ``check``."""
        buffer = self._buffer
        with self._changed:
            if not buffer.has_room():
                # Not until there is some room but until there is plenty: each wake-up costs a switch of threads.
                self._changed.wait_for(lambda: buffer.has_room(share=0.5) or self._cannot_wait())
            self._state.raise_if_stopped()
            self._check()

    def barrier(self, *, timeout_seconds: float | None = None, final: bool = False) -> bool:
        """Wait until every event and count so far was accepted; return False when the time was too short.

        Args:
            timeout_seconds: wait no longer.
            final: take nothing more from now on, so that nothing is left behind when the run ends.

        Raises:
            SyncCancelledError: the run was cancelled.
            SdkClientError: events could not be delivered.
        """
        with self._changed:
            self._check()
            if final:
                self._state.begin_end()
            target = self._barrier = self._buffer.put
            self._counts_asked = asked = self._counts_asked + 1
            self._wake_sender()
            in_time = self._changed.wait_for(
                lambda: (
                    (self._buffer.done >= target and self._counts_answered >= asked) or self._is_cut_off()
                ),
                timeout_seconds,
            )
            self._check()
            return in_time

    def count_scanned(self, count: int) -> None:
        """Add to the number of documents looked at; memory only. Raises like ``check``."""
        if self._error is not None or not self._state.is_open:
            self.check()
        self.counters.scanned(count)
        if self._asleep or self._thread is None:
            self.wake()

    def wake(self) -> None:
        """Let the sender look at the counts."""
        with self._work:
            self._wake_sender()

    def close(self) -> None:
        """End the thread; what still waits is dropped. Call ``barrier`` first."""
        self._forget_stop()
        with self._changed:  # In one step: who waits sees both, or neither.
            self._state.close()
            self._is_closed = True
            uploads = self._buffer.uploads()
            self._work.notify_all()
            self._changed.notify_all()
            thread = self._thread
        _cancel(uploads)
        if thread is not None:
            thread.join()

    # -- the sender's thread ------------------------------------------------------------------------------------

    def _run(self) -> None:
        """Send batch after batch until the end; an error ends the sending, not the run's other business."""
        try:
            with in_run(self._run_info.identity):
                while True:
                    batch, counts_asked = self._next_batch()
                    if batch is None:
                        return
                    try:
                        self._deliver(batch, counts_asked)
                    finally:
                        self._finished(counts_asked)
        except BaseException as error:  # noqa: BLE001 - also when there is no memory: a waiting thread must not wait for ever.
            self._fail(ConnectorError(f"delivery failed: {error!r}"))

    def _deliver(self, batch: list[Waiting], counts_asked: int) -> None:
        try:
            events = self._content_ids.events(batch)
            with self._meter.stage(Stage.SENDING_EVENTS):
                self.sender.send(events, self.counters)
                self._ledger.check_refused()
                if counts_asked:
                    self.counters.report_all(self._state.stopped)
                elif self.counters.due(self._limits.flush_seconds):
                    self.counters.report()
            if events:
                self._meter.delivered(bytes_of(batch))
        except SyncRunEndedError as error:
            self._state.cancel(f"the manager takes no more events for it: {error.body}")
        except ConnectorError as error:
            self._fail(error)
        except CancelledError:
            if not self._is_closed:
                self._fail(ConnectorError("delivery was cut off"))
        except Exception as error:  # The thread ends here, and the run is given the reason.
            log.exception("Delivery failed", extra={"sync_run_id": self._run_info.sync_run_id})
            self._fail(ConnectorError(f"delivery failed: {error!r}"))

    def _next_batch(self) -> tuple[list[Waiting] | None, int]:
        """Wait for a reason to send; return what to send, and which request for the counts it answers, 0 for none."""
        with self._work:
            while True:
                if self._is_closed or self._error is not None or not self._state.may_send:
                    self._changed.notify_all()  # No call follows where another process has the run.
                    return None, 0
                # Before the counts are looked at: one that comes now finds it set and wakes us.
                self._asleep = True
                wait_seconds = self._seconds_until_due()
                self._asleep = wait_seconds is None
                if wait_seconds is not None and wait_seconds <= 0:
                    batch = self._buffer.take()
                    last = self._buffer.done + len(batch) >= self._barrier
                    return batch, self._counts_asked if last and self._counts_wanted() else 0
                self._listening = True
                self._work.wait(wait_seconds)
                self._listening = self._asleep = False

    def _seconds_until_due(self) -> float | None:
        """Return when the next request is due; None when there is nothing to send.

        What is still to be read is not sent, nor what follows it: the thread that reads it may be waiting for room.
        """
        if self._buffer.waiting and not is_read(self._buffer.waiting[0]):
            return None
        if self._counts_wanted() or self._buffer.done < self._barrier or self._state.stopped.is_set():
            return 0 if self._buffer.waiting or self._counts_wanted() else None
        if self._buffer.is_full():
            return 0
        ages = (self.counters.age_seconds(), self._buffer.age_seconds())
        oldest = max((age for age in ages if age is not None), default=None)
        return None if oldest is None else self._limits.flush_seconds - oldest

    def _finished(self, counts_asked: int) -> None:
        with self._changed:
            self._buffer.finish()
            self._counts_answered = max(self._counts_answered, counts_asked)
            self._changed.notify_all()

    # -- called with the lock held, or to take it ---------------------------------------------------------------

    def _counts_wanted(self) -> bool:
        return self._counts_answered < self._counts_asked

    def _wake_sender(self) -> None:
        if self._thread is None and not self._is_closed and self._error is None:
            name = f"omni-send-{self._run_info.sync_run_id}"
            thread = threading.Thread(target=self._run, name=name, daemon=True)
            try:
                thread.start()
            except (RuntimeError, MemoryError) as error:
                self._error = ConnectorError(f"the run needs a thread, and none can be started: {error}")
                self._changed.notify_all()
                return
            self._thread = thread
        self._work.notify_all()

    def _fail(self, error: ConnectorError) -> None:
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()

    def _stopped(self) -> None:
        """The run was cancelled (drop what waits) or the process shuts down (send it now)."""
        uploads = []
        with self._changed:
            if self._state.fence.is_set():
                uploads = self._buffer.uploads()
                self._buffer.clear()
            self._work.notify_all()
            self._changed.notify_all()
        _cancel(uploads)

    def _cannot_wait(self) -> bool:
        """It is over, or what comes next waits for a thread to read it: perhaps for the one that asks."""
        return self._is_cut_off() or self._state.stopped.is_set() or self._buffer.is_stuck()

    def _is_cut_off(self) -> bool:
        return self._error is not None or self._is_closed or not self._state.may_send

    def _check(self) -> None:
        self._state.raise_if_fenced()
        if self._error is not None:
            raise self._error
        if self._is_closed:
            raise SyncFinishedError(self._run_info.sync_run_id, "left to the manager")


def _cancel(uploads: list[Pending[str]]) -> None:
    """Let nothing wait for contents that are not needed any more; their callbacks are called without the lock."""
    for upload in uploads:
        upload.cancel()
