"""Carries the events of one run to the manager, in order, while the connector reads on.

The promises are those of DESIGN ("Delivery"): a barrier returns only after everything emitted before it was
accepted; batches travel one at a time, in the order of emission; a document that the manager refuses is
skipped; memory is bounded by bytes. Errors of the background work surface at the next call, and stay: a run that
has lost events cannot complete.
"""

import logging
import threading
import time
from collections import deque
from concurrent.futures import CancelledError

from omni_connector.exceptions import (
    ConnectorError,
    InvalidValueError,
    SdkClientError,
    SyncFinishedError,
    SyncRunEndedError,
)
from omni_connector.forking import begins_anew
from omni_connector.manager.api import ManagerApi
from omni_connector.manager.pending import Pending
from omni_connector.models.events import EncodedEvent
from omni_connector.sync.counters import Counters
from omni_connector.sync.delivery_limits import DeliveryLimits
from omni_connector.sync.ledger import DocumentError, ErrorLedger
from omni_connector.sync.payloads import PendingContent, WithdrawnError
from omni_connector.sync.refusal import Sender, skips_its_document
from omni_connector.sync.run_info import RunInfo
from omni_connector.sync.state import RunState
from omni_connector.telemetry.figures import Stage
from omni_connector.telemetry.log_context import in_run
from omni_connector.telemetry.meter import RunMeter

log = logging.getLogger(__name__)


_Waiting = tuple[EncodedEvent, int, Pending[str] | None, float]
"""An event on its way: itself, its bytes with those of its content, the upload of its content where it has one, and
since when it waits. A bare tuple, because one is made for every event."""


