"""``GET /metrics``: of the connector that is asked, with the requests to it; a clear text where the extra is missing."""

from __future__ import annotations

import importlib.util

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families as parse
from support.scripted import Scripted, emit
from support.waiting import eventually

from omni_connector import Settings
from omni_connector.server import create_blueprint
from omni_connector.telemetry.instruments import Instruments

SYNC = {"sync_run_id": "run-1", "source_id": "source-1", "sync_mode": "full"}


def scrape(client, path="/metrics"):
    response = client.get(path)
    assert response.status_code == 200
    assert response.content_type.startswith("text/plain")
    return [sample for family in parse(response.text) for sample in family.samples]


def value(samples, name, **labels):
    """Return the one sample of that name and these labels, among others; None when there is none."""
    found = [
        sample.value
        for sample in samples
        if sample.name == f"omni_connector_{name}" and labels.items() <= sample.labels.items()
    ]
    assert len(found) < 2
    return found[0] if found else None


def test_a_run(make_app):
    client = make_app(Scripted(lambda ctx: emit(ctx, 1))).test_client()
    assert client.post("/sync", json=SYNC).json["status"] == "started"
    eventually(lambda: value(scrape(client), "runs_total", mode="full", outcome="completed") == 1)
    found = scrape(client)
    assert {sample.labels["connector"] for sample in found} == {"scripted"}
    assert value(found, "documents_total", kind="emitted") == 1
    assert value(found, "documents_total", kind="updated") == 1
    assert value(found, "last_success_timestamp_seconds", source_id="source-1") > 1.7e9


def test_the_last_success_is_known_from_the_dispatch_after_a_restart(make_app):
    client = make_app(Scripted(lambda ctx: ctx.fail("no"))).test_client()
    moment = "2026-06-08T10:00:00.5+00:00"
    client.post("/sync", json={**SYNC, "sync_mode": "incremental", "last_sync_at": moment})
    eventually(lambda: value(scrape(client), "runs_total", mode="incremental", outcome="failed") == 1)
    known = value(scrape(client), "last_success_timestamp_seconds", source_id="source-1")
    assert known == 1780912800.5


@pytest.mark.parametrize(
    ("method", "path", "endpoint", "status"),
    [
        ("GET", "/health", "/health", "200"),
        ("GET", "/sync/some-run", "/sync/<sync_run_id>", "200"),
        ("POST", "/sync", "/sync", "400"),
        ("POST", "/cancel", "/cancel", "400"),
        ("POST", "/resource", "/resource", "400"),
    ],
)
def test_requests_by_endpoint_and_status(make_app, method, path, endpoint, status):
    client = make_app(Scripted()).test_client()
    client.open(path, method=method, data=b"{", content_type="application/json")
    labels = {"endpoint": endpoint, "method": method, "status": status}
    assert value(scrape(client), "http_request_duration_seconds_count", **labels) == 1


def test_two_connectors_in_an_application_have_pages_of_their_own(manager, owning):
    app = Flask("host")
    settings = Settings(manager_url="http://manager")
    for name in ("one", "two"):
        connector = Scripted()
        connector.name = name
        blueprint = create_blueprint(connector, settings=settings, manager=manager, register=False)
        app.register_blueprint(blueprint, url_prefix=f"/{name}")
    client = owning(app).test_client()
    client.get("/one/health")
    count = "http_request_duration_seconds_count"
    assert value(scrape(client, "/one/metrics"), count, endpoint="/health", connector="one") == 1
    assert value(scrape(client, "/two/metrics"), count, endpoint="/health") is None


def test_without_the_extra_it_says_what_to_type(make_app, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *more: None if name == "prometheus_client" else find(name, *more),
    )
    client = make_app(Scripted()).test_client()
    answer = client.get("/metrics")
    assert answer.status_code == 501
    assert "pip install 'omni-connector[metrics]'" in answer.json["error"]
    assert client.get("/health").status_code == 200


def test_they_can_be_turned_off_in_the_code(manager, owning):
    from omni_connector.runtime.options import RuntimeOptions
    from omni_connector.server import create_app

    app = create_app(
        Scripted(),
        settings=Settings(manager_url="http://manager"),
        manager=manager,
        register=False,
        options=RuntimeOptions(instruments=Instruments()),
    )
    assert owning(app).test_client().get("/metrics").status_code == 501
