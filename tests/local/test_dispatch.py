"""``POST /sync`` and its kin, and what the connector's answers do to the run."""

import threading

import pytest
from attrs import evolve
from flask import Response
from support.local_manager import QUICK, Api, manifest
from support.waiting import eventually

from omni_connector.local import LocalManager, LocalManagerError


@pytest.fixture
def settings(request):
    return evolve(QUICK, **getattr(request, "param", {}))


def refusal(answer):
    return answer.status_code, answer.json()["error"]


def test_a_triggered_sync_is_handed_to_the_connector(api, manager, connector, register, source):
    register()
    answer = api.post("/sync", {"source_id": source.id, "sync_mode": "full"})
    run_id = answer.json()["sync_run_id"]
    assert answer.json() == {"sync_run_id": run_id, "status": "started"}
    assert connector.bodies("/sync") == [{"sync_run_id": run_id, "source_id": source.id, "sync_mode": "full"}]
    run = manager.run(run_id)
    assert (run.status, run.sync_type, run.trigger_type) == ("running", "full", "manual")
    assert (run.started_at, run.documents_scanned, run.has_checkpoint) == (run.last_activity_at, 0, False)


def test_the_first_incremental_is_a_full_one(*, api, manager, connector, register, source, clock):
    register()
    first = api.post("/sync", {"source_id": source.id}).json()["sync_run_id"]
    assert manager.run(first).sync_type == "full"
    api.put(f"/sdk/sync/{first}/checkpoint", {"cursor": "abc"})
    api.post(f"/sdk/sync/{first}/complete")
    clock.advance(minutes=1)
    second = api.post("/sync", {"source_id": source.id, "sync_mode": None}).json()["sync_run_id"]
    assert connector.bodies("/sync")[1] == {
        "sync_run_id": second,
        "source_id": source.id,
        "sync_mode": "incremental",
        "last_sync_at": "2026-08-01T12:00:00.123456Z",
        "checkpoint": {"cursor": "abc"},
    }


def test_a_full_sync_gets_the_checkpoint_but_no_last_sync_at(api, connector, register, source, manager):
    register()
    manager.set_source(source.id, checkpoint=None)
    run_id = api.post(f"/sync/{source.id}").json()["sync_run_id"]
    assert connector.bodies("/sync")[0] == {
        "sync_run_id": run_id,
        "source_id": source.id,
        "sync_mode": "full",
        "checkpoint": None,
    }


def test_reasons_not_to_start(api, manager, register, source):
    def trigger(source_id):
        return refusal(api.post("/sync", {"source_id": source_id, "sync_mode": "full"}))

    assert trigger("unknown") == (404, "Source not found: unknown")
    assert trigger(source.id) == (404, 'Connector not configured for type: "web"')
    register()
    remote = manager.add_source(source_type="web", integration_type="remote_mcp")
    assert trigger(remote.id) == (400, f"Source does not support data sync: {remote.id}")
    manager.trigger(source.id)
    assert trigger(source.id) == (409, f"Sync already running for source: {source.id}")
    other = manager.add_source(source_type="web")
    manager.set_source(other.id, is_active=False)
    assert trigger(other.id) == (400, f"Source is inactive: {other.id}")
    assert trigger("\0")[0] == 500


