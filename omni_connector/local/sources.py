"""Sources: configuring them, finding them, keeping their two states."""

from __future__ import annotations

import sqlite3
from typing import Any

from omni_connector.local.clock import Clock
from omni_connector.local.errors import LocalManagerError
from omni_connector.local.ids import new_ulid
from omni_connector.local.rows import SourceRow
from omni_connector.local.store import Store, storable
from omni_connector.local.strict_json import JSON, contains_nul, stored_json
from omni_connector.local.timestamps import to_microseconds

_NULLABLE_JSON = ("user_whitelist", "user_blacklist")
_STATES = ("checkpoint", "connector_state")


class Sources:
    """The ``sources`` table."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def put(self, source_id: str | None, *, source_type: str, created_by: str, **columns: Any) -> SourceRow:
        """Add a source, or replace the configuration of the one with this id.

        A replaced source keeps its checkpoint and connector state and is active. One that was deleted is there again, and
        without its checkpoint: some of its documents may have been removed.
        """
        source_id = storable(source_id or new_ulid())
        now = self._now()
        values = _columns(
            {
                "source_type": source_type,
                "created_by": created_by,
                "integration_type": "connector",
                "is_active": True,
                "is_deleted": False,
                **columns,
            }
        )
        names = list(values)
        assignments = ", ".join(f"{name} = excluded.{name}" for name in names)
        with self._store.transaction() as db:
            db.execute(
                f"INSERT INTO sources (id, created_at, updated_at, {', '.join(names)})"  # noqa: S608 - our own names.
                f" VALUES (?, ?, ?{', ?' * len(names)})"
                f" ON CONFLICT (id) DO UPDATE SET updated_at = excluded.updated_at, {assignments},"
                " checkpoint = CASE WHEN is_deleted THEN NULL ELSE checkpoint END",
                (source_id, now, now, *values.values()),
            )
        return self.get(source_id)

    def change(self, source_id: str, **columns: Any) -> SourceRow:
        """Set columns of a source; raises ``LocalManagerError`` (404) for an unknown one."""
        values = _columns(columns)
        assignments = "".join(f", {name} = ?" for name in values)
        with self._store.transaction() as db:
            db.execute(
                f"UPDATE sources SET updated_at = ?{assignments} WHERE id = ?",  # noqa: S608 - our own names.
                (self._now(), *values.values(), source_id),
            )
        return self.get(source_id)

    def find(self, source_id: str) -> SourceRow | None:
        """Return the source, or None."""
        with self._store.lookup() as db:
            return find_source(db, source_id)

    def get(self, source_id: str) -> SourceRow:
        """Return the source; raises ``LocalManagerError`` (404) for an unknown one."""
        source = self.find(source_id)
        if source is None:
            raise LocalManagerError(404, f"Source not found: {source_id}")
        return source

    def all(self, where: str = "1", *parameters: JSON) -> list[SourceRow]:
        """Return the sources that match an SQL condition, newest first."""
        with self._store.lookup() as db:
            rows = db.execute(
                f"SELECT * FROM sources WHERE {where} ORDER BY created_at DESC, id DESC",  # noqa: S608 - our own text.
                parameters,
            ).fetchall()
        return [SourceRow.read(row) for row in rows]

    def save_connector_state(self, source_id: str, state: JSON) -> None:
        """Replace the connector state; an unknown source changes nothing."""
        with self._store.transaction() as db:
            db.execute(
                "UPDATE sources SET connector_state = ?, updated_at = ? WHERE id = ?",
                (storable_json(state), self._now(), storable(source_id)),
            )

    def reset(self, source_id: str, *, connector_state: bool) -> SourceRow:
        """Forget the checkpoint, and the connector state if that is wanted.

        Raises ``LocalManagerError``: 404 for an unknown source, 409 while a run is in progress.
        """
        with self._store.transaction() as db:
            if find_source(db, source_id) is None:
                raise LocalManagerError(404, f"Source not found: {source_id}")
            running = db.execute(
                "SELECT id FROM runs WHERE source_id = ? AND status = 'running'", (source_id,)
            ).fetchone()
            if running is not None:
                raise LocalManagerError(
                    409, f"Run {running['id']} of the source is in progress: wait for its end, or cancel it"
                )
            db.execute(
                "UPDATE sources SET checkpoint = NULL, updated_at = ?,"
                " connector_state = CASE WHEN ? THEN NULL ELSE connector_state END WHERE id = ?",
                (self._now(), connector_state, source_id),
            )
        return self.get(source_id)

    def remove(self, source_id: str) -> None:
        """Delete the row with all that hangs on it: credentials, runs, queue."""
        with self._store.transaction() as db:
            db.execute("DELETE FROM sources WHERE id = ?", (source_id,))

    def _now(self) -> int:
        return to_microseconds(self._clock.now())


def find_source(db: sqlite3.Connection, source_id: str) -> SourceRow | None:
    """Return the source within a transaction of the caller's, or None."""
    row = db.execute("SELECT * FROM sources WHERE id = ?", (storable(source_id),)).fetchone()
    return None if row is None else SourceRow.read(row)


def storable_json(value: JSON) -> str:
    """Return a value as stored JSON text; raises ``StoredTextError`` when a string in it holds U+0000."""
    text = stored_json(value)
    if "\\u0000" in text and contains_nul(value):
        storable("\0")
    return text


def _columns(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values as they are stored."""
    stored = dict(values)
    for name, value in values.items():
        if name in _STATES or name == "config" or (name in _NULLABLE_JSON and value is not None):
            stored[name] = storable_json(value)
        elif isinstance(value, str):
            stored[name] = storable(value)
    return stored
