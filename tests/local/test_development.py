"""The endpoints under ``/local/``."""

import pytest


def refusal(answer):
    return answer.status_code, answer.json()["error"]


def test_sources_are_added_listed_and_changed(api, manager):
    body = {
        "source_type": "web",
        "source_id": "my-source",
        "name": "Docs",
        "config": {"a": 1},
        "credentials": {},
    }
    row = api.post("/local/sources", body).json()
    assert (row["id"], row["name"], row["config"]) == ("my-source", "Docs", {"a": 1})
    assert api.get("/local/sources").json() == [row]
    changes = {"is_active": False, "sync_interval_seconds": 60, "checkpoint": None, "config": {"b": 2}}
    row = api("PATCH", "/local/sources/my-source", json=changes).json()
    assert (row["is_active"], row["sync_interval_seconds"], row["config"]) == (False, 60, {"b": 2})
    assert manager.source("my-source").has_checkpoint


@pytest.mark.parametrize(
    ("method", "path", "body", "text"),
    [
        ("POST", "/local/sources", {}, "missing field `source_type`"),
        ("POST", "/local/sources", {"source_type": "web", "intervall": 5}, "unknown field `intervall`"),
        ("POST", "/local/sources", {"source_type": "web", "config": []}, "config: invalid type: sequence"),
        ("POST", "/local/users", {"mail": "a@b.c"}, "unknown field `mail`"),
        ("POST", "/local/credentials", {"source_id": "x"}, "missing field `credentials`"),
        ("PATCH", "/local/sources/x", {"is_activ": True}, "unknown field `is_activ`, expected one of `name`"),
        ("PATCH", "/local/sources/x", {"is_active": 1}, "is_active: invalid type: integer `1`"),
        ("PATCH", "/local/sources/x", [], "invalid type: sequence, expected a map"),
    ],
)
def test_typing_errors_are_named(api, method, path, body, text):
    answer = api(method, path, json=body)
    assert (answer.status_code, text in answer.text) == (422, True), answer.text


def test_an_unknown_source_cannot_be_changed(api):
    assert refusal(api("PATCH", "/local/sources/x", json={})) == (404, "Source not found: x")
    assert refusal(api.post("/local/sources/x/reset", {})) == (404, "Source not found: x")


def test_a_source_forgets_its_states(api, manager, source):
    manager.set_source(source.id, checkpoint={"page": 1}, connector_state={"token": "t"})
    row = api.post(f"/local/sources/{source.id}/reset", {}).json()
    assert (row["checkpoint"], row["connector_state"]) == (None, {"token": "t"})
    row = api.post(f"/local/sources/{source.id}/reset", {"connector_state": True}).json()
    assert row["connector_state"] is None
    assert not manager.source(source.id).has_checkpoint


def test_people_connect_accounts_of_their_own(api, manager, source):
    user = api.post("/local/users", {"email": "ann@example.com", "is_admin": False}).json()
    assert (user["email"], user["is_admin"]) == ("ann@example.com", False)
    assert api.post("/local/users", {"email": "ann@example.com"}).json() == user
    account = {
        "source_id": source.id,
        "user_id": user["id"],
        "credentials": {"token": "t"},
        "auth_type": "oauth",
    }
    stored = api.post("/local/credentials", account).json()
    assert (stored["user_id"], stored["auth_type"], stored["credentials"]) == (user["id"], "oauth", None)
    api.post("/local/credentials", {"source_id": source.id, "credentials": {"token": "of all"}})
    assert api.get(f"/sdk/credentials/{source.id}").json()["credentials"] == {"token": "of all"}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"source_id": "nowhere"}, "Source not found: nowhere"),
        ({"user_id": "nobody"}, "User not found: nobody"),
    ],
)
def test_credentials_belong_to_what_is_known(api, source, given, text):
    body = {"source_id": source.id, "credentials": {}, **given}
    assert refusal(api.post("/local/credentials", body)) == (404, text)


def test_documents_are_listed_page_by_page(api, emitter, source):
    emitter.emit(*(emitter.event(document_id=f"dir/{n}", text=f"text {n}") for n in range(3)))
    page = api.get("/local/documents", params={"source_id": source.id, "limit": 2}).json()["documents"]
    assert [document["external_id"] for document in page] == ["dir/0", "dir/1"]
    assert page[0]["content"] == "text 0"
    assert page[0]["created_at"] == "2026-08-01T12:00:00.123456+00:00"
    rest = api.get("/local/documents", params={"after": page[-1]["id"]}).json()["documents"]
    assert [document["external_id"] for document in rest] == ["dir/2"]
    assert api.get("/local/documents", params={"source_id": "other"}).json() == {"documents": []}
    for path in ("dir/1", "dir%2F1"):
        assert api.get(f"/local/documents/{source.id}/{path}").json()["content"] == "text 1"
    assert refusal(api.get(f"/local/documents/{source.id}/nope")) == (404, "Document not found: nope")


@pytest.mark.parametrize("limit", ["x", "-1", "10001", "1.5", "\u0661"])
def test_a_limit_is_a_small_number(api, limit):
    status, error = refusal(api.get("/local/documents", params={"limit": limit}))
    assert (status, error) == (400, f"limit must be a number from 0 to 10000, not {limit!r}")


def test_search(api, emitter):
    emitter.emit(emitter.event(text="hello world"))
    (hit,) = api.get("/local/search", params={"q": "world"}).json()["hits"]
    assert (hit["external_id"], hit["snippet"], hit["highlights"]) == ("page-1", "hello world", [[6, 11]])
    assert api.get("/local/search").json() == {"hits": []}


def test_a_search_finds_what_a_person_may_find(api, emitter):
    permissions = {"public": False, "users": ["ann@example.com"], "groups": []}
    emitter.emit(emitter.event(text="hello world", permissions=permissions))
    for person, count in (("ann@example.com", 1), ("bob@example.com", 0)):
        hits = api.get("/local/search", params={"q": "world", "person": person}).json()["hits"]
        assert len(hits) == count, person


def test_runs_are_listed_and_shown(api, manager, source, run_id):
    api.put(f"/sdk/sync/{run_id}/checkpoint", {"a": 1})
    (listed,) = api.get("/local/runs", params={"source_id": source.id}).json()["runs"]
    shown = api.get(f"/local/runs/{run_id}").json()
    assert shown == {**listed, "dead_letter_count": 0, "dead_letters": []}
    assert shown["checkpoint"] == {"a": 1}
    assert api.get("/local/runs").json() == {"runs": []}
    assert refusal(api.get("/local/runs/unknown")) == (404, "Sync run not found: unknown")


def test_a_tick_by_hand(api, manager, register):
    source = manager.add_source(source_type="web", sync_interval_seconds=60)
    register()
    assert api.post("/local/tick").json() == {"status": "ok"}
    assert len(manager.runs(source.id)) == 1
