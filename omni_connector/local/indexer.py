"""The indexer: turns queued events into documents, groups and people.

The real one is a process of its own that empties the queue now and then. Here a batch becomes documents in the transaction
that queues it; only the full-text index follows later (``search_index``). Order, effects and failures are those of
PROTOCOL, sections 11, 15 and 19.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

from attrs import define, field, frozen

from omni_connector.local.bulk import insert_rows
from omni_connector.local.event_shapes import Event
from omni_connector.local.ids import new_ulid
from omni_connector.local.people import apply_membership, forget_person, store_person
from omni_connector.local.rows import load
from omni_connector.local.search_index import note_new, note_stale
from omni_connector.local.strict_json import stored_json

MAX_DOCUMENT_ID = 500
MAX_CONTENT_TYPE = 100
_UPSERTS = frozenset({"document_created", "document_updated"})
_CHUNK = 500
_KEPT = ("url", "content_type", "file_size")
_REPLACED = ("content_id", "metadata", "permissions", "attributes")
_SIZE = re.compile(r"[+-]?[0-9]{1,30}")
_INT64 = range(-(2**63), 2**63)

_INSERT = """
INSERT INTO documents (id, source_id, external_id, title, url, content_id, content_type, file_size,
    metadata, permissions, attributes, created_run_id, updated_run_id, created_at, updated_at)"""
_NUMBERS = """
SELECT json_group_object(external_id, number) FROM documents
WHERE source_id = ? AND external_id IN (SELECT value FROM json_each(?))
"""
_UPDATE = """
ON CONFLICT (source_id, external_id) DO UPDATE SET
    title = coalesce(nullif(excluded.title, ''), title), content_id = excluded.content_id,
    url = coalesce(excluded.url, url),
    content_type = coalesce(excluded.content_type, content_type),
    file_size = coalesce(excluded.file_size, file_size),
    metadata = excluded.metadata, permissions = excluded.permissions, attributes = excluded.attributes,
    updated_run_id = excluded.updated_run_id, updated_at = excluded.updated_at
"""


@define
class Outcome:
    """What became of a batch.

    Attributes:
        documents: number of distinct documents upserted or deleted.
        effects: by position in the batch, what the event did (``queue.outcome`` in ``schema_2.sql``).
        errors: reason by position in the batch, for the events that failed.
    """

    documents: int = 0
    effects: list[str] = field(factory=list)
    errors: dict[int, str] = field(factory=dict)

    def refuse(self, position: int, reason: str) -> None:
        """Note that an event failed."""
        self.effects[position] = "refused"
        self.errors[position] = reason


@frozen
class _Place:
    """For which run and source a batch is indexed, and when."""

    db: sqlite3.Connection
    source_id: str
    run_id: str
    now: int


def index_batch(
    db: sqlite3.Connection, events: list[Event], *, source_id: str, run_id: str, now: int
) -> Outcome:
    """Apply the events of one run and source, in order, within the caller's transaction."""
    outcome = Outcome(effects=["replaced" if "document_id" in event else "applied" for event in events])
    place = _Place(db, source_id, run_id, now)
    last = {event["document_id"]: position for position, event in enumerate(events) if "document_id" in event}
    upserts = {key: position for key, position in last.items() if events[position]["type"] in _UPSERTS}
    deletes = {key: position for key, position in last.items() if key not in upserts}
    problem = _problem(db, [events[position] for position in upserts.values()])
    if problem is None:
        effects = _upsert(place, [events[position] for position in upserts.values()])
        for position, effect in zip(upserts.values(), effects, strict=True):
            outcome.effects[position] = effect
        outcome.documents += len(upserts)
    else:
        for position in upserts.values():
            outcome.refuse(position, problem)
    there = delete_documents(db, source_id, deletes)
    for key, position in deletes.items():
        outcome.effects[position] = "deleted" if key in there else "absent"
    outcome.documents += len(deletes)
    for position, event in enumerate(events):
        if "document_id" not in event:
            error = _apply_record(db, event)
            if error is not None:
                outcome.refuse(position, error)
    return outcome


def delete_documents(db: sqlite3.Connection, source_id: str, external_ids: Iterable[str]) -> set[str]:
    """Remove documents and their index entries; return the ids of those that were there."""
    rows = list(_existing(db, source_id, list(external_ids)))
    numbers = [row["number"] for row in rows]
    note_stale(db, numbers)
    db.execute(
        "DELETE FROM documents WHERE number IN (SELECT value FROM json_each(?))", (stored_json(numbers),)
    )
    return {row["external_id"] for row in rows}


def _problem(db: sqlite3.Connection, upserts: list[Event]) -> str | None:
    """Return why the database would refuse these upserts, which it takes or refuses as one statement."""
    for event in upserts:
        if len(event["document_id"]) > MAX_DOCUMENT_ID:
            return f"value too long for type character varying({MAX_DOCUMENT_ID}): document_id of {_shown(event)}"
        content_type = _content_type(event)
        if content_type is not None and len(content_type) > MAX_CONTENT_TYPE:
            return f"value too long for type character varying({MAX_CONTENT_TYPE}): content_type of {_shown(event)}"
    known = set()
    for chunk in _chunks(list({event["content_id"] for event in upserts})):
        marks = ", ".join("?" * len(chunk))
        # In one row: with a row for each, a busy process would wait at each.
        found = db.execute(f"SELECT json_group_array(id) FROM contents WHERE id IN ({marks})", chunk)  # noqa: S608 - marks only.
        known |= set(load(found.fetchone()[0]))
    for event in upserts:
        if event["content_id"] not in known:
            return f"unknown content_id {event['content_id'][:100]!r} of {_shown(event)}"
    return None


