"""Documents: lists with filters, and one with everything that is known of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, NamedTuple

from attrs import evolve, field, frozen

from omni_connector.local.access import Access, Key
from omni_connector.local.browse.document_filter import LAST_RUNS, NOT_DELETED, DocumentFilter
from omni_connector.local.browse.pages import Count, Page, all_of, counted
from omni_connector.local.rows import load
from omni_connector.local.strict_json import JSON, stored_json
from omni_connector.local.timestamps import to_datetime

_SHOWN_CHARACTERS: Final = 20_000


# Several events of a run may name a document: it is listed once, at the last.
_LAST_OF_ITS_KIND = """NOT EXISTS (
    SELECT 1 FROM queue l INDEXED BY queue_of_document WHERE l.source_id = q.source_id AND l.document_id = q.document_id AND l.seq > q.seq{same})"""

_ITEMS = """
WITH wanted AS (
    SELECT key AS place, json_extract(value, '$[0]') AS cursor, json_extract(value, '$[1]') AS source_id,
        json_extract(value, '$[2]') AS external_id FROM json_each(:wanted))
SELECT w.cursor, w.source_id, w.external_id, s.name AS source_name, d.number IS NOT NULL AS is_indexed,
    coalesce(d.title, nullif(json_extract(q.payload, '$.metadata.title'), ''), (
        SELECT json_extract(t.payload, '$.metadata.title') FROM queue t
        WHERE t.source_id = w.source_id AND t.document_id = w.external_id
            AND json_extract(t.payload, '$.metadata.title') > ''
        ORDER BY t.seq DESC LIMIT 1), '') AS title, d.url, d.content_type, d.permissions,
    q.outcome, q.error, q.run_id, coalesce(d.updated_at, q.created_at) AS updated_at
FROM wanted w JOIN sources s ON s.id = w.source_id
LEFT JOIN documents d ON d.source_id = w.source_id AND d.external_id = w.external_id
LEFT JOIN queue q ON q.seq = (
    SELECT l.seq FROM queue l WHERE l.source_id = w.source_id AND l.document_id = w.external_id
    ORDER BY l.seq DESC LIMIT 1)
ORDER BY w.place
"""
_ONE = """
SELECT d.id, d.content_id, d.file_size, d.metadata, d.attributes, d.created_run_id, d.updated_run_id, d.created_at,
    length(c.content) AS content_length, substr(c.content, 1, :characters) AS content
