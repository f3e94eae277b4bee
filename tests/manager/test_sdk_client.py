"""Every operation on the wire, held against manager.openapi.yaml."""

from __future__ import annotations

import io
import threading

import pytest
import requests
from support.openapi import request_problems
from support.raw_server import RawServer
from support.scripted_manager import Answer

from omni_connector import (
    ConfigurationError,
    InvalidValueError,
    ManagerUnreachableError,
    SdkClient,
    SdkClientError,
    __version__,
)
from omni_connector.exceptions import MalformedAnswerError, SyncRunEndedError
from omni_connector.manager import Policies, RetryPolicy
from omni_connector.models import ActionDefinition, ConnectorManifest, SyncConfig
from omni_connector.models.events import encode_delete
from omni_connector.models.sync import ABSENT

pytestmark = pytest.mark.usefixtures("quick")

MANIFEST = ConnectorManifest(
    name="notes",
    version="1",
    display_name="Notes",
    sync_modes=["full"],
    source_types=["web"],
    connector_url="http://notes:8000",
    actions=[ActionDefinition(name="ping", description="Check.")],
).to_wire()
CONFIG = {
    "config": {"base_url": "https://example.com"},
    "credentials": {"token": "t0"},
    "connector_state": None,
    "checkpoint": {"cursor": "abc"},
    "source_type": "web",
    "user_filter_mode": "whitelist",
    "user_whitelist": ["ada@example.com"],
    "user_blacklist": None,
}
EVENT = encode_delete("doc-1", sync_run_id="run 1/ä", source_id="s/1").body
RUN, SOURCE = "run 1/ä", "s/1"
RUN_PATH, SOURCE_PATH = "/sdk/sync/run%201%2F%C3%A4", "/sdk/source/s%2F1"

OPERATIONS = [
    (lambda c: c.register(MANIFEST), "POST", "/sdk/register", MANIFEST),
    (lambda c: c.heartbeat(RUN), "POST", f"{RUN_PATH}/heartbeat", {}),
    (lambda c: c.add_scanned(RUN, 5), "POST", f"{RUN_PATH}/scanned", {"count": 5}),
    (lambda c: c.add_updated(RUN, -2), "POST", f"{RUN_PATH}/updated", {"count": -2}),
    (
        lambda c: c.save_checkpoint(RUN, {"page": 7}, source_id=SOURCE),
        "PUT",
        f"{RUN_PATH}/checkpoint",
        {"page": 7},
    ),
    (lambda c: c.save_checkpoint(RUN, None, source_id=SOURCE), "PUT", f"{RUN_PATH}/checkpoint", None),
    (
        lambda c: c.save_connector_state(SOURCE, {"seen": [1]}),
        "PUT",
        f"{SOURCE_PATH}/connector-state",
        {"seen": [1]},
    ),
    (
        lambda c: c.complete(RUN, scanned=3, updated=2, new_state={"a": 1}),
        "POST",
        f"{RUN_PATH}/complete",
        {"documents_scanned": 3, "documents_updated": 2, "new_state": {"a": 1}},
    ),
    (lambda c: c.fail(RUN, "quota exceeded"), "POST", f"{RUN_PATH}/fail", {"error": "quota exceeded"}),
    (
        lambda c: c.send_events(RUN, SOURCE, [EVENT, EVENT]),
        "POST",
        "/sdk/events/batch",
        {
            "sync_run_id": RUN,
            "source_id": SOURCE,
            "events": [
                {"type": "document_deleted", "sync_run_id": RUN, "source_id": SOURCE, "document_id": "doc-1"}
            ]
            * 2,
        },
    ),
    (
        lambda c: c.send_event(RUN, SOURCE, EVENT),
        "POST",
        "/sdk/events",
        {
            "sync_run_id": RUN,
            "source_id": SOURCE,
            "event": {
                "type": "document_deleted",
                "sync_run_id": RUN,
                "source_id": SOURCE,
                "document_id": "doc-1",
            },
        },
    ),
    (lambda c: c.cancel_run(RUN), "POST", "/sdk/sync/cancel", {"sync_run_id": RUN}),
    (
        lambda c: c.send_events(RUN, SOURCE, []),
        "POST",
        "/sdk/events/batch",
        {"sync_run_id": RUN, "source_id": SOURCE, "events": []},
    ),
]


