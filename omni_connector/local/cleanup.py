"""Removing deleted sources bit by bit, and contents that nothing refers to (PROTOCOL, sections 8 and 12)."""

from __future__ import annotations

import logging

from omni_connector.local.cancellation import Canceller
from omni_connector.local.groups import Surroundings, Tables
from omni_connector.local.indexer import delete_documents
from omni_connector.local.rows import SourceRow

log = logging.getLogger(__name__)


class Cleanup:
    """The last phase of a tick."""

    def __init__(self, tables: Tables, canceller: Canceller, surroundings: Surroundings) -> None:
        self._tables = tables
        self._canceller = canceller
        self._clock = surroundings.clock
        self._settings = surroundings.settings
        self._last_sweep = self._clock.now()

    def run(self) -> None:
        """Go one step further with every deleted source; sweep contents when it is time to."""
        for source in self._tables.sources.all("is_deleted"):
            self._remove(source)
        now = self._clock.now()
        if (now - self._last_sweep).total_seconds() >= self._settings.content_sweep_interval_seconds:
            self._last_sweep = now
            self._tables.contents.sweep()

    def _remove(self, source: SourceRow) -> None:
        source_id = source.id
        for run in self._tables.runs.running():
            if run.source_id == source_id:
                self._canceller.stop(run, "cancelled", "Source was deleted")
        limit = self._settings.deleted_documents_per_tick
        with self._tables.store.transaction() as db:
            rows = db.execute(
                "SELECT external_id FROM documents WHERE source_id = ? ORDER BY number LIMIT ?",
                (source_id, limit),
            ).fetchall()
            delete_documents(db, source_id, [row["external_id"] for row in rows])
            if len(rows) == limit:
                return  # The rest goes with the next ticks.
            db.execute("DELETE FROM member_groups WHERE source_id = ?", (source_id,))
            db.execute("DELETE FROM people WHERE source_id = ?", (source_id,))
        self._tables.sources.remove(source_id)
        log.info("Removed deleted source %s", source.shown)
