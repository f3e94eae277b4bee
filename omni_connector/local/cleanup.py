"""Removing deleted sources bit by bit, and contents that nothing refers to (PROTOCOL, sections 8 and 12)."""

from __future__ import annotations

import logging

from omni_connector.local.cancellation import Canceller
from omni_connector.local.clock import Clock
from omni_connector.local.contents import Contents
from omni_connector.local.indexer import delete_documents
from omni_connector.local.runs import Runs
from omni_connector.local.settings import LocalSettings
from omni_connector.local.sources import Sources
from omni_connector.local.store import Store

log = logging.getLogger(__name__)


class Cleanup:
    """The last phase of a tick."""

    def __init__(
        self,
        *,
        store: Store,
        sources: Sources,
        runs: Runs,
        contents: Contents,
        canceller: Canceller,
        clock: Clock,
        settings: LocalSettings,
    ) -> None:
        self._store = store
        self._sources = sources
        self._runs = runs
        self._contents = contents
        self._canceller = canceller
        self._clock = clock
        self._settings = settings
        self._last_sweep = clock.now()

    def run(self) -> None:
        """Go one step further with every deleted source; sweep contents when it is time to."""
        for source in self._sources.all("is_deleted"):
            self._remove(source.id)
        now = self._clock.now()
        if (now - self._last_sweep).total_seconds() >= self._settings.content_sweep_interval_seconds:
            self._last_sweep = now
            self._contents.sweep()

    def _remove(self, source_id: str) -> None:
        for run in self._runs.running():
            if run.source_id == source_id:
                self._canceller.stop(run, "cancelled", "Source was deleted")
        limit = self._settings.deleted_documents_per_tick
        with self._store.transaction() as db:
            rows = db.execute(
                "SELECT external_id FROM documents WHERE source_id = ? ORDER BY number LIMIT ?",
                (source_id, limit),
            ).fetchall()
            delete_documents(db, source_id, [row["external_id"] for row in rows])
            if len(rows) == limit:
                return  # The rest goes with the next ticks.
            db.execute("DELETE FROM member_groups WHERE source_id = ?", (source_id,))
            db.execute("DELETE FROM people WHERE source_id = ?", (source_id,))
        self._sources.remove(source_id)
        log.info("Removed deleted source %s", source_id)
