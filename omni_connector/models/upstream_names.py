"""Names of the upstream Python package that existing code imports, for the same things under its names.

The SDK itself uses none of them. Names of upstream features that the protocol does not have yet are missing.
"""

import enum
import io
from typing import Any, Protocol, Self

from attrs import define, field

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


@define(kw_only=True)
class ConnectorEvent(Model):
    """What every event has; ``SyncContext`` makes and sends events by itself.

    Attributes:
        type: see ``EventType``.
        sync_run_id: the run.
        source_id: its source.
    """

    type: str = field(converter=str, validator=fields.one_of(*EventType))
    sync_run_id: str
    source_id: str

    def to_dict(self) -> dict[str, JsonValue]:
        """Return the event as it is sent (manager.openapi.yaml, ConnectorEvent)."""
        return {"type": self.type, "sync_run_id": self.sync_run_id, "source_id": self.source_id}


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
        event = {**super().to_dict(), "document_id": self.document_id}
        if self.type == EventType.DOCUMENT_DELETED:
            return event
        metadata = events.NOTHING_KNOWN if self.metadata is None else self.metadata.__dict__
        permissions = events.PRIVATE if self.permissions is None else self.permissions.__dict__
        wire: dict[str, JsonValue] = plain_json(
            {
                **event,
                "content_id": self.content_id,
                "metadata": metadata,
                "permissions": permissions,
                "attributes": self.attributes,
            }
        )
        return wire


@define(kw_only=True)
class GroupMembershipSyncEvent(ConnectorEvent):
    """The whole membership of a group."""

    type: str = EventType.GROUP_MEMBERSHIP_SYNC
    group_email: str
    group_name: str | None = None
    member_emails: list[str] = field(factory=list)

    def to_dict(self) -> dict[str, JsonValue]:
        """Return the event as it is sent."""
        return {
            **super().to_dict(),
            "group_email": self.group_email,
            "group_name": self.group_name,
            "member_emails": list(self.member_emails),
        }


@define(kw_only=True)
class PersonSyncEvent(ConnectorEvent):
    """A person's record in the source."""

    type: str = EventType.PERSON_SYNC
    person: PersonRecord

    def to_dict(self) -> dict[str, JsonValue]:
        """Return the event as it is sent."""
        return {**super().to_dict(), "person": self.person.model_dump(mode="json")}


@define(kw_only=True)
class PersonDeletedEvent(ConnectorEvent):
    """A person is not in the source any more."""

    type: str = EventType.PERSON_DELETED
    email: str

    def to_dict(self) -> dict[str, JsonValue]:
        """Return the event as it is sent."""
        return {**super().to_dict(), "email": self.email}


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


class _Client(Protocol):
    """The methods of ``SdkClient`` that the names below stand for."""

    def send_event(self, sync_run_id: str, source_id: str, event: bytes) -> Any: ...

    def sync_config(self, source_id: str) -> SyncConfig: ...

    def extract_content(
        self, sync_run_id: str, file: io.BytesIO, *, mime_type: str, filename: str | None = None
    ) -> str: ...

    def add_scanned(self, sync_run_id: str, count: int) -> None: ...

    def save_connector_state(self, source_id: str, state: JsonValue) -> None: ...


class UpstreamCalls:
    """Further names of calls of ``SdkClient``. In a coroutine each is awaited; elsewhere it blocks."""

    @blocking_hook
    def emit_event(self: _Client, sync_run_id: str, source_id: str, event: ConnectorEvent) -> MayAwait[None]:
        """Send one event; see ``send_event``."""
        self.send_event(sync_run_id, source_id, encode(event.to_dict()))
        return None

    @blocking_hook
    def fetch_source_sync_data(self: _Client, source_id: str) -> MayAwait[SyncConfig]:
        """Return what a run needs to know about a source; see ``sync_config``."""
        return self.sync_config(source_id)

    @blocking_hook
    def fetch_source_config(self: _Client, source_id: str) -> MayAwait[dict[str, Any]]:
        """Return the same as a dict."""
        return self.sync_config(source_id).model_dump()

    @blocking_hook
    def extract_and_store_content(
        self: _Client, sync_run_id: str, data: bytes, mime_type: str, filename: str | None = None
    ) -> MayAwait[str]:
        """Store the text of a file; see ``extract_content``."""
        return self.extract_content(sync_run_id, io.BytesIO(data), mime_type=mime_type, filename=filename)

    @blocking_hook
    def increment_scanned(self: _Client, sync_run_id: str, count: int = 1) -> MayAwait[None]:
        """Count scanned documents; see ``add_scanned``."""
        self.add_scanned(sync_run_id, count)
        return None

    @blocking_hook
    def update_connector_state(self: _Client, source_id: str, state: dict[str, Any]) -> MayAwait[None]:
        """Replace a source's connector state; see ``save_connector_state``."""
        self.save_connector_state(source_id, state)
        return None