FROM documents d JOIN contents c ON c.id = d.content_id WHERE d.source_id = :source AND d.external_id = :document
"""
_TEXT = """
SELECT c.content FROM documents d JOIN contents c ON c.id = d.content_id WHERE d.source_id = ? AND d.external_id = ?
"""


@frozen(kw_only=True)
class DocumentItem:
    """A document in a list.

    Attributes:
        cursor: its place in the list, by which pages go on.
        title: of a deleted document, the last one that is stored; empty where none is.
        is_indexed: whether it can be found; not so when it is deleted, or was refused from the beginning.
        outcome: what the last event did (``EventRow.outcome``); None when no event is left that named it.
        error: why the last event was refused.
        run_id: the run of that event.
    """

    cursor: int
    source_id: str
    source_name: str
    external_id: str
    title: str
    url: str | None
    content_type: str | None
    is_indexed: bool
    permissions: dict[str, JSON] | None
    outcome: str | None
    error: str | None
    run_id: str | None
    updated_at: datetime | None

    @classmethod
    def read(cls, row: sqlite3.Row) -> DocumentItem:
        """Make it from a row."""
        values: dict[str, Any] = dict(row)
        values["is_indexed"] = bool(values["is_indexed"])
        values["permissions"] = load(values["permissions"])
        values["updated_at"] = None if values["updated_at"] is None else to_datetime(values["updated_at"])
        return cls(**values)

    @property
    def is_public(self) -> bool:
        """Whether everyone finds it."""
        return self.permissions is not None and self.permissions["public"] is True


@frozen(kw_only=True)
class Document:
    """Everything that is known of an indexed document.

    Attributes:
        item: what lists show of it.
        id: the manager's own id.
        content: the beginning of its text; ``content_length`` is the length of all of it, in characters.
    """

    item: DocumentItem
    id: str
    content_id: str
    content: str = field(repr=False)
    content_length: int
    file_size: int | None
    metadata: dict[str, JSON]
    attributes: dict[str, JSON]
    created_run_id: str
    updated_run_id: str
    created_at: datetime

    @property
    def is_cut(self) -> bool:
        """Whether ``content`` is not all of the text."""
        return self.content_length > len(self.content)


_READABLE = """json_each(:readers) k CROSS JOIN document_readers r
    ON r.kind = json_extract(k.value, '$[0]') AND r.name = json_extract(k.value, '$[1]')"""
"""What each of the ``:readers`` may find, by an index; see ``_readers``."""


def _readers(keys: Iterable[Key]) -> str:
    return stored_json([[key.kind, key.name] for key in keys])


class _Place(NamedTuple):
    cursor: int
    source_id: str
    external_id: str


def list_documents(
    db: sqlite3.Connection, wanted: DocumentFilter, *, after: int = 0, limit: int = 50
) -> Page[DocumentItem]:
    """Return documents in the order in which they arrived first, or that of the events that the filter asks for."""
    if wanted.is_of_events:
        # One ordered list for each run; no list is read to its end.
        runs = _last_runs(db) if wanted.is_of_last_runs else [wanted.run_id]
        parts = [_places_of_events(db, evolve(wanted, run_id=run_id), after, limit + 1) for run_id in runs]
        places = sorted(place for part in parts for place in part)[: limit + 1]
    else:
        places = _places(db, wanted, after, limit + 1)
    return _page(db, places, limit)


def list_withheld(
    db: sqlite3.Connection, access: Access, source_id: str | None = None, *, after: int = 0, limit: int = 50
) -> Page[DocumentItem]:
    """Return the documents that a person does not find."""
    # The set is made once; asking for each document takes seconds for a person who finds nearly all of 100,000.
    conditions = [f"NOT (d.number IN (SELECT r.number FROM {_READABLE}) AND {NOT_DELETED})"]  # noqa: S608 - our own text.
    if source_id is not None:
        conditions.append("d.source_id = :source")
    sql = (
        "SELECT d.number, d.source_id, d.external_id FROM documents d"  # noqa: S608 - our own text.
        f" WHERE d.number > :after AND {all_of(conditions)} ORDER BY d.number LIMIT :limit"
    )
    parameters = {"source": source_id, "readers": _readers(access.keys), "after": after, "limit": limit + 1}
    return _page(db, [_Place(*row) for row in db.execute(sql, parameters)], limit)


def count_documents(db: sqlite3.Connection, wanted: DocumentFilter) -> Count:
    """Count the documents that a filter leaves."""
    parameters = wanted.parameters()
    if wanted.is_of_events:
        return counted(db, f"SELECT 1 FROM {_events_wanted(wanted)}", parameters)  # noqa: S608 - our own text.
    conditions = wanted.document_conditions()
    if not wanted.keys:
        return counted(db, f"SELECT 1 FROM documents d WHERE {all_of(conditions)}", parameters)  # noqa: S608 - our own text.
    parameters["readers"] = _readers(wanted.keys)
    return counted(
        db,
        f"SELECT DISTINCT r.number FROM {_READABLE}"  # noqa: S608 - our own text.
        f" CROSS JOIN documents d ON d.number = r.number WHERE {all_of(conditions)}",
        parameters,
    )


def find_document(
    db: sqlite3.Connection, source_id: str, external_id: str, *, characters: int = _SHOWN_CHARACTERS
) -> Document | None:
    """Return one indexed document with the beginning of its content, or None."""
    parameters = {"source": source_id, "document": external_id, "characters": characters}
    row = db.execute(_ONE, parameters).fetchone()
    if row is None:
        return None
    values: dict[str, Any] = dict(row)
    for name in ("metadata", "attributes"):
        values[name] = load(values[name])
    values["created_at"] = to_datetime(values["created_at"])
    return Document(item=_items(db, [_Place(0, source_id, external_id)])[0], **values)


def find_item(db: sqlite3.Connection, source_id: str, external_id: str) -> DocumentItem | None:
    """Return what lists show of a document, also of a deleted or refused one; None if no event has named it."""
    items = _items(db, [_Place(0, source_id, external_id)])
    return next((item for item in items if item.is_indexed or item.outcome is not None), None)


def find_documents(db: sqlite3.Connection, external_id: str) -> list[DocumentItem]:
    """Return the documents with this id in any source, deleted and refused ones too."""
    rows = db.execute(
        "SELECT id FROM sources s WHERE EXISTS ("
        "SELECT 1 FROM documents d WHERE d.source_id = s.id AND d.external_id = :document) OR EXISTS ("
        "SELECT 1 FROM queue q WHERE q.source_id = s.id AND q.document_id = :document) ORDER BY name, id",
        {"document": external_id},
    )
    return _items(db, [_Place(0, row["id"], external_id) for row in rows])


def find_document_ids(
    db: sqlite3.Connection, beginning: str, source_id: str | None = None, *, limit: int = 20
) -> list[str]:
    """Return the ids of indexed documents that begin with a text, in the order of ids."""
    # The greatest character ends the range, so that an index finds it.
    sources = (
        [source_id] if source_id is not None else [row["id"] for row in db.execute("SELECT id FROM sources")]
    )
    sql = (
        "SELECT external_id FROM documents WHERE source_id = ? AND external_id >= ? AND external_id < ?"
        " ORDER BY external_id LIMIT ?"
    )
    end = f"{beginning}\U0010ffff"
    found = {row[0] for each in sources for row in db.execute(sql, (each, beginning, end, limit))}
    return sorted(found)[:limit]


def find_by_own_id(db: sqlite3.Connection, document_id: str) -> DocumentItem | None:
    """Return the document with an id of the manager's own, or None."""
    row = db.execute("SELECT source_id, external_id FROM documents WHERE id = ?", (document_id,)).fetchone()
    return None if row is None else _items(db, [_Place(0, row["source_id"], row["external_id"])])[0]


