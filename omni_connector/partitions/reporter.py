"""What a run takes for its manager where the source's checkpoint is that of its partitions."""

import threading
from typing import Any

from omni_connector.exceptions import ConfigurationError
from omni_connector.manager.api import ManagerApi
from omni_connector.models import RunProgress
from omni_connector.models.json_values import JsonValue
from omni_connector.partitions.layout import is_partitioned
from omni_connector.partitions.messages import DONE, FAILED, Assignment, PartitionDesk, PartitionReport
from omni_connector.sync.run import SyncRun


class StatesKept:
    """A ``ManagerApi`` for a run that the connector has opened by itself, while its source is read in partitions.

    The source's checkpoint is that of the partitions: such a run may keep it, but not replace it.
    """

    def __init__(self, manager: ManagerApi) -> None:
        self._manager = manager

    def __getattr__(self, name: str) -> Any:
        return getattr(self._manager, name)  # The rest of ManagerApi.

    def for_run(self, stop: threading.Event) -> "StatesKept":
        """Let the calls to the manager end with the run."""
        return StatesKept(self._manager.for_run(stop))

    def save_checkpoint(self, sync_run_id: str, checkpoint: JsonValue, *, source_id: str) -> None:
        """Save the partitions' checkpoint, and no other.

        Raises:
            ConfigurationError: it is another.
        """
        if not is_partitioned(checkpoint):
            raise ConfigurationError(
                "This source's state belongs to its partitions: a run that the connector opens by itself cannot save one. "
                "Use ctx.save_connector_state for notes of your own."
            )
        self._manager.save_checkpoint(sync_run_id, checkpoint, source_id=source_id)


class PartitionReporter:
    """A ``ManagerApi`` for the ``SyncRun`` of one partition.

    Documents, contents and questions go to the manager. What is about the run as a whole (counts, checkpoint, end) goes to
    the desk, where it is merged with that of the other partitions.

    Attributes:
        sync: the partition's run, whose figures are reported; to be set before it begins.
    """

    sync: SyncRun

    def __init__(self, manager: ManagerApi, desk: PartitionDesk, assignment: Assignment) -> None:
        self._manager = manager
        self._desk = desk
        self._assignment = assignment

    def __getattr__(self, name: str) -> Any:
        return getattr(self._manager, name)  # The rest of ManagerApi.

    def for_run(self, stop: threading.Event) -> "PartitionReporter":
        """Let the calls to the manager end with the partition."""
        self._manager = self._manager.for_run(stop)
        return self

    def add_scanned(self, sync_run_id: str, count: int) -> None:
        """Report how far it has got."""
        del sync_run_id, count  # The report has the sums.
        self.report()

    def add_updated(self, sync_run_id: str, count: int) -> None:
        """Report how far it has got."""
        self.add_scanned(sync_run_id, count)

    def progress(self, sync_run_id: str) -> RunProgress:
        """Return what was counted before this attempt."""
        del sync_run_id
        before = self._assignment.before
        return RunProgress(
            status="running", documents_scanned=before.scanned, documents_updated=before.updated
        )

    def save_checkpoint(self, sync_run_id: str, checkpoint: JsonValue, *, source_id: str) -> None:
        """Have the partition's state saved with the run's checkpoint."""
        del sync_run_id, source_id
        self.report(has_saved=True, state=checkpoint)

    def complete(self, sync_run_id: str, *, scanned: int, updated: int, new_state: JsonValue) -> None:
        """Report that it was read to its end."""
        del sync_run_id, scanned, updated, new_state
        self.report(outcome=DONE)

    def fail(self, sync_run_id: str, error: str) -> None:
        """Report that it failed."""
        del sync_run_id
        self.report(outcome=FAILED, error=error)

    def report(self, **more: Any) -> None:
        """Send a report; ``more`` are fields of ``PartitionReport``."""
        self._desk.receive(
            PartitionReport(
                key=self._assignment.key,
                attempt=self._assignment.attempt,
                figures=self.sync.figures,
                errors=self.sync.ledger.take_news(),
                **more,
            )
        )
