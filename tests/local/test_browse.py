"""The queries of the console and the commands, on what a manager has stored through its endpoints."""

import pytest

from omni_connector.local import browse

PRIVATE = {"public": False, "users": [], "groups": []}


@pytest.fixture
def db(manager):
    with browse.reading(manager.data_dir) as db:
        yield db


def group(emitter, email, *members):
    return emitter.event("group_membership_sync", group_email=email, member_emails=list(members))


def ids(page):
    return [item.external_id for item in page.items]


@pytest.fixture
def filled(emitter, api, source):
    """Two runs: the first brings a to d, of which d is refused; the second changes a, deletes b and leaves c as it is."""
    kept = emitter.event(document_id="c", text="same")
    emitter.emit(emitter.event(document_id="a"), emitter.event(document_id="b"), kept)
    emitter.emit(emitter.event(document_id="d", content_id="unknown", metadata={"title": "Damaged"}))
    api.post(f"/sdk/sync/{emitter.run_id}/complete")
    first = emitter.run_id
    emitter.run_id = api.post("/sdk/sync/create", {"source_id": source.id, "sync_type": "full"}).json()[
        "sync_run_id"
    ]
    emitter.emit(
        emitter.event(document_id="a", text="new text"), emitter.event("document_deleted", document_id="b")
    )
    emitter.emit({**kept, "sync_run_id": emitter.run_id})
    return first, emitter.run_id


def test_runs_say_what_they_did_and_what_was_before(filled, db, source):
    page = browse.list_runs(db, source.id, limit=1)
    (second,) = page.items
    (first,) = browse.list_runs(db, source.id, before=page.next).items
    assert (first.id, second.id) == filled
    assert first.counts == browse.RunCounts(new=3, refused=1)
    assert second.counts == browse.RunCounts(changed=1, deleted=1, unchanged=1)
    assert (first.duration_seconds, second.source_name) == (0.0, source.name)
    assert browse.run_before(db, second.run) == first
    assert browse.run_before(db, first.run) is None
    assert browse.find_run(db, "none") is None


FILTERS = [
    ({}, ["a", "c"]),
    ({"change": "changed"}, ["a"]),
    ({"change": "deleted"}, ["b"]),
    ({"change": "new"}, []),
    ({"change": "new", "run": 0}, ["a", "b", "c"]),
    ({"run": 0}, ["a", "b", "c", "d"]),
    ({"run": 1, "public": True}, ["a", "c"]),
    ({"has_errors": True}, ["d"]),
    ({"has_errors": True, "public": True}, []),
    ({"source_id": "other"}, []),
    ({"public": False}, []),
    ({"group": "eng@example.com"}, []),
]


def test_documents_are_filtered_counted_and_paged(filled, db):
    for case, found in FILTERS:
        wanted = dict(case)
        if "run" in wanted:
            wanted["run_id"] = filled[wanted.pop("run")]
        wanted = browse.DocumentFilter(**wanted)
        assert ids(browse.list_documents(db, wanted)) == found, case
        assert browse.count_documents(db, wanted) == browse.Count(len(found)), case
        seen, after = [], 0
        while after is not None:
            page = browse.list_documents(db, wanted, after=after, limit=1)
            seen += ids(page)
            after = page.next
        assert seen == found, case


def test_a_document_that_is_accepted_later_has_no_errors(filled, emitter, db):
    emitter.emit(emitter.event(document_id="d"))
    assert ids(browse.list_documents(db, browse.DocumentFilter(has_errors=True))) == []


