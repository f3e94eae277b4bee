"""Every endpoint, its statuses and bodies held against connector.openapi.yaml."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import quote

import pytest
from flask import request
from support.openapi import response_problems
from support.scripted import Holding, Scripted, sync_request

from omni_connector import ActionDefinition, ActionResponse, ManagerUnreachableError, SdkClientError
from omni_connector.local import HttpServer
from omni_connector.server import services
from omni_connector.web import bodies

SYNC = {"sync_run_id": "run-1", "source_id": "source-1", "sync_mode": "full"}
JSON = {"Content-Type": "application/json"}
ACTION = {"action": "ping", "params": {}, "credentials": None, "source": None, "actor_email": None}


class Acting(Scripted):
    sync_modes = ["full", "realtime"]
    actions = [ActionDefinition(name="ping", description="Check.")]
    answer = ActionResponse.success({"pong": True})

    def execute_action(self, action, params, credentials, source=None, actor_email=None):
        self.asked = (action, params, credentials, source, actor_email)
        return self.answer if action == "ping" else ActionResponse.not_supported(action)


@pytest.fixture
def connector():
    return Acting()


@pytest.fixture
def client(make_app, connector):
    return make_app(connector, connector_url="http://me:8000").test_client()


def answer(client, method, path, body=None, *, template=None):
    """Return the status and body of an answer that keeps to the protocol."""
    response = client.open(path, method=method.upper(), json=body) if body is not None else client.open(path)
    assert response.mimetype == "application/json"
    assert response_problems(method, template or path, response.status_code, response.json) == []
    return response.status_code, response.json


def test_health(client):
    assert answer(client, "get", "/health") == (200, {"status": "healthy", "service": "scripted"})


def test_manifest(client):
    status, manifest = answer(client, "get", "/manifest")
    assert (status, manifest["connector_url"]) == (200, "http://me:8000")
    assert manifest["actions"][0]["source_types"] == ["web"]


def test_a_sync_is_started_and_seen_to_run(make_app):
    connector = Holding()
    app = make_app(connector)
    client = app.test_client()
    assert answer(client, "post", "/sync", SYNC) == (200, {"status": "started", "message": None})
    connector.meet()
    template = "/sync/{sync_run_id}"
    assert answer(client, "get", "/sync/run-1", template=template) == (200, {"running": True})
    assert answer(client, "get", "/sync/other", template=template) == (200, {"running": False})
    connector.release.set()


@pytest.mark.parametrize(
    "more",
    [
        {"checkpoint": {"page": 7}, "is_resume": True},
        {"sync_mode": "incremental", "last_sync_at": "2026-08-01T12:00:00.123456Z", "checkpoint": {"c": 1}},
        {"sync_mode": "realtime"},
        {"documents_scanned": 0, "documents_updated": 0, "unknown": [1]},
    ],
)
def test_every_form_of_a_sync_request_is_taken(client, connector, more):
    assert answer(client, "post", "/sync", {**SYNC, **more})[0] == 200
    connector.meet()


def test_a_repeat_is_answered_as_started_and_another_run_conflicts(make_app):
    connector = Holding()
    client = make_app(connector).test_client()
    for _ in range(3):
        assert answer(client, "post", "/sync", SYNC)[0] == 200
    status, body = answer(client, "post", "/sync", {**SYNC, "sync_run_id": "run-2"})
    assert (status, body["status"]) == (409, "error")
    assert body["message"] == "Sync already in progress for this source"
    connector.release.set()


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (SdkClientError("404", status=404), 404, "Source not found: source-1"),
        (SdkClientError("boom", status=500), 500, "Failed to fetch source data: boom"),
        (ManagerUnreachableError("no answer"), 500, "Failed to fetch source data: no answer"),
    ],
)
def test_a_source_that_cannot_be_read_is_answered_as_documented(client, manager, error, status, message):
    manager.on("sync_config", error)
    assert answer(client, "post", "/sync", SYNC) == (
        status,
        {"status": "error", "message": message, "error": message},
    )


def test_a_run_is_cancelled_once(make_app):
    connector = Holding(heeds=True)
    client = make_app(connector).test_client()
    answer(client, "post", "/sync", SYNC)
    connector.meet()
    assert answer(client, "post", "/cancel", {"sync_run_id": "run-1"}) == (200, {"status": "cancelled"})
    assert answer(client, "post", "/cancel", {"sync_run_id": "run-1"}) == (404, {"status": "not_found"})
    assert answer(client, "get", "/sync/run-1", template="/sync/{sync_run_id}") == (200, {"running": False})


def test_an_action_is_given_all_five_keys(client, connector):
    body = {
        **ACTION,
        "params": {"a": 1},
        "credentials": {"id": "c"},
        "source": {"id": "s"},
        "actor_email": "a@b.c",
    }
    status, result = answer(client, "post", "/action", body)
    assert (status, result) == (200, {"status": "success", "result": {"pong": True}, "error": None})
    assert connector.asked == ("ping", {"a": 1}, {"id": "c"}, {"id": "s"}, "a@b.c")


@pytest.mark.parametrize("body", [{"action": "ping"}, ACTION, {**ACTION, "params": None}])
def test_actions_of_every_manager_are_taken(client, body):
    assert answer(client, "post", "/action", body)[0] == 200


def test_an_unknown_action_is_404(client):
    status, body = answer(client, "post", "/action", {**ACTION, "action": "fly"})
    assert (status, body["error"]) == (404, "Action not supported: fly")


@pytest.mark.parametrize("status", [400, 500])
def test_an_action_that_fails_says_so(client, connector, status):
    connector.answer = ActionResponse.failure("Missing 'token' in credentials", status_code=status)
    assert answer(client, "post", "/action", ACTION)[1]["error"] == "Missing 'token' in credentials"


# -- what is malformed ------------------------------------------------------------------------------------------

POSTS = {
    "/sync": SYNC,
    "/cancel": {"sync_run_id": "run-1"},
    "/action": ACTION,
}


def refused(response, status, field):
    """The answer is JSON in the shape of every endpoint, and names the field."""
    assert response.status_code == status, response.text
    assert response.mimetype == "application/json"
    body = response.json
    assert body["status"] == "error"
    assert body["message"] == body["error"]
    assert body["field"] == field
    assert "Traceback" not in response.text
    return body["message"]


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nonsense", b"\xff\xfe", b'{"a": NaN}', b"{'a': 1}", b"[" * 50_000, b'"\\ud800"'],
    ids=["empty", "half", "words", "not utf-8", "nan", "python", "deep", "surrogate"],
)
def test_what_is_not_json_is_400(client, path, body):
    message = refused(client.post(path, data=body, content_type="application/json"), 400, "body")
    assert message.startswith("body: not JSON")


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("body", [None, [], "x", 5, True])
def test_json_that_is_no_object_is_400(client, path, body):
    data = json.dumps(body)
    assert "a JSON object is required" in refused(
        client.post(path, data=data, content_type="application/json"), 400, "body"
    )


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "multipart/form-data; boundary=x", "nonsense", "application/xml"]
)
def test_another_content_type_is_415(client, path, content_type):
    response = client.post(path, data=json.dumps(POSTS[path]), content_type=content_type)
    assert "Content-Type: application/json" in refused(response, 415, "body")


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "application/problem+json", "APPLICATION/JSON"]
)
def test_every_spelling_of_json_is_taken(client, content_type):
    assert client.post("/action", data=json.dumps(ACTION), content_type=content_type).status_code == 200


MISTAKES = [
    ("/sync", {}, "sync_run_id"),
    ("/sync", {"sync_run_id": "r", "source_id": "s"}, "sync_mode"),
    ("/sync", {**SYNC, "sync_run_id": 5}, "sync_run_id"),
    ("/sync", {**SYNC, "sync_run_id": ""}, "sync_run_id"),
    ("/sync", {**SYNC, "source_id": None}, "source_id"),
    ("/sync", {**SYNC, "sync_mode": "partial"}, "sync_mode"),
    ("/sync", {**SYNC, "sync_mode": ["full"]}, "sync_mode"),
    ("/sync", {**SYNC, "last_sync_at": 5}, "last_sync_at"),
    ("/sync", {**SYNC, "is_resume": "yes"}, "is_resume"),
    ("/cancel", {}, "sync_run_id"),
    ("/cancel", {"sync_run_id": ["r"]}, "sync_run_id"),
    ("/action", {}, "action"),
    ("/action", {"action": None}, "action"),
    ("/action", {**ACTION, "actor_email": 5}, "actor_email"),
    ("/action", {**ACTION, "params": [1]}, "params"),
    ("/action", {**ACTION, "params": "text"}, "params"),
    ("/action", {**ACTION, "params": 5}, "params"),
    ("/prompt", {"name": "ask", "arguments": [1]}, "arguments"),
    ("/skill", {"skill_id": "s", "arguments": "text"}, "arguments"),
]


@pytest.mark.parametrize(("path", "body", "field"), MISTAKES)
def test_a_missing_or_mistyped_field_is_400_and_named(client, path, body, field):
    message = refused(client.post(path, json=body), 400, field)
    assert message.startswith(f"{field}: ")


def test_a_body_beyond_the_limit_is_413_and_one_at_it_is_taken(make_app):
    client = make_app(Acting(), max_body_bytes=1000).test_client()
    assert client.post("/action", data=padded(1000), content_type="application/json").status_code == 200
    response = client.post("/action", data=padded(1001), content_type="application/json")
    message = refused(response, 413, "body")
    assert "it has 1,001 bytes, and CONNECTOR_MAX_BODY_BYTES allows 1,000" in message
    assert "checkpoint" in message


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/cancel", 65_536),
        ("/resource", 16_777_216),
        ("/prompt", 16_777_216),
        ("/skill", 16_777_216),
        ("/oauth/credential-ready", 16_777_216),
    ],
)
def test_endpoints_without_a_checkpoint_take_less(client, path, limit):
    response = client.post(path, data=b"x" * (limit + 1), content_type="application/json")
    assert f"{path} takes {limit:,}." in refused(response, 413, "body")
    assert client.post(path, data=b"x" * limit, content_type="application/json").status_code == 400


@pytest.mark.parametrize(
    "path", ["/sync", "/action", "/cancel", "/resource", "/prompt", "/skill", "/oauth/credential-ready"]
)
@pytest.mark.parametrize("depth", [201, 500, 1024, 1025, 9_000])
@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_deep_nesting_is_400(client, path, depth, brackets):
    begin, end = ("[", "]") if brackets == "[]" else ('{"a":', "}")
    for body in (
        begin * depth + "1" + end * depth,
        begin * depth,
        '{"params": ' + begin * depth + "1" + end * depth + "}",
    ):
        response = client.post(path, data=body, content_type="application/json")
        assert response.status_code == 400, response.json
        assert "nested more than 200 levels" in response.json["error"] or "not JSON" in response.json["error"]


def test_what_the_manager_can_store_is_taken_as_deep_as_it_is(client, connector):
    value: object = 1
    for _ in range(127):
        value = {"a": value}
    assert answer(client, "post", "/action", {**ACTION, "params": value})[0] == 200
    assert answer(client, "post", "/sync", {**SYNC, "checkpoint": value})[0] == 200
    connector.meet()


def padded(size):
    """An action's body of that size."""
    body = {**ACTION, "params": {"text": ""}}
    return json.dumps({**body, "params": {"text": "x" * (size - len(json.dumps(body)))}})


