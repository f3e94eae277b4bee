"""What a connector reports about its runs (``/sdk/sync/...``)."""

import logging
import re

import pytest

OK = (200, {"status": "ok"})


def result(answer):
    return answer.status_code, answer.json()


def test_counters_add_up_and_may_be_negative(api, manager, run_id):
    assert result(api.post(f"/sdk/sync/{run_id}/scanned", {})) == OK
    assert result(api.post(f"/sdk/sync/{run_id}/scanned", {"count": 10})) == OK
    assert result(api.post(f"/sdk/sync/{run_id}/scanned", {"count": -4})) == OK
    assert result(api.post(f"/sdk/sync/{run_id}/updated", {"count": 3})) == OK
    run = manager.run(run_id)
    assert (run.documents_scanned, run.documents_updated) == (7, 3)


def test_a_counter_beyond_32_bits_is_a_500_and_changes_nothing(api, manager, run_id):
    api.post(f"/sdk/sync/{run_id}/scanned", {"count": 2147483647})
    answer = api.post(f"/sdk/sync/{run_id}/scanned", {"count": 1})
    assert result(answer) == (500, {"error": "Failed to increment documents_scanned: integer out of range"})
    assert manager.run(run_id).documents_scanned == 2147483647


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "heartbeat", None),
        ("POST", "scanned", {"count": 0}),
        ("POST", "updated", {"count": 0}),
        ("PUT", "checkpoint", {"a": 1}),
    ],
)
def test_reports_renew_activity(*, api, manager, run_id, clock, method, path, body):
    clock.advance(minutes=1)
    assert result(api(method, f"/sdk/sync/{run_id}/{path}", json=body)) == OK
    assert manager.run(run_id).last_activity_at == clock.moment


def test_completion_publishes_the_checkpoint_or_its_absence(api, manager, source, run_id, clock):
    manager.set_source(source.id, checkpoint={"old": True})
    api.put(f"/sdk/sync/{run_id}/checkpoint", {"b": 1, "a": 1.0})
    assert manager.source(source.id).checkpoint == {"old": True}
    assert api.raw(f"/sdk/sync/{run_id}/complete", b"anything", content_type="text/plain").status_code == 200
    run = manager.run(run_id)
    assert (run.status, run.completed_at) == ("completed", clock.moment)
    assert manager.source(source.id).checkpoint == {"a": 1.0, "b": 1}
    second = api.post("/sdk/sync/create", {"source_id": source.id, "sync_type": "full"}).json()["sync_run_id"]
    api.post(f"/sdk/sync/{second}/complete")
    assert manager.source(source.id).checkpoint is None
    assert not manager.source(source.id).has_checkpoint


def test_a_saved_null_is_a_checkpoint(api, manager, source, run_id):
    assert api.raw(f"/sdk/sync/{run_id}/checkpoint", b"null", method="PUT").status_code == 200
    api.post(f"/sdk/sync/{run_id}/complete")
    assert manager.source(source.id).has_checkpoint
    assert manager.source(source.id).checkpoint is None


def test_a_failed_run_publishes_nothing(api, manager, source, run_id):
    manager.set_source(source.id, checkpoint={"old": True})
    api.put(f"/sdk/sync/{run_id}/checkpoint", {"new": True})
    assert result(api.post(f"/sdk/sync/{run_id}/fail", {"error": "quota exceeded"})) == OK
    run = manager.run(run_id)
    assert (run.status, run.error_message) == ("failed", "quota exceeded")
    assert manager.source(source.id).checkpoint == {"old": True}


def test_a_connector_cancels_its_own_run(api, manager, run_id):
    assert result(api.post("/sdk/sync/cancel", {"sync_run_id": run_id})) == (200, {"success": True})
    assert manager.run(run_id).status == "cancelled"
    assert manager.run(run_id).error_message == "Cancelled by user"
    assert result(api.post("/sdk/sync/cancel", {"sync_run_id": "unknown"})) == (200, {"success": True})


