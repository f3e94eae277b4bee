"""When a source is synced next by itself (PROTOCOL, section 4)."""

from __future__ import annotations

from collections.abc import Sequence

from omni_connector.local.backoff import backoff_seconds
from omni_connector.local.manager_dates import Since
from omni_connector.local.rows import SourceRow, SyncRunRow
from omni_connector.local.settings import LocalSettings
from omni_connector.local.timestamps import to_microseconds


def due_at(
    source: SourceRow, last: SyncRunRow | None, failures: Sequence[SyncRunRow], settings: LocalSettings
) -> int | None:
    """Return the moment in microseconds, 0 for at once, None for never.

    Args:
        source: an active source.
        last: its full or incremental run that completed last.
        failures: its failures since then, newest first.
        settings: the manager's figures.
    """
    if source.sync_interval_seconds is None:
        return None
    due = 0 if last is None else _ended(last) + source.sync_interval_seconds * 1_000_000
    if failures and settings.has(Since.SYNC_RETRIES):
        if len(failures) >= settings.sync_max_consecutive_failures:
            return None
        wait = int(backoff_seconds(len(failures), settings) * 1_000_000)
        due = max(due, _ended(failures[0]) + wait)
    return due


def _ended(run: SyncRunRow) -> int:
    return 0 if run.completed_at is None else to_microseconds(run.completed_at)
