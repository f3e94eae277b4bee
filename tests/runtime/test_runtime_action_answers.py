"""The answer by which a connector says that it has no such action, in every form that authors give it."""

from __future__ import annotations

import json

import pytest
from flask import Response

from omni_connector import ActionResponse
from omni_connector.runtime.action_answers import is_unsupported
from omni_connector.runtime.asgi_answer import RawResponse

ANSWER = ActionResponse.not_supported("ping")
BODY = json.dumps(ANSWER.to_wire()).encode()


@pytest.mark.parametrize(
    "result",
    [
        ANSWER,
        ANSWER.to_wire(),
        ANSWER.to_response(),
        ANSWER.to_response(status_code=404),
        Response(BODY, 404, mimetype="application/json"),
        RawResponse(404, (("content-type", "application/json"),), BODY),
    ],
)
def test_it_is_recognised(result):
    assert is_unsupported(result, "ping")
    assert not is_unsupported(result, "pong")


@pytest.mark.parametrize(
    "result",
    [
        ActionResponse.success("Action not supported: ping"),
        ActionResponse.failure("no such page", status_code=404),
        {"status": "success"},
        Response(BODY, 200),
        Response("not JSON", 404),
        Response("[]", 404),
        RawResponse(404, (), b""),
        None,
        "text",
        5,
    ],
)
def test_other_answers_are_left_alone(result):
    assert not is_unsupported(result, "ping")
