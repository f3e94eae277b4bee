"""A manager that ticks by hand, a connector that answers as told, and a clock that stands still."""

from __future__ import annotations

import threading

import pytest
from flask import Flask, Response, request
from support.local_manager import QUICK, Api, StillClock, manifest
from support.ports import free_port

from omni_connector.local import HttpServer, LocalManager


class FakeConnector:
    """A connector whose answers are functions or values by path; it remembers what it was asked."""

    def __init__(self):
        self.calls = []
        self.answers = {
            "/health": {"status": "healthy"},
            "/sync": {"status": "started"},
            "/cancel": {"status": "cancelled"},
            "/status": {"running": True},
        }
        app = Flask("fake-connector")
        app.add_url_rule("/<path:path>", view_func=self._serve, methods=["GET", "POST"])
        self._server = HttpServer(app, threads=4, name="fake-connector")
        self._lock = threading.Lock()

    def _serve(self, path):
        body = request.get_json(silent=True)
        with self._lock:
            self.calls.append((request.method, f"/{path}", body))
        key = "/status" if request.method == "GET" and path.startswith("sync/") else f"/{path}"
        answer = self.answers.get(key, ({"error": f"no {key}"}, 404))
        if callable(answer):
            answer = answer(body)
        if isinstance(answer, Response):
            return answer
        return answer

    def bodies(self, path):
        return [body for _, called, body in self.calls if called == path]

    def __enter__(self):
        self._server.start()
        self.url = self._server.url
        return self

    def __exit__(self, *_):
        self._server.close()


@pytest.fixture
def clock():
    return StillClock()


@pytest.fixture
def settings():
    return QUICK


@pytest.fixture
def manager(tmp_path, clock, settings):
    with LocalManager(tmp_path / "data", settings=settings, clock=clock, schedule=False) as manager:
        yield manager


@pytest.fixture
def connector():
    with FakeConnector() as connector:
        yield connector


@pytest.fixture
def api(manager):
    api = Api(manager.url)
    yield api
    api.close()


@pytest.fixture
def register(api, connector):
    """Registers the fake connector; keyword arguments change its manifest."""

    def register(**changes):
        answer = api.post("/sdk/register", manifest(connector.url, **changes))
        assert answer.status_code == 200, answer.text

    return register


@pytest.fixture
def source(manager):
    return manager.add_source(source_type="web", config={"base_url": "https://example.com"}, credentials={})


@pytest.fixture
def run_id(api, source):
    """A running full run that no connector was asked for."""
    answer = api.post("/sdk/sync/create", {"source_id": source.id, "sync_type": "full"})
    return answer.json()["sync_run_id"]


class Emitter:
    """Stores contents and sends events of one run."""

    def __init__(self, api, source_id, run_id):
        self._api = api
        self.source_id = source_id
        self.run_id = run_id

    def content(self, text):
        answer = self._api.post("/sdk/content", {"sync_run_id": self.run_id, "content": text})
        assert answer.status_code == 200, answer.text
        return answer.json()["content_id"]

    def event(self, kind="document_created", **fields):
        event = {"type": kind, "sync_run_id": self.run_id, "source_id": self.source_id}
        if kind in {"document_created", "document_updated"}:
            event |= {
                "document_id": "page-1",
                "metadata": {"title": "Page 1"},
                "permissions": {"public": True, "users": [], "groups": []},
            }
            if "content_id" not in fields:
                fields = {**fields, "content_id": self.content(fields.pop("text", "some text"))}
        return {**event, **fields}

    def send(self, *events):
        return self._api.post(
            "/sdk/events/batch",
            {"sync_run_id": self.run_id, "source_id": self.source_id, "events": list(events)},
        )

    def emit(self, *events):
        answer = self.send(*events)
        assert (answer.status_code, answer.text) == (200, '{"status":"ok"}')


@pytest.fixture
def emitter(api, source, run_id):
    return Emitter(api, source.id, run_id)


@pytest.fixture
def unused_url():
    """An address at which nobody listens."""
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def running(manager, register, source):
    """Return the id of a run in progress."""
    register()
    return manager.trigger(source.id)
