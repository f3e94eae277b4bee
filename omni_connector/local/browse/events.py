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
        json_extract(q.payload, '$.email'), q.id) AS subject
FROM queue q JOIN sources s ON s.id = q.source_id LEFT JOIN runs r ON r.id = q.run_id
WHERE q.seq IN (SELECT seq FROM queue WHERE {condition} ORDER BY seq DESC LIMIT :limit)
ORDER BY q.seq DESC
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

    @classmethod
    def read(cls, row: sqlite3.Row) -> EventItem:
        """Make it from a row."""
        values = dict(row)
        return cls(number=values.pop("seq"), **values | {"created_at": to_datetime(values["created_at"])})


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
    before: int | None = None,
    limit: int = 50,
) -> Page[EventItem]:
    """Return refused events, newest first: of a run, of a source, or all."""
    conditions = []
    if run_id is not None:
        conditions.append("run_id = :run AND outcome = 'refused'")
    else:
        conditions.append("status = 'dead_letter'")  # Has an index of its own.
    if source_id is not None:
        conditions.append("source_id = :source")
    parameters = {"source": source_id, "run": run_id, "before": before}
    return _events(db, conditions, parameters, limit)


def _events(
    db: sqlite3.Connection, conditions: list[str], parameters: dict[str, Any], limit: int
) -> Page[EventItem]:
    if parameters["before"] is not None:
        conditions = [*conditions, "seq < :before"]
    sql = _EVENTS.format(condition=all_of(conditions))
    rows = db.execute(sql, {**parameters, "limit": limit + 1}).fetchall()
    return Page.cut([EventItem.read(row) for row in rows], limit, attrgetter("number"))