def _upsert(place: _Place, upserts: list[Event]) -> list[str]:
    """Write the documents, and return what each event did."""
    db, source_id = place.db, place.source_id
    rows = [_row(event, place) for event in upserts]
    before = {
        row["external_id"]: row for row in _existing(db, source_id, [row["external_id"] for row in rows])
    }
    changed = [row for row in rows if _text_differs(before.get(row["external_id"]), row)]
    note_stale(db, [before[row["external_id"]]["number"] for row in changed if row["external_id"] in before])
    insert_rows(db, _INSERT, [tuple(row.values()) for row in rows], _UPDATE)
    fresh = [row["external_id"] for row in changed if row["external_id"] not in before]
    numbers: dict[str, int] = load(db.execute(_NUMBERS, (source_id, stored_json(fresh))).fetchone()[0])
    note_new(db, numbers.values())
    numbers.update((external_id, row["number"]) for external_id, row in before.items())
    _store_readers(db, upserts, before, numbers)
    return [_effect(before.get(row["external_id"]), row) for row in rows]


def _effect(before: sqlite3.Row | None, row: dict[str, Any]) -> str:
    """Say what an upsert did; null and an empty title keep what was there."""
    if before is None:
        return "new"
    kept = [name for name in _KEPT if row[name] is not None and row[name] != before[name]]
    replaced = [name for name in _REPLACED if row[name] != before[name]]
    is_changed = kept or replaced or row["title"] not in {"", before["title"]}
    return "changed" if is_changed else "unchanged"


def _store_readers(
    db: sqlite3.Connection, upserts: list[Event], before: dict[str, sqlite3.Row], numbers: dict[str, int]
) -> None:
    """Write who may read the documents whose permissions are new."""
    readers = []
    for event in upserts:
        known = before.get(event["document_id"])
        if known is None or stored_json(event["permissions"]) != known["permissions"]:
            number = numbers[event["document_id"]]
            readers += [(*reader, number) for reader in _readers(event["permissions"])]
            if known is not None:
                db.execute("DELETE FROM document_readers WHERE number = ?", (number,))
    insert_rows(db, "INSERT OR IGNORE INTO document_readers (kind, name, number)", readers)


def _readers(permissions: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Return kind and name of all who may read a document with these permissions."""
    if permissions is None:
        return []
    public = [("public", "")] if permissions["public"] else []
    users = [("user", name) for name in permissions["users"]]
    return [*public, *users, *[("group", name) for name in permissions["groups"]]]


def _row(event: Event, place: _Place) -> dict[str, Any]:
    """Return the columns in the order of ``_INSERT``."""
    metadata = event["metadata"]
    title = metadata["title"]
    size = _file_size(metadata["size"])
    return {
        "id": new_ulid(),
        "source_id": place.source_id,
        "external_id": event["document_id"],
        "title": "Untitled" if title is None else title,
        "url": metadata["url"],
        "content_id": event["content_id"],
        "content_type": _content_type(event),
        "file_size": size,
        "metadata": stored_json(metadata if size is None else {**metadata, "size": size}),
        # An update without permissions is stored with JSON null: no user finds it (PROTOCOL, section 19).
        "permissions": stored_json(event["permissions"]),
        "attributes": stored_json(event["attributes"] or {}),
        "created_run_id": place.run_id,
        "updated_run_id": place.run_id,
        "created_at": place.now,
        "updated_at": place.now,
    }


def _text_differs(before: sqlite3.Row | None, row: dict[str, Any]) -> bool:
    return before is None or (before["title"], before["content_id"]) != (row["title"], row["content_id"])


def _content_type(event: Event) -> str | None:
    metadata: dict[str, str | None] = event["metadata"]
    content_type = metadata["content_type"]
    return metadata["mime_type"] if content_type is None else content_type


def _file_size(size: str | None) -> int | None:
    if size is None or not _SIZE.fullmatch(size):
        return None
    return int(size) if int(size) in _INT64 else None


def _existing(db: sqlite3.Connection, source_id: str, external_ids: list[str]) -> Iterator[sqlite3.Row]:
    for chunk in _chunks(external_ids):
        marks = ", ".join("?" * len(chunk))
        yield from db.execute(
            f"SELECT number, external_id, title, {', '.join(_KEPT + _REPLACED)} FROM documents"  # noqa: S608 - our own text.
            f" WHERE source_id = ? AND external_id IN ({marks})",
            (source_id, *chunk),
        ).fetchall()


def _chunks(items: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]


def _apply_record(db: sqlite3.Connection, event: Event) -> str | None:
    """Apply a group or person event; return why it failed, or None."""
    try:
        if event["type"] == "group_membership_sync":
            apply_membership(db, event)
        elif event["type"] == "person_sync":
            store_person(db, event["source_id"], event["person"])
        else:
            forget_person(db, event["source_id"], event["email"])
    except ValueError as error:
        return str(error)
    return None


def _shown(event: Event) -> str:
    return f"document {event['document_id'][:100]!r}"
