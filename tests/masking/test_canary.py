"""Credentials of ten shapes go through every failure path there is; all that leaves the process is searched for them."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading

import pytest
import requests
from support.canary import (
    ALL,
    CREDENTIALS,
    FETCHED,
    FRESH,
    IN_SETTINGS,
    AsyncCanary,
    Canary,
    Wiretap,
    all_ways_of_writing,
    tables_of,
    traces,
)

from omni_connector.local import LocalManager, LocalManagerError
from omni_connector.masking import crashes
from omni_connector.testing import serve_connector

LEGITIMATE = {"credentials.credentials", "sources.config", "sources.connector_state"}
"""Columns of the embedded manager: the credential itself, settings, and the notes into which a rotated token was put."""


class Watcher:
    """Everything that one canary could betray, by where it was seen."""

    def __init__(self):
        self.stream = io.StringIO()
        self.handler = logging.StreamHandler(self.stream)
        self.handler.setFormatter(AllAttributes())
        self.places = {}

    def __enter__(self):
        root = logging.getLogger()
        self.level = root.level
        root.addHandler(self.handler)
        root.setLevel(logging.DEBUG)
        return self

    def __exit__(self, *_):
        root = logging.getLogger()
        root.removeHandler(self.handler)
        root.setLevel(self.level)

    def leaks(self):
        self.places["log"] = self.stream.getvalue()
        return [
            (place, secret[:12], way[:40])
            for secret, ways in traces().items()
            for way in ways
            for place, text in self.places.items()
            if place not in LEGITIMATE and way in text
        ]

    def report(self):
        size = sum(map(len, self.places.values()))
        forms = sum(map(len, traces().values()))
        return f"{len(ALL)} secrets, {forms} traces, {len(self.places)} places, {size:,} characters"


class AllAttributes(logging.Formatter):
    def format(self, record):
        return f"{super().format(record)}\n{vars(record)!r}"


@pytest.mark.parametrize("connector", [Canary, pytest.param(AsyncCanary, marks=pytest.mark.slow)])
def test_no_failure_shows_a_secret(connector, tmp_path, capfd, record_property, monkeypatch):
    errors = io.StringIO()
    monkeypatch.setattr(sys, "stderr", errors)
    monkeypatch.setattr(threading, "excepthook", crashes._OfThread(threading.__excepthook__))
    manager = LocalManager(tmp_path / "data", schedule=False)
    to_manager = Wiretap(manager.app.wsgi_app)
    manager.app.wsgi_app = to_manager
    with Watcher() as watcher, manager:
        connector = connector()
        with serve_connector(connector, manager) as served:
            to_connector = Wiretap(served.app.wsgi_app)
            served.app.wsgi_app = to_connector
            states = [do(manager, served, connector, to_manager, way) for way in Canary.WAYS]
            for name in Canary.ACTIONS:
                params = {"number": CREDENTIALS["token"], "api_key": FETCHED}
                states.append(served.call_action(name, params, source_id="raises").status_code)
            wrapped = {"credentials": CREDENTIALS, "config": {}, "auth_type": "bearer_token"}
            more = {
                "skill": {"skill_id": "x"},
                "oauth/credential-ready": {"source_id": "s", "provider": "p", "flow": "user_read"},
            }
            for path, body in more.items():
                answer = requests.post(
                    f"{served.url}/{path}", json={**body, "credentials": wrapped}, timeout=30
                )
                states.append(answer.status_code)
            watcher.places["reports"] = repr(served.service._runs.reports._last)
        assert set(states) <= {"failed", "completed", "cancelled", 200, 400, 500}, states
    out, err = capfd.readouterr()
    watcher.places |= tables_of(tmp_path) | {"stdout": out, "stderr": err, "sys.stderr": errors.getvalue()}
    for path, body in to_manager.requests:
        if not path.endswith(("connector-state", "/action")):  # The second is the caller's own request.
            place = "to the manager: " + path.rpartition("/")[2]
            watcher.places[place] = watcher.places.get(place, "") + body
    for path, body in to_connector.answers:
        watcher.places["answer to " + path] = watcher.places.get("answer to " + path, "") + body
    record_property("canary", watcher.report())
    sys.stdout.write(watcher.report())
    assert watcher.leaks() == []
    assert "***" in watcher.places["to the manager: fail"]
    assert "***" in watcher.places["sys.stderr"]


def do(manager, served, connector, to_manager, way):
    source = served.put_source(
        source_id=way, config={"way": way, "pairing": IN_SETTINGS}, credentials=CREDENTIALS
    )
    if way == "adds":
        manager.set_source(source, config={"way": way, "pairing": IN_SETTINGS})
    echo = json.dumps({"error": all_ways_of_writing(CREDENTIALS)})
    to_manager.refuse = {"/checkpoint": echo, "/heartbeat": echo, "/register": echo} if way == "echo" else {}
    if way == "validation":
        with pytest.raises(LocalManagerError):
            manager.trigger(source)
        return "failed"
    run = manager.trigger(source)
    if way == "waits":
        assert connector.started.wait(60)
        manager.cancel(run)
    elif way == "echo":
        with pytest.raises(Exception, match="422"):
            served.service.manager.register(served.service.manifest())
    status = manager.wait_for_run(run, 60).status
    to_manager.refuse = {}
    return status


def test_the_traces_are_found_where_nothing_is_masked():
    """The canary could fail: without masking, each secret leaves traces."""
    text = all_ways_of_writing(CREDENTIALS) + all_ways_of_writing(FRESH)
    for secret, ways in traces().items():
        if secret in text:
            assert sum(way in text for way in ways) > 1