class Delivery:
    """The way of one run's events to the manager. ``close`` it; its thread is named after the run.

    Args:
        run: the run.
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
        # What is enough to be sent: a batch, or half of the buffer, because ``emit`` may be waiting for room.
        self._full_events = min(limits.flush_events, limits.buffer_events // 2 + 1)
        self._full_bytes = min(limits.batch_bytes, limits.buffer_bytes // 2 + 1)
        self.counters = Counters(run, manager)
        self.sender = Sender(run, manager, ledger)
        self._lock = threading.Lock()  # Protects everything below.
        self._work = threading.Condition(self._lock)  # The sender waits here for something to do ...
        self._changed = threading.Condition(self._lock)  # ... and everybody else for what it has done.
        self._listening = True  # The sender waits for work, or has not begun: a caller with some may wake it.
        self._asleep = True  # The sender waits, or is about to, without a time at which it wakes by itself.
        self._waiting: deque[_Waiting] = deque()
        self._batch: list[_Waiting] = []  # What is being sent.
        self._bytes = 0
        self._put = 0  # Events taken so far ...
        self._done = 0  # ... and those that are accepted, or refused and in the ledger.
        self._barrier = 0  # Everything up to this number is sent without waiting for company.
        self._counts_asked = 0  # How often counts were asked for ...
        self._counts_answered = 0  # ... and which of these the last report has answered.
        self._error: ConnectorError | None = None
        self._is_closed = False
        self._thread: threading.Thread | None = None
        self._forget_stop = state.on_stop(self._stopped)
        meter.watch_buffer(self._buffered)
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
        """Take an event; memory only, never blocks. Return whether the buffer is still below its limits.

        Raises:
            SyncCancelledError: the run was cancelled.
            SyncFinishedError: it has ended, or is about to.
            SdkClientError: earlier events could not be delivered.
        """
        size = len(event.body) + content_bytes
        item = (event, size, upload, time.monotonic())
        with self._lock:
            if self._error is not None or not self._state.is_open:
                self.check()
            self._waiting.append(item)
            self._bytes += size
            self._put += 1
            if self._listening and (self._asleep or self._full()):
                self._wake_sender()
        return self._bytes <= self._limits.buffer_bytes and len(self._waiting) <= self._limits.buffer_events

    def add_bytes(self, content: PendingContent, size: int) -> None:
        """Count what was read for an event that was taken before."""
        with self._lock:
            content.buffered_bytes = size
            self._bytes += size

    @property
    def taken(self) -> int:
        """Events taken so far."""
        return self._put

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
        limits = self._limits
        return self._bytes <= limits.buffer_bytes and len(self._waiting) <= limits.buffer_events

    def wait_for_room(self) -> None:
        """Wait until the buffer is below its limits.

        Raises:
            SyncCancelledError: the run was cancelled.
            SdkClientError: earlier events could not be delivered.
        """
        with self._changed:
            if not self._room():
                # Not until there is some room but until there is plenty: each wake-up costs a switch of threads.
                self._changed.wait_for(lambda: self._room(share=0.5) or self._is_over())
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
            target = self._barrier = self._put
            self._counts_asked = asked = self._counts_asked + 1
            self._wake_sender()
            in_time = self._changed.wait_for(
                lambda: (self._done >= target and self._counts_answered >= asked) or self._is_cut_off(),
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
            self._drop_uploads()
            self._work.notify_all()
            self._changed.notify_all()
            thread = self._thread
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
                        self._finished(batch, counts_asked)
        except BaseException as error:  # noqa: BLE001 - also when there is no memory: a waiting thread must not wait for ever.
            self._fail(ConnectorError(f"delivery failed: {error!r}"))

    def _deliver(self, batch: list[_Waiting], counts_asked: int) -> None:
        try:
            events = self._resolved(batch)
            with self._meter.stage(Stage.SENDING_EVENTS):
                self.sender.send(events, self.counters)
                self._ledger.check_refused()
                if counts_asked:
                    self.counters.report_all(self._state.stopped)
                elif self.counters.due(self._limits.flush_seconds):
                    self.counters.report()
            if events:
                self._meter.delivered(sum(map(_buffered_bytes, batch)))
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

    def _next_batch(self) -> tuple[list[_Waiting] | None, int]:
        """Wait for a reason to send; return what to send, and which request for the counts it answers, 0 for none."""
        with self._work:
            while True:
                if self._is_closed or self._error is not None or not self._state.may_send:
                    return None, 0
                # Before the counts are looked at: one that comes now finds it set and wakes us.
                self._asleep = True
                wait_seconds = self._seconds_until_due()
                self._asleep = wait_seconds is None
                if wait_seconds is not None and wait_seconds <= 0:
                    batch = self._batch = self._take()
                    last = self._done + len(batch) >= self._barrier
                    return batch, self._counts_asked if last and self._counts_wanted() else 0
                self._listening = True
                self._work.wait(wait_seconds)
                self._listening = self._asleep = False

    def _seconds_until_due(self) -> float | None:
        """Return when the next request is due; None when there is nothing to send."""
        if self._counts_wanted() or self._done < self._barrier or self._state.stopped.is_set():
            return 0 if self._waiting or self._counts_wanted() else None
        if self._full():
            return 0
        ages = [self.counters.age_seconds()]
        if self._waiting:
            ages.append(time.monotonic() - self._waiting[0][3])
        oldest = max((age for age in ages if age is not None), default=None)
        return None if oldest is None else self._limits.flush_seconds - oldest

    def _take(self) -> list[_Waiting]:
        waiting = self._waiting
        batch: list[_Waiting] = []
        size = 0
        for _ in range(min(len(waiting), self._limits.batch_events)):
            item = waiting.popleft()
            size += len(item[0].body)
            if size > self._limits.batch_bytes and batch:
                waiting.appendleft(item)
                break
            batch.append(item)
        return batch

    def _resolved(self, batch: list[_Waiting]) -> list[EncodedEvent]:
        """Wait for the contents; a document whose content the manager refuses is skipped."""
        last = next((upload for _, _, upload, _ in reversed(batch) if upload is not None), None)
        if last is not None and not last.done():
            with self._meter.stage(Stage.STORING_CONTENTS):
                last.exception()  # First, because then most others are there: one change of threads instead of hundreds.
        events = []
        for event, _, upload, _ in batch:
            if upload is not None:
                try:
                    event = event.with_content_id(upload.result())  # noqa: PLW2901 - the same event, whole.
                except CancelledError:
                    self._state.raise_if_stopped()
                    raise
                except WithdrawnError:
                    self.sender.refused(event)
                    continue
                except (SdkClientError, InvalidValueError, OSError) as error:
                    status = error.status if isinstance(error, SdkClientError) else None
                    if isinstance(error, SdkClientError) and not skips_its_document(error):
                        raise
                    self.sender.refused(event)
                    self._ledger.add(
                        DocumentError(
                            document_id=event.document_id, stage="content", reason=str(error), status=status
                        )
                    )
                    continue
            events.append(event)
        return events

    def _buffered(self) -> tuple[int, int]:
        return len(self._waiting) + len(self._batch), self._bytes

    def _finished(self, batch: list[_Waiting], counts_asked: int) -> None:
        with self._changed:
            self._batch = []
            self._done += len(batch)
            self._bytes = max(0, self._bytes - sum(map(_buffered_bytes, batch)))
            self._counts_answered = max(self._counts_answered, counts_asked)
            self._changed.notify_all()

    # -- called with the lock held, or to take it ---------------------------------------------------------------

    def _full(self) -> bool:
        """Enough waits to be sent at once; also whenever ``emit`` may be waiting for room."""
        return len(self._waiting) >= self._full_events or self._bytes >= self._full_bytes

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
        with self._changed:
            if self._state.fence.is_set():
                self._drop_uploads()
                self._waiting.clear()
                self._bytes = 0
            self._work.notify_all()
            self._changed.notify_all()

    def _room(self, share: float = 1.0) -> bool:
        """The buffer is filled to no more than this share of its limits."""
        limits = self._limits
        return (
            self._bytes <= limits.buffer_bytes * share and len(self._waiting) <= limits.buffer_events * share
        )

    def _drop_uploads(self) -> None:
        """Let nothing wait for contents that are not needed any more."""
        for _, _, upload, _ in (*self._batch, *self._waiting):
            if upload is not None:
                upload.cancel()

    def _is_over(self) -> bool:
        return self._is_cut_off() or self._state.stopped.is_set()

    def _is_cut_off(self) -> bool:
        return self._error is not None or self._is_closed or not self._state.may_send

    def _check(self) -> None:
        self._state.raise_if_fenced()
        if self._error is not None:
            raise self._error
        if self._is_closed:
            raise SyncFinishedError(self._run_info.sync_run_id, "left to the manager")


def _buffered_bytes(item: _Waiting) -> int:
    upload = item[2]
    return item[1] + upload.buffered_bytes if isinstance(upload, PendingContent) else item[1]
