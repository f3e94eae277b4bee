"""Has the partitions of a run read by other processes: offers them, takes their reports, and offers again what was lost."""

import contextlib
import logging
import threading
import time

from attrs import define, evolve, frozen

from omni_connector.exceptions import ConnectorError, RunQueueError, RunStoreError
from omni_connector.partitions.executor import PartitionQueue, SharedRun
from omni_connector.partitions.messages import STOPPED, Assignment, PartitionReport, PartitionTask
from omni_connector.runstore.partitions import (
    CANCEL,
    INTERRUPT,
    WIND_DOWN,
    Offer,
    Sent,
    SharedPartitions,
)
from omni_connector.runtime.partition_readings import PartitionReading, PartitionReadings

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.2
"""Between two looks for reports."""

HOLDER_SECONDS = 1.0
"""Between two looks whether the process that reads a partition is alive."""

MOST_LOSSES = 3
"""How many processes may die while they read a partition that saves nothing; then the partition fails."""

RETRY_SECONDS = 1.0
"""Between two attempts to send while the broker is away."""

CLOSE_SECONDS = 5.0


@define(eq=False)
class _Open:
    """A partition that has not ended."""

    task: PartitionTask
    assignment: Assignment | None = None  # Of the attempt that is to be offered.
    offer: Offer | None = None
    is_sent: bool = False
    was_tried_here: bool = False
    send_at: float = 0.0
    looked_at: float = 0.0  # When its holder was last asked for.
    last: Sent | None = None  # What was reported under this offer.
    losses: int = 0  # Since a state was saved.


@frozen
class PartitionOffers:
    """Makes the executor of each run whose partitions other processes read, too.

    Attributes:
        queue: takes them there.
        readings: reads one at a time here, so that a run goes on while no other process is free.
        queue_seconds: a partition that no process has taken for so long is sent again.
    """

    shared: SharedPartitions
    queue: PartitionQueue
    readings: PartitionReadings
    queue_seconds: float

    def __call__(self, run: SharedRun) -> "OfferedPartitions":
        """Return the executor of a run."""
        return OfferedPartitions(self, run)