@pytest.mark.parametrize(
    "operation",
    OPERATIONS,
    ids=[f"{method} {path.rpartition('/')[2]} {n}" for n, (_, method, path, _) in enumerate(OPERATIONS)],
)
def test_an_operation_is_sent_as_documented(client, manager, operation):
    call, method, path, body = operation
    manager.otherwise = Answer(200, {"status": "ok", "success": True})
    assert not call(client)
    (request,) = manager.requests
    assert (request.method, request.path, request.json) == (method, path, body)
    assert request.headers["content-type"] == "application/json"
    assert request_problems(method, path, body) == []


def test_content_is_stored_and_its_id_returned(client, manager):
    manager.script(Answer(body={"content_id": "c-1"}))
    assert client.store_content(RUN, "Grüße", "text/plain") == "c-1"
    (request,) = manager.requests
    assert (request.method, request.path) == ("POST", "/sdk/content")
    assert request.json == {"sync_run_id": RUN, "content": "Grüße", "content_type": "text/plain"}
    assert request_problems("POST", "/sdk/content", request.json) == []


def test_the_config_of_a_source_is_read(client, manager):
    manager.script(Answer(body=CONFIG))
    assert client.sync_config(SOURCE) == SyncConfig(**CONFIG)
    (request,) = manager.requests
    assert (request.method, request.path, request.body) == ("GET", f"{SOURCE_PATH}/sync-config", b"")


def test_the_config_of_an_old_manager_is_read(client, manager):
    manager.script(Answer(body={"config": {}, "credentials": {}, "connector_state": {"c": 1}}))
    config = client.sync_config(SOURCE)
    assert (config.checkpoint, config.connector_state) == (ABSENT, {"c": 1})


@pytest.mark.parametrize("body", [[], None, {"config": {}, "credentials": {}, "source_type": 5}])
def test_a_config_of_another_shape_is_an_error_that_names_the_field(client, manager, body):
    manager.script(Answer(body=body))
    with pytest.raises(MalformedAnswerError) as caught:
        client.sync_config(SOURCE)
    assert caught.value.field in {"body", "source_type"}


def test_one_client_uses_its_connection_again(client, manager):
    for _ in range(3):
        client.heartbeat(RUN)
        client.send_events(RUN, SOURCE, [EVENT])
    assert manager.connections <= 2


def test_it_says_who_it_is(client, manager):
    client.heartbeat(RUN)
    assert manager.requests[0].headers["user-agent"] == f"omni-connector-python/{__version__}"


@pytest.mark.parametrize("state", [b"bytes", object(), {"when": b"x"}])
def test_a_checkpoint_without_json_form_is_not_sent(client, manager, state):
    with pytest.raises(InvalidValueError, match="has no JSON form"):
        client.save_checkpoint(RUN, state, source_id=SOURCE)
    with pytest.raises(InvalidValueError, match="has no JSON form"):
        client.save_connector_state(SOURCE, state)
    assert manager.requests == []


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("body", [{}, {"content_id": None}, {"content_id": 5}, [], None, b""])
def test_an_answer_without_content_id_is_an_error(client, manager, body):
    manager.script(Answer(body=body))
    with pytest.raises(SdkClientError, match="no content_id") as caught:
        client.store_content(RUN, "x")
    assert (caught.value.operation, caught.value.status) == ("POST /sdk/content", 200)


