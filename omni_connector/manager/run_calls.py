"""Reports on a run, to managers of every age."""

from omni_connector.manager import endpoints
from omni_connector.manager.caller import Caller
from omni_connector.manager.compatibility import Feature
from omni_connector.models import RunProgress
from omni_connector.models.json_values import JsonValue


class RunCalls(Caller):
    """The calls about one run."""

    def heartbeat(self, sync_run_id: str) -> None:
        """``POST /sdk/sync/{id}/heartbeat``: the run is alive; tried once."""
        self._do(endpoints.heartbeat(sync_run_id))

    def add_scanned(self, sync_run_id: str, count: int) -> None:
        """``POST /sdk/sync/{id}/scanned``: add ``count`` to the run's scanned documents; not repeated when it may have arrived."""
        self._do(endpoints.count("scanned", sync_run_id, count))

    def add_updated(self, sync_run_id: str, count: int) -> None:
        """``POST /sdk/sync/{id}/updated``: as ``add_scanned``, ``count`` being updated ones; left out where none are counted."""
        self._try(Feature.UPDATED, endpoints.count("updated", sync_run_id, count), otherwise=False)

    def progress(self, sync_run_id: str) -> RunProgress | None:
        """``GET /sync/{id}/progress``: the first of its server-sent events; None for an unknown run."""
        return self._do(endpoints.progress(sync_run_id))

    def save_checkpoint(self, sync_run_id: str, checkpoint: JsonValue, *, source_id: str) -> None:
        """``PUT /sdk/sync/{id}/checkpoint``, else as the source's connector state, else only a heartbeat.

        In the last case nothing can be saved during a run: ``complete`` hands the checkpoint over. ``source_id`` is for the
        second.
        """
        for feature, call in (
            (Feature.CHECKPOINTS, endpoints.checkpoint(sync_run_id, checkpoint)),
            (Feature.CONNECTOR_STATE, endpoints.connector_state(source_id, checkpoint)),
        ):
            if self._try(feature, call, otherwise=False):
                return
        self.heartbeat(sync_run_id)

    def complete(self, sync_run_id: str, *, scanned: int, updated: int, new_state: JsonValue) -> None:
        """``POST /sdk/sync/{id}/complete``: finish the run; the manager publishes its checkpoint.

        Managers since 26 April 2026 ignore the arguments.

        Args:
            sync_run_id: the run.
            scanned: documents that were looked at.
            updated: documents that were added, changed or deleted.
            new_state: the checkpoint for the next run.
        """
        self._do(endpoints.complete(sync_run_id, scanned=scanned, updated=updated, new_state=new_state))

    def fail(self, sync_run_id: str, error: str) -> None:
        """``POST /sdk/sync/{id}/fail``: finish the run as failed; ``error`` is for people, without secrets."""
        self._do(endpoints.fail(sync_run_id, error))

    def create_run(self, source_id: str, sync_mode: str = "incremental") -> str:
        """``POST /sdk/sync/create``: open a run that the connector drives by itself; return its id.

        The manager asks the connector about it like about any other run, and takes it for lost when ``GET /sync/{id}``
        does not say that it is running: ``ConnectorService.own_run`` sees to that.

        Raises:
            NotFoundError: there is no such source.
            RunConflictError: its slot is taken, or a limit is reached.
        """
        return self._do(endpoints.create_run(source_id, sync_mode))

    def cancel_run(self, sync_run_id: str) -> None:
        """``POST /sdk/sync/cancel``: mark a run cancelled, without notifying the connector."""
        self._do(endpoints.cancel_run(sync_run_id))