@pytest.mark.parametrize("ended", [True, False])
def test_late_and_lost_reports_are_answered_ok_and_change_nothing(
    *, api, manager, source, run_id, ended, clock
):
    if ended:
        api.post(f"/sdk/sync/{run_id}/fail", {"error": "over"})
    before = manager.run(run_id)
    target = run_id if ended else "unknown"
    clock.advance(minutes=1)
    for method, path, body in (
        ("POST", "heartbeat", None),
        ("POST", "scanned", {"count": 1}),
        ("POST", "updated", {"count": 1}),
        ("PUT", "checkpoint", {"a": 1}),
        ("POST", "complete", None),
        ("POST", "fail", {"error": "late"}),
    ):
        assert result(api(method, f"/sdk/sync/{target}/{path}", json=body)) == OK
    api.post("/sdk/sync/cancel", {"sync_run_id": target})
    assert manager.run(run_id) == before
    assert not manager.source(source.id).has_checkpoint


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "checkpoint", {"a": "\0"}),
        ("POST", "fail", {"error": "a\0b"}),
    ],
)
def test_u0000_in_a_report_is_a_500(*, api, manager, run_id, method, path, body):
    assert api(method, f"/sdk/sync/{run_id}/{path}", json=body).status_code == 500
    run = manager.run(run_id)
    assert (run.status, run.has_checkpoint) == ("running", False)


@pytest.mark.parametrize("path", ["heartbeat", "complete"])
def test_u0000_in_the_run_id_is_a_500(api, path):
    assert api.post(f"/sdk/sync/%00/{path}").status_code == 500


def test_creating_a_run_has_its_checks(api, manager, source, run_id):
    def create(source_id, sync_type):
        answer = api.post("/sdk/sync/create", {"source_id": source_id, "sync_type": sync_type})
        return answer.status_code, answer.json().get("error")

    running = f"Sync already running for source: {source.id}"
    assert create("unknown", "full") == (404, "Source not found: unknown")
    assert create(source.id, "full") == (409, running)
    assert create(source.id, "incremental") == (409, running)
    assert create(source.id, "realtime") == (200, None)
    manager.set_source(source.id, is_active=False)
    assert create(source.id, "full") == (400, f"Source is inactive: {source.id}")
    assert manager.run(run_id).trigger_type == "manual"
    assert {run.sync_type for run in manager.runs(source.id)} == {"full", "realtime"}


def test_an_incremental_run_that_a_connector_creates_stays_incremental(api, manager, source):
    answer = api.post("/sdk/sync/create", {"source_id": source.id, "sync_type": "incremental"})
    assert manager.run(answer.json()["sync_run_id"]).sync_type == "incremental"


def test_running_runs_are_limited_per_class_and_overall(api, manager):
    def create(sync_type):
        source_id = manager.add_source(source_type="web").id
        answer = api.post("/sdk/sync/create", {"source_id": source_id, "sync_type": sync_type})
        return answer.status_code, answer.json().get("error")

    assert [create("full")[0] for _ in range(3)] == [200] * 3
    assert create("incremental") == (409, "Concurrency limit reached for scheduled syncs, try again later")
    assert [create("realtime")[0] for _ in range(3)] == [200] * 3
    assert create("realtime") == (409, "Concurrency limit reached for realtime syncs, try again later")


def test_waiting_for_a_run(api, manager, run_id):
    with pytest.raises(TimeoutError, match="is still running after"):
        manager.wait_for_run(run_id, 0.01)
    api.post(f"/sdk/sync/{run_id}/complete")
    assert manager.wait_for_run(run_id, 0.01).status == "completed"


@pytest.mark.parametrize(
    ("path", "body", "end"),
    [
        ("complete", {}, r"completed after \d+\.\d s, 7 scanned, 3 updated"),
        ("fail", {"error": "no\nsuch page"}, r"failed after \d+\.\d s, 7 scanned, 3 updated: no such page"),
    ],
)
def test_the_log_says_how_a_run_ended(api, manager, run_id, caplog, path, body, end):
    caplog.set_level(logging.INFO)
    api.post(f"/sdk/sync/{run_id}/scanned", {"count": 7})
    api.post(f"/sdk/sync/{run_id}/updated", {"count": 3})
    for _ in range(2):
        assert api.post(f"/sdk/sync/{run_id}/{path}", body).status_code == 200
    lines = [
        record.getMessage()
        for record in caplog.records
        if run_id in record.getMessage() and " after " in record.getMessage()
    ]
    source = manager.source(manager.run(run_id).source_id)
    assert len(lines) == 1, lines
    assert re.fullmatch(rf"Full run {run_id} of source '{source.name}' \({source.id}\) {end}", lines[0])
