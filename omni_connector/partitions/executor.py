"""What reads the partitions of a run: an object that is passed in."""

from collections.abc import Callable
from typing import Protocol

from attrs import frozen

from omni_connector.partitions.merger import PartitionMerger
from omni_connector.partitions.messages import PartitionTask
from omni_connector.pool import WorkerPool
from omni_connector.sync.state import RunState

CLOSE_SECONDS = 10.0


class PartitionExecutor(Protocol):
    """Reads partitions of one run somewhere. ``close`` it.

    The end of each is reported to the run's desk, by the ``PartitionRunner`` that reads it or, where that is gone for good, by
    the executor (``PartitionMerger.lose``). A partition that ``stopped`` because its worker ends, while the run goes on, is
    not reported but submitted again: its next attempt begins where it has saved.

    Attributes:
        capacity: how many partitions it wants to have at once, those that wait included.
    """

    capacity: int

    def submit(self, task: PartitionTask) -> None:
        """Have a partition read; returns at once.

        Raises:
            RuntimeError: it can be read nowhere.
        """

    def close(self) -> None:
        """Release what it has; all its partitions have ended."""


class PartitionQueue(Protocol):
    """Carries partitions to the processes that read them."""

    def put_partition(self, task: PartitionTask, token: str, mode: str) -> None:
        """Send a partition; only its ids.

        Raises:
            RunQueueError: it cannot be sent now; it may have been sent nevertheless.
        """


@frozen(kw_only=True)
class SharedRun:
    """What an executor is given of the run whose partitions it is to have read.

    Attributes:
        workers: the connector's ``partition_workers``.
        perform: reads a partition in this process and reports its end; returns then, whatever has happened.
        desk: for partitions that are read in another process: leads their reports here. It also has ``lose``.
        state: stopped with the run; the executor passes that on to other processes.
        owner: token of the run's claim in the run store.
    """

    sync_run_id: str
    source_id: str
    sync_mode: str = "full"
    owner: str = ""
    workers: int
    perform: Callable[[PartitionTask], None]
    desk: PartitionMerger
    state: RunState


ExecutorFactory = Callable[[SharedRun], PartitionExecutor]


class ThreadExecutor:
    """Reads partitions in as many threads of this process as the connector's ``partition_workers`` says."""

    def __init__(self, run: SharedRun) -> None:
        # Twice as many, so that a thread that has ended one need not wait for the next to be listed.
        self.capacity = 2 * run.workers
        self._perform = run.perform
        self._pool = WorkerPool(f"omni-part-{run.sync_run_id}", run.workers)

    def submit(self, task: PartitionTask) -> None:
        """Read it as soon as a thread is free."""
        self._pool.submit(self._perform, task)

    def close(self) -> None:
        """End the threads."""
        self._pool.close(CLOSE_SECONDS)