NO_SUCCESS = {
    "created": Answer(201, {"status": "ok"}),
    "accepted": Answer(202, {"status": "ok"}),
    "no content": Answer(204, b""),
    "empty": Answer(200, b""),
    "null": Answer(200, b"null"),
    "a list": Answer(200, b"[]"),
    "queued elsewhere": Answer(200, {"status": "queued elsewhere"}),
    "nothing said": Answer(200, {}),
    "no content id": Answer(200, {"content_id": None}),
    "a page": Answer(200, b"<html>Welcome to nginx</html>"),
}
EVERY_CALL = {
    "events": lambda c: c.send_events(RUN, SOURCE, [b"{}"]),
    "event": lambda c: c.send_event(RUN, SOURCE, b"{}"),
    "content": lambda c: c.store_content(RUN, "text"),
    "extract content": lambda c: c.extract_content(RUN, io.BytesIO(b"x"), mime_type="application/pdf"),
    "extract text": lambda c: c.extract_text(RUN, io.BytesIO(b"x"), mime_type="application/pdf"),
    "heartbeat": lambda c: c.heartbeat(RUN),
    "scanned": lambda c: c.add_scanned(RUN, 1),
    "updated": lambda c: c.add_updated(RUN, 1),
    "checkpoint": lambda c: c.save_checkpoint(RUN, {}, source_id=SOURCE),
    "connector state": lambda c: c.save_connector_state(SOURCE, {}),
    "complete": lambda c: c.complete(RUN, scanned=0, updated=0, new_state=None),
    "fail": lambda c: c.fail(RUN, "no"),
    "register": lambda c: c.register({}),
    "create": lambda c: c.create_run(SOURCE),
    "cancel": lambda c: c.cancel_run(RUN),
    "webhook": lambda c: c.notify_webhook(SOURCE, "changed"),
}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("call", EVERY_CALL)
@pytest.mark.parametrize("answer", NO_SUCCESS)
def test_success_is_what_the_protocol_says_and_nothing_else(manager, policies, call, answer):
    manager.otherwise = NO_SUCCESS[answer]
    with SdkClient(manager.url, policies=policies) as client, pytest.raises(MalformedAnswerError) as caught:
        EVERY_CALL[call](client)
    assert caught.value.status == NO_SUCCESS[answer].status


def test_a_success_that_is_none_is_tried_again_like_trouble(client, manager):
    manager.script(Answer(202, b""), Answer(200, b"<html>soon</html>"))
    client.send_events(RUN, SOURCE, [])
    assert len(manager.requests) == 3


def test_a_count_whose_success_is_none_may_have_been_added(client, manager):
    manager.script(Answer(202, b""))
    with pytest.raises(MalformedAnswerError):
        client.add_scanned(RUN, 1)
    assert len(manager.requests) == 1


def test_keys_that_nobody_knows_are_no_error(client, manager):
    manager.script(Answer(200, {"status": "ok", "at": 1}), Answer(200, {"content_id": "c", "bytes": 4}))
    client.send_events(RUN, SOURCE, [])
    assert client.store_content(RUN, "text") == "c"


def test_a_good_answer_that_is_not_json_asks_whether_this_is_the_manager(client, manager):
    manager.otherwise = Answer(200, b"<html>Welcome to nginx</html>")
    for call in (lambda: client.heartbeat(RUN), lambda: client.send_events(RUN, SOURCE, [], patient=False)):
        with pytest.raises(SdkClientError, match="is CONNECTOR_MANAGER_URL the connector-manager") as caught:
            call()
        assert (caught.value.status, caught.value.attempts) == (200, 1)
        assert caught.value.body == "<html>Welcome to nginx</html>"


def test_redirects_are_not_followed(client, manager):
    manager.otherwise = Answer(307, b"", {"Location": manager.url})
    for call in (lambda: client.heartbeat(RUN), lambda: client.send_events(RUN, SOURCE, [])):
        with pytest.raises(SdkClientError) as caught:
            call()
        assert caught.value.status == 307
    assert len(manager.requests) == 2


def test_a_refusal_has_its_facts_as_attributes_and_a_message(client, manager):
    manager.script(Answer(404, {"error": "Source not found"}))
    with pytest.raises(SdkClientError) as caught:
        client.sync_config("s")
    error = caught.value
    assert (error.operation, error.status) == ("GET /sdk/source/s/sync-config", 404)
    assert (error.body, error.attempts) == ('{"error": "Source not found"}', 1)
    assert str(error) == (
        'GET /sdk/source/s/sync-config: the manager answered 404: {"error": "Source not found"}'
    )


def test_an_empty_refusal_says_so_and_a_long_one_is_cut(client, manager):
    manager.script(Answer(403, b""), Answer(422, b"x" * 5000))
    with pytest.raises(SdkClientError, match=r"403: \(empty body\)$"):
        client.heartbeat(RUN)
    with pytest.raises(SdkClientError) as caught:
        client.heartbeat(RUN)
    assert caught.value.body == "x" * 500


def test_a_json_400_on_events_says_that_the_run_is_over(client, manager):
    body = {"error": "Events may only be emitted for a running sync run"}
    manager.script(Answer(400, body))
    with pytest.raises(SyncRunEndedError) as caught:
        client.send_events(RUN, SOURCE, [EVENT])
    error = caught.value
    assert (error.status, error.operation, error.attempts) == (400, "POST /sdk/events/batch", 1)
    assert "running sync run" in error.body