def document_text(db: sqlite3.Connection, source_id: str, external_id: str) -> str | None:
    """Return the whole content of a document, or None."""
    row = db.execute(_TEXT, (source_id, external_id)).fetchone()
    return None if row is None else str(row["content"])


def _last_runs(db: sqlite3.Connection) -> list[str]:
    return [row[0] for row in db.execute(LAST_RUNS)]


def _events_wanted(wanted: DocumentFilter) -> str:
    """Return tables and condition of the events ``q`` that are listed."""
    conditions = ["q.document_id IS NOT NULL", *wanted.event_conditions()]
    if wanted.source_id is not None:
        conditions.append("q.source_id = :source")
    same = " AND l.run_id = q.run_id" if wanted.asks_events else ""
    if wanted.change is not None:
        same += " AND l.outcome = q.outcome"
    tables = "queue q"
    if wanted.has_errors:
        tables += " INDEXED BY queue_refusals"
        conditions.append("q.status = 'dead_letter'")
        same = ""
    elif wanted.change is not None:
        tables += " INDEXED BY queue_outcomes"
    if wanted.asks_readers:
        tables += " CROSS JOIN documents d ON d.source_id = q.source_id AND d.external_id = q.document_id"
        conditions += wanted.document_conditions()
    return f"{tables} WHERE {all_of([*conditions, _LAST_OF_ITS_KIND.format(same=same)])}"


def _places_of_events(db: sqlite3.Connection, wanted: DocumentFilter, after: int, limit: int) -> list[_Place]:
    sql = (
        f"SELECT q.seq, q.source_id, q.document_id FROM {_events_wanted(wanted)}"  # noqa: S608 - our own text.
        " AND q.seq > :after ORDER BY q.seq LIMIT :limit"
    )
    parameters = {**wanted.parameters(), "after": after, "limit": limit}
    return [_Place(*row) for row in db.execute(sql, parameters)]


def _places(db: sqlite3.Connection, wanted: DocumentFilter, after: int, limit: int) -> list[_Place]:
    conditions = wanted.document_conditions()
    parameters = {**wanted.parameters(), "after": after, "limit": limit}
    if not wanted.keys:
        sql = (
            "SELECT d.number, d.source_id, d.external_id FROM documents d"  # noqa: S608 - our own text.
            f" WHERE {all_of([*conditions, 'd.number > :after'])} ORDER BY d.number LIMIT :limit"
        )
        return [_Place(*row) for row in db.execute(sql, parameters)]
    # One ordered list for each key, and the first of all of them: no list is read to its end.
    sql = (
        "SELECT r.number, d.source_id, d.external_id FROM document_readers r CROSS JOIN documents d ON d.number = r.number"  # noqa: S608 - our own text.
        f" WHERE r.name = :name AND r.kind = :kind AND r.number > :after AND {all_of(conditions)} ORDER BY r.number LIMIT :limit"
    )
    found: set[_Place] = set()
    for key in wanted.keys:
        found.update(
            _Place(*row) for row in db.execute(sql, {**parameters, "name": key.name, "kind": key.kind})
        )
    return sorted(found)[:limit]


def _page(db: sqlite3.Connection, places: list[_Place], limit: int) -> Page[DocumentItem]:
    page = Page.cut(places, limit, attrgetter("cursor"))
    return Page(tuple(_items(db, page.items)), page.next)


def _items(db: sqlite3.Connection, places: list[_Place] | tuple[_Place, ...]) -> list[DocumentItem]:
    rows = db.execute(_ITEMS, {"wanted": stored_json([list(place) for place in places])})
    return [DocumentItem.read(row) for row in rows]
