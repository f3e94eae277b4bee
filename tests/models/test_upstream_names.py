"""What the upstream names do: events as they are sent, answers, and the calls of the client."""

from __future__ import annotations

import asyncio

import pytest

from omni_connector import (
    CancelResponse,
    DocumentEvent,
    DocumentMetadata,
    DocumentPermissions,
    EventType,
    GroupMembershipSyncEvent,
    InvalidValueError,
    PersonDeletedEvent,
    PersonSyncEvent,
    PersonSyncRecord,
    SdkClient,
    SyncResponse,
)

RUN = {"sync_run_id": "run-1", "source_id": "source-1"}
KNOWN = [
    "title",
    "author",
    "created_at",
    "updated_at",
    "content_type",
    "mime_type",
    "size",
    "url",
    "path",
    "extra",
]


def test_a_document_event_has_every_key_that_managers_require():
    event = DocumentEvent(type="document_created", document_id="1", content_id="c", **RUN)
    assert event.to_dict() == {
        "type": "document_created",
        **RUN,
        "document_id": "1",
        "content_id": "c",
        "metadata": dict.fromkeys(KNOWN),
        "permissions": {"public": False, "users": [], "groups": []},
        "attributes": None,
    }


def test_what_is_known_of_a_document_is_sent():
    event = DocumentEvent(
        type=EventType.DOCUMENT_UPDATED,
        document_id="1",
        content_id="c",
        metadata=DocumentMetadata(title="T", updated_at="2026-11-29T10:00:00+00:00"),
        permissions=DocumentPermissions(users=["ann@example.com"]),
        attributes={"space": "x"},
        **RUN,
    )
    wire = event.to_dict()
    assert (wire["type"], wire["metadata"]["title"], wire["attributes"]) == (
        "document_updated",
        "T",
        {"space": "x"},
    )
    assert wire["metadata"]["updated_at"] == "2026-11-29T10:00:00+00:00"
    assert wire["permissions"]["users"] == ["ann@example.com"]


def test_other_events():
    deleted = DocumentEvent(type=EventType.DOCUMENT_DELETED, document_id="1", **RUN)
    assert deleted.to_dict() == {"type": "document_deleted", **RUN, "document_id": "1"}
    group = GroupMembershipSyncEvent(group_email="g@example.com", member_emails=["a@example.com"], **RUN)
    assert group.to_dict() == {
        "type": "group_membership_sync",
        **RUN,
        "group_email": "g@example.com",
        "group_name": None,
        "member_emails": ["a@example.com"],
    }
    gone = PersonDeletedEvent(email="a@example.com", **RUN)
    assert gone.to_dict() == {"type": "person_deleted", **RUN, "email": "a@example.com"}
    person = PersonSyncEvent(person=PersonSyncRecord(email="a@example.com", external_id="7"), **RUN)
    assert person.to_dict()["person"]["external_id"] == "7"


def test_an_unknown_type_is_refused():
    with pytest.raises(InvalidValueError, match="document_moved"):
        DocumentEvent(type="document_moved", document_id="1", **RUN)


def test_answers():
    assert SyncResponse.started().model_dump() == {"status": "started", "message": None}
    assert SyncResponse.error("no").model_dump() == {"status": "error", "message": "no"}
    assert CancelResponse(status="cancelled").status == "cancelled"


@pytest.fixture
def run(omni_manager):
    source = omni_manager.add_source(source_type="web", config={"a": 1})
    with SdkClient(omni_manager.url) as client:
        yield client, client.create_run(source.id, "full"), source.id


def test_calls_block_in_blocking_code(run, omni_manager):
    client, run_id, source_id = run
    content_id = client.extract_and_store_content(run_id, b"some text", "text/plain", "a.txt")
    event = DocumentEvent(
        type="document_created",
        sync_run_id=run_id,
        source_id=source_id,
        document_id="1",
        content_id=content_id,
    )
    client.emit_event(run_id, source_id, event)
    client.increment_scanned(run_id)
    assert omni_manager.run(run_id).documents_scanned == 1
    assert [event.payload["document_id"] for event in omni_manager.events(run_id)] == ["1"]
    assert client.fetch_source_config(source_id)["config"] == {"a": 1}
    client.update_connector_state(source_id, {"seen": 3})
    assert client.fetch_source_sync_data(source_id).connector_state == {"seen": 3}


def test_calls_are_awaited_in_coroutines(run, omni_manager):
    client, run_id, source_id = run

    async def use():
        event = DocumentEvent(
            type="document_deleted", sync_run_id=run_id, source_id=source_id, document_id="1"
        )
        await client.emit_event(run_id, source_id, event)
        await client.increment_scanned(run_id)
        return await client.fetch_source_sync_data(source_id)

    assert asyncio.run(use()).config == {"a": 1}
    assert omni_manager.run(run_id).documents_scanned == 1
