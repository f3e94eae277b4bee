"""Ending runs from the manager's side: ``POST /cancel`` to the connector, then the row (PROTOCOL, section 8)."""

from __future__ import annotations

import logging

from omni_connector.local.connectors import ConnectorUnreachableError
from omni_connector.local.errors import LocalManagerError
from omni_connector.local.groups import Reach
from omni_connector.local.registry import Manifest
from omni_connector.local.rows import SyncRunRow

log = logging.getLogger(__name__)


class Canceller:
    """Asks connectors to stop runs, and ends the runs whatever the answer is."""

    def __init__(self, reach: Reach) -> None:
        self._sources = reach.tables.sources
        self._runs = reach.tables.runs
        self._registry = reach.registry
        self._connectors = reach.connectors

    def cancel(self, run_id: str) -> None:
        """Cancel a run by a user's wish; raises ``LocalManagerError`` as ``POST /sync/{id}/cancel`` answers."""
        run = self._runs.get(run_id)
        if not run.is_running:
            raise _not_running(run_id)
        source = self._sources.get(run.source_id)
        manifest = self._registry.find(source.source_type)
        if manifest is None:
            raise LocalManagerError(404, f'Connector not configured for type: "{source.source_type}"')
        self._tell(manifest, run_id)
        if not self._runs.end(run_id, "cancelled", "Cancelled by user"):
            raise _not_running(run_id)  # It ended while the connector was being asked.

    def stop(self, run: SyncRunRow, status: str, error_message: str, *, ask_connector: bool = True) -> None:
        """End a run for a reason of the manager's, telling the connector if there is one."""
        source = self._sources.find(run.source_id) if ask_connector else None
        manifest = None if source is None else self._registry.find(source.source_type)
        if manifest is not None:
            self._tell(manifest, run.id)
        self._runs.end(run.id, status, error_message)

    def _tell(self, manifest: Manifest, run_id: str) -> None:
        try:
            answer = self._connectors.post(manifest["connector_url"], "/cancel", {"sync_run_id": run_id})
        except ConnectorUnreachableError as error:
            log.warning("Telling connector %s to cancel run %s: %s", manifest["connector_id"], run_id, error)
        else:
            if not answer.is_success:
                log.warning(
                    "Connector %s answered %s to cancel run %s",
                    manifest["connector_id"],
                    answer.status,
                    run_id,
                )


def _not_running(run_id: str) -> LocalManagerError:
    return LocalManagerError(400, f"Sync is not running: {run_id}")
