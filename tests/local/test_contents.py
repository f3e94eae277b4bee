import re

import pytest
from attrs import evolve
from support.local_manager import QUICK

from omni_connector.local.contents import TRUNCATION_MARKER, cut, normalised


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("a\r\nb\rc", "a\nb\nc"),
        ("a\u200bb\u200cc\u200dd\ufeffe\u00adf", "abcdef"),
        ("a\x00b\x07c\x7fd\x85e\x9ff", "abcdef"),
        ("a \t\u00a0 b\tc\u00a0d", "a b c d"),
        ("a \u200b b", "a  b"),
        ("  a  \n\u2003b\u3000\n c", "a\nb\nc"),
        ("a\n\n\n\nb\n\nc", "a\n\nb\n\nc"),
        ("a\n \n\t\nb", "a\n\nb"),
        ("\n\n a \n\n", "a"),
        ("", ""),
        ("\u2028a\u2028b", "a\u2028b"),
    ],
)
def test_texts_are_tidied_before_they_are_stored(given, stored):
    assert normalised(given) == stored


def test_a_text_is_cut_at_a_character_boundary_and_marked():
    limit = len(TRUNCATION_MARKER) + 5
    assert cut("ä" * (limit // 2), limit) == "ä" * (limit // 2)
    result = cut("ä" * limit, limit)
    assert result == "ää" + TRUNCATION_MARKER
    assert len(result.encode()) <= limit


def test_a_limit_without_room_for_the_marker_just_cuts():
    assert cut("a" * 100, 10) == "a" * 10
    assert cut("a" * 100, len(TRUNCATION_MARKER)) == "a" * len(TRUNCATION_MARKER)


def test_content_gets_a_ulid_and_the_same_text_the_same_one(api, run_id):
    first = api.post(
        "/sdk/content", {"sync_run_id": run_id, "content": "Hello \t there\x00", "content_type": "x"}
    )
    second = api.post(
        "/sdk/content", {"sync_run_id": "unknown", "content": "Hello there\n", "content_type": None}
    )
    assert re.fullmatch("[0-9A-HJKMNP-TV-Z]{26}", first.json()["content_id"])
    assert second.json() == first.json()
    assert api.post("/sdk/content", {"sync_run_id": run_id, "content": ""}).json() != first.json()


def test_content_renews_the_activity_of_a_running_run_only(api, manager, run_id, clock):
    clock.advance(minutes=5)
    api.post("/sdk/content", {"sync_run_id": run_id, "content": "x"})
    assert manager.run(run_id).last_activity_at == clock.moment
    api.post(f"/sdk/sync/{run_id}/complete")
    before = manager.run(run_id)
    clock.advance(minutes=5)
    assert api.post("/sdk/content", {"sync_run_id": run_id, "content": "y"}).status_code == 200
    assert manager.run(run_id) == before


def test_the_run_id_of_content_cannot_hold_u0000(api):
    assert api.post("/sdk/content", {"sync_run_id": "\0", "content": "x"}).status_code == 500


@pytest.mark.parametrize(
    "body", [{"content": "x"}, {"sync_run_id": "x"}, {"sync_run_id": "x", "content": None}]
)
def test_content_without_its_fields_is_refused(api, body):
    assert api.post("/sdk/content", body).status_code == 422


@pytest.fixture
def settings(request):
    return evolve(QUICK, max_extracted_text_bytes=getattr(request, "param", 5_242_880))


@pytest.mark.parametrize("settings", [200], indirect=True)
def test_stored_text_is_cut_to_the_limit(emitter, manager):
    emitter.emit(emitter.event(text="word " * 100))
    (document,) = manager.documents()
    assert len(document.content.encode()) <= 200
    assert document.content.endswith(TRUNCATION_MARKER)


def test_contents_that_nothing_refers_to_go_after_a_week(emitter, manager, clock):
    kept = emitter.content("kept")
    orphan = emitter.content("orphan")
    emitter.emit(emitter.event(content_id=kept))
    clock.advance(hours=6)
    manager.tick()
    assert emitter.content("orphan") == orphan  # Asked for again: no longer marked.
    clock.advance(days=8)
    manager.tick()
    clock.advance(days=8)
    manager.tick()
    assert emitter.content("kept") == kept
    assert emitter.content("orphan") != orphan