def test_a_text_400_on_events_says_that_the_body_was_not_json(client, manager):
    manager.script(
        Answer(400, b"Failed to parse the request body as JSON: EOF", {"Content-Type": "text/plain"})
    )
    with pytest.raises(SdkClientError) as caught:
        client.send_events(RUN, SOURCE, [EVENT])
    assert not isinstance(caught.value, SyncRunEndedError)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "url", ["", "localhost:8090", "ftp://manager", "http://", "http://host:port", "http://[::1"]
)
def test_an_address_that_is_none_is_refused_at_once(url):
    with pytest.raises(ConfigurationError, match="not an http or https address"):
        SdkClient(url)


def test_a_path_before_the_endpoints_and_trailing_slashes_are_honoured(manager):
    with SdkClient(f"{manager.url}/base//") as client:
        client.heartbeat("r")
        client.send_events("r", "s", [])
    assert [request.path for request in manager.requests] == [
        "/base/sdk/sync/r/heartbeat",
        "/base/sdk/events/batch",
    ]


def test_headers_of_a_session_are_sent(manager):
    with requests.Session() as session:
        session.headers["X-Tenant"] = "acme"
        session.trust_env = False
        with SdkClient(manager.url, session=session) as client:
            client.heartbeat("r")
            client.send_events("r", "s", [])
    assert [request.headers["x-tenant"] for request in manager.requests] == ["acme", "acme"]


def test_a_session_that_was_handed_in_stays_open(manager):
    closed = []

    class Session(requests.Session):
        def close(self):
            closed.append(True)
            super().close()

    with Session() as session:
        SdkClient(manager.url, session=session).close()
        assert closed == []
    assert closed == [True]


def test_one_that_is_its_own_is_closed_and_closing_twice_is_fine(manager):
    client = SdkClient(manager.url)
    client.heartbeat("r")
    client.send_events("r", "s", [])
    client.close()
    client.close()
    assert not any(thread.name.startswith("omni") for thread in threading.enumerate())
    with pytest.raises(SdkClientError, match="closed"):
        client.send_events("r", "s", [])


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("call", ["events", "content"])
def test_an_overloaded_manager_halves_the_uploads_at_once(client, manager, status, call):
    before = client._sender.means.uploads.limit
    manager.script(Answer(status, b"", {"Retry-After": "0"}))
    manager.otherwise = Answer(200, {"status": "ok", "content_id": "c"})
    EVERY_CALL[call](client)
    assert client._sender.means.uploads.limit == before // 2


# -- progress ---------------------------------------------------------------------------------------------------

PROGRESS_EVENT = (
    b'data: {"sync_run_id":"r","source_id":"s","status":"running","documents_scanned":12,'
    b'"documents_processed":8,"documents_updated":3}\n\n'
)


def test_progress_is_the_first_event_of_the_stream(client, manager):
    manager.script(Answer(200, b": keep-alive\n\n" + PROGRESS_EVENT + PROGRESS_EVENT.replace(b"12", b"99")))
    progress = client.progress("r/1")
    assert manager.requests[0].path == "/sync/r%2F1/progress"
    assert (progress.status, progress.documents_scanned, progress.documents_updated) == ("running", 12, 3)


def test_progress_of_an_unknown_run_is_none(client, manager):
    manager.script(Answer(200, b""))
    assert client.progress("r") is None


def test_progress_that_is_refused_is_an_error(client, manager):
    manager.script(Answer(404, b""))
    with pytest.raises(SdkClientError) as caught:
        client.progress("r")
    assert caught.value.status == 404


def test_progress_without_an_event_is_given_up_although_the_manager_goes_on_talking():
    def script(connection):
        assert connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        while True:
            connection.sendall(b": keep-alive\n\n")
            threading.Event().wait(0.02)

    policies = Policies(answering=RetryPolicy(attempts=1, total_seconds=0.2, is_deadline=True))
    with (
        RawServer(script) as server,
        SdkClient(server.url, policies=policies) as client,
        pytest.raises(ManagerUnreachableError, match="/progress"),
    ):
        client.progress("r")
