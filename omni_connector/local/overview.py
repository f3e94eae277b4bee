"""What the admin endpoints list about sources: schedules, health, recent runs."""

from __future__ import annotations

from omni_connector.local.errors import LocalManagerError
from omni_connector.local.groups import Tables
from omni_connector.local.rows import SourceRow
from omni_connector.local.settings import LocalSettings
from omni_connector.local.strict_json import JSON
from omni_connector.local.timestamps import shown_timestamp, to_microseconds

_RECENT_RUNS = 10
_NATIVE = "integration_type = 'connector'"


class Overview:
    """Listings of sources with their runs."""

    def __init__(self, tables: Tables, settings: LocalSettings) -> None:
        self._sources = tables.sources
        self._runs = tables.runs
        self._settings = settings

    def schedules(self) -> list[JSON]:
        """Return ``ScheduleInfo`` for the active native sources."""
        return [
            self._schedule(source)
            for source in self._sources.all(f"is_active AND NOT is_deleted AND {_NATIVE}")
        ]

    def sources(self) -> list[JSON]:
        """Return ``SourceSyncOverview`` for the native sources that are not deleted."""
        return [self._overview(source) for source in self._sources.all(f"NOT is_deleted AND {_NATIVE}")]

    def active_sources(self) -> list[JSON]:
        """Return the overview of active sources, without health and runs."""
        return [
            {"source": source.to_wire(with_state=False), "health": "healthy", "sync_runs": []}
            for source in self._sources.all("is_active AND NOT is_deleted")
        ]

    def source(self, source_id: str) -> JSON:
        """Return the overview of one source; raises ``LocalManagerError`` (404)."""
        source = self._sources.get(source_id)
        if source.is_deleted or not source.is_native:
            raise LocalManagerError(404, f"Source not found: {source_id}")
        return self._overview(source)

    def _overview(self, source: SourceRow) -> JSON:
        failures = len(self._runs.failures_in_a_row(source.id))
        healthy = failures < self._settings.sync_max_consecutive_failures
        recent = self._runs.recent_scheduled(source.id, _RECENT_RUNS)
        return {
            "source": source.to_wire(with_state=False),
            "health": "healthy" if healthy else "unhealthy",
            "sync_runs": [run.to_wire() for run in recent],
        }

    def _schedule(self, source: SourceRow) -> JSON:
        latest = self._runs.latest(source.id)
        completed = self._runs.last_completed(source.id)
        info: dict[str, JSON] = {
            "source_id": source.id,
            "source_name": source.name,
            "source_type": source.source_type,
            "sync_interval_seconds": source.sync_interval_seconds,
            "sync_status": None if latest is None else latest.status,
        }
        if completed is not None and completed.completed_at is not None:
            last = to_microseconds(completed.completed_at)
            info["last_sync_at"] = shown_timestamp(last)
            if source.sync_interval_seconds is not None:
                info["next_sync_at"] = shown_timestamp(last + source.sync_interval_seconds * 1_000_000)
        return info
