"""The queue of events: its checks, its storage, and the indexing of what was queued (PROTOCOL, section 11)."""

from __future__ import annotations

import sqlite3
import zlib

from omni_connector.local.bulk import insert_rows
from omni_connector.local.clock import Clock
from omni_connector.local.errors import LocalManagerError, StoredTextError
from omni_connector.local.event_shapes import Event
from omni_connector.local.ids import new_ulid
from omni_connector.local.indexer import Outcome, index_batch
from omni_connector.local.manager_dates import Since
from omni_connector.local.runs import Runs, find_run, renew_activity
from omni_connector.local.search_index import SearchIndex
from omni_connector.local.settings import LocalSettings
from omni_connector.local.sources import find_source
from omni_connector.local.store import Store
from omni_connector.local.strict_json import contains_nul, stored_json
from omni_connector.local.timestamps import to_microseconds

_MAX_INDEXED_CONTENT_ID = 2690
_MAX_INDEXED_EMAIL = 2630
"""Bytes beyond which the real queue's index entries overflow, if the text does not compress (section 19)."""

_INSERT = """
INSERT INTO queue (id, run_id, source_id, event_type, document_id, payload, created_at, status, outcome, error)"""


class Queue:
    """The ``queue`` table. Entries are indexed at once, so none stays ``pending``."""

    def __init__(
        self, store: Store, clock: Clock, runs: Runs, search_index: SearchIndex, settings: LocalSettings
    ) -> None:
        self._checked = settings.has(Since.CONTEXT_CHECKS)
        self._store = store
        self._clock = clock
        self._runs = runs
        self._search_index = search_index

    def emit(self, *, sync_run_id: str, source_id: str, events: list[Event]) -> None:
        """Store and index a list of events, all or none.

        Raises ``LocalManagerError`` (400) when a context check fails, ``StoredTextError`` when the
        database would refuse a text.
        """
        payloads = [stored_json(event) for event in events]
        now = to_microseconds(self._clock.now())
        with self._store.transaction() as db:
            if self._checked:
                _check_context(db, sync_run_id, source_id, events)
            elif find_source(db, source_id) is None:
                return  # An older manager accepts the events, but they are never found.
            for event, payload in zip(events, payloads, strict=True):
                _check_storable(event, payload)
            renew_activity(db, sync_run_id, now)
            outcome = index_batch(db, events, source_id=source_id, run_id=sync_run_id, now=now)
            rows = [
                (new_ulid(), sync_run_id, source_id, event["type"], event.get("document_id"), payload, now)
                for event, payload in zip(events, payloads, strict=True)
            ]
            insert_rows(db, _INSERT, [(*row, *_verdict(outcome, at)) for at, row in enumerate(rows)])
            db.execute(
                "UPDATE runs SET documents_processed = documents_processed + ? WHERE id = ?",
                (outcome.documents, sync_run_id),
            )
        self._runs.notify()
        self._search_index.changed(outcome.documents)


def _check_context(db: sqlite3.Connection, run_id: str, source_id: str, events: list[Event]) -> None:
    """Make the checks of ``/sdk/events/batch``, in their order."""
    source = find_source(db, source_id)
    if source is None:
        raise LocalManagerError(400, "Unknown event source")
    if source.is_deleted:
        raise LocalManagerError(400, "Events may not be emitted for a deleted source")
    run = find_run(db, run_id)
    if run is None:
        raise LocalManagerError(400, "Unknown sync run")
    if run.source_id != source_id:
        raise LocalManagerError(400, "Sync run does not belong to the supplied source")
    if not run.is_running:
        raise LocalManagerError(400, "Events may only be emitted for a running sync run")
    if any(event["sync_run_id"] != run_id or event["source_id"] != source_id for event in events):
        raise LocalManagerError(400, "Event source_id/sync_run_id does not match the trusted request context")


def _check_storable(event: Event, payload: str) -> None:
    if "\\u0000" in payload and contains_nul(event):
        raise StoredTextError(
            "Failed to enqueue event batch: error returned from database: unsupported Unicode escape sequence"
        )
    content_id = event.get("content_id", "")
    email = event["person"]["email"] if "person" in event else event.get("email", "")
    if _overflows(content_id, _MAX_INDEXED_CONTENT_ID) or _overflows(email, _MAX_INDEXED_EMAIL):
        raise StoredTextError(
            "Failed to enqueue event batch: error returned from database: index row size exceeds btree maximum"
        )


def _overflows(text: str, limit: int) -> bool:
    return len(text) * 4 > limit and len(zlib.compress(text.encode())) > limit


def _verdict(outcome: Outcome, position: int) -> tuple[str, str, str | None]:
    """Return status, outcome and error of the queue entry."""
    error = outcome.errors.get(position)
    return "processed" if error is None else "dead_letter", outcome.effects[position], error
