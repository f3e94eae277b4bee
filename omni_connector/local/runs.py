"""Runs: their slots and limits, their transitions, their counters.

A run changes only while it is ``running`` (PROTOCOL, section 9); every statement here says so in its
condition, which is what makes late calls harmless.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from omni_connector.local.clock import Clock
from omni_connector.local.errors import LocalManagerError
from omni_connector.local.ids import new_ulid
from omni_connector.local.manager_dates import Since
from omni_connector.local.rows import SyncRunRow
from omni_connector.local.settings import LocalSettings
from omni_connector.local.sources import storable_json
from omni_connector.local.store import Store, storable
from omni_connector.local.strict_json import JSON
from omni_connector.local.timestamps import to_microseconds
from omni_connector.local.vocabulary import SCHEDULED_CLASS, slot_class

log = logging.getLogger(__name__)

SHOWN_CHARACTERS = 500
"""Of the reason of a failure, in the log."""

_COUNTERS = ("documents_scanned", "documents_updated")
_INT32 = range(-(2**31), 2**31)


class Runs:
    """The ``runs`` table, and the place where one waits for a run to change."""

    def __init__(self, store: Store, clock: Clock, settings: LocalSettings) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        protected = settings.has(Since.ENDED_RUNS_PROTECTED)
        self._only_running = " AND status = 'running'" if protected else ""
        self._changed = threading.Condition()  # Notified after every commit that touched a run.
        self._closed = False

    # Slots

    def check_slot(self, source_id: str, sync_type: str) -> None:
        """Raise ``LocalManagerError`` (409) when the source's slot is taken or a limit is reached."""
        slot = slot_class(sync_type)
        with self._store.lookup() as db:
            taken = db.execute(
                "SELECT 1 FROM runs WHERE source_id = ? AND slot_class = ? AND status = 'running'",
                (storable(source_id), slot),
            ).fetchone()
            overall, in_class = db.execute(
                "SELECT count(*), count(*) FILTER (WHERE slot_class = ?) FROM runs WHERE status = 'running'",
                (slot,),
            ).fetchone()
        if taken is not None:
            raise _slot_taken(source_id)
        if overall >= self._settings.max_concurrent_syncs:
            raise LocalManagerError(409, "Concurrency limit reached, try again later")
        limited = self._settings.has(Since.REALTIME)
        if limited and in_class >= self._settings.max_concurrent_syncs_per_type:
            raise LocalManagerError(409, f"Concurrency limit reached for {slot} syncs, try again later")

    def create(self, source_id: str, sync_type: str, trigger_type: str) -> SyncRunRow:
        """Add a running run; raises ``LocalManagerError`` (409) when the slot was taken meanwhile."""
        now = self._now()
        run_id = new_ulid()
        try:
            with self._changing() as db:
                db.execute(
                    "INSERT INTO runs (id, source_id, sync_type, slot_class, status, trigger_type,"
                    " started_at, last_activity_at, created_at, updated_at)"
                    " VALUES (?, ?, ?, ?, 'running', ?, ?, ?, ?, ?)",
                    (run_id, source_id, sync_type, slot_class(sync_type), trigger_type, now, now, now, now),
                )
        except sqlite3.IntegrityError as error:
            if "UNIQUE" not in str(error):  # The source was removed meanwhile.
                raise LocalManagerError(404, f"Source not found: {source_id}") from error
            raise _slot_taken(source_id) from error
        return self.get(run_id)

    # Transitions

    def complete(self, run_id: str) -> bool:
        """End a running run and publish its checkpoint, or the lack of one; return whether it was running."""
        now = self._now()
        with self._changing() as db:
            row = db.execute(
                "UPDATE runs SET status = 'completed', completed_at = ?, updated_at = ?, error_message = NULL"  # noqa: S608 - our own text.
                f" WHERE id = ?{self._only_running} RETURNING source_id, checkpoint",
                (now, now, storable(run_id)),
            ).fetchone()
            if row is not None and self._settings.has(Since.CHECKPOINTS):
                db.execute(
                    "UPDATE sources SET checkpoint = ?, updated_at = ? WHERE id = ?",
                    (row["checkpoint"], now, row["source_id"]),
                )
        if row is not None:
            self._log_end(run_id)
        return row is not None

    def complete_with(self, run_id: str, *, scanned: int, updated: int, new_state: JSON) -> None:
        """End a run as managers before 26 April 2026 do: figures and the source's connector state are in the request."""
        text = None if new_state is None else storable_json(new_state)
        now = self._now()
        with self._changing() as db:
            row = db.execute(
                "UPDATE runs SET status = 'completed', completed_at = ?, updated_at = ?, error_message = NULL,"
                " documents_scanned = ?, documents_updated = ? WHERE id = ? RETURNING source_id",
                (now, now, scanned, updated, storable(run_id)),
            ).fetchone()
            if row is not None and text is not None:
                db.execute(
                    "UPDATE sources SET connector_state = ?, updated_at = ? WHERE id = ?",
                    (text, now, row["source_id"]),
                )
        if row is not None:
            self._log_end(run_id)

    def end_by_connector(self, run_id: str, status: str, error_message: str) -> None:
        """End a run because its connector says so; ended ones too, where they are not protected."""
        now = self._now()
        with self._changing() as db:
            cursor = db.execute(
                "UPDATE runs SET status = ?, error_message = ?, completed_at = ?, updated_at = ?"  # noqa: S608 - our own text.
                f" WHERE id = ?{self._only_running}",
                (status, storable(error_message), now, now, storable(run_id)),
            )
        if cursor.rowcount:
            self._log_end(run_id)

    def end(self, run_id: str, status: str, error_message: str) -> bool:
        """End a running run as failed or cancelled; return whether it was running."""
        now = self._now()
        with self._changing() as db:
            cursor = db.execute(
                "UPDATE runs SET status = ?, error_message = ?, completed_at = ?, updated_at = ?"
                " WHERE id = ? AND status = 'running'",
                (status, storable(error_message), now, now, storable(run_id)),
            )
        if cursor.rowcount:
            self._log_end(run_id)
        return cursor.rowcount > 0

    # What a running run reports

    def renew_activity(self, run_id: str) -> None:
        """Note that the run is alive."""
        with self._changing() as db:
            renew_activity(db, run_id, self._now())

    def count(self, run_id: str, counter: str, amount: int) -> None:
        """Add to one of the connector's counters and renew activity.

        Raises ``LocalManagerError`` (500) when the counter leaves 32 bits.
        """
        if counter not in _COUNTERS:
            raise ValueError(f"{counter} is not a counter of the connector's")
        now = self._now()
        activity = "?" if self._settings.has(Since.ENDED_RUNS_PROTECTED) else "coalesce(last_activity_at, ?)"
        with self._changing() as db:
            row = db.execute(
                f"UPDATE runs SET {counter} = {counter} + ?, last_activity_at = {activity}, updated_at = ?"  # noqa: S608 - our own text.
                f" WHERE id = ? AND status = 'running' RETURNING {counter}",
                (amount, now, now, storable(run_id)),
            ).fetchone()
            if row is not None and row[0] not in _INT32:
                raise LocalManagerError(500, f"Failed to increment {counter}: integer out of range")

    def save_checkpoint(self, run_id: str, checkpoint: JSON) -> None:
        """Replace the run's checkpoint and renew activity."""
        text = storable_json(checkpoint)
        now = self._now()
        with self._changing() as db:
            db.execute(
                "UPDATE runs SET checkpoint = ?, last_activity_at = ?, updated_at = ?"
                " WHERE id = ? AND status = 'running'",
                (text, now, now, storable(run_id)),
            )

    # Looking

    def find(self, run_id: str) -> SyncRunRow | None:
        """Return the run, or None."""
        with self._store.lookup() as db:
            return find_run(db, run_id)

    def get(self, run_id: str) -> SyncRunRow:
        """Return the run; raises ``LocalManagerError`` (404) for an unknown one."""
        run = self.find(run_id)
        if run is None:
            raise LocalManagerError(404, f"Sync run not found: {run_id}")
        return run

    def running(self) -> list[SyncRunRow]:
        """Return all running runs, oldest first."""
        return self._select("status = 'running' ORDER BY id")

    def of_source(self, source_id: str) -> list[SyncRunRow]:
        """Return the runs of a source, oldest first."""
        return self._select("source_id = ? ORDER BY id", source_id)

    def latest(self, source_id: str) -> SyncRunRow | None:
        """Return the run of the source that was started last."""
        return _first(self._select("source_id = ? ORDER BY id DESC LIMIT 1", source_id))

    def recent_scheduled(self, source_id: str, limit: int) -> list[SyncRunRow]:
        """Return the newest full and incremental runs of a source, newest first."""
        return self._select(
            "source_id = ? AND slot_class = ? ORDER BY id DESC LIMIT ?", source_id, SCHEDULED_CLASS, limit
        )

    def last_completed(self, source_id: str, *, scheduled_only: bool = False) -> SyncRunRow | None:
        """Do so on the writing connection; see the function of this name."""
        with self._store.lookup() as db:
            return last_completed(db, source_id, scheduled_only=scheduled_only)

    def failures_in_a_row(self, source_id: str) -> list[SyncRunRow]:
        """Do so on the writing connection; see the function of this name."""
        with self._store.lookup() as db:
            return failures_in_a_row(db, source_id)

    # Waiting

    def wait_until(
        self, run_id: str, condition: Callable[[SyncRunRow | None], bool], timeout_seconds: float
    ) -> SyncRunRow | None:
        """Return the run as soon as ``condition`` holds for it, or as it is when the time is over.

        Raises ``LocalManagerError`` (500) when the manager is closed meanwhile.
        """
        deadline = time.monotonic() + timeout_seconds
        with self._changed:  # Held while looking, so that no change slips by between looking and waiting.
            while True:
                if self._closed:
                    raise LocalManagerError(500, "the manager was closed")
                run = self.find(run_id)
                remaining = deadline - time.monotonic()
                if condition(run) or remaining <= 0:
                    return run
                self._changed.wait(remaining)

    def close(self) -> None:
        """Wake all waiting threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def notify(self) -> None:
        """Wake those who wait, after a transaction of somebody else's touched a run."""
        with self._changed:
            self._changed.notify_all()

    def _log_end(self, run_id: str) -> None:
        """Say how a run ended, its source by name."""
        run = self.find(run_id)
        if run is None:  # Removed with its source, just now.
            return
        with self._store.lookup() as db:
            source = db.execute("SELECT name FROM sources WHERE id = ?", (run.source_id,)).fetchone()
        name = run.source_id if source is None else f"{source['name']!r} ({run.source_id})"
        seconds = (self._clock.now() - (run.started_at or run.created_at)).total_seconds()
        counts = run.documents_scanned, run.documents_updated
        message = " ".join((run.error_message or "").split())[:SHOWN_CHARACTERS]
        reason = f": {message}" if message else ""
        log.info(
            "%s run %s of source %s %s after %.1f s, %d scanned, %d updated%s",
            run.sync_type.capitalize(),
            run_id,
            name,
            run.status,
            seconds,
            *counts,
            reason,
        )

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with self._store.transaction() as db:
            yield db
        self.notify()

    def _select(self, where: str, *parameters: object) -> list[SyncRunRow]:
        with self._store.lookup() as db:
            return select_runs(db, where, *parameters)

    def _now(self) -> int:
        return to_microseconds(self._clock.now())


