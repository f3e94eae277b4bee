"""Finding runs that their connector has lost, and taking them up again (PROTOCOL, section 7)."""

from __future__ import annotations

import logging

from omni_connector.local.dispatch import Dispatcher
from omni_connector.local.groups import Reach
from omni_connector.local.rows import SyncRunRow
from omni_connector.local.settings import LocalSettings

log = logging.getLogger(__name__)

GAVE_UP = "Connector repeatedly lost sync; auto-resume gave up"


class Resumer:
    """Probes running runs. Its counters live in memory and are used by the ticking thread only."""

    def __init__(self, reach: Reach, dispatcher: Dispatcher, settings: LocalSettings) -> None:
        self._sources = reach.tables.sources
        self._runs = reach.tables.runs
        self._registry = reach.registry
        self._connectors = reach.connectors
        self._dispatcher = dispatcher
        self._settings = settings
        self._attempts: dict[str, int] = {}
        self._unserved: set[str] = set()  # Runs for whose type no connector was registered last time.

    def probes(self) -> list[SyncRunRow]:
        """Return the runs to probe, and forget what is known about the others."""
        running = self._runs.running()
        ids = {run.id for run in running}
        self._attempts = {run_id: count for run_id, count in self._attempts.items() if run_id in ids}
        self._unserved &= ids
        return running

    def probe(self, run: SyncRunRow) -> None:
        """Ask the connector about one run and act on what it says."""
        source = self._sources.get(run.source_id)
        manifest = self._registry.find(source.source_type)
        if manifest is None:
            if run.id not in self._unserved:
                self._unserved.add(run.id)
                return
        else:
            self._unserved.discard(run.id)
            says_running = self._connectors.is_running(manifest["connector_url"], run.id)
            if says_running is None:
                return
            if says_running:
                self._attempts.pop(run.id, None)
                return
        current = self._runs.find(run.id)
        if current is None or not current.is_running:
            return  # It ended while the connector was being asked.
        attempts = self._attempts[run.id] = self._attempts.get(run.id, 0) + 1
        if attempts > self._settings.max_resume_attempts:
            self._runs.end(run.id, "failed", GAVE_UP)
        elif manifest is not None:
            self._dispatcher.resume(current, source, manifest)
