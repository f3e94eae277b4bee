"""What becomes of events: documents, their search index, and failures."""

import pytest

from omni_connector.local.store import reading


def titles(manager):
    return {document.external_id: document.title for document in manager.documents()}


def test_an_upsert_fills_a_document(emitter, manager, source, run_id, clock):
    emitter.emit(
        emitter.event(
            text="Hello there",
            metadata={
                "title": "T",
                "url": "https://example.com/1",
                "mime_type": "text/html",
                "size": "1234",
                "extra": {"k": "v"},
            },
            permissions={"public": False, "users": ["ada@example.com"], "groups": ["eng@example.com"]},
            attributes={"status": "open"},
        )
    )
    document = manager.document(source.id, "page-1")
    assert (document.title, document.url, document.content) == ("T", "https://example.com/1", "Hello there")
    assert (document.content_type, document.file_size) == ("text/html", 1234)
    assert document.metadata["extra"] == {"k": "v"}
    assert document.permissions["users"] == ["ada@example.com"]
    assert document.attributes == {"status": "open"}
    assert (document.created_run_id, document.updated_run_id) == (run_id, run_id)
    assert document.created_at == document.updated_at == clock.moment


def test_an_update_keeps_some_values_and_replaces_others(emitter, manager, source, clock):
    emitter.emit(
        emitter.event(
            metadata={
                "title": "T",
                "url": "https://example.com/1",
                "content_type": "text/html",
                "size": "12",
            },
            attributes={"a": 1},
        )
    )
    clock.advance(minutes=1)
    event = emitter.event("document_updated", text="new text", metadata={"size": "1.5", "author": "Ada"})
    del event["permissions"]
    emitter.emit(event)
    document = manager.document(source.id, "page-1")
    assert (document.title, document.content) == ("Untitled", "new text")
    assert (document.url, document.content_type, document.file_size) == (
        "https://example.com/1",
        "text/html",
        12,
    )
    assert document.metadata["author"] == "Ada"
    assert document.metadata["url"] is None
    assert document.attributes == {}
    assert document.permissions is None
    assert document.created_at < document.updated_at


@pytest.mark.parametrize(
    ("size", "stored"), [("-5", -5), ("+7", 7), ("0012", 12), (str(2**63), None), ("12 ", None), ("", None)]
)
def test_a_size_is_kept_only_if_it_is_a_number_of_64_bits(emitter, manager, source, size, stored):
    emitter.emit(emitter.event(metadata={"size": size}))
    document = manager.document(source.id, "page-1")
    assert document.file_size == stored
    assert document.metadata["size"] == (size if stored is None else stored)


def test_an_update_with_an_empty_title_keeps_the_old_one(emitter, manager, source):
    emitter.emit(emitter.event(metadata={"title": ""}))
    assert manager.document(source.id, "page-1").title == ""
    emitter.emit(emitter.event(metadata={"title": "Plan"}))
    emitter.emit(emitter.event("document_updated", metadata={"title": ""}, text="new words"))
    assert manager.document(source.id, "page-1").title == "Plan"
    assert [hit.title for hit in manager.search("plan words")] == ["Plan"]
    emitter.emit(emitter.event("document_updated", metadata={}))
    assert manager.document(source.id, "page-1").title == "Untitled"


def test_the_last_event_of_a_document_wins(emitter, manager):
    emitter.emit(
        emitter.event(document_id="a", metadata={"title": "first"}),
        emitter.event("document_deleted", document_id="a"),
        emitter.event("document_updated", document_id="a", metadata={"title": "last"}),
        emitter.event(document_id="b"),
        emitter.event("document_deleted", document_id="b"),
        emitter.event("document_deleted", document_id="never seen"),
    )
    assert titles(manager) == {"a": "last"}


def test_processed_counts_distinct_documents(emitter, manager, run_id):
    emitter.emit(
        emitter.event(document_id="a"),
        emitter.event(document_id="a"),
        emitter.event("document_deleted", document_id="b"),
    )
    emitter.emit(emitter.event(document_id="a"))
    run = manager.run(run_id)
    assert (run.documents_processed, run.documents_scanned, run.documents_updated) == (3, 0, 0)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"document_id": "x" * 501}, "value too long for type character varying(500)"),
        ({"metadata": {"content_type": "x" * 101}}, "value too long for type character varying(100)"),
        ({"metadata": {"mime_type": "x" * 101}}, "value too long for type character varying(100)"),
        ({"content_id": "unknown"}, "unknown content_id 'unknown'"),
    ],
)
def test_one_unusable_upsert_fails_all_upserts_of_the_batch_but_nothing_else(
    *, api, emitter, manager, run_id, changes, reason
):
    emitter.emit(emitter.event(document_id="gone"))
    emitter.emit(
        emitter.event(document_id="good"),
        emitter.event(**{"document_id": "bad", **changes}),
        emitter.event("document_deleted", document_id="gone"),
    )
    assert titles(manager) == {}
    statuses = [event.status for event in manager.events(run_id)]
    assert statuses == ["processed", "dead_letter", "dead_letter", "processed"]
    assert all(reason in event.error for event in manager.events(run_id)[1:3])
    shown = api.get(f"/local/runs/{run_id}").json()
    assert shown["dead_letter_count"] == 2
    assert reason in shown["dead_letters"][0]["error"]
    assert shown["dead_letters"][1]["payload"]["document_id"].startswith(("bad", "x"))