@pytest.mark.parametrize(
    "settings", [{"max_concurrent_syncs": 1}, {"max_concurrent_syncs_per_type": 1}], indirect=True
)
def test_limits_refuse_further_runs(manager, register, source, settings):
    register()
    manager.trigger(source.id)
    other = manager.add_source(source_type="web")
    with pytest.raises(LocalManagerError, match="Concurrency limit reached") as refused:
        manager.trigger(other.id)
    assert refused.value.status == 409


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (
            ({"status": "error", "message": "busy"}, 409),
            'Connector returned error: status=409, message={"message":"busy","status":"error"}\n',
        ),
        (({"error": "x"}, 404), 'Connector returned error: status=404, message={"error":"x"}\n'),
        (("", 204), "Invalid response: error decoding response body"),
        (("", 200), "Invalid response: error decoding response body"),
        (("no json", 200), "Invalid response: error decoding response body"),
        (({"message": "x"}, 200), "Invalid response: error decoding response body"),
        (({"status": "started", "message": 5}, 200), "Invalid response: error decoding response body"),
    ],
)
def test_an_answer_that_does_not_accept_fails_the_run(
    *, api, manager, connector, register, source, answer, error
):
    register()
    connector.answers["/sync"] = answer
    assert refusal(api.post("/sync", {"source_id": source.id})) == (500, error)
    (run,) = manager.runs(source.id)
    assert (run.status, run.error_message) == ("failed", error)
    assert len(connector.bodies("/sync")) == 1


@pytest.mark.parametrize("message", [None, "taken"])
def test_any_status_text_and_a_null_message_accept(manager, connector, register, source, message):
    register()
    connector.answers["/sync"] = {"status": "whatever", "message": message}
    assert manager.run(manager.trigger(source.id)).is_running


def test_404_to_a_realtime_run_is_a_polite_refusal(api, manager, connector, register, source):
    register()
    connector.answers["/sync"] = ({"status": "error"}, 404)
    answer = api.post("/sync", {"source_id": source.id, "sync_mode": "realtime"})
    assert refusal(answer) == (400, f"realtime sync is not available for source: {source.id}")
    (run,) = manager.runs(source.id)
    assert (run.status, run.error_message) == ("cancelled", "Realtime sync not available for this source")


def test_an_unreachable_connector_is_tried_four_times_with_the_same_body(
    *, manager, connector, register, source, unused_url
):
    register()
    connector.answers["/sync"] = lambda _: Response(status=307, headers={"Location": f"{unused_url}/sync"})
    text = f"Request failed: error sending request for url ({connector.url}/sync)"
    with pytest.raises(LocalManagerError) as refused:
        manager.trigger(source.id)
    assert (refused.value.status, refused.value.message) == (500, text)
    (run,) = manager.runs(source.id)
    assert (run.status, run.error_message) == ("failed", text)
    assert (
        connector.bodies("/sync")
        == [{"sync_run_id": run.id, "source_id": source.id, "sync_mode": "full"}] * 4
    )


def test_waiting_for_the_next_attempt_ends_when_the_manager_closes(tmp_path, connector, unused_url):
    settings = evolve(QUICK, sync_retry_delays_seconds=(60.0,))
    with LocalManager(tmp_path / "patient", settings=settings, schedule=False) as patient:
        api = Api(patient.url)
        api.post("/sdk/register", manifest(connector.url))
        api.close()
        asked = threading.Event()

        def unreachable(_):
            asked.set()
            return Response(status=307, headers={"Location": f"{unused_url}/sync"})

        connector.answers["/sync"] = unreachable
        source_id = patient.add_source(source_type="web").id
        outcome = []

        def trigger():
            try:
                patient.trigger(source_id)
            except LocalManagerError as error:
                outcome.append(error.status)

        waiting = threading.Thread(target=trigger)
        waiting.start()
        assert asked.wait(60)
        patient._services.stopping.set()
        waiting.join(60)
        assert outcome == [500]


@pytest.mark.parametrize(
    "settings", [{"sync_trigger_timeout_seconds": 0.1, "sync_retry_delays_seconds": (5.0,)}], indirect=True
)
def test_all_attempts_together_have_a_limit(*, manager, connector, register, source, unused_url, settings):
    register()
    connector.answers["/sync"] = lambda _: Response(status=307, headers={"Location": f"{unused_url}/sync"})
    with pytest.raises(LocalManagerError) as refused:
        manager.trigger(source.id)
    (run,) = manager.runs(source.id)
    assert refused.value.message == f"Connector trigger timed out for sync {run.id} after 0.1s"
    assert run.error_message == "Connector trigger timed out after 0.1s"