def test_a_document_its_history_and_the_errors(filled, db, source):
    document = browse.find_document(db, source.id, "a", characters=3)
    assert (document.content, document.content_length, document.is_cut) == ("new", 8, True)
    assert (document.item.outcome, document.item.run_id, document.created_run_id) == (
        "changed",
        *reversed(filled),
    )
    assert browse.document_text(db, source.id, "a") == "new text"
    history = browse.list_history(db, source.id, "b")
    assert [(event.outcome, event.run_id) for event in history.items] == [
        ("deleted", filled[1]),
        ("new", filled[0]),
    ]
    assert browse.find_document(db, source.id, "b") is None
    for scope in ({}, {"source_id": source.id}, {"run_id": filled[0]}):
        (error,) = browse.list_errors(db, **scope).items
        assert (error.subject, error.run_id) == ("d", filled[0])
        assert "unknown content_id" in error.error
    assert browse.list_errors(db, run_id=filled[1]).items == ()
    (refused,) = browse.find_documents(db, "d")
    assert (refused.title, refused.is_indexed, refused.outcome) == ("Damaged", False, "refused")


def test_sources_show_their_runs_and_no_secret(manager, db):
    secrets = {"token": "abcd-1234", "nested": [{"pin": "98765"}]}
    source = manager.add_source(
        source_type="web",
        name="S",
        config={"url": "u", "password": "p4ss", "pin": "98765"},
        credentials=secrets,
    )
    manager.set_source(
        source.id, checkpoint={"page": 3}, connector_state={"access_token": "x", "notes": ["abcd-1234"]}
    )
    (summary,) = browse.list_sources(db)
    assert summary.source.config == {"url": "u", "password": "(not shown)", "pin": "(not shown)"}
    assert summary.source.checkpoint == {"page": 3}
    assert summary.source.connector_state == {"access_token": "(not shown)", "notes": ["(not shown)"]}
    assert (summary.documents, summary.last_run, summary.next_run_at) == (0, None, None)


def test_a_source_is_due_its_interval_after_the_last_run(emitter, manager, db, api, source, clock):
    manager.set_source(source.id, sync_interval_seconds=60)
    assert browse.find_source(db, source.id).next_run_at is None, "a run is in progress"
    api.post(f"/sdk/sync/{emitter.run_id}/complete")
    ended = clock.now()
    assert (browse.find_source(db, source.id).next_run_at - ended).total_seconds() == 60
    manager.set_source(source.id, is_active=False)
    assert browse.find_source(db, source.id).next_run_at is None


CASES = {
    "public": ({"public": True}, "It is public"),
    "user": ({"users": ["ann@example.com"]}, "name the user ann@example.com"),
    "domain": ({"groups": ["example.com"]}, "name the domain example.com"),
    "group": ({"groups": ["eng@example.com"]}, "of which ann@example.com is a member"),
    "case": ({"users": ["Ann@Example.com"]}, "write ann@example.com"),
    "misplaced domain": ({"users": ["example.com"]}, "a domain belongs in permissions.groups"),
    "misplaced person": ({"groups": ["ann@example.com"]}, "a person belongs in permissions.users"),
    "other case of a group": ({"groups": ["Eng@example.com"]}, "write eng@example.com"),
    "unknown group": ({"groups": ["ops@example.com"]}, "ops@example.com, which is unknown"),
    "empty group": ({"groups": ["empty@example.com"]}, "has no members"),
    "other group": ({"groups": ["hr@example.com"]}, "which has 1 member, but not ann@example.com."),
    "other domain": ({"groups": ["example.org"]}, "the address is at example.com"),
    "others": ({"users": ["bob@example.com", "cy@example.com"]}, "2 other users"),
    "no one": ({}, "no user and no group"),
    "no permissions": (None, "Send permissions with every update"),
}
FOUND = ["public", "user", "domain", "group"]


@pytest.fixture
def permitted(emitter):
    emitter.emit(
        # Membership is the one comparison that ignores case.
        group(emitter, "eng@example.com", "ANN@example.com"),
        group(emitter, "hr@example.com", "bob@example.com"),
        group(emitter, "empty@example.com"),
    )
    emitter.emit(*[emitter.event(document_id=key, text="word") for key in CASES])
    emitter.emit(
        *[
            emitter.event(
                "document_updated",
                document_id=key,
                text="word",
                permissions=None if case is None else {**PRIVATE, **case},
            )
            for key, (case, _) in CASES.items()
        ]
    )


