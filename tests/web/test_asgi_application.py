"""The application is one for ASGI servers as well: called as one, or made one by ``as_asgi``."""

from __future__ import annotations

import asyncio
import sys
import threading

import httpx
import pytest
from flask import Flask, Response, stream_with_context
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from support.existing_connector import ExistingConnector
from support.scripted import WAIT, Scripted, sync_request

from omni_connector import ConfigurationError, Settings
from omni_connector.server import as_asgi, create_app, create_blueprint, services
from omni_connector.web import asgi as room

ACTION = {"action": "fetch", "params": {}, "credentials": {}}


@pytest.fixture
def ended():
    """Let the server of an application end; whoever calls it by hand leaves its threads."""
    applications = []
    yield lambda app: applications.append(app) or app
    for app in applications:
        with TestClient(app):
            """It starts and ends."""


def acting(method):
    return type("Acting", (Scripted,), {"execute_action": method})()


@pytest.fixture
def mounted(manager, owning):
    """A Flask application of somebody's own, with a connector in it."""

    def make(connector):
        app = Flask("own")
        settings = Settings(manager_url="http://manager")
        app.register_blueprint(
            create_blueprint(connector, settings=settings, manager=manager, register=False),
            url_prefix="/mine",
        )
        return owning(app)

    return make


@pytest.fixture(params=["called", "wrapped"])
def make_asgi(request, make_app):
    """Both ways to an ASGI application."""

    def make(connector):
        app = make_app(connector)
        return app if request.param == "called" else as_asgi(app)

    return make


def test_an_asgi_test_client_sees_the_protocol(make_asgi):
    connector = Scripted()
    with TestClient(make_asgi(connector)) as client:
        assert client.get("/health").json() == {"status": "healthy", "service": "scripted"}
        assert client.get("/manifest").json()["name"] == "scripted"
        assert client.get("/ready").json()["status"] == "ready"
        assert 'omni_connector_manager_up{connector="scripted"}' not in client.get("/metrics").text
        assert 'endpoint="/manifest"' in client.get("/metrics").text
        started = client.post("/sync", json={"sync_run_id": "r", "source_id": "s", "sync_mode": "full"})
        assert (started.status_code, started.json()["status"]) == (200, "started")
        connector.meet()
        assert client.post("/cancel", json={"sync_run_id": "other"}).status_code == 404
        assert client.get("/nowhere").status_code == 404
        assert client.put("/sync").status_code == 405
        assert client.post("/sync", content=b"{").status_code == 415


def test_without_a_lifespan_it_serves_as_well(make_app, ended):
    client = TestClient(ended(make_app(Scripted())))
    assert client.get("/health").status_code == 200


def test_the_shutdown_of_the_server_closes_the_services(make_app):
    app = make_app(Scripted())
    (service,) = services(app).values()
    for _ in range(2):  # A second life of a closed application ends as quietly.
        with TestClient(app) as client:
            assert client.get("/health").status_code == 200
        service.start_sync(sync_request())
        assert service.connector.syncs == []
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("omni-request")] == []


def test_it_is_a_wsgi_application_all_the_same(make_app):
    app = make_app(Scripted())
    assert app.test_client().get("/health").status_code == 200
    answered = []
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": "/health", "SERVER_NAME": "x", "SERVER_PORT": "80",
        "wsgi.url_scheme": "http", "wsgi.input": None,
    }  # fmt: skip
    chunks = app(
        environ=environ, start_response=lambda status, headers, exc_info=None: answered.append(status)
    )
    assert b"healthy" in b"".join(chunks)
    chunks.close()
    assert answered == ["200 OK"]


def test_it_is_no_factory(make_app):
    """uvicorn asks every application, and takes for a factory what raises no TypeError."""
    with pytest.raises(TypeError):
        make_app(Scripted())()


def test_connectors_in_an_application_of_ones_own_are_served(mounted):
    with TestClient(as_asgi(mounted(Scripted()))) as client:
        assert client.get("/mine/health").json()["service"] == "scripted"


def test_a_chunked_body_is_read(make_asgi, ended):
    app = ended(make_asgi(acting(lambda self, action, params, credentials: {"got": params})))

    async def body():
        yield b'{"action": "a", "params": {"x":'
        await asyncio.sleep(0)
        yield b' "\xc3\xa4"}}'

    async def use():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            headers = {"content-type": "application/json"}
            return await client.post("/action", content=body(), headers=headers)

    assert asyncio.run(use()).json() == {"got": {"x": "ä"}}


