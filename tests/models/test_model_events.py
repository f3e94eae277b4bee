"""Events, held against the manager's own schemas and the embedded manager's decoder."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.openapi import problems
from support.properties import deterministic

from omni_connector.exceptions import InvalidDocumentError
from omni_connector.local.event_shapes import decode_event
from omni_connector.local.strict_json import parse_json
from omni_connector.models import Document, DocumentMetadata, DocumentPermissions
from omni_connector.models.codec import decode
from omni_connector.models.events import CREATED, UPDATED, encode_delete, encode_upsert

IDS = {"sync_run_id": "run-1", "source_id": "source-1"}


def upsert(document, kind=CREATED):
    return decode(encode_upsert(kind, document, **IDS).with_content_id("c-1").body)


def doc(**changes):
    return Document(**{"external_id": "1", "title": "T", "content": "text", **changes})


WHOLE = doc(
    metadata=DocumentMetadata(
        title="M",
        author="Ada",
        created_at=dt.datetime(2026, 8, 1, 12, tzinfo=dt.UTC),
        updated_at="2026-08-01T12:00:00.5+02:00",
        content_type="page",
        mime_type="text/html",
        size=12,
        url="https://example.com/1",
        path="a/b",
        extra={"labels": {"b", "a"}},
    ),
    permissions=DocumentPermissions(public=False, users=["ada@example.com"], groups=["eng@example.com"]),
    attributes={"status": "open", "due": dt.date(2026, 9, 1)},
)


def test_a_whole_document_is_written_with_every_field():
    assert upsert(WHOLE) == {
        "type": "document_created",
        "sync_run_id": "run-1",
        "source_id": "source-1",
        "document_id": "1",
        "content_id": "c-1",
        "metadata": {
            "title": "M",
            "author": "Ada",
            "created_at": "2026-08-01T12:00:00+00:00",
            "updated_at": "2026-08-01T12:00:00.500000+02:00",
            "content_type": "page",
            "mime_type": "text/html",
            "size": "12",
            "url": "https://example.com/1",
            "path": "a/b",
            "extra": {"labels": ["a", "b"]},
        },
        "permissions": {"public": False, "users": ["ada@example.com"], "groups": ["eng@example.com"]},
        "attributes": {"status": "open", "due": "2026-09-01"},
    }


def test_a_bare_document_has_metadata_with_both_dates_and_is_private():
    event = upsert(doc())
    assert event["metadata"] == {
        "title": "T",
        "author": None,
        "created_at": None,
        "updated_at": None,
        "content_type": None,
        "mime_type": None,
        "size": None,
        "url": None,
        "path": None,
        "extra": None,
    }
    assert event["permissions"] == {"public": False, "users": [], "groups": []}
    assert event["attributes"] is None


@pytest.mark.parametrize("kind", [CREATED, UPDATED])
@pytest.mark.parametrize("document", [WHOLE, doc()], ids=["whole", "bare"])
def test_documents_keep_to_the_manager_s_schema(kind, document):
    event = upsert(document, kind)
    assert event["type"] == kind
    assert problems("manager", "ConnectorEvent", event) == []


def test_an_update_always_carries_permissions_because_without_them_nobody_would_find_it():
    assert upsert(doc(), UPDATED)["permissions"] == {"public": False, "users": [], "groups": []}


def test_a_deletion_keeps_to_the_manager_s_schema():
    event = decode(encode_delete("1", **IDS).body)
    assert event == {"type": "document_deleted", **IDS, "document_id": "1"}
    assert problems("manager", "ConnectorEvent", event) == []


def test_a_content_id_that_is_known_is_written_at_once():
    event = encode_upsert(CREATED, doc(content=None, content_id="c-9"), **IDS)
    assert decode(event.body)["content_id"] == "c-9"
    assert (event.document_id, event.kind) == ("1", CREATED)


def test_a_content_id_is_escaped_when_it_is_added_later():
    event = encode_upsert(CREATED, doc(), **IDS).with_content_id('a"b\\')
    assert decode(event.body)["content_id"] == 'a"b\\'


def test_a_value_without_json_form_is_refused_with_document_and_path():
    with pytest.raises(InvalidDocumentError) as caught:
        encode_upsert(CREATED, doc(attributes={"raw": [b"x"]}), **IDS)
    assert caught.value.document_id == "1"
    assert caught.value.field == "attributes.raw[0]"
    assert str(caught.value).startswith("Document '1', attributes.raw[0]: b'x' cannot be used; bytes has no")


def test_a_value_without_json_form_in_extra_is_refused_too():
    with pytest.raises(InvalidDocumentError, match=r"metadata\.extra\.f"):
        encode_upsert(CREATED, doc(metadata=DocumentMetadata(extra={"f": object()})), **IDS)


texts = st.text(st.characters(exclude_categories=()), max_size=20)
moments = st.none() | st.datetimes() | st.datetimes(timezones=st.timezones()) | st.dates()
metadatas = st.builds(
    DocumentMetadata,
    title=st.none() | texts,
    author=st.none() | texts,
    created_at=moments,
    updated_at=moments,
    mime_type=st.none() | texts,
    size=st.none() | st.integers(0),
    url=st.none() | texts,
    extra=st.none() | st.dictionaries(texts, texts | st.floats() | st.integers()),
)
permissions = st.builds(
    DocumentPermissions,
    public=st.booleans(),
    users=st.lists(st.emails(), max_size=2),
    groups=st.frozensets(st.text("abc@.D", max_size=5), max_size=2),
)
documents = st.builds(
    Document,
    external_id=st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), min_size=1),
    title=texts,
    content=st.just("text"),
    metadata=st.none() | metadatas,
    permissions=st.none() | permissions,
    attributes=st.none() | st.dictionaries(texts, texts | st.floats() | st.integers() | st.datetimes()),
)


@deterministic(200)
@given(documents, st.sampled_from([CREATED, UPDATED]))
def test_every_document_that_can_be_made_is_taken_by_the_strict_manager(document, kind):
    body = encode_upsert(kind, document, **IDS).with_content_id("c-1").body
    assert problems("manager", "ConnectorEvent", decode(body)) == []
    stored = decode_event(parse_json(body), "events[0]")
    assert stored["document_id"] == document.external_id
