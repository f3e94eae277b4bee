"""``GET /ready``: registered, manager and run store; ``/health`` stays well whatever it says."""

from __future__ import annotations

import threading

import pytest
from flask import Flask
from support.raw_server import RawServer
from support.scripted import Scripted
from support.switchable_store import SwitchableStore
from support.waiting import eventually

from omni_connector import ManagerUnreachableError, SdkClientError, Settings
from omni_connector.exceptions import UnsupportedByManagerError
from omni_connector.manager import SdkClient
from omni_connector.runstore.memory import MemoryStore
from omni_connector.runstore.runs import SharedRuns
from omni_connector.runtime import readiness
from omni_connector.runtime.service import ConnectorService
from omni_connector.server import create_app, create_blueprint
from omni_connector.testing import MemoryManager
from omni_connector.web.blueprint import build_blueprint

URL = "http://me:8000"


@pytest.fixture(autouse=True)
def anew(monkeypatch):
    """Let each request find out."""
    monkeypatch.setattr(readiness, "FRESH_SECONDS", 0.0)


@pytest.fixture
def start(owning):
    def start(manager, url=URL, **more):
        settings = Settings(manager_url="http://manager", connector_url=url)
        return owning(create_app(Scripted(), settings=settings, manager=manager, **more)).test_client()

    return start


def ready(client):
    found = client.get("/ready")
    assert found.mimetype == "application/json"
    assert found.status_code == (200 if found.json["status"] == "ready" else 503)
    assert client.get("/health").status_code == 200
    return found.json


def test_ready_once_it_is_registered(start, manager):
    client = start(manager)
    eventually(lambda: ready(client)["status"] == "ready")
    assert ready(client) == {
        "status": "ready",
        "checks": {
            "registration": {"ok": True, "detail": "registered"},
            "manager": {"ok": True, "detail": "answers"},
            "run store": {"ok": True, "detail": "can be used"},
        },
        "reasons": [],
    }


class Refusing(MemoryManager):
    """Fails as the test wants."""

    def __init__(self, error):
        super().__init__()
        self.error = error
        self.tried = threading.Event()

    def register(self, manifest):
        self.tried.set()
        raise self.error

    def ping(self):
        if isinstance(self.error, ManagerUnreachableError):
            raise self.error


def test_says_why_it_is_not_registered(start):
    error = SdkClientError("POST /sdk/register: refused (400)", operation="POST /sdk/register", status=400)
    manager = Refusing(error)
    client = start(manager)
    assert manager.tried.wait(60)
    reason = "registration: POST /sdk/register: refused (400)"
    eventually(lambda: ready(client)["reasons"] == [reason])


def test_says_that_the_manager_is_away(start):
    manager = Refusing(ManagerUnreachableError("no answer from http://manager", operation="GET /health"))
    client = start(manager)
    assert manager.tried.wait(60)
    wanted = [f"{check}: no answer from http://manager" for check in ("registration", "manager")]
    eventually(lambda: ready(client)["reasons"] == wanted)


def test_a_manager_that_takes_no_registrations_is_no_reason(start):
    manager = Refusing(UnsupportedByManagerError("too old", operation="POST /sdk/register", status=404))
    client = start(manager)
    eventually(lambda: ready(client)["checks"]["registration"]["detail"] == "not needed: too old")
    assert ready(client)["status"] == "ready"


def test_without_an_address_it_says_what_to_set(start, manager):
    reasons = ready(start(manager, url=None))["reasons"]
    assert len(reasons) == 1
    assert "CONNECTOR_HOST_NAME" in reasons[0]


def test_an_application_that_asked_for_no_registration_is_ready(start, manager):
    assert ready(start(manager, register=False))["status"] == "ready"


def test_a_mounted_connector_has_it_under_its_prefix(manager, owning):
    app = Flask("host")
    settings = Settings(manager_url="http://manager", connector_url=URL)
    app.register_blueprint(
        create_blueprint(Scripted(), settings=settings, manager=manager), url_prefix="/one"
    )
    client = owning(app).test_client()
    eventually(lambda: client.get("/one/ready").status_code == 200)
    assert client.get("/ready").status_code == 404


def test_a_process_that_ends_is_not_ready(start, manager):
    client = start(manager)
    eventually(lambda: ready(client)["status"] == "ready")
    (service,) = client.application.extensions["omni_connector"].values()
    service.drain()
    assert ready(client)["reasons"] == ["registration: the process ends"]


def test_says_that_the_run_store_is_away(manager):
    store = SwitchableStore(MemoryStore())
    shared = SharedRuns.of(store)
    service = ConnectorService(Scripted(), Settings(manager_url="http://manager"), manager, shared=shared)
    app = Flask("host")
    app.register_blueprint(build_blueprint(service))
    store.is_away = True
    reasons = ready(app.test_client())["reasons"]
    store.is_away = False
    service.close()
    assert reasons == ["run store: The run store is away"]


def test_a_manager_that_accepts_and_never_answers_does_not_hold_it_up(owning):
    def say_nothing(connection):
        connection.recv(65536)
        connection.recv(65536)

    with RawServer(*[say_nothing] * 8) as server:
        settings = Settings(manager_url=server.url)
        manager = SdkClient.of(settings)
        app = owning(create_app(Scripted(), settings=settings, manager=manager, register=False))
        found = ready(app.test_client())
        assert len(found["reasons"]) == 1
        assert found["reasons"][0].startswith("manager: ")
        manager.close()
