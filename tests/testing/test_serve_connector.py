import json
import threading
import urllib.request

import pytest
from note_connectors import EVERYBODY, Notes
from werkzeug.wrappers import Response

from omni_connector import ActionDefinition, Document, SdkClientError
from omni_connector.testing import call_action, serve_connector

TWO = {"notes": {"todo": "milk, bread", "idea": "a boat"}}


def test_a_served_connector_answers_and_is_registered(omni_manager):
    with serve_connector(Notes(), omni_manager) as served:
        with urllib.request.urlopen(f"{served.url}/manifest", timeout=60) as answer:
            manifest = json.load(answer)
        assert (manifest["name"], manifest["connector_url"]) == ("notes", served.url)
        omni_manager.wait_for_connector("web", timeout_seconds=0)
        assert served.app.url_map


def test_a_run_can_be_driven_by_hand(omni_manager):
    with serve_connector(Notes(), omni_manager) as served:
        run_id = omni_manager.trigger(served.put_source(config=TWO))
        assert omni_manager.wait_for_run(run_id).status == "completed"
    assert served.service.report(run_id).emitted == 2


def test_actions_of_a_served_connector_can_be_called(omni_manager):
    with serve_connector(Notes(), omni_manager) as served:
        served.put_source(config=TWO)
        answer = served.call_action("count")
    assert (answer.status_code, answer.status, answer.error) == (200, "success", None)
    assert answer.result == {"notes": 2, "actor": None}


def test_an_action_knows_who_acts(omni_manager):
    answer = call_action(Notes(), "count", config=TWO, manager=omni_manager, actor_email="ann@example.com")
    assert answer.result["actor"] == "ann@example.com"


def test_an_action_that_the_manager_refuses_answers_what_it_says(omni_manager):
    answer = call_action(Notes(), "burn", manager=omni_manager)
    assert (answer.status_code, answer.status, answer.result) == (400, None, None)
    assert "Unknown action 'burn'" in answer.error


def test_an_answer_that_is_no_action_response_arrives_byte_for_byte(omni_manager):
    class Downloading(Notes):
        actions = [ActionDefinition(name="download", description="Download", mode="read")]

        def execute_action(self, action, params, credentials):
            return Response(b"\x00\xff", content_type="application/x-note")

    answer = call_action(Downloading(), "download", manager=omni_manager)
    assert (answer.body, answer.headers["content-type"]) == (b"\x00\xff", "application/x-note")
    assert (answer.status, answer.error) == (None, None)
    with pytest.raises(ValueError, match=r"JSON|UTF-8|str"):
        answer.json()


def test_an_answer_that_is_another_json_value_has_no_status(omni_manager):
    class Listing(Notes):
        actions = [ActionDefinition(name="list", description="List", mode="read")]

        def execute_action(self, action, params, credentials):
            return Response(b"[1]", content_type="application/json")

    answer = call_action(Listing(), "list", manager=omni_manager)
    assert (answer.json(), answer.status) == ([1], None)


def test_credentials_reach_the_action(omni_manager):
    class Telling(Notes):
        def execute_action(self, action, params, credentials):
            return {"status": "success", "result": credentials["credentials"]["token"]}

    answer = call_action(Telling(), "count", credentials={"token": "t"}, manager=omni_manager)
    assert answer.result == "t"


def test_closing_twice_is_fine(omni_manager):
    served = serve_connector(Notes(), omni_manager)
    served.close()
    served.close()


def test_a_connector_that_was_never_closed_complains(omni_manager):
    served = serve_connector(Notes(), omni_manager)
    with pytest.warns(ResourceWarning, match="never closed"):
        served.__del__()
    served.close()


def test_a_manager_that_is_not_there_is_the_callers_error(tmp_path, omni_manager):
    class Nowhere:
        takes_registrations = True
        url = "http://127.0.0.1:9"
        data_dir = tmp_path

    with pytest.raises(SdkClientError, match="register"):
        serve_connector(Notes(), Nowhere())


@pytest.mark.parametrize("attempt", range(6))
def test_closing_delivers_what_an_interrupted_run_has_buffered(omni_manager, attempt):
    waiting = threading.Event()

    class Waiting(Notes):
        def sync(self, source_config, credentials, state, ctx):
            for n in range(30):
                ctx.emit(Document(external_id=str(n), title="N", content=f"n{n}", permissions=EVERYBODY))
            waiting.set()
            ctx.sleep(60)
            ctx.raise_if_cancelled()

    with serve_connector(Waiting(), omni_manager) as served:
        run_id = omni_manager.trigger(served.put_source())
        assert waiting.wait(60)
    assert len(list(omni_manager.documents())) == 30
    assert omni_manager.run(run_id).status == "running"