def find_run(db: sqlite3.Connection, run_id: str) -> SyncRunRow | None:
    """Return the run within a transaction of the caller's, or None."""
    row = db.execute("SELECT * FROM runs WHERE id = ?", (storable(run_id),)).fetchone()
    return None if row is None else SyncRunRow.read(row)


def select_runs(db: sqlite3.Connection, where: str, *parameters: object) -> list[SyncRunRow]:
    """Return the runs that match an SQL condition."""
    rows = db.execute(f"SELECT * FROM runs WHERE {where}", parameters)  # noqa: S608 - our own text.
    return [SyncRunRow.read(row) for row in rows]


def last_completed(
    db: sqlite3.Connection, source_id: str, *, scheduled_only: bool = False
) -> SyncRunRow | None:
    """Return the run of a source that completed last, of any type or of the scheduled class."""
    condition = "source_id = ? AND status = 'completed'"
    if scheduled_only:
        condition += f" AND slot_class = '{SCHEDULED_CLASS}'"
    return _first(select_runs(db, f"{condition} ORDER BY completed_at DESC, id DESC LIMIT 1", source_id))


def failures_in_a_row(db: sqlite3.Connection, source_id: str) -> list[SyncRunRow]:
    """Return the failed or cancelled runs since the last completed or running one, newest first.

    Full and incremental runs that were not started by hand (PROTOCOL, section 4). A completed run
    ends the row however it was started.
    """
    return select_runs(
        db,
        "source_id = ? AND slot_class = ? AND status IN ('failed', 'cancelled') AND trigger_type <> 'manual'"
        " AND id > coalesce((SELECT max(id) FROM runs WHERE source_id = ? AND slot_class = ?"
        " AND status IN ('completed', 'running')), '') ORDER BY id DESC",
        *(source_id, SCHEDULED_CLASS) * 2,
    )


def renew_activity(db: sqlite3.Connection, run_id: str, now: int) -> None:
    """Note within a transaction of the caller's that the run is alive, if it is running."""
    db.execute(
        "UPDATE runs SET last_activity_at = ?, updated_at = ? WHERE id = ? AND status = 'running'",
        (now, now, storable(run_id)),
    )


def _first(runs: list[SyncRunRow]) -> SyncRunRow | None:
    return runs[0] if runs else None


def _slot_taken(source_id: str) -> LocalManagerError:
    return LocalManagerError(409, f"Sync already running for source: {source_id}")
