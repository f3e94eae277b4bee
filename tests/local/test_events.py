"""``/sdk/events`` and ``/sdk/events/batch``: decoding, context checks, what is stored."""

import random
import string

import pytest

SHAPE = "Failed to deserialize the JSON body into the target type: "


def test_one_of_each_is_stored_written_out_again(emitter, manager, source, run_id):
    content_id = emitter.content("text")
    emitter.emit(
        emitter.event(
            content_id=content_id,
            metadata={
                "title": "T",
                "created_at": "2026-08-01 12:00:00.500+00:00",
                "unknown": 1,
                "extra": {"b": 1, "a": -0.0},
            },
            unknown="dropped",
        ),
        emitter.event(
            "document_updated", document_id="page-2", content_id=content_id, metadata={}, permissions=None
        ),
        emitter.event("document_deleted", document_id="page-3"),
        emitter.event(
            "group_membership_sync", group_email="eng@example.com", member_emails=["ada@example.com"]
        ),
        emitter.event("person_sync", person={"external_id": "E1", "email": "ada@example.com"}),
        emitter.event("person_deleted", email="bob@example.com"),
    )
    events = manager.events(run_id)
    assert [event.status for event in events] == ["processed"] * 6
    base = {"sync_run_id": run_id, "source_id": source.id}
    assert events[0].payload == {
        **base,
        "type": "document_created",
        "document_id": "page-1",
        "content_id": content_id,
        "metadata": {
            "title": "T",
            "author": None,
            "created_at": "2026-08-01T12:00:00.5Z",
            "updated_at": None,
            "content_type": None,
            "mime_type": None,
            "size": None,
            "url": None,
            "path": None,
            "extra": {"a": 0.0, "b": 1},
        },
        "permissions": {"public": True, "users": [], "groups": []},
        "attributes": None,
    }
    assert events[1].payload["permissions"] is None
    assert events[2].payload == {**base, "type": "document_deleted", "document_id": "page-3"}
    assert events[3].payload["group_name"] is None
    assert len(events[4].payload["person"]) == 25
    assert events[5].payload == {**base, "type": "person_deleted", "email": "bob@example.com"}
    assert [event.type for event in manager.events()] == [event.type for event in events]


def test_a_single_event_goes_the_same_way(api, emitter, manager, source, run_id):
    answer = api.post(
        "/sdk/events", {"sync_run_id": run_id, "source_id": source.id, "event": emitter.event(text="hi")}
    )
    assert answer.json() == {"status": "ok"}
    assert manager.document(source.id, "page-1").content == "hi"


def test_an_empty_batch_renews_activity(emitter, manager, run_id, clock):
    clock.advance(minutes=1)
    emitter.emit()
    assert manager.run(run_id).last_activity_at == clock.moment


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"metadata": {"created_at": "2026-08-01T12:00:00"}},
            "the 'offset hour' component could not be parsed",
        ),
        ({"metadata": {"updated_at": 5}}, "invalid type: integer `5`, expected an RFC3339-formatted"),
        ({"metadata": {"size": 12}}, "invalid type: integer `12`, expected a string"),
        ({"metadata": {"extra": []}}, "invalid type: sequence, expected a map"),
        ({"metadata": None}, "invalid type: null, expected struct DocumentMetadata"),
        ({"permissions": None}, "invalid type: null, expected struct DocumentPermissions"),
        ({"permissions": {"public": True, "users": []}}, "missing field `groups`"),
        (
            {"permissions": {"public": True, "users": None, "groups": []}},
            "invalid type: null, expected a sequence",
        ),
        (
            {"permissions": {"public": 1, "users": [], "groups": []}},
            "invalid type: integer `1`, expected a boolean",
        ),
        ({"content_id": None}, "invalid type: null, expected a string"),
        ({"document_id": 7}, "invalid type: integer `7`, expected a string"),
        ({"attributes": "x"}, 'invalid type: string "x", expected a map'),
    ],
)
def test_one_bad_event_rejects_the_whole_batch_and_is_named(emitter, manager, changes, reason):
    good = emitter.event()
    answer = emitter.send(good, {**good, **changes})
    assert answer.status_code == 422
    assert answer.text.startswith(f"{SHAPE}events[1]: {reason}")
    assert manager.events() == []