def test_a_budget_below_the_limit_of_one_body_limits_each_body(make_app):
    client = make_app(Acting(), max_body_bytes=5_000_000, max_total_body_bytes=2_000_000).test_client()
    assert client.post("/action", data=padded(2_000_000), content_type="application/json").status_code == 200
    response = client.post("/action", data=padded(2_000_001), content_type="application/json")
    assert "CONNECTOR_MAX_TOTAL_BODY_BYTES allows 2,000,000" in refused(response, 413, "body")


def test_large_bodies_share_one_budget_and_small_ones_pass_beside_them(make_app):
    """While an action works with a large body, a second one waits for it; then both are done."""
    entered, release = threading.Event(), threading.Event()

    class Slow(Acting):
        def execute_action(self, action, params, credentials):
            if len(params["text"]) > 1000:
                entered.set()
                assert release.wait(60)
            return ActionResponse.success(len(params["text"]))

    app = make_app(Slow(), max_body_bytes=5_000_000, max_total_body_bytes=5_000_000)
    post = partial(app.test_client().post, "/action", content_type="application/json")
    with ThreadPoolExecutor() as pool:
        first = pool.submit(post, data=padded(4_000_000))
        assert entered.wait(60)
        second = pool.submit(post, data=padded(4_000_000))
        assert post(data=padded(500)).status_code == 200
        assert not second.done()
        release.set()
        assert (first.result(10).status_code, second.result(10).status_code) == (200, 200)