def test_an_overwritten_unusable_event_does_no_harm(emitter, manager):
    emitter.emit(emitter.event(content_id="unknown"), emitter.event())
    assert titles(manager) == {"page-1": "Page 1"}


def test_500_characters_and_100_characters_are_fine(emitter, manager):
    emitter.emit(emitter.event(document_id="é" * 500, metadata={"content_type": "x" * 100}))
    assert len(titles(manager)) == 1


def test_more_documents_than_one_statement_takes(emitter, manager):
    content_id = emitter.content("text")
    emitter.emit(*(emitter.event(document_id=f"d{n}", content_id=content_id) for n in range(1200)))
    assert len(titles(manager)) == 1200
    emitter.emit(*(emitter.event("document_deleted", document_id=f"d{n}") for n in range(1, 1200)))
    assert titles(manager) == {"d0": "Page 1"}


def test_the_search_index_follows_every_change(emitter, manager):
    def found(query):
        return [hit.external_id for hit in manager.search(query)]

    emitter.emit(emitter.event(document_id="a", text="apples and pears", metadata={"title": "Fruit"}))
    emitter.emit(emitter.event(document_id="b", text="apples and plums"))
    assert sorted(found("apples")) == ["a", "b"]
    emitter.emit(emitter.event(document_id="a", text="cherries", metadata={"title": "Fruit"}))
    assert (found("apples"), found("pears"), found("cherries"), found("fruit")) == (["b"], [], ["a"], ["a"])
    emitter.emit(emitter.event(document_id="a", text="cherries", metadata={"title": "Stones"}))
    assert (found("fruit"), found("stones")) == ([], ["a"])
    emitter.emit(emitter.event("document_deleted", document_id="a"))
    assert (found("cherries"), found("stones"), found("plums")) == ([], [], ["b"])


def test_events_are_applied_although_their_run_ends_right_after(api, emitter, manager, run_id):
    emitter.emit(emitter.event())
    api.post(f"/sdk/sync/{run_id}/fail", {"error": "quota"})
    assert titles(manager) == {"page-1": "Page 1"}


def outcomes(manager, run_id):
    return [event.outcome for event in manager.events(run_id)]


def test_the_queue_says_what_each_event_did(emitter, manager, run_id):
    content_id = emitter.content("text")
    page = emitter.event(content_id=content_id, metadata={"title": "T", "url": "https://example.com"})
    emitter.emit(page)
    emitter.emit({**page, "type": "document_updated"})
    emitter.emit(
        {**page, "metadata": {"title": ""}}
    )  # An empty title and no URL keep what was there; metadata changes.
    emitter.emit(
        {**page, "metadata": {"title": ""}, "permissions": {"public": False, "users": [], "groups": []}}
    )
    emitter.emit(
        {**page, "metadata": {"title": ""}, "permissions": {"public": False, "users": [], "groups": []}}
    )
    emitter.emit(page, emitter.event("document_deleted", document_id="page-1"))
    emitter.emit(emitter.event("document_deleted", document_id="page-1"))
    emitter.emit(page)
    emitter.emit(emitter.event(content_id="unknown"))
    emitter.emit(emitter.event("group_membership_sync", group_email="g@example.com", member_emails=[]))
    assert outcomes(manager, run_id) == [
        "new",
        "unchanged",
        "changed",
        "changed",
        "unchanged",
        "replaced",
        "deleted",
        "absent",
        "new",
        "refused",
        "applied",
    ]


def readers(manager):
    with reading(manager.data_dir) as db:
        rows = db.execute(
            "SELECT external_id, kind, name FROM document_readers JOIN documents USING (number) ORDER BY 1, 2, 3"
        ).fetchall()
    return [tuple(row) for row in rows]


def test_who_may_read_a_document_follows_its_permissions(emitter, manager):
    ann_twice = {
        "public": True,
        "users": ["ann@example.com", "ann@example.com"],
        "groups": ["eng@example.com"],
    }
    emitter.emit(emitter.event(document_id="a", permissions=ann_twice), emitter.event(document_id="b"))
    ann = [("a", "group", "eng@example.com"), ("a", "public", ""), ("a", "user", "ann@example.com")]
    assert readers(manager) == [*ann, ("b", "public", "")]
    emitter.emit(
        emitter.event(
            document_id="a", permissions={"public": False, "users": ["bob@example.com"], "groups": []}
        ),
        emitter.event("document_deleted", document_id="b"),
    )
    assert readers(manager) == [("a", "user", "bob@example.com")]
    without = emitter.event("document_updated", document_id="a")
    del without["permissions"]
    emitter.emit(without)
    assert readers(manager) == []
