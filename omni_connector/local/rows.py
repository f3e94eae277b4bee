"""What was configured and what runs, as values: rows of the database, made at the edge of the store."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Any

import orjson
from attrs import frozen

from omni_connector.local.strict_json import JSON
from omni_connector.local.timestamps import long_timestamp, shown_timestamp, to_datetime


@frozen(kw_only=True)
class UserRow:
    """A user of the manager."""

    id: str
    email: str
    is_admin: bool

    @classmethod
    def read(cls, row: sqlite3.Row) -> UserRow:
        """Make it from a row of ``users``."""
        return cls(id=row["id"], email=row["email"], is_admin=bool(row["is_admin"]))


@frozen(kw_only=True)
class SourceRow:
    """A configured source.

    ``has_checkpoint`` distinguishes a checkpoint that is JSON null from no checkpoint; ``checkpoint`` is None for both.
    """

    id: str
    name: str
    source_type: str
    integration_type: str
    config: JSON
    is_active: bool
    is_deleted: bool
    scope: str
    user_filter_mode: str
    user_whitelist: list[JSON] | None
    user_blacklist: list[JSON] | None
    connector_state: JSON
    checkpoint: JSON
    has_checkpoint: bool
    sync_interval_seconds: int | None
    created_at: datetime
    updated_at: datetime
    created_by: str
    created_at_microseconds: int
    updated_at_microseconds: int

    @property
    def shown(self) -> str:
        """The source as the log shows it: its name and id."""
        return f"{self.name!r} ({self.id})"

    @classmethod
    def read(cls, row: sqlite3.Row) -> SourceRow:
        """Make it from a row of ``sources``."""
        return cls(
            id=row["id"],
            name=row["name"],
            source_type=row["source_type"],
            integration_type=row["integration_type"],
            config=load(row["config"]),
            is_active=bool(row["is_active"]),
            is_deleted=bool(row["is_deleted"]),
            scope=row["scope"],
            user_filter_mode=row["user_filter_mode"],
            user_whitelist=load(row["user_whitelist"]),
            user_blacklist=load(row["user_blacklist"]),
            connector_state=load(row["connector_state"]),
            checkpoint=load(row["checkpoint"]),
            has_checkpoint=row["checkpoint"] is not None,
            sync_interval_seconds=row["sync_interval_seconds"],
            created_at=to_datetime(row["created_at"]),
            updated_at=to_datetime(row["updated_at"]),
            created_by=row["created_by"],
            created_at_microseconds=row["created_at"],
            updated_at_microseconds=row["updated_at"],
        )

    @property
    def is_native(self) -> bool:
        """Whether a connector serves it (and not a remote MCP server)."""
        return self.integration_type == "connector"

    def to_wire(self, *, with_state: bool = True) -> dict[str, JSON]:
        """Return the ``Source`` shape; lists leave the two states out (null)."""
        return {
            "id": self.id,
            "name": self.name,
            "source_type": self.source_type,
            "integration_type": self.integration_type,
            "config": self.config,
            "is_active": self.is_active,
            "is_deleted": self.is_deleted,
            "scope": self.scope,
            "user_filter_mode": self.user_filter_mode,
            "user_whitelist": self.user_whitelist,
            "user_blacklist": self.user_blacklist,
            "connector_state": self.connector_state if with_state else None,
            "checkpoint": self.checkpoint if with_state else None,
            "sync_interval_seconds": self.sync_interval_seconds,
            "created_at": long_timestamp(self.created_at_microseconds),
            "updated_at": long_timestamp(self.updated_at_microseconds),
            "created_by": self.created_by,
        }


@frozen(kw_only=True)
class CredentialRow:
    """A stored credential; moments in microseconds. ``user_id`` None is the org-wide row."""

    id: str
    source_id: str
    user_id: str | None
    provider: str
    auth_type: str
    principal_email: str | None
    credentials: JSON
    config: JSON
    expires_at: int | None
    last_validated_at: int | None
    created_at: int
    updated_at: int

    @classmethod
    def read(cls, row: sqlite3.Row) -> CredentialRow:
        """Make it from a row of ``credentials``."""
        values = dict(row)
        values["credentials"] = load(values["credentials"])
        values["config"] = load(values["config"])
        return cls(**values)

    def to_wire(self) -> dict[str, JSON]:
        """Return the ``ServiceCredential`` shape."""
        return {
            "id": self.id,
            "source_id": self.source_id,
            "user_id": self.user_id,
            "provider": self.provider,
            "auth_type": self.auth_type,
            "principal_email": self.principal_email,
            "credentials": self.credentials,
            "config": self.config,
            "expires_at": _long_or_none(self.expires_at),
            "last_validated_at": _long_or_none(self.last_validated_at),
            "created_at": long_timestamp(self.created_at),
            "updated_at": long_timestamp(self.updated_at),
        }

    def to_mcp_wire(self) -> dict[str, JSON]:
        """Return the ``McpCredentials`` shape."""
        wire = {"credentials": self.credentials, "config": self.config, "auth_type": self.auth_type}
        if self.principal_email is not None:
            wire["principal_email"] = self.principal_email
        return wire


@frozen(kw_only=True)
class SyncRunRow:
    """One run. ``has_checkpoint`` distinguishes a saved JSON null from nothing saved."""

    id: str
    source_id: str
    sync_type: str
    slot_class: str
    status: str
    trigger_type: str
    documents_scanned: int
    documents_processed: int
    documents_updated: int
    error_message: str | None
    checkpoint: JSON
    has_checkpoint: bool
    started_at: datetime | None
    completed_at: datetime | None
    last_activity_at: datetime | None
    created_at: datetime
    updated_at: datetime
    moments: dict[str, int | None]

    @classmethod
    def read(cls, row: sqlite3.Row) -> SyncRunRow:
        """Make it from a row of ``runs``."""
        values: dict[str, Any] = dict(row)
        moments = {name: value for name, value in values.items() if name.endswith("_at")}
        values |= {name: None if value is None else to_datetime(value) for name, value in moments.items()}
        values["has_checkpoint"] = values["checkpoint"] is not None
        values["checkpoint"] = load(values["checkpoint"])
        return cls(**values, moments=moments)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.status == "running"

    def to_wire(self) -> dict[str, JSON]:
        """Return the ``SyncRun`` shape of lists, where the checkpoint is always null."""
        return {
            "id": self.id,
            "source_id": self.source_id,
            "sync_type": self.sync_type,
            "started_at": _long_or_none(self.moments["started_at"]),
            "completed_at": _long_or_none(self.moments["completed_at"]),
            "status": self.status,
            "trigger_type": self.trigger_type,
            "documents_scanned": self.documents_scanned,
            "documents_processed": self.documents_processed,
            "documents_updated": self.documents_updated,
            "error_message": self.error_message,
            "checkpoint": None,
            "created_at": _long_or_none(self.moments["created_at"]),
            "updated_at": _long_or_none(self.moments["updated_at"]),
        }

    def to_progress(self) -> dict[str, JSON]:
        """Return the ``SyncProgress`` shape; what there is none of is left out."""
        progress: dict[str, JSON] = {
            "sync_run_id": self.id,
            "source_id": self.source_id,
            "status": self.status,
            "documents_scanned": self.documents_scanned,
            "documents_processed": self.documents_processed,
            "documents_updated": self.documents_updated,
        }
        if self.error_message is not None:
            progress["error_message"] = self.error_message
        for name in ("started_at", "completed_at"):
            moment = self.moments[name]
            if moment is not None:
                progress[name] = shown_timestamp(moment)
        return progress


def load(text: str | None) -> JSON:
    """Return stored JSON; None for SQL NULL."""
    return None if text is None else orjson.loads(text)


def _long_or_none(microseconds: int | None) -> str | None:
    return None if microseconds is None else long_timestamp(microseconds)
