import pytest
from attrs import evolve
from flask import Response
from support.local_manager import QUICK

FETCH = {
    "name": "fetch",
    "description": "Fetch.",
    "input_schema": {},
    "mode": "read",
    "source_types": ["web"],
}
WRITE = {**FETCH, "name": "write", "mode": "write"}
ADMIN = {**FETCH, "name": "admin", "admin_only": True}
BARE = {**FETCH, "name": "bare", "source_types": []}
HIDDEN = {**FETCH, "name": "hidden", "hidden": True}
ALL = [FETCH, WRITE, ADMIN, BARE, HIDDEN]


@pytest.fixture
def settings(request):
    return evolve(QUICK, **getattr(request, "param", {}))


@pytest.fixture
def offered(register, connector):
    connector.answers["/action"] = {"status": "success", "result": 1}
    register(actions=ALL)


def execute(api, **request):
    answer = api.post("/action", request)
    return answer.status_code, answer.json().get("error")


def test_stored_credentials_resolve_params_and_send_the_whole_story(
    *, api, manager, connector, offered, emitter, source
):
    emitter.emit(emitter.event(document_id="provider-id-1"))
    document = manager.document(source.id, "provider-id-1")
    user = manager.add_user("ada@example.com")
    answer = api.post(
        "/action",
        {
            "source_id": source.id,
            "user_id": user.id,
            "action": "fetch",
            "params": {"document_id": document.id, "file_id": "x", "own": 1},
        },
    )
    assert answer.json() == {"status": "success", "result": 1}
    (body,) = connector.bodies("/action")
    assert body["params"] == {"file_id": "provider-id-1", "own": 1, "base_url": "https://example.com"}
    assert body["credentials"]["credentials"] == {}
    assert body["credentials"]["created_at"].startswith("+002026")
    assert body["source"]["id"] == source.id
    assert body["actor_email"] == "ada@example.com"
    assert set(body) == {"action", "params", "credentials", "source", "actor_email"}


@pytest.mark.parametrize(
    ("params", "sent"),
    [
        (None, {"base_url": "https://example.com"}),
        ({"file_id": "unknown"}, {"file_id": "unknown", "base_url": "https://example.com"}),
        ({"document_id": 5}, {"document_id": 5, "base_url": "https://example.com"}),
        ({"base_url": "mine"}, {"base_url": "mine"}),
        ([1], [1]),
    ],
)
def test_params_are_merged_with_the_config(*, api, connector, offered, source, params, sent):
    assert execute(api, source_id=source.id, action="fetch", params=params) == (200, None)
    assert connector.bodies("/action")[0]["params"] == sent
    assert connector.bodies("/action")[0]["actor_email"] is None


def test_the_connectors_answer_is_passed_on_whole(api, connector, offered, source):
    connector.answers["/action"] = lambda _: Response(
        b"\x00\xffbytes",
        418,
        {
            "Content-Type": "application/x-thing",
            "Content-Disposition": "attachment; filename*=UTF-8''%C3%A9",
            "X-Twice": "1",
            "Trailer": "gone",
        },
    )
    answer = api.post("/action", {"source_id": source.id, "action": "fetch"})
    assert (answer.status_code, answer.content) == (418, b"\x00\xffbytes")
    assert answer.headers["content-type"] == "application/x-thing"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''%C3%A9"
    assert answer.headers["x-twice"] == "1"
    assert "trailer" not in answer.headers


