"""The work of a run whose source is read in partitions: lists them, hands them out, and decides how the run ends."""

import logging
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, NoReturn

from attrs import frozen

from omni_connector.exceptions import ConfigurationError, ConnectorError, PartitionsFailedError
from omni_connector.models import SyncMode
from omni_connector.partitions.executor import SharedRun
from omni_connector.partitions.layout import PartitionCheckpoint, is_partitioned
from omni_connector.partitions.merger import PartitionMerger
from omni_connector.partitions.messages import Assignment, PartitionTask
from omni_connector.partitions.reporter import PartitionReporter
from omni_connector.partitions.state import PartitionState
from omni_connector.partitions.table import LISTING, PartitionTable, RunFacts
from omni_connector.runtime.migration import migrated
from omni_connector.runtime.partition_runner import (
    DRAIN_SECONDS,
    PartitionRunner,
    RunInParts,
    RunResources,
)
from omni_connector.sync.ledger import PARTITION_STAGE, DocumentError
from omni_connector.sync.run import SyncRun

log = logging.getLogger(__name__)


@frozen
class PartitionedWork:
    """What a run does instead of calling ``sync()``.

    Attributes:
        resources: the connector, the manager, limits.
    """

    resources: RunResources

    def read(self, sync: SyncRun, owner: str = "") -> None:
        """Read all partitions of a source; the caller ends the run. ``owner`` is the token of the run's claim.

        Raises:
            PartitionsFailedError: too many of them failed.
        """
        table = self._table(sync)
        counted = table.counted
        counters = sync.delivery.counters
        counters.go_on_from({"scanned": counted.scanned, "updated": counted.updated})
        counters.hold_nothing()
        sync.checkpoints.is_in_parts = True
        sync.checkpoints.begin()
        merger = PartitionMerger(sync, table, self.resources.options.save_pace)
        with closing(merger), closing(PartitionState(sync.state)) as scope:
            run = RunInParts(info=sync.info, state=scope, desk=merger, pulse=sync.pulse, meter=sync.meter)
            _Reading(self.resources, run, merger, table, scope).read(owner)
            merger.close()
            self._conclude(sync, table, merger)

    def _table(self, sync: SyncRun) -> PartitionTable:
        info = sync.info
        connector = self.resources.hooks.connector
        is_fresh = info.mode is SyncMode.FULL and SyncMode.INCREMENTAL in connector.sync_modes
        checkpoint = info.checkpoint
        if is_partitioned(checkpoint):
            begin = PartitionCheckpoint.of(checkpoint)
        elif checkpoint is None or is_fresh:
            begin = PartitionCheckpoint()
        else:
            begin = PartitionCheckpoint.of_states(migrated(self.resources.hooks, checkpoint) or {})
        facts = RunFacts(
            sync_run_id=info.sync_run_id,
            is_fresh=is_fresh,
            finishes=info.mode is not SyncMode.REALTIME,
            assignment=Assignment(
                key="", sync_mode=info.mode, is_resume=info.is_resume, last_sync_at=info.last_sync_at
            ),
        )
        return PartitionTable(facts, begin)

    def _conclude(self, sync: SyncRun, table: PartitionTable, merger: PartitionMerger) -> None:
        failures, limit = table.failures, self.resources.hooks.connector.error_limits.partitions
        if failures and ((limit is not None and len(failures) > limit) or len(failures) == table.count):
            raise PartitionsFailedError(failures, of=table.count)
        for key, reason in failures.items():
            sync.ledger.note(
                DocumentError(document_id=key, kind="partition", stage=PARTITION_STAGE, reason=reason)
            )
        if sync.info.mode is SyncMode.REALTIME:
            merger.save()
        else:
            sync.checkpoints.wish(table.checkpoint(final=True).to_json())


