"""Reads partitions in this process: the threads of a run, or a worker that was given ids alone."""

import logging
import threading
from typing import Any, cast

from attrs import define, evolve, field, frozen

from omni_connector.exceptions import (
    ConnectorError,
    ManagerUnreachableError,
    ServiceOverloadedError,
)
from omni_connector.manager.api import ManagerApi
from omni_connector.masking import error_text
from omni_connector.models import SyncConfig, SyncRequest
from omni_connector.models.partition import Partition
from omni_connector.partitions.messages import (
    FAILED,
    STOPPED,
    Assignment,
    PartitionDesk,
    PartitionTask,
)
from omni_connector.partitions.reporter import PartitionReporter
from omni_connector.partitions.state import PartitionState
from omni_connector.partitions.table import LISTING
from omni_connector.runtime.author_calls import AuthorCalls
from omni_connector.runtime.failure_text import failure_text
from omni_connector.runtime.hooks import HookCaller
from omni_connector.runtime.inventories import inventory_terms
from omni_connector.runtime.options import RuntimeOptions
from omni_connector.sync.pulse import Pulse
from omni_connector.sync.run import SyncRun
from omni_connector.sync.run_info import Declaring, RunInfo
from omni_connector.sync.state import RunState
from omni_connector.telemetry.log_context import in_run
from omni_connector.telemetry.meter import RunMeter

log = logging.getLogger(__name__)

DRAIN_SECONDS = 10.0
"""How long the thread of an interrupted run or partition delivers what it has taken; the service waits no longer either."""


@frozen(kw_only=True)
class RunResources:
    """What all partitions that this process reads share, of any run.

    Attributes:
        hooks: the connector, and how it is called.
        manager: where documents go.
        options: limits.
    """

    hooks: HookCaller
    manager: ManagerApi
    options: RuntimeOptions

    @property
    def workers(self) -> int:
        """Partitions of a run that are read here at once."""
        return int(self.hooks.connector.partition_workers)


@frozen(kw_only=True)
class RunInParts:
    """What the partitions of a run share.

    Attributes:
        info: what is known of the run; its checkpoint is not a partition's.
        state: that of the run, or one below it.
        desk: hands out partitions, and takes reports.
        pulse: of the run; those of its partitions count for it.
        said: what was logged, of what is logged once a run.
        meter: what the run's time is spent on.
    """

    info: RunInfo
    state: RunState
    desk: PartitionDesk
    pulse: Pulse = field(factory=Pulse)
    said: set[str] = field(factory=set)
    meter: RunMeter = field(factory=RunMeter)

    @classmethod
    def elsewhere(
        cls,
        task: PartitionTask,
        source: SyncConfig,
        connector: Declaring,
        assignment: Assignment,
        *,
        state: RunState,
        desk: PartitionDesk,
    ) -> "RunInParts":
        """Describe a run to a process that does not have it, for one of its partitions."""
        request = SyncRequest(
            sync_run_id=task.sync_run_id,
            source_id=task.source_id,
            sync_mode=assignment.sync_mode,
            last_sync_at=assignment.last_sync_at,
            is_resume=assignment.is_resume,
        )
        return cls(info=RunInfo.of(request, source, connector, may_have_begun=False), state=state, desk=desk)


