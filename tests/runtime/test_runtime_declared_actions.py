"""Declared actions at work: dispatch, parameters, what they return, through service and manager."""

from __future__ import annotations

import dataclasses
import datetime as dt
import logging

import attrs
import pytest
from flask import Response
from support.scripted import Scripted

from omni_connector import ActionDefinition, ActionResponse, Credential, action
from omni_connector.event_loop import EventLoop
from omni_connector.models import ActionRequest
from omni_connector.models.records import secrets_and_row
from omni_connector.runtime.actions import run_action
from omni_connector.runtime.asgi_answer import RawResponse
from omni_connector.runtime.hooks import HookCaller
from omni_connector.testing import call_action

CREDENTIALS = {"id": "c", "auth_type": "api_key", "credentials": {"token": "t0p-secret"}}
SOURCE = {"id": "s", "name": "Docs"}


@attrs.define
class Found:
    title: str
    when: dt.date


@dataclasses.dataclass
class Counted:
    count: int


class Foreign:
    status_code = 201
    headers = {"x-a": "1"}
    body = b"bytes"


RESPONSE = Response(b"%PDF", mimetype="application/pdf")
FAILURE = ActionResponse.failure("gone", status_code=410)


class Tickets(Scripted):
    actions = [ActionDefinition(name="by_hand", description="As before.")]
    result = None

    def execute_action(self, action, params, credentials, source=None):
        return {"executed": action, "params": params, "source": source}

    @action(mode="read")
    def when(self, day: dt.date, times: int = 2, *, credentials, source, actor_email):
        """Tell what came."""
        return {"day": day, "times": times, "credentials": credentials, "source": source, "by": actor_email}

    @action(mode="read")
    async def later(self, day: dt.date):
        """Tell what came."""
        return day

    @action
    def give(self):
        """Return what the test wants."""
        return self.result

    @action
    async def give_async(self):
        """Return what the test wants."""
        return self.result

    @action
    def fail(self, kind: str = "value"):
        """Fail."""
        raise {"value": ValueError, "type": TypeError, "exit": SystemExit}[kind]("for t0p-secret")

    @action
    def deep(self):
        """Fail like a request that cannot be read."""
        from omni_connector.exceptions import MalformedRequestError

        raise MalformedRequestError("deep inside", field="x")


@pytest.fixture
def act():
    """Run an action; keyword arguments change the request."""
    loop = EventLoop("test-loop")

    def run(name, params=None, connector=None, **changes):
        request = {"credentials": CREDENTIALS, "source": SOURCE, "actor_email": "ada@example.com", **changes}
        hooks = HookCaller(connector or Tickets(), loop)
        return run_action(hooks, ActionRequest(action=name, params=params, **request))

    yield run
    loop.close()


def test_a_declared_action_is_run_by_its_method(act):
    assert act("when", {"day": "2026-08-01", "base_url": "merged in"}) == ActionResponse.success(
        {
            "day": "2026-08-01",
            "times": 2,
            "credentials": {"token": "t0p-secret"},
            "source": SOURCE,
            "by": "ada@example.com",
        }
    )
    assert act("later", {"day": "2026-08-01"}) == ActionResponse.success("2026-08-01")


def test_what_is_not_there_is_handed_over_as_usual(act):
    answer = act("when", {"day": "2026-08-01"}, credentials=None, source=None, actor_email=None)
    assert [answer.result[key] for key in ("credentials", "source", "by")] == [{}, None, None]


@pytest.mark.parametrize("name", ["by_hand", "unknown", "helper"])
def test_other_names_go_to_execute_action(act, name):
    assert act(name, {"a": 1}) == {"executed": name, "params": {"a": 1}, "source": SOURCE}


def test_an_override_is_what_runs(act):
    class Overriding(Tickets):
        async def later(self, day):
            return f"overridden {day:%d.%m.}"

    assert act("later", {"day": "2026-08-01"}, Overriding()).result == "overridden 01.08."


def test_wrong_parameters_answer_400_before_the_method_runs(act, caplog):
    with caplog.at_level(logging.INFO):
        answer = act("when", {"times": "t0p-secret"})
    assert (answer.status, answer.status_code) == ("error", 400)
    assert (
        answer.error
        == "day: an ISO 8601 date is required, and missing; times: a whole number is required, not text"
    )
    assert "Action when was not run: day: an ISO 8601 date" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_wrong_value_is_shown_without_secrets(act, caplog):
    answer = act("later", {"day": "on t0p-secret"})
    assert answer.error == 'day: an ISO 8601 date is required, not "on ***"'
    assert "t0p-secret" not in caplog.text


class Accounts(Scripted):
    seen = None

    @action
    def look(self, credentials, credential: Credential | None):
        """Look at what the SDK hands over."""
        self.seen = (credentials, credential)

    @action
    def as_before(self, credentials):
        """Read the row, as actions did before credentials were the secrets."""
        return [credentials["credentials"], credentials.get("auth_type"), credentials.get("nothing", 5)]

    @action
    def through_the_server(self, credentials):
        """Hand the secrets to the MCP server's hooks."""
        self.seen = secrets_and_row(credentials)