def test_checks_for_stored_credentials_come_in_their_order(api, manager, connector, register, source):
    source_id = source.id
    assert execute(api, action="fetch", source_type="web", source_id=source_id) == (
        400,
        "source_type is only valid with transient_credentials",
    )
    assert execute(api, action="fetch") == (400, "source_id is required")
    assert execute(api, action="fetch", source_id="") == (400, "source_id is required")
    assert execute(api, action="fetch", source_id="unknown") == (404, "Source not found: unknown")
    assert execute(api, action="fetch", source_id=source_id) == (
        404,
        "Connector not registered for type: Web",
    )
    register(actions=ALL)
    assert execute(api, action="nope", source_id=source_id) == (
        400,
        "Unknown action 'nope' for source type Web",
    )
    assert execute(api, action="bare", source_id=source_id) == (
        400,
        "Action 'bare' does not support source type Web",
    )
    manager.set_source(source_id, config={"read_only": True})
    assert execute(api, action="write", source_id=source_id) == (
        400,
        "Action 'write' is not allowed: source is read-only",
    )
    bare = manager.add_source(source_type="web")
    assert execute(api, action="fetch", source_id=bare.id, user_id="unknown") == (
        404,
        f"Credentials not found for source: {bare.id}",
    )
    assert execute(api, action="fetch", source_id=source_id, user_id="unknown") == (
        404,
        "User not found: unknown",
    )
    guest = manager.add_user("guest@example.com", is_admin=False)
    assert execute(api, action="admin", source_id=source_id, user_id=guest.id) == (
        400,
        "Action 'admin' requires admin privileges",
    )
    connector.answers["/action"] = {"status": "success"}
    assert execute(api, action="admin", source_id=source_id) == (200, None)
    assert execute(api, action="hidden", source_id=source_id) == (200, None)
    register(actions=ALL, read_only=True)
    manager.set_source(source_id, config={})
    assert execute(api, action="write", source_id=source_id)[0] == 400


def test_an_unreachable_connector_is_a_500(api, connector, offered, source, unused_url):
    connector.answers["/action"] = lambda _: Response(status=307, headers={"Location": unused_url})
    status, error = execute(api, action="fetch", source_id=source.id)
    assert (status, error) == (500, f"Request failed: error sending request for url ({connector.url}/action)")


def test_endless_redirects_are_a_500(api, connector, offered, source):
    connector.answers["/action"] = lambda _: Response(status=307, headers={"Location": "/action"})
    status, error = execute(api, action="fetch", source_id=source.id)
    assert (status, error) == (
        500,
        f"Request failed: error following redirect for url ({connector.url}/action)",
    )
    assert len(connector.bodies("/action")) == 11


def test_303_is_repeated_as_get(api, connector, offered, source):
    connector.answers["/action"] = lambda _: Response(status=303, headers={"Location": "/elsewhere"})
    connector.answers["/elsewhere"] = {"status": "success"}
    assert execute(api, action="fetch", source_id=source.id) == (200, None)
    assert connector.calls[-1] == ("GET", "/elsewhere", None)


def sent_credentials(api, connector, source, user_id=None, action="fetch"):
    assert execute(api, action=action, source_id=source.id, user_id=user_id) == (200, None)
    return connector.bodies("/action")[-1]["credentials"]


def test_which_credential_is_used(api, manager, connector, offered):
    source = manager.add_source(
        source_type="web", credentials={"client_id": "c", "access_token": "org", "shared": "org"}
    )
    manager.add_credential(
        source.id, {"client_id": "c", "access_token": "org", "shared": "org"}, config={"a": 1, "b": 1}
    )
    ada = manager.add_user("ada@example.com")
    assert sent_credentials(api, connector, source, ada.id)["credentials"]["access_token"] == "org"
    manager.add_credential(
        source.id, {"refresh_token": "r", "shared": "own"}, user_id=ada.id, config={"b": 2}
    )
    merged = sent_credentials(api, connector, source, ada.id)
    assert merged["credentials"] == {"client_id": "c", "refresh_token": "r", "shared": "own"}
    assert (merged["config"], merged["user_id"]) == ({"a": 1, "b": 2}, ada.id)
    assert sent_credentials(api, connector, source)["user_id"] is None
    assert sent_credentials(api, connector, source, ada.id, "admin")["user_id"] is None
    personal = manager.add_source(
        source_type="web", scope="user", owner_email="ada@example.com", credentials=["own"]
    )
    assert execute(api, action="fetch", source_id=personal.id)[0] == 404
    assert sent_credentials(api, connector, personal, ada.id)["credentials"] == ["own"]
    manager.add_credential(personal.id, {"org": 1})
    assert sent_credentials(api, connector, personal, ada.id)["credentials"] == ["own"]