@define(eq=False)
class PartitionRunner:
    """Reads partitions of one run in this process. Safe to use from many threads."""

    resources: RunResources
    run: RunInParts
    _lock: threading.Lock = field(factory=threading.Lock, init=False)  # Protects _live.
    _live: set[SyncRun] = field(factory=set, init=False)

    def perform(self, task: PartitionTask) -> None:
        """Read a partition and report its end, whatever happens on the way."""
        self.read(self.run.desk.assignment(task.key))

    def read(self, assignment: Assignment) -> None:
        """As ``perform``, of a partition that was handed out before."""
        run = self.run
        reporter = PartitionReporter(self.resources.manager, run.desk, assignment)
        with in_run(run.info.identity):
            sync = reporter.sync = self.open(assignment, reporter)
        ended = {"outcome": STOPPED}
        run.meter.add_part(sync.meter)
        with in_run(sync.info.identity), run.pulse.beside(sync.pulse):
            try:
                ended = self._read(sync, assignment)
            finally:
                self._close(sync, reporter, ended)
                run.meter.part_ended(sync.meter)

    def open(self, assignment: Assignment, reporter: PartitionReporter) -> SyncRun:
        """Return the run of one partition, as its context sees it."""
        connector = self.resources.hooks.connector
        is_partition = assignment.key != LISTING
        info = evolve(
            self.run.info,
            shown_state=connector.declared_types.state_of if is_partition else self.run.info.shown_state,
            checkpoint=assignment.checkpoint,
            has_own_checkpoint=assignment.is_own,
            starts_from_nothing=assignment.starts_from_nothing,
            may_have_begun=False,
            documents_scanned=assignment.before.scanned,
            documents_updated=assignment.before.updated,
            identity=evolve(self.run.info.identity, partition=assignment.key),
        )
        limits = self.resources.options.limits(info.mode).shared_by(self.resources.workers)
        sync = SyncRun(
            info,
            cast("ManagerApi", reporter),
            PartitionState(self.run.state),
            limits=limits,
            error_limits=connector.error_limits,
        )
        sync.use_inventories(inventory_terms(self.resources.hooks.connector, self.resources.options))
        sync.sources = self.resources.options.sources or sync.sources
        sync.pulse, sync.said, sync.run_meter = Pulse(assignment.key), self.run.said, self.run.meter
        return sync

    @property
    def current(self) -> SyncRun | None:
        """A partition that is read now, if there is one."""
        with self._lock:
            return next(iter(self._live), None)

    def calls(self, sync: SyncRun) -> AuthorCalls:
        """Return what calls the connector with a context of this run."""
        return AuthorCalls(self.resources.hooks, sync, self.resources.options.cancel_grace_seconds)

    def drain(self, *, timeout_seconds: float) -> None:
        """Deliver what partitions have taken whose threads do not return while the process shuts down."""
        with self._lock:
            live = list(self._live)
        for sync in live:
            sync.drain(timeout_seconds=timeout_seconds)

    def _read(self, sync: SyncRun, assignment: Assignment) -> dict[str, Any]:
        """Read it; return the end of its last report."""
        with self._lock:
            self._live.add(sync)
        try:
            sync.state.reached_checkpoint()  # Where it begins.
            sync.state.raise_if_stopped()
            sync.checkpoints.begin()
            connector, info = self.resources.hooks.connector, sync.info
            given = connector.declared_types.made_of(info.config, info.credentials)
            state = connector.declared_types.state_of(info.state)
            partition = Partition(key=assignment.key, data=assignment.data)
            self.calls(sync).do(connector.sync_partition, partition, *given, state)
            if not sync.state.has_ended and not sync.state.stopped.is_set():
                sync.complete()
        except BaseException as error:  # noqa: BLE001 - the partition ends here, and the run goes on.
            return self._raised(sync, assignment.key, error)
        return {"outcome": STOPPED}

    def _raised(self, sync: SyncRun, key: str, error: BaseException) -> dict[str, Any]:
        text = error_text(error)
        if sync.state.stopped.is_set() or sync.state.fence.is_set():
            log.info("Partition %r stops: %s", key, text)
            return {"outcome": STOPPED}
        shown = failure_text(error)
        if sync.state.outcome is not None:
            sync.note_after_the_end(error)
            log.error("Partition %r %s, but went on and raised: %s", key, sync.state.outcome, shown)
            return {"outcome": STOPPED}
        log.error("Partition %r failed: %s", key, shown)
        ends_run = isinstance(error, (ManagerUnreachableError, ServiceOverloadedError))
        if not ends_run and not sync.state.has_ended:
            try:
                sync.fail(error)
            except ConnectorError as trouble:
                log.warning("Its failure could not be reported: %s", trouble)
        return {"outcome": FAILED, "error": text, "ends_run": ends_run}

    def _close(self, sync: SyncRun, reporter: PartitionReporter, ended: dict[str, Any]) -> None:
        """Deliver what an interrupted partition has taken, and report its end, unless that was done."""
        try:
            if sync.state.stopped.is_set() and sync.state.may_send:
                sync.drain(timeout_seconds=DRAIN_SECONDS)
            sync.close()
        finally:
            with self._lock:
                self._live.discard(sync)
            reporter.report(**ended)
