"""Probing running runs and taking lost ones up again."""

import pytest
from flask import Response

GAVE_UP = "Connector repeatedly lost sync; auto-resume gave up"


def resumes(connector):
    return [body for body in connector.bodies("/sync") if body.get("is_resume")]


def test_a_run_that_is_running_is_left_alone(manager, connector, running):
    manager.tick()
    assert resumes(connector) == []
    assert ("GET", f"/sync/{running}", None) in connector.calls


def test_a_connector_without_the_endpoint_is_left_alone(manager, connector, running):
    connector.answers["/status"] = ({"error": "x"}, 404)
    for _ in range(6):
        manager.tick()
    assert resumes(connector) == []
    assert manager.run(running).is_running


@pytest.mark.parametrize(
    "answer", [{"running": False}, {"running": "true"}, {}, ("broken", 500), ("no json", 200), ("[]", 200)]
)
def test_a_lost_run_is_sent_again_three_times_and_then_failed(
    *, manager, connector, running, source, answer, clock
):
    connector.answers["/status"] = answer
    clock.advance(seconds=30)
    for _ in range(3):
        manager.tick()
    assert (
        resumes(connector)
        == [{"sync_run_id": running, "source_id": source.id, "sync_mode": "full", "is_resume": True}] * 3
    )
    assert manager.run(running).last_activity_at == clock.moment
    manager.tick()
    run = manager.run(running)
    assert (run.status, run.error_message) == ("failed", GAVE_UP)
    assert len(resumes(connector)) == 3


def test_the_counter_starts_again_once_the_run_was_seen_running(manager, connector, running):
    for _ in range(2):
        connector.answers["/status"] = {"running": False}
        for _ in range(3):
            manager.tick()
        connector.answers["/status"] = {"running": True}
        manager.tick()
    assert len(resumes(connector)) == 6
    assert manager.run(running).is_running


@pytest.mark.parametrize("answer", [({"status": "error"}, 409), ({"status": "error"}, 404), ("", 204)])
def test_a_refused_resume_leaves_the_run_running_and_spends_the_attempt(
    manager, connector, running, answer, clock
):
    before = manager.run(running).last_activity_at
    connector.answers |= {"/status": {"running": False}, "/sync": answer}
    clock.advance(seconds=30)
    for _ in range(3):
        manager.tick()
    assert manager.run(running).is_running
    assert manager.run(running).last_activity_at == before
    manager.tick()
    assert manager.run(running).error_message == GAVE_UP


def test_an_unreachable_connector_counts_as_lost(manager, connector, running, unused_url):
    away = lambda _: Response(status=307, headers={"Location": unused_url})  # noqa: E731
    connector.answers |= {"/status": away, "/sync": away}
    for _ in range(4):
        manager.tick()
    assert manager.run(running).error_message == GAVE_UP


def test_the_runs_checkpoint_goes_before_the_sources(api, manager, connector, running, source):
    connector.answers["/status"] = {"running": False}
    manager.set_source(source.id, checkpoint={"page": 1})
    manager.tick()
    api.put(f"/sdk/sync/{running}/checkpoint", {"page": 7})
    manager.tick()
    api.raw(f"/sdk/sync/{running}/checkpoint", b"null", method="PUT")
    manager.tick()
    assert [body["checkpoint"] for body in resumes(connector)] == [{"page": 1}, {"page": 7}, None]


def test_a_resumed_incremental_carries_last_sync_at(api, manager, connector, running, source):
    api.post(f"/sdk/sync/{running}/complete")
    manager.trigger(source.id, "incremental")
    connector.answers["/status"] = {"running": False}
    manager.tick()
    assert resumes(connector)[0]["last_sync_at"] == "2026-08-01T12:00:00.123456Z"


def test_without_a_connector_the_first_time_is_let_pass(manager, connector, running, clock):
    clock.advance(seconds=300)
    for _ in range(4):
        manager.tick()
    assert manager.run(running).is_running
    manager.tick()
    assert manager.run(running).error_message == GAVE_UP
    assert resumes(connector) == []


def test_a_connector_that_comes_back_in_time_gets_its_run(manager, connector, running, clock, register):
    clock.advance(seconds=300)
    manager.tick()
    manager.tick()
    connector.answers["/status"] = {"running": False}
    register()
    manager.tick()
    assert len(resumes(connector)) == 1


def test_a_run_that_ends_while_it_is_probed_is_not_sent_again(manager, connector, running):
    def end_first(_):
        manager.app.test_client().post(f"/sdk/sync/{running}/complete")
        return {"running": False}

    connector.answers["/status"] = end_first
    manager.tick()
    assert resumes(connector) == []
    assert manager.run(running).status == "completed"
