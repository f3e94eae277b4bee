"""The thread of one run."""

import logging
import threading
from collections.abc import Callable
from typing import Any, cast

from attrs import Factory, evolve, field, frozen

from omni_connector.exceptions import ConnectorError, ManagerUnreachableError, SyncStartError
from omni_connector.manager.api import ManagerApi
from omni_connector.masking import error_text
from omni_connector.models import SyncMode
from omni_connector.partitions.layout import PartitionCheckpoint, is_partitioned
from omni_connector.partitions.reporter import StatesKept
from omni_connector.runtime.author_calls import AuthorCalls
from omni_connector.runtime.failure_text import failure_text
from omni_connector.runtime.hooks import HookCaller
from omni_connector.runtime.inventories import inventory_terms
from omni_connector.runtime.migration import migrated
from omni_connector.runtime.offers import RunOffers
from omni_connector.runtime.options import RuntimeOptions
from omni_connector.runtime.partition_runner import DRAIN_SECONDS, RunResources
from omni_connector.runtime.partitioned import PartitionedWork
from omni_connector.runtime.run import Run
from omni_connector.runtime.runs import RunRegistry
from omni_connector.runtime.source_names import SourceNames
from omni_connector.sync.covered import CoveredCounts
from omni_connector.sync.run import SyncRun
from omni_connector.sync.run_info import RunInfo
from omni_connector.telemetry.figures import RunEnd
from omni_connector.telemetry.instruments import Instruments
from omni_connector.telemetry.log_context import RunIdentity, in_run
from omni_connector.telemetry.observer import RunObservers

log = logging.getLogger(__name__)

NAME_SECONDS = 1.0
"""How long the line about a failure waits for the name of the source."""

NONE = Instruments()

Work = Callable[..., Any] | PartitionedWork


def _names(factory: "RunFactory") -> SourceNames:
    return SourceNames(factory.manager)


@frozen
class RunFactory:
    """What all runs of one connector have in common; starts them.

    Attributes:
        hooks: the connector, and how it is called.
        manager: where runs report.
        options: limits.
        offers: whose turn it is, here and in other processes.
        observers: learn of every run.
    """

    hooks: HookCaller
    manager: ManagerApi
    registry: RunRegistry
    options: RuntimeOptions
    offers: RunOffers
    observers: RunObservers
    names: SourceNames = field(init=False, default=Factory(_names, takes_self=True))

    @property
    def instruments(self) -> Instruments:
        """What looks at the runs."""
        return self.options.instruments or NONE

    @property
    def partitioned(self) -> PartitionedWork:
        """What is done in place of the ``sync`` of a connector that reads in partitions."""
        return PartitionedWork(RunResources(hooks=self.hooks, manager=self.manager, options=self.options))

    def start(self, run: Run, info: RunInfo, work: Work, *arguments: Any) -> None:
        """Do ``work``, a connector's ``sync`` or other work, in a thread of its own, when it is its turn.

        Raises:
            SyncStartError: no thread can be started.
        """
        connector = self.hooks.connector
        limits, error_limits = self.options.limits(info.mode), connector.error_limits
        is_own = connector.reads_partitions and not isinstance(work, PartitionedWork)
        manager = cast("ManagerApi", StatesKept(self.manager)) if is_own else self.manager
        info = evolve(info, identity=_identity(connector.name, info))
        self.names.recall(info.identity)
        self.instruments.run_accepted(info.identity, info.last_sync_at)
        covered = CoveredCounts(self.registry.shared.counts_note(run.sync_run_id))
        with in_run(info.identity):  # Its calls belong to its trace.
            run.sync = SyncRun(
                info, manager, run.state, limits=limits, error_limits=error_limits, covered=covered
            )
            run.sync.use_inventories(inventory_terms(connector, self.options))
            run.sync.sources = self.options.sources or run.sync.sources
        run.thread = SyncWorker(self, run, run.sync, work, arguments)
        try:
            self.offers.turns.take(run.thread)
        except (RuntimeError, MemoryError) as error:
            run.thread = None
            run.sync.close()
            raise SyncStartError(f"The run needs a thread, and none can be started: {error}") from error