class OfferedPartitions:
    """The ``PartitionExecutor`` of one run; ``partition_workers`` says how many partitions are read at once, wherever.

    One thread does everything: it offers, sends, looks for reports, and begins one partition at a time here.
    """

    def __init__(self, means: PartitionOffers, run: SharedRun) -> None:
        self.capacity = run.workers
        self._means = means
        self._shared = means.shared
        self._run = run
        self._lock = threading.Lock()  # Protects _open.
        self._open: dict[str, _Open] = {}
        self._here: PartitionReading | None = None
        self._order = ""  # The last that was given.
        self._is_queue_away = False
        self._is_closed = False
        self._extra = {"sync_run_id": run.sync_run_id, "source_id": run.source_id}
        self._wake = threading.Event()
        self._forget = run.state.on_stop(self._wake.set)
        self._thread = threading.Thread(target=self._loop, name=f"omni-offer-{run.sync_run_id}", daemon=True)
        self._thread.start()

    def submit(self, task: PartitionTask) -> None:
        """Offer a partition to all processes, this one included."""
        with self._lock:
            self._open[task.key] = _Open(task)
        self._wake.set()

    def close(self) -> None:
        """End the thread."""
        self._forget()
        self._is_closed = True
        self._wake.set()
        self._thread.join(CLOSE_SECONDS)

    def _loop(self) -> None:
        while True:
            self._wake.wait(LOOK_SECONDS)
            self._wake.clear()
            with contextlib.suppress(RunStoreError):
                self._give_order()
            if self._is_closed:
                return
            with self._lock:
                items = list(self._open.values())
            for each in items:
                self._look_at(each)
            with contextlib.suppress(RunStoreError):
                self._read_here()

    def _look_at(self, each: _Open) -> None:
        try:
            is_over = self._stop(each) if self._is_stopping else self._step(each)
        except RunStoreError as error:
            log.debug("Partition %r waits for the run store: %s", each.task.key, error)
            is_over = False
        except Exception as error:  # The thread must survive; the partition cannot be read.
            log.exception("Partition %r cannot be offered", each.task.key, extra=self._extra)
            self._run.desk.lose(each.task.key, f"it cannot be offered: {error}")
            is_over = True
        if is_over:
            with self._lock:
                del self._open[each.task.key]

    def _step(self, each: _Open) -> bool:
        """Bring a partition one step further; True when it has ended."""
        if each.offer is None:
            each.assignment = each.assignment or self._run.desk.assignment(each.task.key)
            each.offer = self._shared.offer(each.task, self._run.owner, each.assignment)
            each.is_sent = each.was_tried_here = False
            each.send_at = each.looked_at = time.monotonic()
            each.last = None
        if not each.is_sent and time.monotonic() >= each.send_at:
            self._send(each, each.offer)
        if self._take_news(each, each.offer):
            return True
        return each.offer is not None and self._is_lost(each, each.offer)

    def _send(self, each: _Open, offer: Offer) -> None:
        now = time.monotonic()
        try:
            self._means.queue.put_partition(each.task, offer.token, self._run.sync_mode)
        except RunQueueError as error:
            if not self._is_queue_away:
                log.warning("%s. Partitions are read one by one until it can be used again.", error)
            self._is_queue_away = True
            each.send_at = now + RETRY_SECONDS
        else:
            self._is_queue_away = False
            each.is_sent = True
            each.send_at = now + self._means.queue_seconds

    def _take_news(self, each: _Open, offer: Offer) -> bool:
        """Pass on what was reported; True when the partition has ended."""
        saved, last = self._shared.news(offer, each.last)
        if last is None:
            return False
        if saved is not None:
            each.losses = 0
            self._receive(saved.report)
        new_errors = last.error_count - (each.last.error_count if each.last else 0)
        each.last = last
        report = evolve(last.report, errors=last.report.errors[-new_errors:] if new_errors else [])
        if report.outcome == STOPPED and not self._is_stopping:
            # The process that read it ends, and the run goes on: another one begins where this one has saved.
            self._receive(evolve(report, outcome=""))
            self._offer_again(each)
            return False
        self._receive(report)
        if report.outcome:
            self._shared.forget(offer)
        return bool(report.outcome)

    def _receive(self, report: PartitionReport) -> None:
        with contextlib.suppress(ConnectorError):  # The run's own thread is informed as well.
            self._run.desk.receive(report)

    def _is_lost(self, each: _Open, offer: Offer) -> bool:
        """Look whether any process holds the partition; True when it has ended with the process that did."""
        now = time.monotonic()
        if now - each.looked_at < HOLDER_SECONDS:
            return False
        each.looked_at = now
        holder = self._shared.holder(each.task)
        if holder == offer.token and each.is_sent and now >= each.send_at and self._shared.withdraw(offer):
            each.offer = (
                None  # The message may be lost. The next offer has another token, so that one of both counts.
            )
        if holder is not None:
            return False
        return self._take_news(each, offer) or (each.offer is not None and self._lost(each))

    def _lost(self, each: _Open) -> bool:
        """Offer a partition again whose process is gone, a few times; True when it has ended."""
        if each.last is not None:  # Else it was not begun: the offer was lost with the store, say.
            each.losses += 1
            if each.losses > MOST_LOSSES:
                self._run.desk.lose(each.task.key, f"{each.losses} processes that read it died")
                return True
            log.warning(
                "The process that read partition %r is gone: it is read again from its last state",
                each.task.key,
                extra=self._extra,
            )
        self._offer_again(each)
        return False

    def _offer_again(self, each: _Open) -> None:
        each.offer = each.assignment = None
        self._wake.set()

    def _stop(self, each: _Open) -> bool:
        """Withdraw a partition that was not begun, and wait for the last report of any other; True when it has ended."""
        offer = each.offer
        if offer is not None and self._run.state.may_send and not self._shared.withdraw(offer):
            is_held = self._shared.holder(each.task) is not None
            if self._take_news(each, offer):
                return True
            if is_held:
                return False
        self._run.desk.lose(each.task.key, "it was stopped before its end")
        return True

    def _give_order(self) -> None:
        """Ask the processes that read partitions of the run to stop."""
        state = self._run.state
        order = ""
        if state.fence.is_set():
            order = CANCEL
        elif state.stopped.is_set():
            order = INTERRUPT
        elif state.is_winding_down:
            order = WIND_DOWN
        if order != self._order:
            self._shared.give_order(self._run.owner, order)
            self._order = order

    def _read_here(self) -> None:
        """Begin one partition in this process that no other has taken."""
        if self._is_stopping or (self._here is not None and not self._here.over.is_set()):
            return
        with self._lock:
            items = list(self._open.values())
        for each in items:
            if each.offer is None or each.was_tried_here:
                continue
            each.was_tried_here = True
            self._here = self._means.readings.begin(each.task, each.offer.token)
            if self._here is not None:
                return

    @property
    def _is_stopping(self) -> bool:
        return self._run.state.stopped.is_set() or self._run.state.is_winding_down
