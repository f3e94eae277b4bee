"""Merges what the partitions of one run report into the run's counts and its checkpoint. One for a run, in one process."""

import threading
import time
from collections.abc import Callable

from attrs import frozen

from omni_connector.exceptions import ConnectorError, PartitionsFailedError
from omni_connector.models.partition import Partition
from omni_connector.partitions.messages import DONE, Assignment, PartitionReport
from omni_connector.partitions.table import PartitionTable
from omni_connector.sync.run import SyncRun


@frozen(kw_only=True)
class SavePace:
    """How often the merged checkpoint is saved while the run goes on.

    Every save sends all states, so that their number alone would make what is sent grow with the square of the number of
    partitions. A limit on bytes a second makes it grow with the duration of the run.

    Attributes:
        least_seconds: between two saves.
        bytes_per_second: of checkpoints, over the run.
    """

    least_seconds: float = 0.5
    bytes_per_second: int = 64 * 1024

    def seconds(self, size_bytes: int) -> float:
        """Return how long to wait after a save of that size."""
        return max(self.least_seconds, size_bytes / self.bytes_per_second)


class PartitionMerger:
    """The ``PartitionDesk`` of one run, and what its main thread waits at. ``close`` it.

    Args:
        table: its partitions; used under this object's lock only.
        pace: how often the checkpoint is saved.
    """

    def __init__(self, sync: SyncRun, table: PartitionTable, pace: SavePace) -> None:
        self._sync = sync
        self._table = table
        self._pace = pace
        self._changed = threading.Condition()  # Protects everything below, and the table.
        self._open: set[str] = set()  # Partitions that were handed out and have not ended.
        self._has_news = False
        self._error: ConnectorError | None = None
        self._is_closed = False
        self._thread: threading.Thread | None = None
        self._due = 0.0
        self._saving = (
            threading.Lock()
        )  # Held from the look at the table until it is saved: no older one may follow.

    # -- for those who read partitions ----------------------------------------------------------------------------

    def assignment(self, key: str) -> Assignment:
        """Return what a partition begins with.

        Raises:
            ConnectorError: it has ended.
        """
        with self._changed:
            assignment, less = self._table.begin(key)
            self._open.add(key)
            self._sync.add_part(less, ())
            return assignment

    def receive(self, report: PartitionReport) -> None:
        """Take a report.

        Raises:
            ConnectorError: the run cannot go on.
        """
        self._sync.pulse.touch("a partition", report.key)
        with self._changed:
            more = self._table.take(report)
            if report.spent is not None:
                self._sync.meter.spent_elsewhere(
                    report.key, report.attempt, report.spent, is_over=bool(report.outcome)
                )
            if more is not None:
                self._sync.add_part(more, report.errors)
                self._has_news = self._has_news or report.has_saved or report.outcome == DONE
                if report.outcome:
                    self._open.discard(report.key)
                if report.ends_run:
                    error = PartitionsFailedError({report.key: report.error}, of=self._table.count)
                    self._error = self._error or error
            self._start()
            self._changed.notify_all()
            if self._error is not None and not report.outcome:
                raise self._error

    # -- for the run's main thread --------------------------------------------------------------------------------

    def admit(self, partition: Partition) -> bool:
        """Take a partition that is to be handed out; False when it was read to its end before a resume.

        Raises:
            InvalidValueError: it is no partition, or its key was named before.
        """
        with self._changed:
            is_wanted = self._table.add(partition)
            if is_wanted:
                self._open.add(partition.key)
            return is_wanted

    def lose(self, key: str, error: str) -> None:
        """Give up a partition that is read nowhere any more: the process that read it is gone, say."""
        with self._changed:
            self._table.lose(key, error)
            self._open.discard(key)
            self._changed.notify_all()

    def wait(self, *, at_most: int, or_when: Callable[[], bool]) -> None:
        """Wait until no more than so many partitions are open.

        Args:
            at_most: partitions that were admitted and have not ended.
            or_when: ends the wait; looked at when ``wake`` is called.

        Raises:
            ConnectorError: the run cannot go on.
        """
        with self._changed:
            self._changed.wait_for(lambda: len(self._open) <= at_most or self._error is not None or or_when())
            if self._error is not None:
                raise self._error

    def wait_for_all(self) -> None:
        """Wait until every partition that was handed out has ended, whatever has happened."""
        with self._changed:
            self._changed.wait_for(lambda: not self._open)

    def wake(self) -> None:
        """Let those who wait look again."""
        with self._changed:
            self._changed.notify_all()

    def save(self) -> None:
        """Save the merged checkpoint now, if there is something new.

        Raises:
            ConnectorError: it could not be saved, or too many documents failed.
        """
        with self._saving:
            with self._changed:
                if not self._has_news:
                    return
                self._has_news = False
                checkpoint = self._table.checkpoint()
            self._sync.ledger.judge()
            size = self._sync.checkpoints.store(checkpoint.to_json(), covers_counts=False)
            self._due = time.monotonic() + self._pace.seconds(size)

    def close(self) -> None:
        """End the thread; what has not been saved is left to ``save``."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    # -- inside ---------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        """Start the thread that saves, once there is something to save; the lock is held."""
        if not self._has_news or self._thread is not None or self._is_closed:
            return
        name = f"omni-merge-{self._sync.info.sync_run_id}"
        thread = threading.Thread(target=self._run, name=name, daemon=True)
        try:
            thread.start()
        except (RuntimeError, MemoryError) as error:
            self._error = ConnectorError(f"the run needs a thread, and none can be started: {error}")
            return
        self._thread = thread

    def _run(self) -> None:
        try:
            while self._wait_until_due():
                self.save()
        except ConnectorError as error:
            self._fail(error)
        except BaseException as error:  # noqa: BLE001 - the thread ends here: those who wait must not wait for ever.
            self._fail(ConnectorError(f"the partitions' states could not be merged: {error!r}"))

    def _wait_until_due(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._has_news or self._is_closed)
            while not self._is_closed and (left := self._due - time.monotonic()) > 0:
                self._changed.wait(left)
            return not self._is_closed

    def _fail(self, error: ConnectorError) -> None:
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()