def test_a_person_finds_the_same_in_lists_searches_and_explanations(permitted, manager, db, source):
    access = browse.Access.of(db, " Ann@example.com")
    wanted = browse.DocumentFilter(access=access)
    assert ids(browse.list_documents(db, wanted)) == FOUND
    assert browse.count_documents(db, wanted).number == 4
    assert {hit.external_id for hit in manager.search("word", person="Ann@example.com")} == set(FOUND)
    assert ids(browse.list_withheld(db, access)) == [key for key in CASES if key not in FOUND]
    for key, (_, sentence) in CASES.items():
        verdict = browse.explain(db, source.id, key, "ann@example.com")
        assert verdict.finds_it == (key in FOUND), key
        assert sentence in " ".join(verdict.reasons + verdict.obstacles), key
    assert ids(browse.list_documents(db, browse.DocumentFilter(access=access, group="eng@example.com"))) == [
        "group"
    ]
    assert ids(browse.list_documents(db, browse.DocumentFilter(access=access, public=False))) == FOUND[1:]


def test_missing_documents_and_deleted_sources_are_explained(permitted, emitter, manager, db, source):
    def obstacle(document_id):
        (text,) = browse.explain(db, source.id, document_id, "ann@example.com").obstacles
        return text

    emitter.emit(emitter.event("document_deleted", document_id="user"))
    emitter.emit(emitter.event(document_id="bad", content_id="unknown"))
    assert "It is deleted" in obstacle("user")
    assert "refused and is not indexed: unknown content_id" in obstacle("bad")
    assert "No event has named" in obstacle("never")
    manager.set_source(source.id, is_deleted=True)
    assert "Its source is deleted" in obstacle("public")
    access = browse.Access.of(db, "ann@example.com")
    assert ids(browse.list_documents(db, browse.DocumentFilter(access=access))) == []
    assert "public" in ids(browse.list_withheld(db, access))


@pytest.mark.parametrize("text", ["Übersetzung", "übersetzung", "ÜBER"])
def test_groups_are_found_by_name_in_any_case(emitter, db, text):
    emitter.emit(
        emitter.event(
            "group_membership_sync", group_email="t@example.com", group_name="Übersetzung", member_emails=[]
        )
    )
    assert [item.email for item in browse.list_groups(db, text).items] == ["t@example.com"]


def test_groups_and_people_with_their_documents(permitted, emitter, db, source):
    emitter.emit(
        emitter.event(
            "person_sync", person={"email": "Zoe@example.com", "external_id": "7", "display_name": "Zoe Z."}
        )
    )
    first = browse.list_groups(db, limit=2)
    assert [(item.email, item.members, item.documents.number) for item in first.items] == [
        ("empty@example.com", 0, 1),
        ("eng@example.com", 1, 1),
    ]
    assert [item.email for item in browse.list_groups(db, after=first.next).items] == ["hr@example.com"]
    assert [item.email for item in browse.list_groups(db, " ENG@").items] == ["eng@example.com"]
    assert browse.find_group(db, source.id, "eng@example.com")[1] == ("ANN@example.com",)
    assert browse.find_group(db, source.id, "no") is None
    people = {item.email: item for item in browse.list_people(db).items}
    assert list(people) == ["ann@example.com", "bob@example.com", "zoe@example.com"]
    ann = people["ann@example.com"]
    assert (ann.groups, ann.documents.number) == (("eng@example.com",), 3)
    assert people["zoe@example.com"].name == "Zoe Z."
    assert browse.known_addresses(db, "BOB") == ["bob@example.com"]


def test_counting_ends(monkeypatch, permitted, db):
    monkeypatch.setattr(browse.pages, "COUNT_LIMIT", 3)
    assert str(browse.count_documents(db, browse.DocumentFilter())) == "more than 3"
