"""What arrived from connectors, as values: rows of the database, made at the edge of the store."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Any

from attrs import frozen

from omni_connector.local.rows import load
from omni_connector.local.strict_json import JSON
from omni_connector.local.timestamps import to_datetime


@frozen(kw_only=True)
class DocumentRow:
    """An indexed document with its content. ``id`` is the manager's own, ``external_id`` the source's."""

    id: str
    source_id: str
    external_id: str
    title: str
    url: str | None
    content_id: str
    content: str
    content_type: str | None
    file_size: int | None
    metadata: dict[str, JSON]
    permissions: dict[str, JSON] | None
    attributes: dict[str, JSON]
    created_run_id: str
    updated_run_id: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def read(cls, row: sqlite3.Row) -> DocumentRow:
        """Make it from a row of ``documents`` joined with its content."""
        values: dict[str, Any] = dict(row)
        del values["number"]
        for name in ("metadata", "permissions", "attributes"):
            values[name] = load(values[name])
        for name in ("created_at", "updated_at"):
            values[name] = to_datetime(values[name])
        return cls(**values)


@frozen(kw_only=True)
class EventRow:
    """An entry of the queue; ``status`` is ``processed`` or ``dead_letter``, the latter with an ``error``.

    ``outcome`` says what it did to its document: ``new``, ``changed``, ``unchanged``, ``deleted``, ``absent`` (deleted,
    but not there), ``replaced`` (by a later event of its batch), ``refused``; ``applied`` for groups and people.
    """

    id: str
    run_id: str
    source_id: str
    type: str
    payload: dict[str, JSON]
    status: str
    outcome: str
    error: str | None
    created_at: datetime

    @classmethod
    def read(cls, row: sqlite3.Row) -> EventRow:
        """Make it from a row of ``queue``."""
        return cls(
            id=row["id"],
            run_id=row["run_id"],
            source_id=row["source_id"],
            type=row["event_type"],
            payload=load(row["payload"]),
            status=row["status"],
            outcome=row["outcome"],
            error=row["error"],
            created_at=to_datetime(row["created_at"]),
        )


@frozen(kw_only=True)
class GroupRow:
    """A group of one source with its whole membership."""

    source_id: str
    email: str
    name: str | None
    members: tuple[str, ...]

    @classmethod
    def read(cls, row: sqlite3.Row) -> GroupRow:
        """Make it from a row of ``member_groups``."""
        return cls(
            source_id=row["source_id"],
            email=row["email"],
            name=row["name"],
            members=tuple(load(row["members"])),
        )


@frozen(kw_only=True)
class PersonRow:
    """A person over all sources; ``entries`` holds each source's record by source id."""

    email: str
    is_active: bool
    entries: dict[str, dict[str, JSON]]