class SyncWorker(threading.Thread):
    """Does the work of one run once, and ends the run accordingly.

    A daemon, so that a connector that waits for its source cannot keep a process from ending.
    """

    def __init__(
        self,
        factory: RunFactory,
        run: Run,
        sync: SyncRun,
        work: Work,
        arguments: tuple[Any, ...],
    ) -> None:
        super().__init__(name=f"omni-sync-{run.sync_run_id}", daemon=True)
        self._factory = factory
        self._run = run
        self._sync = sync
        self._state = run.state
        self._work = work
        self._arguments = arguments
        self._error: str | None = None  # Why it failed.

    def on_stop(self, callback: Callable[[], object]) -> None:
        """Call ``callback`` when the run is stopped."""
        self._state.on_stop(callback)

    def run(self) -> None:
        """Work, end the run, free its slot: whatever happens on the way."""
        with in_run(self._sync.info.identity):
            self._do()

    def _do(self) -> None:
        self._sync.pulse.touch("start")  # It may have waited for its turn.
        self._sync.meter.begin()
        self._factory.observers.run_started(self._sync.info.identity)
        try:
            self._call()
            self._returned()
        except BaseException as error:  # noqa: BLE001 - the thread ends here, and the run with it.
            self._raised(error)
        finally:
            try:
                self._state.wait_for_final_call()
                if self._state.stopped.is_set() and self._state.may_send:
                    # It stopped because the process shuts down: closing would drop what it has taken.
                    self._sync.drain(timeout_seconds=DRAIN_SECONDS)
                self._sync.close()
            finally:  # The slot is freed whatever happens.
                outcome = self._outcome()
                self._log_reported_failure()
                # Before others can know that it is over.
                end = RunEnd(outcome=outcome, error=self._error)
                self._factory.observers.run_ended(self._sync.info.identity, self._sync.run_figures, end)
                self._factory.registry.release(self._run, outcome)
                self._factory.offers.turns.done()

    def _call(self) -> None:
        self._factory.registry.await_lease(self._run)
        self._factory.offers.await_decision(self._run)
        self._state.raise_if_stopped()  # Cancelled before it began.
        hooks, options = self._factory.hooks, self._factory.options
        if isinstance(self._work, PartitionedWork):
            self._work.read(self._sync, self._run.owner)
            return
        if is_partitioned(self._sync.info.checkpoint):
            self._read_foreign_checkpoint()
        arguments = self._arguments
        if arguments:
            config, credentials, state = arguments
            declared = hooks.connector.declared_types
            arguments = (*declared.made_of(config, credentials), declared.state_of(state))
        self._sync.checkpoints.begin()
        AuthorCalls(hooks, self._sync, options.cancel_grace_seconds).do(self._work, *arguments)

    def _read_foreign_checkpoint(self) -> None:
        """Show work that is no partition what is in a checkpoint of partitions."""
        hooks, info = self._factory.hooks, self._sync.info
        if hooks.connector.reads_partitions:  # A run that the connector has opened by itself.
            self._sync.checkpoints.begin_from(PartitionCheckpoint.of(info.checkpoint).states)
            self._sync.checkpoints.wish(info.checkpoint)
            return
        new = None if info.starts_from_nothing else migrated(hooks, info.checkpoint)
        self._sync.checkpoints.begin_from(new)
        self._arguments = (*self._arguments[:-1], new)

    def _returned(self) -> None:
        """Complete a scheduled run; leave a realtime one to the manager, which starts it again (DESIGN)."""
        if self._state.has_ended or self._state.stopped.is_set():
            return
        if self._sync.info.mode is SyncMode.REALTIME:
            self._sync.intake.flush()
        else:
            self._sync.complete()

    def _raised(self, error: BaseException) -> None:
        identity = self._sync.info.identity
        if not isinstance(error, ManagerUnreachableError) and not self._state.stopped.is_set():
            self._factory.names.name(identity, wait_seconds=NAME_SECONDS)
        source = identity.source
        if self._state.stopped.is_set() or self._state.fence.is_set():
            log.info("Sync of source %s stops: %s", source, error_text(error))
            return
        shown = failure_text(error)
        ended = self._state.outcome
        if ended is not None:
            self._log_reported_failure()
            # The manager takes no other end: the run stays what it is, and its report says what came after.
            self._sync.note_after_the_end(error)
            message = "Sync of source %s %s, but its sync() went on and raised: %s"
            log.error(message, source, ended, shown)
            return
        log.error("Sync of source %s failed: %s", source, shown)
        self._error = error_text(error)
        if self._state.has_ended:
            return  # The final call itself failed; the manager finds the run lost and resumes it.
        try:
            self._sync.fail(error)
        except ConnectorError as trouble:
            log.error(  # noqa: TRY400 - the reason is in the message; a traceback would hide the first error.
                "The failure could not be reported; the manager will find the run lost: %s", trouble
            )

    def _log_reported_failure(self) -> None:
        """Say why the connector has called ``ctx.fail``."""
        if self._error is None and self._sync.failure is not None:
            self._error = self._sync.failure
            log.error("Sync of source %s failed: %s", self._sync.info.identity.source, self._error)

    def _outcome(self) -> str:
        if self._state.outcome is not None:
            return self._state.outcome
        if self._run.is_taken_over:
            return "taken over"
        if self._state.fence.is_set():
            return "cancelled"
        return "interrupted" if self._state.stopped.is_set() else "left to the manager"


def _identity(connector_name: str, info: RunInfo) -> RunIdentity:
    starts_from = "nothing"
    if info.state is not None:
        starts_from = "its own checkpoint" if info.has_own_checkpoint else "the source's checkpoint"
    return RunIdentity(
        connector=connector_name,
        sync_run_id=info.sync_run_id,
        source_id=info.source_id,
        sync_mode=info.mode,
        is_resume=info.is_resume,
        starts_from=starts_from,
    )