def test_an_answer_that_takes_too_long_is_no_answer(manager, connector, register, source, settings):
    register()
    manager._services.dispatcher._settings = evolve(settings, connector_timeout_seconds=0.2)
    released = threading.Event()

    def drip(_):
        def pieces():
            for _ in range(100):
                yield b" "
                if released.wait(0.05):
                    return

        return Response(pieces(), content_type="application/json")

    connector.answers["/sync"] = drip
    try:
        with pytest.raises(LocalManagerError, match="Request failed: error sending request"):
            manager.trigger(source.id)
    finally:
        released.set()
    eventually(lambda: len(connector.bodies("/sync")) == 4)


def test_redirects_are_followed(manager, connector, register, source):
    register()
    connector.answers["/sync"] = lambda _: Response(
        status=307, headers={"Location": f"{connector.url}/elsewhere"}
    )
    connector.answers["/elsewhere"] = {"status": "started"}
    run_id = manager.trigger(source.id)
    assert connector.bodies("/elsewhere")[0]["sync_run_id"] == run_id


def test_a_run_that_ends_before_the_answer_stays_as_it_ended(api, manager, connector, register, source):
    register()

    def complete_first(body):
        manager.app.test_client().post(f"/sdk/sync/{body['sync_run_id']}/complete")
        return {"status": "error"}, 500

    connector.answers["/sync"] = complete_first
    assert api.post("/sync", {"source_id": source.id}).status_code == 500
    assert manager.runs(source.id)[0].status == "completed"


def test_a_webhook_starts_an_incremental_sync(api, manager, register, source):
    body = {"source_id": source.id, "event_type": "page.updated"}
    answer = api.post("/sdk/webhook/notify", body)
    assert refusal(answer) == (500, 'Failed to trigger sync: Connector not configured for type: "web"')
    register()
    run = manager.run(api.post("/sdk/webhook/notify", body).json()["sync_run_id"])
    assert (run.sync_type, run.trigger_type) == ("full", "webhook")
    answer = api.post("/sdk/webhook/notify", body)
    assert refusal(answer) == (500, f"Failed to trigger sync: Sync already running for source: {source.id}")
    answer = api.post("/sdk/webhook/notify", {**body, "source_id": "unknown"})
    assert refusal(answer) == (500, "Failed to trigger sync: Source not found: unknown")


def test_of_two_triggers_at_once_exactly_one_starts(manager, register, source):
    register()
    barrier = threading.Barrier(4)
    outcomes = []

    def trigger():
        barrier.wait()
        try:
            outcomes.append(manager.trigger(source.id))
        except LocalManagerError as error:
            outcomes.append(error.status)

    threads = [threading.Thread(target=trigger) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes, key=str)[1:] != outcomes
    assert outcomes.count(409) == 3


def test_a_slot_taken_between_check_and_row_is_a_409(manager, register, source, monkeypatch):
    register()
    manager.trigger(source.id)
    monkeypatch.setattr(manager._services.runs, "check_slot", lambda *_: None)
    with pytest.raises(LocalManagerError, match="Sync already running") as refused:
        manager.trigger(source.id)
    assert refused.value.status == 409
    with pytest.raises(LocalManagerError, match="Source not found"):
        manager._services.runs.create("removed meanwhile", "full", "manual")


def test_the_connector_sees_a_plain_client(manager, connector, register, source):
    seen = {}

    def remember(_):
        from flask import request

        seen.update(request.headers)
        return {"status": "started"}

    connector.answers["/sync"] = remember
    register()
    manager.trigger(source.id)
    assert seen["Content-Type"] == "application/json"
    assert seen["Accept"] == "*/*"
    assert "User-Agent" not in seen
    assert "Accept-Encoding" not in seen
