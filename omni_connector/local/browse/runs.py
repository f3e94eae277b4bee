"""Runs with what they did."""

from __future__ import annotations

import sqlite3
from operator import attrgetter

from attrs import frozen

from omni_connector.local import runs as stored
from omni_connector.local.browse.pages import Page, all_of
from omni_connector.local.rows import SyncRunRow


@frozen(kw_only=True)
class RunCounts:
    """Events of a run by what they did.

    ``absent`` are deletions of documents that were not there, ``replaced`` events that a later one of the same batch made void,
    ``applied`` those of groups and people.
    """

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    deleted: int = 0
    refused: int = 0
    absent: int = 0
    replaced: int = 0
    applied: int = 0


@frozen(kw_only=True)
class RunSummary:
    """A run, the name of its source, and what it did."""

    run: SyncRunRow
    source_name: str
    counts: RunCounts

    @property
    def id(self) -> str:
        """The run's id, by which pages of runs go on."""
        return self.run.id

    @property
    def duration_seconds(self) -> float | None:
        """From its start to its end, or to its last sign of life while it is running."""
        start, end = self.run.started_at, self.run.completed_at or self.run.last_activity_at
        return None if start is None or end is None else (end - start).total_seconds()


def list_runs(
    db: sqlite3.Connection,
    source_id: str | None = None,
    *,
    status: str | None = None,
    has_errors: bool = False,
    before: str | None = None,
    limit: int = 20,
) -> Page[RunSummary]:
    """Return runs of a source, or of all, newest first.

    Args:
        db: the connection.
        source_id: of this source only.
        status: with this status only.
        has_errors: only those that failed, or of which something was refused.
        before: the ``next`` of the page before.
        limit: at most so many.
    """
    conditions, parameters = [], []
    if status is not None:
        conditions.append("status = ?")
        parameters.append(status)
    if has_errors:
        conditions.append(
            "(status = 'failed' OR EXISTS (SELECT 1 FROM queue q WHERE q.run_id = runs.id AND q.outcome = 'refused'))"
        )
    if source_id is not None:
        conditions.append("source_id = ?")
        parameters.append(source_id)
    if before is not None:
        conditions.append("id < ?")
        parameters.append(before)
    rows = stored.select_runs(db, f"{all_of(conditions)} ORDER BY id DESC LIMIT ?", *parameters, limit + 1)
    page = Page.cut(rows, limit, attrgetter("id"))
    return Page(tuple(_summary(db, row) for row in page.items), page.next)


def find_run(db: sqlite3.Connection, run_id: str) -> RunSummary | None:
    """Return one run, or None."""
    rows = stored.select_runs(db, "id = ?", run_id)
    return _summary(db, rows[0]) if rows else None


def find_run_ids(db: sqlite3.Connection, beginning: str = "", *, limit: int = 20) -> list[str]:
    """Return the ids of runs that begin with a text, newest first."""
    rows = db.execute(
        "SELECT id FROM runs WHERE substr(id, 1, length(?1)) = ?1 ORDER BY id DESC LIMIT ?2",
        (beginning, limit),
    )
    return [str(row["id"]) for row in rows]


def completed_since(db: sqlite3.Connection, run: SyncRunRow, *, limit: int = 50) -> list[str]:
    """Return the ids of the later runs of the same source that completed, newest first."""
    rows = db.execute(
        "SELECT id FROM runs WHERE source_id = ? AND status = 'completed' AND id > ? ORDER BY id DESC LIMIT ?",
        (run.source_id, run.id, limit),
    )
    return [str(row["id"]) for row in rows]


def run_before(db: sqlite3.Connection, run: SyncRunRow) -> RunSummary | None:
    """Return the run that the same source had before this one in the same slot (full and incremental runs share one)."""
    rows = stored.select_runs(
        db,
        "source_id = ? AND slot_class = ? AND id < ? ORDER BY id DESC LIMIT 1",
        run.source_id,
        run.slot_class,
        run.id,
    )
    return _summary(db, rows[0]) if rows else None


def last_run(db: sqlite3.Connection, source_id: str) -> RunSummary | None:
    """Return the run of a source that was started last."""
    return next(iter(list_runs(db, source_id, limit=1).items), None)


def _summary(db: sqlite3.Connection, run: SyncRunRow) -> RunSummary:
    name = db.execute("SELECT name FROM sources WHERE id = ?", (run.source_id,)).fetchone()
    rows = db.execute("SELECT outcome, count(*) FROM queue WHERE run_id = ? GROUP BY outcome", (run.id,))
    return RunSummary(run=run, source_name=name["name"], counts=RunCounts(**{row[0]: row[1] for row in rows}))
