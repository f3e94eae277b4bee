"""Events of a run, as they travel to the manager (manager.openapi.yaml, ConnectorEvent).

An event is encoded once, when it is emitted. A document whose content is still on its way is encoded without
its ``content_id``, which ``EncodedEvent.with_content_id`` adds at the end of the JSON text.
"""

from typing import Any

import attrs
from attrs import define

from omni_connector.exceptions import InvalidDocumentError, InvalidValueError
from omni_connector.models.codec import compact, encode, encode_text
from omni_connector.models.document import Document, DocumentMetadata
from omni_connector.models.people import GroupMembership, PersonRecord

PRIVATE = {"public": False, "users": [], "groups": []}
"""Sent for a document without permissions: without them it could never be found (PROTOCOL, section 19)."""

CREATED = "document_created"
UPDATED = "document_updated"
DELETED = "document_deleted"
GROUP = "group_membership_sync"
PERSON = "person_sync"
PERSON_DELETED = "person_deleted"

UPSERTS = frozenset({CREATED, UPDATED})
SUBJECTS = {GROUP: "group", PERSON: "person", PERSON_DELETED: "person"}
"""What events are about that are not about documents."""


@define(eq=False)
class EncodedEvent:
    """One event as JSON text; not frozen, because a frozen one takes three times as long to make.

    ``document_id`` is the document's id in its source; of a group or a person the address. ``kind`` is the ``type`` on the
    wire, ``body`` a JSON object as UTF-8. ``mark`` is for the one that has to know what becomes of it.
    """

    document_id: str
    kind: str
    body: bytes
    mark: Any = None

    @property
    def subject(self) -> str:
        """``document``, ``group`` or ``person``."""
        return SUBJECTS.get(self.kind, "document")

    def with_content_id(self, content_id: str) -> "EncodedEvent":
        """Return the event with its content id filled in."""
        body = b'%b,"content_id":%b}' % (self.body[:-1], encode_text(content_id))
        return EncodedEvent(self.document_id, self.kind, body, self.mark)


def encode_upsert(kind: str, document: Document, *, sync_run_id: str, source_id: str) -> EncodedEvent:
    """Encode a ``document_created`` or ``document_updated`` event.

    Raises:
        InvalidDocumentError: a free-form value of the document has no JSON form.
    """
    event: dict[str, Any] = {
        "type": kind,
        "sync_run_id": sync_run_id,
        "source_id": source_id,
        "document_id": document.external_id,
        "metadata": _metadata(document),
        "permissions": PRIVATE if document.permissions is None else document.permissions.__dict__,
        "attributes": document.attributes,
    }
    if document.content_id is not None:
        event["content_id"] = document.content_id
    try:
        body = compact(encode(event))
    except InvalidValueError as error:
        raise InvalidDocumentError(
            document_id=document.external_id,
            field=error.field.removeprefix("value."),
            value=error.value,
            remedy=error.remedy,
        ) from error
    return EncodedEvent(document.external_id, kind, body)


def encode_delete(document_id: str, *, sync_run_id: str, source_id: str) -> EncodedEvent:
    """Encode a ``document_deleted`` event."""
    run = {"sync_run_id": sync_run_id, "source_id": source_id}
    return EncodedEvent(document_id, DELETED, encode({"type": DELETED, **run, "document_id": document_id}))


def encode_group(group: GroupMembership, *, sync_run_id: str, source_id: str) -> EncodedEvent:
    """Encode a ``group_membership_sync`` event."""
    run = {"sync_run_id": sync_run_id, "source_id": source_id}
    event = {"type": GROUP, **run, **attrs.asdict(group, recurse=False)}
    return EncodedEvent(group.group_email, GROUP, compact(encode(event)))


def encode_person(person: PersonRecord, *, sync_run_id: str, source_id: str) -> EncodedEvent:
    """Encode a ``person_sync`` event."""
    run = {"sync_run_id": sync_run_id, "source_id": source_id}
    event = {"type": PERSON, **run, "person": attrs.asdict(person, recurse=False)}
    return EncodedEvent(person.email, PERSON, compact(encode(event)))


def encode_person_deletion(email: str, *, sync_run_id: str, source_id: str) -> EncodedEvent:
    """Encode a ``person_deleted`` event."""
    run = {"sync_run_id": sync_run_id, "source_id": source_id}
    return EncodedEvent(email, PERSON_DELETED, encode({"type": PERSON_DELETED, **run, "email": email}))


def _metadata(document: Document) -> dict[str, Any]:
    """Return the fields of the metadata; all of them, since old managers require the dates (PROTOCOL, section 18)."""
    given = document.metadata
    if given is None:
        return NOTHING_KNOWN | {"title": document.title}
    # The fields as they are kept: reading them one by one would take longer than encoding them.
    return given.__dict__ if given.title is not None else given.__dict__ | {"title": document.title}


NOTHING_KNOWN = dict(DocumentMetadata().__dict__)