def test_a_body_that_finds_no_room_in_time_is_503_and_names_the_variable(make_app, monkeypatch):
    monkeypatch.setattr(bodies, "WAIT_SECONDS", 0.01)
    entered, release = threading.Event(), threading.Event()

    class Slow(Acting):
        def execute_action(self, action, params, credentials):
            entered.set()
            assert release.wait(60)
            return ActionResponse.success()

    app = make_app(Slow(), max_body_bytes=5_000_000, max_total_body_bytes=5_000_000)
    post = partial(app.test_client().post, "/action", content_type="application/json")
    with ThreadPoolExecutor() as pool:
        first = pool.submit(post, data=padded(4_000_000))
        assert entered.wait(60)
        assert "CONNECTOR_MAX_TOTAL_BODY_BYTES" in refused(post(data=padded(4_000_000)), 503, "body")
        release.set()
        assert first.result(10).status_code == 200
    assert post(data=padded(4_000_000)).status_code == 200  # What was taken was given back.


def test_a_body_that_the_hosting_application_has_read_is_taken(make_app, connector):
    app = make_app(connector)
    app.before_request(lambda: request.get_data() and None)
    assert app.test_client().post("/action", json=ACTION).status_code == 200


def test_tens_of_megabytes_are_normal(client, connector):
    checkpoint = {"seen": "x" * 77_000_000}
    assert client.post("/sync", json={**SYNC, "checkpoint": checkpoint}).status_code == 200
    connector.meet()
    assert connector.syncs[0][2] == checkpoint


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("GET", "/sync", 405), ("DELETE", "/health", 405), ("GET", "/cancel", 405)],
)
def test_other_routes_and_methods_are_answered_in_json(client, method, path, status):
    response = client.open(path, method=method)
    assert (response.status_code, response.mimetype) == (status, "application/json")
    assert f"{method} {path}" in response.json["message"]
    if status == 405:
        assert response.headers["Allow"]