SHAPES = {
    "row": (CREDENTIALS, {"token": "t0p-secret"}, "api_key"),
    "row without secrets": ({**CREDENTIALS, "credentials": None}, {}, "api_key"),
    "secrets alone": ({"token": "t0p-secret"}, {"token": "t0p-secret"}, None),
    "secret of that name": ({"credentials": "t0p-secret"}, {"credentials": "t0p-secret"}, None),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_credentials_are_the_secrets_and_credential_is_the_row(act, shape):
    given, secrets, auth_type = SHAPES[shape]
    connector = Accounts()
    assert act("look", {}, connector, credentials=given).status == "success"
    credentials, credential = connector.seen
    assert credentials == secrets
    assert (credential.auth_type, credential.principal_email) == (auth_type, None)
    assert (credential.credentials or {}) == secrets
    assert "t0p-secret" not in repr(credential)


def test_without_credentials_there_is_no_row(act):
    connector = Accounts()
    act("look", {}, connector, credentials=None)
    assert connector.seen == ({}, None)


def test_keys_of_the_row_are_still_found_with_a_warning(act):
    with pytest.warns(DeprecationWarning, match="belongs to the row") as warned:
        answer = act("as_before", {}, Accounts())
    assert {each.filename for each in warned} == {__file__}
    assert answer.result == [{"token": "t0p-secret"}, "api_key", 5]


def test_the_hooks_of_an_mcp_server_get_the_row_all_the_same(act):
    connector = Accounts()
    act("through_the_server", {}, connector)
    assert connector.seen == ({"token": "t0p-secret"}, CREDENTIALS)


def test_null_params_are_none(act):
    assert act("when").error.startswith("day: ")
    assert act("give", [1]).error == "params: an object by name is required"


@pytest.mark.parametrize("kind", ["value", "type", "exit"])
def test_an_action_that_raises_answers_500_without_secrets(act, caplog, kind):
    answer = act("fail", {"kind": kind})
    assert (answer.status_code, answer.status) == (500, "error")
    assert answer.error.endswith(
        ("Error: for ***", "(SystemExit: for ***); raise another exception to report an error")
    )
    assert "t0p-secret" not in caplog.text


def test_an_error_of_the_action_is_not_taken_for_one_of_its_parameters(act):
    answer = act("deep")
    assert (answer.status_code, answer.error) == (500, "MalformedRequestError: deep inside")


VALUES = [
    (None, ActionResponse.success()),
    (5, ActionResponse.success(5)),
    ("text", ActionResponse.success("text")),
    ([1, {"a": None}], ActionResponse.success([1, {"a": None}])),
    ({"words": 2}, ActionResponse.success({"words": 2})),
    ({"status": "open"}, ActionResponse.success({"status": "open"})),
    ({"status": "success", "count": 1}, ActionResponse.success({"status": "success", "count": 1})),
    (Found("T", dt.date(2026, 8, 1)), ActionResponse.success({"title": "T", "when": "2026-08-01"})),
    ((Counted(1), Counted(2)), ActionResponse.success([{"count": 1}, {"count": 2}])),
    ({"status": "success", "result": 1}, {"status": "success", "result": 1}),
    ({"status": "error", "result": None, "error": "no"}, {"status": "error", "result": None, "error": "no"}),
    (FAILURE, FAILURE),
    (RESPONSE, RESPONSE),
    (Foreign(), RawResponse(201, (("x-a", "1"),), b"bytes")),
]


@pytest.mark.parametrize("name", ["give", "give_async"])
@pytest.mark.parametrize(("result", "answer"), VALUES)
def test_values_become_results_and_responses_stay_what_they_are(act, name, result, answer):
    connector = Tickets()
    connector.result = result
    assert act(name, {}, connector) == answer


@pytest.mark.parametrize("result", [object(), b"bytes", {"a": [object()]}, iter([1])])
def test_what_has_no_json_form_answers_500_by_its_path(act, result):
    connector = Tickets()
    connector.result = result
    answer = act("give", {}, connector)
    assert answer.status_code == 500
    assert "JSON.result" in answer.error
    assert "has no JSON form" in answer.error


def test_the_manager_dispatches_to_a_declared_action_and_passes_its_answers_on(omni_manager):
    connector = Tickets()
    found = call_action(
        connector, "when", {"day": "2026-08-01"}, credentials={"token": "t"}, manager=omni_manager
    )
    assert (found.status_code, found.status) == (200, "success")
    assert found.result["day"] == "2026-08-01"
    assert found.result["credentials"] == {"token": "t"}
    assert found.result["source"]["source_type"] == "web"
    refused = call_action(connector, "when", {"day": "soon"}, manager=omni_manager)
    assert (refused.status_code, refused.status) == (400, "error")
    assert refused.error == 'day: an ISO 8601 date is required, not "soon"'
    connector.result = RESPONSE
    file = call_action(connector, "give", {}, manager=omni_manager)
    assert (file.body, file.headers["content-type"]) == (b"%PDF", "application/pdf")
    assert call_action(connector, "by_hand", {}, manager=omni_manager).json()["executed"] == "by_hand"
