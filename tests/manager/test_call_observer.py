"""What an observer learns of requests: endpoints without ids, statuses, repeats, sizes."""

from __future__ import annotations

import re
import threading

import pytest
from support.openapi import document
from support.ports import free_port
from support.scripted_manager import HANG, Answer

from omni_connector import ManagerUnreachableError, SdkClient, SdkClientError
from omni_connector.manager import endpoints
from omni_connector.manager.calls import Call
from omni_connector.models.codec import encode

STORED = Answer(200, {"content_id": "c1"})


class Observer:
    def __init__(self):
        self.attempts = []
        self.repeats = []
        self.failures = []

    def attempted(self, endpoint, status, seconds, size):
        assert 0 <= seconds < 60
        self.attempts.append((endpoint, status, size))

    def repeated(self, endpoint, reason):
        self.repeats.append((endpoint, reason))

    def failed(self, endpoint, reason):
        self.failures.append((endpoint, reason))


@pytest.fixture
def observer():
    return Observer()


@pytest.fixture
def client(manager, observer, policies):
    with SdkClient(manager.url, policies=policies) as client:
        client.observe(observer)
        yield client


def test_a_call_that_succeeds(manager, client, observer):
    manager.script(Answer())
    client.for_run(threading.Event()).heartbeat("run-1")
    assert observer.attempts == [("/sdk/sync/{id}/heartbeat", "200", 2)]
    assert observer.repeats == observer.failures == []


def test_an_upload_in_the_background(manager, client, observer):
    manager.script(STORED)
    text = encode("text")
    assert client.upload_text("run-1", text).result() == "c1"
    ((endpoint, status, size),) = observer.attempts
    assert (endpoint, status) == ("/sdk/content", "200")
    assert size == len(manager.requests[0].body)


@pytest.mark.usefixtures("quick")
def test_a_call_that_is_repeated(manager, client, observer):
    manager.script(Answer(503), Answer(500), STORED)
    client.upload_text("run-1", encode("text")).result()
    assert [status for _, status, _ in observer.attempts] == ["503", "500", "200"]
    assert observer.repeats == [("/sdk/content", "503"), ("/sdk/content", "500")]
    assert observer.failures == []


def test_a_call_that_is_refused(manager, client, observer):
    manager.script(Answer(404, {"error": "no such source"}))
    with pytest.raises(SdkClientError):
        client.source("source-1")
    assert observer.attempts == [("/sdk/source/{id}", "404", 0)]
    assert observer.failures == [("/sdk/source/{id}", "404")]


def test_a_manager_that_is_away(observer):
    with SdkClient(f"http://127.0.0.1:{free_port()}") as client:
        client.observe(observer)
        with pytest.raises(ManagerUnreachableError):
            client.ping()
    assert observer.attempts == [("/health", "unreachable", 0)]
    assert observer.failures == [("/health", "unreachable")]


def test_a_run_that_is_stopped_is_no_failure_of_the_manager(manager, client, observer):
    manager.script(HANG)
    stop = threading.Event()
    run = client.for_run(stop)
    upload = run.upload_text("run-1", encode("text"))
    manager.wait_for(1)
    stop.set()
    run.abort()
    assert upload.exception() is not None
    client.ping()
    assert [status for _, status, _ in observer.attempts if status != "200"] == []
    assert observer.failures == []


def test_every_endpoint_is_named_as_its_document_names_it():
    made = [
        endpoints.heartbeat("a/b"),
        endpoints.count("scanned", "r", 1),
        endpoints.checkpoint("r", {}),
        endpoints.complete("create", scanned=1, updated=1, new_state=None),
        endpoints.fail("r", ""),
        endpoints.progress("r"),
        endpoints.create_run("s", "full"),
        endpoints.cancel_run("r"),
        endpoints.register({}),
        endpoints.source("s"),
        endpoints.sync_config("s"),
        endpoints.connector_state("s", {}),
        endpoints.user_email("s"),
        endpoints.credentials("s"),
        endpoints.sources_by_type("web"),
        endpoints.connector_config("google"),
        endpoints.webhook("s", "changed"),
        endpoints.event("r", "s", b"{}", patient=True),
        endpoints.events("r", "s", [b"{}"], patient=True),
        endpoints.CONTENT,
    ]
    known = {re.sub(r"\{\w+\}", "{id}", path) for path in document("manager")["paths"]}
    assert {call.endpoint for call in made} <= known
    assert all(isinstance(call, Call) for call in made)
