"""Waiting longer after each failure (PROTOCOL, section 4)."""

from __future__ import annotations

from omni_connector.local.clock import Clock
from omni_connector.local.settings import LocalSettings
from omni_connector.local.timestamps import to_microseconds


class Backoff:
    """Failures and waits by source, kept in memory. Used by the ticking thread only."""

    def __init__(self, settings: LocalSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._entries: dict[str, tuple[int, int]] = {}  # Source id: failures, end of the wait.

    def is_over(self, source_id: str) -> bool:
        """Return whether the source may be tried again."""
        return self._entries.get(source_id, (0, 0))[1] <= self._now()

    def lengthen(self, source_id: str) -> None:
        """Note a failure."""
        failures = self._entries.get(source_id, (0, 0))[0] + 1
        wait = int(backoff_seconds(failures, self._settings) * 1_000_000)
        self._entries[source_id] = (failures, self._now() + wait)

    def clear(self, source_id: str) -> None:
        """Note a success."""
        self._entries.pop(source_id, None)

    def _now(self) -> int:
        return to_microseconds(self._clock.now())


def backoff_seconds(failures: int, settings: LocalSettings) -> float:
    """Return the wait after so many failures in a row: 30 s, 60 s, 120 s … 3600 s."""
    doublings = min(failures - 1, 32)
    return min(settings.sync_backoff_base_seconds * 2.0**doublings, settings.sync_backoff_max_seconds)