@pytest.mark.parametrize(
    ("path", "body"), [("/resource", {"uri": "a://b"}), ("/prompt", {"name": "ask", "arguments": None})]
)
def test_a_connector_without_an_mcp_server_has_no_resources_and_prompts(client, path, body):
    response = client.post(path, json={**body, "credentials": {}})
    assert (response.status_code, response.json) == (404, {"error": "MCP not enabled for this connector"})
    assert response_problems("post", path, 404, response.json) == []


def test_a_bug_is_answered_without_a_traceback_and_logged_with_it(make_app, caplog):
    class Broken(Scripted):
        @property
        def description(self):
            raise ZeroDivisionError("inner details")

    response = make_app(Broken()).test_client().get("/manifest")
    assert (response.status_code, response.mimetype) == (500, "application/json")
    assert response.json["message"] == "Internal error (ZeroDivisionError); see the log"
    assert "inner details" in caplog.text


def test_a_wrong_manifest_says_what_is_wrong(make_app):
    class Wrong(Scripted):
        sync_modes = ["ful"]

    response = make_app(Wrong()).test_client().get("/manifest")
    assert response.status_code == 500
    assert "ConnectorManifest.sync_modes: ['ful'] cannot be used" in response.json["message"]


def test_odd_ids_are_taken_as_they_are(make_app):
    connector = Holding()
    client = make_app(connector).test_client()
    odd = "run ä%2F?#\n"
    assert client.post("/sync", json={**SYNC, "sync_run_id": odd}).status_code == 200
    connector.meet()
    assert client.get(f"/sync/{quote(odd, safe='')}").json == {"running": True}
    assert client.post("/cancel", json={"sync_run_id": odd}).status_code == 200
    connector.release.set()


def test_the_same_over_a_real_server(make_app):
    import requests

    connector = Holding()
    app = make_app(connector, max_body_bytes=100_000)
    with HttpServer(app, name="test-connector") as server, requests.Session() as session:
        assert session.get(f"{server.url}/health", timeout=60).json()["status"] == "healthy"
        assert session.post(f"{server.url}/sync", json=SYNC, timeout=60).status_code == 200
        assert session.get(f"{server.url}/sync/run-1", timeout=60).json() == {"running": True}
        large = session.post(f"{server.url}/action", data=padded(100_001), headers=JSON, timeout=60)
        assert (large.status_code, large.json()["field"]) == (413, "body")
        chunked = session.post(
            f"{server.url}/cancel",
            data=iter([b'{"sync_run_id":', b'"run-1"}']),
            headers=JSON,
            timeout=10,
        )
        assert chunked.json() == {"status": "cancelled"}
        endless = session.post(
            f"{server.url}/cancel", data=iter([b"x" * 50_000] * 3), headers=JSON, timeout=10
        )
        assert (endless.status_code, endless.json()["field"]) == (413, "body")
        assert "/cancel takes 65,536" in endless.json()["message"]
    connector.release.set()
    assert not services(app)["omni_connector_scripted"].is_running("run-1")


def test_health_answers_while_a_registration_or_an_action_is_in_progress(make_app, manager):
    app = make_app(Scripted())
    client = app.test_client()
    answers = []
    manager.on("sync_config", lambda _: answers.append(app.test_client().get("/health").status_code))
    services(app)["omni_connector_scripted"].start_sync(sync_request())
    assert answers == [200]
    assert client.get("/health").status_code == 200
