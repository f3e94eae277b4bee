"""The harness of test suites that were written for containers, over the embedded manager."""

from __future__ import annotations

import asyncio

import pytest
import requests
from support.existing_connector import ExistingConnector

from omni_connector import Settings
from omni_connector.local import HttpServer, LocalManagerError
from omni_connector.server import create_app, services
from omni_connector.testing import OmniTestHarness, SeedHelper, count_events, get_events, wait_for_sync


@pytest.fixture
def run():
    """Run coroutines on one loop, as a plugin for asynchronous tests does."""
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture
def harness(run):
    one = OmniTestHarness()
    run(one.start_infra())
    run(one.start_connector_manager({"SOME_CONNECTOR_URL": "http://host.docker.internal:1"}))
    yield one
    run(one.teardown())
    run(one.teardown())


@pytest.fixture
def connector(harness, run):
    """An existing connector, served and registered."""
    apps = []

    def serve(environ, start_response):  # The address is needed first.
        return apps[0](environ, start_response)

    with HttpServer(serve, name="test-connector") as server:
        settings = Settings(manager_url=harness.connector_manager_url, connector_url=server.url)
        apps.append(create_app(ExistingConnector(), settings=settings))
        try:
            run(harness.wait_for_connector("web"))
            yield server.url
        finally:
            for service in services(apps[0]).values():
                service.close()


def trigger(harness, source, mode):
    url = f"{harness.connector_manager_url}/sync"
    answer = requests.post(url, json={"source_id": source, "sync_mode": mode}, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()["sync_run_id"]


def test_a_test_of_an_existing_connector_passes(harness, connector, run):
    async def test():
        seed = harness.seed()
        assert isinstance(seed, SeedHelper)
        user = await seed.create_user(email="ann@example.com")
        source = await seed.create_source("web", {"url": "https://x"}, created_by=user)
        assert await seed.create_credentials(source, {"token": "t"}, provider="web")

        run_id = trigger(harness, source, "full")
        row = await wait_for_sync(harness.db_pool, run_id, timeout=30)

        assert (row["status"], row["error_message"], row["documents_scanned"]) == ("completed", None, 3)
        assert await count_events(harness.db_pool, source, "document_created") == 2
        assert await count_events(harness.db_pool, source) == 2
        events = await get_events(harness.db_pool, source)
        assert events == await seed.get_events(source)
        assert [event["payload"]["document_id"] for event in events] == ["1", "2"]
        assert {event["event_type"] for event in events} == {"document_created"}
        assert {event["sync_run_id"] for event in events} == {run_id}
        assert await seed.get_checkpoint(source) == {"changed": "2026-08-03T12:00:00Z"}
        assert await seed.get_connector_state(source) == {"changed": "2026-08-03T12:00:00Z"}
        assert [one["id"] for one in await seed.get_sync_runs_for_source(source)] == [run_id]
        assert (await seed.get_sync_run(run_id))["status"] == "completed"
        assert await seed.get_sync_run("01K00000000000000000000000") is None

        await seed.set_checkpoint(source, {"changed": "2026-08-01T12:00:00Z"})
        again = await wait_for_sync(harness.db_pool, trigger(harness, source, "incremental"))
        assert (again["sync_type"], again["documents_scanned"]) == ("incremental", 2)
        await seed.cleanup_source(source)
        assert harness.manager.source(source).is_deleted

    run(test())


def test_a_run_that_does_not_exist_or_end_is_told(harness, run):
    with pytest.raises(LocalManagerError, match="not found"):
        run(wait_for_sync(harness.db_pool, "01K00000000000000000000000"))
    with pytest.raises(TimeoutError):
        run(harness.wait_for_connector("web", timeout=0.01))


def test_what_is_asked_too_early_is_told(run):
    harness = OmniTestHarness()
    with pytest.raises(RuntimeError, match=r"start_infra\(\) first"):
        _ = harness.db_pool
    run(harness.start_infra())
    run(harness.start_infra())
    with pytest.raises(RuntimeError, match=r"start_connector_manager\(\) first"):
        _ = harness.connector_manager_url
    run(harness.teardown())


def test_sql_is_answered_with_where_to_look_instead(harness):
    with pytest.raises(AttributeError, match=r"no fetchrow\(\): ask harness\.manager"):
        harness.db_pool.fetchrow("SELECT 1")
