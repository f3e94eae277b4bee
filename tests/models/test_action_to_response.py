"""An answer of an action as HTTP, as existing connectors return it."""

from __future__ import annotations

import json

import pytest

from omni_connector import ActionResponse
from omni_connector.exceptions import InvalidValueError


def test_an_answer_becomes_http_with_the_status_that_is_asked_for():
    response = ActionResponse.failure("Missing 'token'").to_response(status_code=401)
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/json"
    assert response.headers["content-length"] == str(len(response.body))
    assert json.loads(response.body) == {"status": "error", "result": None, "error": "Missing 'token'"}


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (ActionResponse.success({"a": 1}), 200),
        (ActionResponse.failure("no"), 400),
        (ActionResponse.failure("no", status_code=502), 502),
        (ActionResponse.not_supported("ping"), 404),
    ],
)
def test_without_a_status_it_is_the_one_the_answer_would_have_by_itself(answer, status):
    assert answer.to_response().status_code == status
    assert answer.to_response(201).status_code == 201


def test_text_is_sent_as_utf8():
    assert "Grün".encode() in ActionResponse.success({"colour": "Grün"}).to_response().body


def test_a_result_without_json_form_is_named():
    with pytest.raises(InvalidValueError, match="has no JSON form"):
        ActionResponse.success({"raw": b"x"}).to_response()