@frozen
class _Reading:
    """The partitions of one run while they are read."""

    resources: RunResources
    run: RunInParts
    merger: PartitionMerger
    table: PartitionTable
    scope: PartitionState

    def read(self, owner: str) -> None:
        """List the partitions and have each read; return when all have ended."""
        runner = PartitionRunner(self.resources, self.run)
        executor = self.resources.options.executor(
            SharedRun(
                sync_run_id=self.run.info.sync_run_id,
                source_id=self.run.info.source_id,
                sync_mode=self.run.info.mode,
                owner=owner,
                workers=self.resources.workers,
                perform=runner.perform,
                desk=self.merger,
                state=self.scope,
            )
        )
        forget = self.run.state.on_stop(self.merger.wake)
        with closing(executor), self._listing(runner) as partitions:
            try:
                for partition in partitions:
                    if self.merger.admit(partition):
                        self._hand_out(executor.submit, partition.key)
                        self.merger.wait(at_most=executor.capacity - 1, or_when=self._is_stopping)
                    if self._is_stopping():
                        break
                self.merger.wait(at_most=0, or_when=self.scope.stopped.is_set)
                if self._is_stopping():  # Each partition has stopped at its checkpoint.
                    self.scope.parent.interrupt()
            except BaseException as error:
                if not self.scope.stopped.is_set():
                    self.scope.give_up(f"the run fails: {error}")
                raise
            finally:
                self._wait_for_the_rest(runner)
                forget()
        self.scope.raise_if_stopped()

    def _is_stopping(self) -> bool:
        return self.scope.stopped.is_set() or self.scope.is_winding_down

    def _hand_out(self, submit: Callable[[PartitionTask], None], key: str) -> None:
        info = self.run.info
        try:
            submit(PartitionTask(sync_run_id=info.sync_run_id, source_id=info.source_id, key=key))
        except BaseException as error:
            self.merger.lose(key, str(error))
            raise

    def _wait_for_the_rest(self, runner: PartitionRunner) -> None:
        """Wait for partitions that are still read; while the process shuts down, deliver what they have taken."""
        is_interrupted = self.scope.stopped.is_set() and self.scope.may_send
        if is_interrupted:
            runner.drain(timeout_seconds=DRAIN_SECONDS)
            self._save_while_possible()
        self.merger.wait_for_all()
        if is_interrupted:
            self._save_while_possible()

    def _save_while_possible(self) -> None:
        try:
            self.merger.save()
        except ConnectorError as error:
            log.warning(
                "The partitions' last states could not be saved: they are read again from the ones before: %s",
                error,
                extra={"sync_run_id": self.run.info.sync_run_id},
            )

    @contextmanager
    def _listing(self, runner: PartitionRunner) -> Iterator[Iterator[Any]]:
        """Call ``partitions``, whose context delivers by itself and has no state of its own."""
        states = self.table.states(of_this_run=self.table.is_fresh)
        published = self.table.states(of_this_run=False)
        assignment = Assignment(
            key=LISTING,
            checkpoint=states or published or None,
            starts_from_nothing=self.table.is_fresh and not states,
        )
        reporter = _ListingReporter(self.resources.manager, self.run.desk, assignment)
        sync = reporter.sync = runner.open(assignment, reporter)
        sync.inventories.refusal = "partitions() lists; open an inventory in sync_partition()."
        connector = self.resources.hooks.connector
        declared = connector.declared_types
        with closing(sync):
            given = declared.made_of(sync.info.config, sync.info.credentials)
            found = runner.calls(sync).each(connector.partitions, *given, declared.states_of(states or None))
            with closing(found):
                yield found
            if not sync.state.stopped.is_set():
                sync.intake.flush()


class _ListingReporter(PartitionReporter):
    """For the context of ``partitions``: its documents count, but it has no state and no end."""

    def save_checkpoint(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse it."""
        raise ConfigurationError(
            "partitions() has no state of its own: call ctx.save_state in sync_partition()."
        )

    def complete(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse it."""
        raise ConfigurationError(
            "partitions() cannot complete the run: return the partitions, an empty list for none."
        )

    def fail(self, sync_run_id: str, error: str) -> NoReturn:
        """Let the run fail."""
        del sync_run_id
        raise PartitionsFailedError({"partitions()": error}, of=1)