def test_a_user_without_an_account_of_a_connector_with_oauth_must_connect_first(
    api, manager, register, source
):
    register(actions=ALL, oauth={"provider": "google"})
    user = manager.add_user("ada@example.com")
    answer = api.post("/action", {"action": "fetch", "source_id": source.id, "user_id": user.id})
    assert answer.status_code == 412
    assert answer.json() == {
        "error": "needs_user_auth",
        "source_id": source.id,
        "source_type": "web",
        "provider": "remote_mcp",
        "oauth_start_url": f"/api/oauth/start?source_id={source.id}",
    }


@pytest.mark.parametrize("settings", [{}, {"allow_custom_source_types": False}], indirect=True)
def test_actions_of_custom_types_are_a_leniency(api, manager, connector, register, settings):
    connector.answers["/action"] = {"status": "success"}
    source = manager.add_source(source_type="web", credentials={})
    with manager._services.store.transaction() as db:
        db.execute("UPDATE sources SET source_type = 'acme'")
    register(actions=[BARE], source_types=["acme"])
    expected = (200, None) if settings.allow_custom_source_types else (500, "unknown source type: acme")
    assert execute(api, action="bare", source_id=source.id) == expected


TRANSIENT = {"provider": "google", "auth_type": "jwt", "credentials": {"key": "k"}}


def test_transient_credentials_go_to_the_connector_as_they_are(api, manager, connector, offered):
    user = manager.add_user("ada@example.com")
    request = {
        "action": "fetch",
        "source_type": "web",
        "user_id": user.id,
        "transient_credentials": TRANSIENT,
    }
    assert execute(api, **request, params={"document_id": "x"}) == (200, None)
    body = connector.bodies("/action")[0]
    now = "+002026-08-01T12:00:00.123456000Z"
    assert body == {
        "action": "fetch",
        "params": {"document_id": "x"},
        "credentials": {
            "id": "transient",
            "source_id": "transient",
            "user_id": user.id,
            **TRANSIENT,
            "principal_email": None,
            "config": None,
            "expires_at": None,
            "last_validated_at": None,
            "created_at": now,
            "updated_at": now,
        },
        "source": None,
        "actor_email": "ada@example.com",
    }
    assert execute(api, **request) == (200, None)
    assert connector.bodies("/action")[1]["params"] == {}


def test_checks_for_transient_credentials_come_in_their_order(api, manager, register):
    def transient(**request):
        return execute(
            api, transient_credentials=TRANSIENT, **{"action": "fetch", "source_type": "web", **request}
        )

    assert transient(source_type=None) == (
        400,
        "source_type is required when transient_credentials are provided",
    )
    assert transient(source_id="x") == (
        400,
        "source_id must not be set when transient_credentials are provided",
    )
    assert transient(source_type="google_drive") == (404, "Connector not registered for type: GoogleDrive")
    register(actions=ALL)
    assert transient(action="nope") == (400, "Unknown action 'nope' for source type Web")
    assert transient(action="bare") == (400, "Action 'bare' does not support source type Web")
    assert transient(action="write") == (400, "Transient action 'write' must be read-only")
    assert transient() == (400, "user_id is required in transient mode")
    assert transient(user_id="unknown") == (404, "User not found: unknown")
    guest = manager.add_user("guest@example.com", is_admin=False)
    assert transient(user_id=guest.id, action="admin") == (400, "Action 'admin' requires admin privileges")


@pytest.mark.parametrize(
    ("request_body", "text"),
    [
        ({}, "missing field `action`"),
        ({"action": "x", "source_type": "acme"}, "source_type: unknown variant `acme`"),
        (
            {"action": "x", "transient_credentials": {**TRANSIENT, "extra": 1}},
            "transient_credentials.extra: unknown field `extra`, expected one of `auth_type`, `config`",
        ),
        (
            {"action": "x", "transient_credentials": {**TRANSIENT, "provider": "acme"}},
            "unknown variant `acme`",
        ),
    ],
)
def test_action_requests_are_decoded_strictly(api, request_body, text):
    answer = api.post("/action", request_body)
    assert (answer.status_code, text in answer.text) == (422, True), answer.text
