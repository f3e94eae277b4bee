"""What connectors and operators ask about sources."""

import re

import pytest
from attrs import evolve
from support.local_manager import QUICK

LONG = r"[+-]\d{6}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{9}Z"
ULID = "[0-9A-HJKMNP-TV-Z]{26}"


@pytest.fixture
def settings(request):
    return evolve(QUICK, **getattr(request, "param", {}))


def refusal(answer):
    return answer.status_code, answer.json()["error"]


def test_a_source_row_has_all_its_keys(api, source):
    row = api.get(f"/sdk/source/{source.id}").json()
    assert re.fullmatch(ULID, row["id"])
    assert re.fullmatch(ULID, row.pop("created_by"))
    assert row.pop("created_at") == row.pop("updated_at") == "+002026-08-01T12:00:00.123456000Z"
    assert row == {
        "id": source.id,
        "name": "web",
        "source_type": "web",
        "integration_type": "connector",
        "config": {"base_url": "https://example.com"},
        "is_active": True,
        "is_deleted": False,
        "scope": "org",
        "user_filter_mode": "all",
        "user_whitelist": None,
        "user_blacklist": None,
        "connector_state": None,
        "checkpoint": None,
        "sync_interval_seconds": None,
    }


def test_inactive_and_deleted_sources_are_returned_by_id(api, manager, source):
    manager.set_source(source.id, is_active=False, is_deleted=True)
    assert api.get(f"/sdk/source/{source.id}").json()["is_deleted"] is True
    assert api.get(f"/sdk/source/{source.id}/sync-config").status_code == 200
    assert refusal(api.get("/sdk/source/unknown")) == (404, "Source not found: unknown")


def test_sync_config_has_what_one_sync_needs(api, manager):
    source = manager.add_source(
        source_type="notion",
        config={"b": 1, "a": 2},
        credentials={"token": "t0"},
        user_filter_mode="whitelist",
        user_whitelist=["ada@example.com"],
    )
    manager.set_source(source.id, checkpoint={"cursor": "abc"})
    assert (
        api.put(f"/sdk/source/{source.id}/connector-state", {"z": 1, "webhook_id": "w1"}).status_code == 200
    )
    answer = api.get(f"/sdk/source/{source.id}/sync-config")
    assert answer.json() == {
        "config": {"a": 2, "b": 1},
        "credentials": {"token": "t0"},
        "connector_state": {"webhook_id": "w1", "z": 1},
        "checkpoint": {"cursor": "abc"},
        "source_type": "notion",
        "user_filter_mode": "whitelist",
        "user_whitelist": ["ada@example.com"],
        "user_blacklist": None,
    }
    assert '"a":2,"b":1' in answer.text
    bare = manager.add_source(source_type="web")
    assert api.get(f"/sdk/source/{bare.id}/sync-config").json()["credentials"] == {}
    assert refusal(api.get("/sdk/source/unknown/sync-config")) == (404, "Source not found: unknown")


@pytest.mark.parametrize("settings", [{}, {"allow_custom_source_types": False}], indirect=True)
def test_custom_source_types_are_a_leniency_that_can_be_switched_off(api, manager, settings):
    if settings.allow_custom_source_types:
        source = manager.add_source(source_type="acme")
        assert api.get(f"/sdk/source/{source.id}").json()["source_type"] == "acme"
        assert "unknown source type: acme" in api.get(f"/sdk/source/{source.id}/sync-config").text
    else:
        answer = api.post("/local/sources", {"source_type": "acme"})
        assert refusal(answer) == (400, "unknown source type: acme")


def test_a_remote_mcp_source_has_no_sync_config(api, manager):
    source = manager.add_source(source_type="acme", integration_type="remote_mcp")
    assert refusal(api.get(f"/sdk/source/{source.id}/sync-config")) == (
        400,
        f"Source {source.id} cannot be served to a native connector SDK: unknown source type: acme",
    )


def test_connector_state_may_be_any_json_and_needs_no_source(api, manager, source, run_id, clock):
    clock.advance(minutes=1)
    before = manager.run(run_id)
    assert api.raw(f"/sdk/source/{source.id}/connector-state", b"[1, null]", method="PUT").json() == {
        "status": "ok"
    }
    assert manager.source(source.id).connector_state == [1, None]
    assert manager.run(run_id) == before
    assert api.put("/sdk/source/unknown/connector-state", {"a": 1}).json() == {"status": "ok"}
    assert api.put(f"/sdk/source/{source.id}/connector-state", {"a": "\0"}).status_code == 500


