import pytest

from omni_connector.local import LocalManagerError


def refusal(answer):
    return answer.status_code, answer.json()["error"]


def test_cancel_tells_the_connector_and_ends_the_run(api, manager, connector, running):
    answer = api.post(f"/sync/{running}/cancel")
    assert (answer.status_code, answer.json()) == (200, {"status": "cancelled"})
    assert connector.bodies("/cancel") == [{"sync_run_id": running}]
    run = manager.run(running)
    assert (run.status, run.error_message) == ("cancelled", "Cancelled by user")
    assert refusal(api.post(f"/sync/{running}/cancel")) == (400, f"Sync is not running: {running}")
    assert refusal(api.post("/sync/unknown/cancel")) == (404, "Sync run not found: unknown")


@pytest.mark.parametrize("answer", [({"status": "not_found"}, 404), ("broken", 500)])
def test_what_the_connector_answers_to_cancel_does_not_matter(manager, connector, running, answer):
    connector.answers["/cancel"] = answer
    manager.cancel(running)
    assert manager.run(running).status == "cancelled"


def test_an_unreachable_connector_does_not_keep_a_run_alive(api, manager, connector, running, unused_url):
    from flask import Response

    connector.answers["/cancel"] = lambda _: Response(status=307, headers={"Location": unused_url})
    manager.cancel(running)
    assert manager.run(running).status == "cancelled"


def test_without_a_connector_a_run_cannot_be_cancelled(api, clock, running):
    clock.advance(seconds=300)
    assert refusal(api.post(f"/sync/{running}/cancel")) == (404, 'Connector not configured for type: "web"')


def test_a_connector_that_ends_the_run_on_hearing_of_it_makes_a_400(manager, connector, running):
    def fail_first(body):
        manager.app.test_client().post(f"/sdk/sync/{body['sync_run_id']}/fail", json={"error": "cancelled"})
        return {"status": "cancelled"}

    connector.answers["/cancel"] = fail_first
    with pytest.raises(LocalManagerError, match="Sync is not running") as refused:
        manager.cancel(running)
    assert refused.value.status == 400
    assert manager.run(running).status == "failed"