@pytest.mark.parametrize("field", ["metadata", "permissions", "content_id", "document_id", "source_id"])
def test_a_missing_field_is_named(emitter, field):
    event = emitter.event()
    del event[field]
    answer = emitter.send(event)
    assert (answer.status_code, f"events[0]: missing field `{field}`" in answer.text) == (422, True)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ("x", 'events[0]: invalid type: string "x", expected internally tagged enum'),
        ({}, "events[0]: missing field `type`"),
        ({"type": 5}, "events[0].type: invalid type: integer `5`, expected variant identifier"),
        (
            {"type": "bogus"},
            "events[0].type: unknown variant `bogus`, expected one of `document_created`, `document_updated`, `document_deleted`, `group_membership_sync`, `person_sync`, `person_deleted`",
        ),
        ({"type": "group_membership_sync", "member_emails": None}, "events[0]: "),
        ({"type": "person_sync", "person": {"external_id": "E"}}, "events[0]: missing field"),
    ],
)
def test_what_is_not_an_event_is_named(emitter, event, reason):
    if isinstance(event, dict):
        event = {"sync_run_id": "r", "source_id": "s", "group_email": "g", **event}
    answer = emitter.send(event)
    assert answer.status_code == 422
    assert answer.text.startswith(SHAPE + reason)


@pytest.mark.parametrize("repeated", ["type", "document_id", "metadata", "title"])
def test_a_repeated_key_is_refused(api, emitter, run_id, source, repeated):
    pieces = {
        "type": '"type": "document_created"',
        "document_id": '"document_id": "1"',
        "metadata": '"metadata": {"title": "T"}',
    }
    body = (
        f'{{"sync_run_id": "{run_id}", "source_id": "{source.id}", "event": {{"sync_run_id": "{run_id}",'
        f' "source_id": "{source.id}", "content_id": "c", "permissions": {{"public": true, "users": [], "groups": []}},'
        f" {', '.join(pieces.values())}}}}}"
    )
    if repeated == "title":
        body = body.replace('{"title": "T"}', '{"title": "T", "title": "U"}')
    else:
        body = body.replace(pieces[repeated], f"{pieces[repeated]}, {pieces[repeated]}")
    answer = api.raw("/sdk/events", body.encode())
    assert (answer.status_code, f"event: duplicate field `{repeated}`" in answer.text) == (422, True)


def refusal(answer):
    return answer.status_code, answer.json()["error"]


def test_context_checks_come_in_their_order(api, manager, emitter, source, run_id):
    event = emitter.event()
    other = manager.add_source(source_type="web")

    def send(envelope_source, envelope_run, *events):
        return refusal(
            api.post(
                "/sdk/events/batch",
                {"sync_run_id": envelope_run, "source_id": envelope_source, "events": list(events)},
            )
        )

    assert send("nowhere", "nothing") == (400, "Unknown event source")
    assert send(source.id, "nothing") == (400, "Unknown sync run")
    assert send(other.id, run_id, event) == (400, "Sync run does not belong to the supplied source")
    mismatch = (400, "Event source_id/sync_run_id does not match the trusted request context")
    assert send(source.id, run_id, event, {**event, "source_id": other.id}) == mismatch
    assert send(source.id, run_id, {**event, "sync_run_id": "x"}) == mismatch
    manager.set_source(source.id, is_active=False)
    assert emitter.send(event).status_code == 200
    api.post(f"/sdk/sync/{run_id}/complete")
    assert send(source.id, run_id) == (400, "Events may only be emitted for a running sync run")
    manager.set_source(source.id, is_deleted=True)
    assert send(source.id, "nothing") == (400, "Events may not be emitted for a deleted source")


@pytest.mark.parametrize(
    "changes",
    [
        {"document_id": "a\0b"},
        {"metadata": {"title": "\0"}},
        {"attributes": {"a": ["\0"]}},
        {"attributes": {"\0": 1}},
    ],
)
def test_u0000_is_a_500_and_nothing_is_stored(emitter, manager, changes):
    good = emitter.event()
    answer = emitter.send(good, {**good, **changes})
    assert refusal(answer) == (
        500,
        "Failed to enqueue event batch: error returned from database: unsupported Unicode escape sequence",
    )
    assert manager.events() == []
    assert list(manager.documents()) == []


def test_text_that_only_looks_like_u0000_is_fine(emitter):
    emitter.emit(emitter.event(attributes={"a": "\\u0000"}))


def test_ids_that_overflow_an_index_are_a_500(emitter):
    long = "".join(random.Random(1).choices(string.ascii_letters + string.digits, k=6000))
    assert emitter.send(emitter.event(content_id=long)).status_code == 500
    assert emitter.send(emitter.event("person_deleted", email=long)).status_code == 500
    assert (
        emitter.send(emitter.event("person_sync", person={"external_id": "E", "email": long})).status_code
        == 500
    )
    assert emitter.send(emitter.event(content_id="a" * 6000)).status_code == 200


def test_u0000_in_the_envelope_is_a_500(api, source):
    body = {"sync_run_id": "\0", "source_id": source.id, "events": []}
    assert api.post("/sdk/events/batch", body).status_code == 500
