"""Reads partitions of runs of any process: each in a thread, which reports through the run store."""

import logging
import threading
import time

from attrs import evolve

from omni_connector.exceptions import ConnectorError, RunStoreError
from omni_connector.forking import begins_anew
from omni_connector.partitions.messages import PartitionTask
from omni_connector.runstore.partitions import CANCEL, INTERRUPT, WIND_DOWN, Adopted, SharedPartitions
from omni_connector.runtime.partition_runner import PartitionRunner, RunInParts, RunResources
from omni_connector.runtime.store_desk import StoreDesk
from omni_connector.sync.run import SyncRun
from omni_connector.sync.state import RunState
from omni_connector.telemetry.log_context import RunIdentity, in_run
from omni_connector.telemetry.meter import RunMeter

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
"""Between two looks whether a run was stopped, so that a cancellation reaches its partitions well within 2 s."""

BEAT_SECONDS = 20.0
"""How often a partition that makes progress is reported alive."""

CLOSE_SECONDS = 2.0


class PartitionReading(threading.Thread):
    """Reads one partition once; a daemon, as the thread of a run.

    Attributes:
        state: of this work; not part of a run in this process.
        over: set when the thread has ended, or the process ends and no longer waits for it.
    """

    def __init__(self, readings: "PartitionReadings", adopted: Adopted) -> None:
        task = adopted.task
        super().__init__(name=f"omni-part-{task.sync_run_id}-{task.key[:40]}", daemon=True)
        self.over = threading.Event()
        self.state = RunState(task.sync_run_id)
        self.state.fence.is_assured = adopted.lease.is_assured
        self._readings = readings
        self._adopted = adopted
        self._meter = RunMeter()
        self._desk = StoreDesk(readings.shared, adopted, self._meter)
        self._runner: PartitionRunner | None = None
        self._beat = time.monotonic()

    @property
    def thread(self) -> threading.Thread:
        """The thread."""
        return self

    @property
    def sync(self) -> SyncRun | None:
        """What carries the partition out; None before it begins, and when it has ended."""
        return None if self._runner is None else self._runner.current

    def run(self) -> None:
        """Read, report the end, let go of the partition: whatever happens on the way."""
        task, connector = self._adopted.task, self._readings.resources.hooks.connector
        identity = RunIdentity(
            connector=connector.name,
            sync_run_id=task.sync_run_id,
            source_id=task.source_id,
            sync_mode=self._adopted.assignment.sync_mode,
            partition=task.key,
        )
        with in_run(identity):
            try:
                self._read(identity)
            except ConnectorError as error:
                log.warning("Partition %r is not read here: %s", task.key, error)
            except BaseException:  # The thread ends here; another process reads the partition.
                log.exception("Partition %r is not read to its end here", task.key)
            finally:
                self._desk.close()
                while not self._is_over():
                    pass
                self._readings.end(self, self._adopted)

    def _read(self, identity: RunIdentity) -> None:
        task, assignment = self._adopted.task, self._adopted.assignment
        log.info("Partition %r of source %s is read here", task.key, task.source_id)
        resources = self._readings.resources
        source = resources.manager.sync_config(task.source_id)
        run = RunInParts.elsewhere(
            task, source, resources.hooks.connector, assignment, state=self.state, desk=self._desk
        )
        run = evolve(run, info=evolve(run.info, identity=identity), meter=self._meter)
        self._desk.flush()  # It has begun: if it is not heard of any more, its process has died.
        self._runner = PartitionRunner(resources, run)
        self._runner.read(assignment)

    def _is_over(self) -> bool:
        """Keep the last report; False after a while in which the store was away."""
        return self._desk.flush() or self.state.fence.is_set() or self._readings.closing.wait(LOOK_SECONDS)

    def look(self) -> None:
        """Stop if the run says so, or another process has the partition, and report."""
        if self.state.fence.is_set() and not self.state.stopped.is_set():
            self.state.cancel("another process has it")
            return
        try:
            order = self._readings.shared.order(self._adopted)
        except RunStoreError:
            return
        if order == CANCEL:
            self.state.cancel("the run was cancelled, or is not in progress any more")
        elif order == INTERRUPT:
            self.state.interrupt()
        elif order == WIND_DOWN:
            self.state.wind_down()
        runner = self._runner
        now = time.monotonic()
        if (
            runner is not None
            and now - self._beat >= BEAT_SECONDS
            and runner.run.pulse.idle_seconds < BEAT_SECONDS
        ):
            self._beat = now
            self._desk.beat()
        self._desk.flush()


class PartitionReadings:
    """The partitions that this process reads, for runs of any process. ``close`` it.

    One thread looks after all; it is started with the first.

    Args:
        resources: what they share.

    Attributes:
        closing: set when the process ends.
    """

    def __init__(self, resources: RunResources, shared: SharedPartitions) -> None:
        self.resources = resources
        self.shared = shared
        begins_anew(self)
        self.after_fork()

    def after_fork(self) -> None:
        """Forget what the parent reads."""
        self._lock = threading.Lock()  # Protects the following.
        self._alive: set[PartitionReading] = set()
        self._thread: threading.Thread | None = None
        self._is_open = True
        self.closing = threading.Event()

    def begin(self, task: PartitionTask, token: str) -> PartitionReading | None:
        """Read a partition that is offered, in a thread; None when another process has it, or when the offer has ended.

        Raises:
            RunStoreError: the store cannot be used now.
        """
        adopted = self.shared.adopt(task, token) if self._is_open else None
        if adopted is None:
            return None
        reading = PartitionReading(self, adopted)
        with self._lock:
            self._alive.add(reading)
        try:
            self._start()
            reading.start()
        except (RuntimeError, MemoryError) as error:
            log.warning("A partition needs a thread, and none can be started: %s", error)
            self.end(reading, adopted)
            return None
        return reading

    def end(self, reading: PartitionReading, adopted: Adopted) -> None:
        """Let go of a partition whose thread ends."""
        with self._lock:
            self._alive.discard(reading)
        self.shared.release(adopted)
        reading.over.set()

    def alive(self) -> list[PartitionReading]:
        """Return the partitions that are read."""
        with self._lock:
            return list(self._alive)

    def refuse_more(self) -> None:
        """Begin no further ones: the process ends."""
        self._is_open = False

    def close(self) -> None:
        """End the thread that looks after them."""
        self.refuse_more()
        self.closing.set()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join(CLOSE_SECONDS)

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="omni-partitions", daemon=True)
                thread.start()
                self._thread = thread

    def _run(self) -> None:
        while not self.closing.wait(LOOK_SECONDS):
            for reading in self.alive():
                try:
                    reading.look()
                except Exception:  # The thread must survive whatever one look meets.
                    log.exception("Partition %s could not be looked at", reading.name)