def test_what_an_action_answers_passes_whole(make_asgi, ended):
    def action(self, action, params, credentials):
        response = Response(bytes(range(256)), status=206, mimetype="application/x-own")
        response.headers["X-File-Name"] = "grün ✓.bin"
        response.headers.add("Set-Cookie", "a=1")
        response.headers.add("Set-Cookie", "b=2")
        return response

    app = ended(make_asgi(acting(action)))

    async def use():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.post("/action", json=ACTION)

    answer = asyncio.run(use())
    assert (answer.status_code, answer.headers["content-type"]) == (206, "application/x-own")
    assert answer.content == bytes(range(256))
    (name,) = [value for key, value in answer.headers.raw if key == b"x-file-name"]
    assert name.decode() == "grün ✓.bin"
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]


def test_a_stream_passes_chunk_by_chunk(make_asgi, ended):
    """The second chunk is made only after the first has reached the server."""
    arrived = threading.Event()

    def action(self, action, params, credentials):
        def chunks():
            yield b"one"
            assert arrived.wait(WAIT), "the first chunk was held back"
            yield b"two"

        return Response(stream_with_context(chunks()))

    app = ended(make_asgi(acting(action)))
    received = []

    async def use():
        body = b'{"action": "x"}'
        requests = iter([{"type": "http.request", "body": body}])

        async def receive():
            return next(requests)

        async def send(message):
            received.append(message)
            if message.get("body") == b"one":
                arrived.set()

        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": "/action",
            "query_string": b"", "headers": headers,
        }  # fmt: skip
        await app(scope, receive, send)

    asyncio.run(use())
    assert b"".join(message.get("body", b"") for message in received) == b"onetwo"


def test_health_answers_while_many_actions_run(make_app):
    release = threading.Event()
    running = threading.Semaphore(0)
    actions = room.THREADS * 3 // 4

    def action(self, action, params, credentials):
        running.release()
        assert release.wait(WAIT)
        return {}

    app = as_asgi(make_app(acting(action)))

    async def use():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=WAIT) as client:
            long = [asyncio.ensure_future(client.post("/action", json=ACTION)) for _ in range(actions)]
            for _ in range(actions):
                assert await asyncio.to_thread(running.acquire, timeout=WAIT)
            health = await client.get("/health")
            assert not any(one.done() for one in long)
            release.set()
            return health.status_code, {answer.status_code for answer in await asyncio.gather(*long)}

    try:
        with TestClient(app):  # Its end closes the pool of threads.
            assert asyncio.run(use()) == (200, {200})
    finally:
        release.set()


def test_a_websocket_is_closed(make_app):
    with TestClient(make_app(Scripted())) as client, pytest.raises(WebSocketDisconnect) as caught:
        client.websocket_connect("/health").__enter__()
    assert caught.value.code == 1000


# -- without the extra -------------------------------------------------------------------------------------------


@pytest.fixture
def no_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "a2wsgi", None)


MESSAGE = r"needs a2wsgi\. Type: pip install 'omni-connector\[asgi\]'"


def test_without_the_extra_there_is_one_clear_error(no_extra, make_app):
    app = make_app(Scripted())
    with pytest.raises(ConfigurationError, match=MESSAGE):
        as_asgi(app)
    assert app.test_client().get("/health").status_code == 200, "WSGI needs no extra"


def test_without_the_extra_an_asgi_server_does_not_start(no_extra, make_app):
    with pytest.raises(ConfigurationError, match=MESSAGE):
        TestClient(make_app(Scripted())).get("/health")
    told = []

    async def live():
        async def receive():
            return {"type": "lifespan.startup"}

        async def send(message):
            told.append(message)

        await make_app(Scripted())({"type": "lifespan"}, receive, send)

    asyncio.run(live())
    assert told[0]["type"] == "lifespan.startup.failed"
    assert "pip install 'omni-connector[asgi]'" in told[0]["message"]


# -- an existing connector ---------------------------------------------------------------------------------------


def test_an_existing_connector_answers_its_asgi_test_client(manager, owning):
    settings = Settings(manager_url="http://manager")
    app = owning(create_app(ExistingConnector(), settings=settings, manager=manager, register=False))
    with TestClient(app) as client:
        manifest = client.get("/manifest").json()
        assert {action["name"]: action["admin_only"] for action in manifest["actions"]}["export"] is True
        answers = {
            name: client.post("/action", json={**ACTION, "action": name, "params": {"text": "one two"}})
            for name in ("count", "refuse", "export", "stream", "else")
        }
    assert answers["count"].json() == {"status": "success", "result": {"words": 2}, "error": None}
    assert (answers["refuse"].status_code, answers["refuse"].json()["error"]) == (
        401,
        "Missing 'token' in credentials",
    )
    assert (answers["export"].text, answers["export"].headers["x-file-name"]) == ("a,b\n", "a.csv")
    assert answers["stream"].text == "line 0\nline 1\nline 2\n"
    assert (answers["else"].status_code, answers["else"].json()["error"]) == (
        404,
        "Action not supported: else",
    )
