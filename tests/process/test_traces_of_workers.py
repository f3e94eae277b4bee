"""Traces as the variables of OpenTelemetry configure them: from gunicorn's worker to a collector over HTTP."""

from __future__ import annotations

import pytest
import requests
from support.processes import start_gunicorn
from support.scripted_manager import ScriptedManager
from support.waiting import eventually

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}


@pytest.fixture
def collector():
    with ScriptedManager() as scripted:
        yield scripted


@pytest.mark.parametrize("kind", ["worker", pytest.param("preload", marks=pytest.mark.slow)])
def test_spans_reach_the_collector_that_the_variables_name(manager, address, collector, kind):
    env = {
        "CONNECTOR_MANAGER_URL": manager.url,
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=trial",
        "OTEL_BSP_SCHEDULE_DELAY": "3600000",  # So that only the end of the process sends them.
    }
    options = ["--preload"] if kind == "preload" else []
    with start_gunicorn(address, "support.pausing:InTwoHalves", *options, env=env) as process:
        manager.wait_for_connector(process, "web")
        answer = requests.post(f"{address.url}/cancel", json={"sync_run_id": "x"}, headers=PARENT, timeout=60)
        assert answer.status_code == 404
        process.terminate()
    eventually(lambda: collector.requests)
    assert collector.requests[0].path == "/v1/traces"
    sent = collector.requests[0].body
    assert bytes.fromhex(TRACE) in sent
    for text in (b"POST /cancel", b"service.name", b"halves", b"trial"):
        assert text in sent


@pytest.mark.slow
def test_a_collector_that_is_away_holds_nothing_up(manager, address):
    env = {"CONNECTOR_MANAGER_URL": manager.url, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    with start_gunicorn(address, "support.pausing:InTwoHalves", env=env) as process:
        manager.wait_for_connector(process, "web")
        source = manager.add_source("web", {})
        assert manager.wait(manager.trigger(source))["status"] == "completed"
        assert process.terminate() == 0
