"""Names of the upstream Python package that existing code imports, for the same things under its names.

The SDK itself uses none of them. Names of upstream features that the protocol does not have yet are missing.
"""

import enum
import io
from typing import Any, Self

from attrs import NOTHING, define, field

from omni_connector.awaitables import MayAwait
from omni_connector.blocking_hooks import blocking_hook
from omni_connector.models import events, fields
from omni_connector.models.codec import encode
from omni_connector.models.document import DocumentMetadata, DocumentPermissions
from omni_connector.models.json_values import JsonValue, plain_json
from omni_connector.models.model import Model
from omni_connector.models.people import PersonRecord
from omni_connector.models.sync import SyncConfig

SdkSourceSyncData = SyncConfig


class EventType(enum.StrEnum):
    """The ``type`` of an event."""

    DOCUMENT_CREATED = events.CREATED
    DOCUMENT_UPDATED = events.UPDATED
    DOCUMENT_DELETED = events.DELETED
    GROUP_MEMBERSHIP_SYNC = events.GROUP
    PERSON_SYNC = events.PERSON
    PERSON_DELETED = events.PERSON_DELETED


def _kind(usual: Any = NOTHING) -> Any:
    return field(default=usual, converter=str, validator=fields.one_of(*EventType))


@define(kw_only=True)
class ConnectorEvent(Model):
    """What every event has; ``SyncContext`` makes and sends events by itself. ``type`` is an ``EventType``."""

    type: str = _kind()
    sync_run_id: str
    source_id: str

    def to_dict(self) -> dict[str, JsonValue]:
        """Return the event as it is sent (manager.openapi.yaml, ConnectorEvent)."""
        wire: dict[str, JsonValue] = plain_json(self.model_dump())
        return wire


@define(kw_only=True)
class DocumentEvent(ConnectorEvent):
    """A document was created, updated or deleted."""

    document_id: str
    content_id: str | None = None
    metadata: DocumentMetadata | None = None
    permissions: DocumentPermissions | None = None
    attributes: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, JsonValue]:
        """Return the event as it is sent; a document without permissions is private."""
        event = super().to_dict()
        if self.type == EventType.DOCUMENT_DELETED:
            return {key: event[key] for key in ("type", "sync_run_id", "source_id", "document_id")}
        event["metadata"] = event["metadata"] or dict(events.NOTHING_KNOWN)
        event["permissions"] = event["permissions"] or dict(events.PRIVATE)
        return event


@define(kw_only=True)
class GroupMembershipSyncEvent(ConnectorEvent):
    """The whole membership of a group."""

    type: str = _kind(EventType.GROUP_MEMBERSHIP_SYNC)
    group_email: str
    group_name: str | None = None
    member_emails: list[str] = field(factory=list)


@define(kw_only=True)
class PersonSyncEvent(ConnectorEvent):
    """A person's record in the source."""

    type: str = _kind(EventType.PERSON_SYNC)
    person: PersonRecord


@define(kw_only=True)
class PersonDeletedEvent(ConnectorEvent):
    """A person is not in the source any more."""

    type: str = _kind(EventType.PERSON_DELETED)
    email: str


@define(kw_only=True)
class SyncResponse(Model):
    """Answer to ``POST /sync``; the SDK gives it by itself."""

    status: str
    message: str | None = None

    @classmethod
    def started(cls) -> Self:
        """Return the answer to a sync that was started."""
        return cls(status="started")

    @classmethod
    def error(cls, message: str) -> Self:
        """Return the answer to a sync that was not."""
        return cls(status="error", message=message)


@define(kw_only=True)
class CancelResponse(Model):
    """Answer to ``POST /cancel``; the SDK gives it by itself."""

    status: str


class UpstreamCalls:
    """Further names of calls of ``SdkClient``. In a coroutine each is awaited; elsewhere it blocks."""

    @blocking_hook
    def emit_event(self: Any, sync_run_id: str, source_id: str, event: ConnectorEvent) -> MayAwait[None]:
        """Send one event; see ``send_event``."""
        self.send_event(sync_run_id, source_id, encode(event.to_dict()))
        return None

    @blocking_hook
    def fetch_source_sync_data(self: Any, source_id: str) -> MayAwait[SyncConfig]:
        """Return what a run needs to know about a source; see ``sync_config``."""
        config: SyncConfig = self.sync_config(source_id)
        return config

    @blocking_hook
    def fetch_source_config(self: Any, source_id: str) -> MayAwait[dict[str, Any]]:
        """Return the same as a dict."""
        config: SyncConfig = self.sync_config(source_id)
        return config.model_dump()

    @blocking_hook
    def extract_and_store_content(
        self: Any, sync_run_id: str, data: bytes, mime_type: str, filename: str | None = None
    ) -> MayAwait[str]:
        """Store the text of a file; see ``extract_content``."""
        return self.extract_content(sync_run_id, io.BytesIO(data), mime_type=mime_type, filename=filename)

    @blocking_hook
    def increment_scanned(self: Any, sync_run_id: str, count: int = 1) -> MayAwait[None]:
        """Count scanned documents; see ``add_scanned``."""
        self.add_scanned(sync_run_id, count)
        return None

    @blocking_hook
    def update_connector_state(self: Any, source_id: str, state: dict[str, Any]) -> MayAwait[None]:
        """Replace a source's connector state; see ``save_connector_state``."""
        self.save_connector_state(source_id, state)
        return None
