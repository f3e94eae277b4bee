"""Events as a history and a list of errors show them."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from operator import attrgetter
from typing import Any

from attrs import frozen

from omni_connector.local.browse.pages import Page, all_of
from omni_connector.local.timestamps import to_datetime

# Which events is found out first, by an index alone; the rest is read of those on the page.
_EVENTS = """
SELECT q.seq, q.id, q.run_id, q.source_id, q.event_type, q.document_id, q.outcome, q.error, q.created_at,
    r.sync_type, s.name AS source_name,
    coalesce(q.document_id, json_extract(q.payload, '$.group_email'), json_extract(q.payload, '$.person.email'),
        json_extract(q.payload, '$.email'), q.id) AS subject, l.outcome AS later_outcome, l.run_id AS later_run_id
FROM queue q JOIN sources s ON s.id = q.source_id LEFT JOIN runs r ON r.id = q.run_id
LEFT JOIN queue l ON l.seq = (
    SELECT seq FROM queue INDEXED BY queue_of_document WHERE source_id = q.source_id AND document_id = q.document_id
        AND seq > q.seq AND outcome IS NOT NULL ORDER BY seq DESC LIMIT 1)
WHERE q.seq IN (SELECT seq FROM queue WHERE {condition} ORDER BY seq DESC LIMIT :limit)
ORDER BY q.seq DESC
"""
_LAST_WORD = """NOT EXISTS (
    SELECT 1 FROM queue l INDEXED BY queue_of_document WHERE l.source_id = queue.source_id
        AND l.document_id = queue.document_id AND l.seq > queue.seq AND l.outcome IS NOT NULL)"""
_LATER = """
SELECT outcome FROM queue INDEXED BY queue_of_document
WHERE source_id = ? AND document_id = ? AND run_id > ? AND outcome IS NOT NULL ORDER BY seq DESC LIMIT 1
"""


@frozen(kw_only=True)
class EventItem:
    """One event.

    Attributes:
        number: its place in the order of arrival, by which pages go on.
        subject: id of the document, address of the group or person.
        document_id: None for groups and people.
        sync_type: of its run; None where managers of old accepted it for no run.
        outcome: what it did (``EventRow.outcome``).
        error: why it was refused.
        later_outcome: what the last event about the document did; None where this is the last.
        later_run_id: of which run that is.
    """

    number: int
    id: str
    run_id: str
    source_id: str
    source_name: str
    event_type: str
    document_id: str | None
    subject: str
    sync_type: str | None
    outcome: str
    error: str | None
    created_at: datetime
    later_outcome: str | None = None
    later_run_id: str | None = None

    @property
    def since(self) -> str:
        """What became of the document after this; empty where this is the last word about it."""
        if self.later_outcome is None:
            return ""
        return became(
            self.later_outcome, "later in this run" if self.later_run_id == self.run_id else "in a later run"
        )

    @classmethod
    def read(cls, row: sqlite3.Row) -> EventItem:
        """Make it from a row."""
        values: dict[str, Any] = dict(row)
        values["created_at"] = to_datetime(values["created_at"])
        return cls(number=values.pop("seq"), **values)


def list_history(
    db: sqlite3.Connection, source_id: str, document_id: str, *, before: int | None = None, limit: int = 20
) -> Page[EventItem]:
    """Return the events that named a document, newest first. It may be deleted, or never have been accepted."""
    parameters = {"source": source_id, "document": document_id, "before": before}
    return _events(db, ["source_id = :source AND document_id = :document"], parameters, limit)


def list_errors(
    db: sqlite3.Connection,
    *,
    source_id: str | None = None,
    run_id: str | None = None,
    only_last_words: bool = False,
    before: int | None = None,
    limit: int = 50,
) -> Page[EventItem]:
    """Return refused events, newest first: of a run, of a source, or all; ``only_last_words``: those without a later event."""
    conditions = [_LAST_WORD] if only_last_words else []
    if run_id is not None:
        conditions.append("run_id = :run AND outcome = 'refused'")
    else:
        conditions.append("status = 'dead_letter'")  # Has an index of its own.
    if source_id is not None:
        conditions.append("source_id = :source")
    parameters = {"source": source_id, "run": run_id, "before": before}
    return _events(db, conditions, parameters, limit)


def later_word(db: sqlite3.Connection, source_id: str, document_id: str, run_id: str) -> str:
    """Return what later runs did with a document; empty where they did not name it."""
    row = db.execute(
        _LATER, (source_id, document_id, run_id)
    ).fetchone()  # Ids of runs begin with their time.
    return "" if row is None else became(row["outcome"], "in a later run")


def became(outcome: str, when: str) -> str:
    """Return in words what an event did with a document."""
    words = {"refused": "refused again", "deleted": "deleted", "absent": "deleted"}
    return f"{words.get(outcome, 'arrived')} {when}"


def _events(
    db: sqlite3.Connection, conditions: list[str], parameters: dict[str, Any], limit: int
) -> Page[EventItem]:
    if parameters["before"] is not None:
        conditions = [*conditions, "seq < :before"]
    sql = _EVENTS.format(condition=all_of(conditions))
    rows = db.execute(sql, {**parameters, "limit": limit + 1}).fetchall()
    return Page.cut([EventItem.read(row) for row in rows], limit, attrgetter("number"))