def test_the_creators_address(api, manager):
    source = manager.add_source(source_type="web", owner_email="ada@example.com")
    assert api.get(f"/sdk/source/{source.id}/user-email").json() == {"email": "ada@example.com"}
    assert refusal(api.get("/sdk/source/unknown/user-email")) == (
        500,
        "Failed to get user email: no rows returned by a query that expected to return at least one row",
    )


def test_sources_by_type_are_the_active_ones_newest_first(api, manager, clock):
    ids = []
    for _ in range(3):
        ids.append(manager.add_source(source_type="web").id)
        clock.advance(seconds=1)
    manager.add_source(source_type="jira")
    manager.set_source(ids[1], is_active=False)
    assert [row["id"] for row in api.get("/sdk/sources/by-type/web").json()] == [ids[2], ids[0]]
    manager.set_source(ids[0], is_deleted=True)
    assert [row["id"] for row in api.get("/sdk/sources/by-type/web").json()] == [ids[2]]
    assert api.get("/sdk/sources/by-type/nothing").json() == []
    assert api.get("/sdk/sources/by-type/%00").status_code == 500


def test_connector_configs(api, manager):
    missing = "Connector config not found for provider: google"
    assert refusal(api.get("/sdk/connector-configs/google")) == (404, missing)
    manager.set_connector_config("google", {"oauth_client_id": "id0"})
    assert api.get("/sdk/connector-configs/google").json() == {"oauth_client_id": "id0"}


def test_overviews_list_sources_with_health_and_recent_runs(api, manager, source, clock):
    manager.set_source(source.id, checkpoint={"a": 1}, connector_state={"b": 1})
    for sync_type in ("full", "incremental", "realtime"):
        body = {"source_id": source.id, "sync_type": sync_type}
        run_id = api.post("/sdk/sync/create", body).json()["sync_run_id"]
        api.put(f"/sdk/sync/{run_id}/checkpoint", {"a": 1})
        api.post(f"/sdk/sync/{run_id}/complete")
        clock.advance(seconds=1)
    manager.add_source(source_type="web", integration_type="remote_mcp")
    deleted = manager.add_source(source_type="web")
    manager.set_source(deleted.id, is_deleted=True)
    (overview,) = api.get("/sources").json()
    assert overview == api.get(f"/sources/{source.id}").json()
    assert (overview["source"]["checkpoint"], overview["source"]["connector_state"]) == (None, None)
    assert overview["health"] == "healthy"
    assert [run["sync_type"] for run in overview["sync_runs"]] == ["incremental", "full"]
    run = overview["sync_runs"][0]
    assert (run["checkpoint"], run["status"], run["trigger_type"]) == (None, "completed", "manual")
    assert re.fullmatch(LONG, run["completed_at"])
    active = api.get("/sources/active").json()
    assert len(active) == 2
    assert all((each["health"], each["sync_runs"]) == ("healthy", []) for each in active)
    assert refusal(api.get(f"/sources/{deleted.id}")) == (404, f"Source not found: {deleted.id}")
    assert refusal(api.get("/sources/unknown")) == (404, "Source not found: unknown")


def test_schedules_tell_the_last_and_next_sync(api, manager, run_id, source):
    manager.set_source(source.id, sync_interval_seconds=3600)
    (schedule,) = api.get("/schedules").json()
    assert schedule == {
        "source_id": source.id,
        "source_name": "web",
        "source_type": "web",
        "sync_interval_seconds": 3600,
        "sync_status": "running",
    }
    api.post(f"/sdk/sync/{run_id}/complete")
    (schedule,) = api.get("/schedules").json()
    assert schedule["last_sync_at"] == "2026-08-01 12:00:00.123456 +00:00:00"
    assert schedule["next_sync_at"] == "2026-08-01 13:00:00.123456 +00:00:00"
    manager.set_source(source.id, sync_interval_seconds=None)
    assert "next_sync_at" not in api.get("/schedules").json()[0]
    manager.set_source(source.id, is_active=False)
    assert api.get("/schedules").json() == []
    new = manager.add_source(source_type="web")
    assert api.get("/schedules").json()[0] == {
        "source_id": new.id,
        "source_name": "web",
        "source_type": "web",
        "sync_interval_seconds": None,
        "sync_status": None,
    }
