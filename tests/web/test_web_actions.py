"""What an action returns reaches the manager verbatim."""

from __future__ import annotations

import io
import json

import pytest
from flask import Response, request, send_file, stream_with_context
from support.scripted import Scripted
from werkzeug.wrappers import Response as WerkzeugResponse

from omni_connector import ActionResponse
from omni_connector.local import HttpServer

ACTION = {"action": "fetch", "params": {"id": 1}, "credentials": None, "source": None, "actor_email": None}
BYTES = bytes(range(256)) * 10


@pytest.fixture
def act(make_app):
    """Run an action over the endpoint; the method is given."""

    def run(method):
        kind = type("Acting", (Scripted,), {"execute_action": method})
        return make_app(kind()).test_client().post("/action", json=ACTION)

    return run


def returning(value):
    return lambda self, action, params, credentials: value


@pytest.mark.parametrize("status", [200, 201, 400, 404, 418, 500])
def test_an_action_response_is_json_with_its_status(act, status):
    response = act(returning(ActionResponse(status="success", result=[1], status_code=status)))
    assert (response.status_code, response.mimetype) == (status, "application/json")
    assert response.json == {"status": "success", "result": [1], "error": None}


def test_a_dict_is_json_as_it_stands(act):
    response = act(returning({"any": {"thing": [1, None]}}))
    assert (response.status_code, response.json) == (200, {"any": {"thing": [1, None]}})


def test_a_flask_response_passes_whole(act):
    given = Response(BYTES, status=206, mimetype="application/pdf")
    given.headers["Content-Disposition"] = "attachment; filename*=UTF-8''%C3%A4.pdf"
    given.headers.add("X-Part", "1")
    given.headers.add("X-Part", "2")
    response = act(returning(given))
    assert (response.status_code, response.mimetype, response.data) == (206, "application/pdf", BYTES)
    assert response.headers.getlist("X-Part") == ["1", "2"]
    assert "%C3%A4.pdf" in response.headers["Content-Disposition"]


def test_a_werkzeug_response_passes_whole(act):
    response = act(returning(WerkzeugResponse("plain", status=202, content_type="text/x-own")))
    assert (response.status_code, response.content_type, response.text) == (202, "text/x-own", "plain")


@pytest.mark.parametrize("colour", ["blocking", "async"])
def test_a_file_passes_whole(act, colour):
    def blocking(self, action, params, credentials):
        return send_file(io.BytesIO(BYTES), mimetype="image/png", download_name="a.png", as_attachment=True)

    async def in_async(self, action, params, credentials):
        assert request.path == "/action"  # The request's context is there, too.
        return blocking(self, action, params, credentials)

    response = act(blocking if colour == "blocking" else in_async)
    assert (response.status_code, response.mimetype, response.data) == (200, "image/png", BYTES)
    assert "a.png" in response.headers["Content-Disposition"]
    response.close()


def test_a_stream_is_not_collected_first(make_app):
    def stream(self, action, params, credentials):
        def chunks():
            yield "one "
            yield request.path

        return Response(stream_with_context(chunks()), mimetype="text/event-stream")

    import requests

    app = make_app(type("Acting", (Scripted,), {"execute_action": stream})())
    with HttpServer(app, name="test-connector") as server, requests.Session() as session:
        response = session.post(f"{server.url}/action", json=ACTION, timeout=60)
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert response.text == "one /action"
    assert "Content-Length" not in response.headers


class Headers:
    def __init__(self, *pairs):
        self._pairs = pairs

    def items(self):
        return list(self._pairs)


class Foreign:
    def __init__(self, **parts):
        vars(self).update(parts)


def test_a_response_of_an_asgi_framework_passes_with_its_repeated_headers(act):
    given = Foreign(
        status_code=207,
        headers=Headers(("content-type", "application/x-own"), ("set-cookie", "a=1"), ("set-cookie", "b=2"), ("content-length", "999")),
        body=BYTES,
    )  # fmt: skip
    response = act(returning(given))
    assert (response.status_code, response.content_type, response.data) == (207, "application/x-own", BYTES)
    assert response.headers.getlist("Set-Cookie") == ["a=1", "b=2"]
    assert response.headers.getlist("Content-Length") == [str(len(BYTES))]


def test_a_streaming_response_of_an_asgi_framework_passes(act):
    async def chunks():
        yield b"one "
        yield "two"

    async def action(self, action, params, credentials):
        return Foreign(status_code=200, headers={"content-type": "text/csv"}, body_iterator=chunks())

    response = act(action)
    assert (response.content_type, response.text) == ("text/csv", "one two")


def test_a_response_without_headers_has_no_invented_content_type(act):
    response = act(returning(Foreign(status_code=200, headers={}, body=b"x")))
    assert "Content-Type" not in response.headers


@pytest.mark.parametrize("value", [None, "text", 5, ["a"], ("body", 200), object()])
def test_anything_else_is_answered_with_what_to_return(act, value):
    response = act(returning(value))
    assert (response.status_code, response.json["status"]) == (500, "error")
    assert response.json["error"] == (
        f"The action returned {type(value).__name__}; return an ActionResponse, a dict or a response object"
    )


@pytest.mark.parametrize("value", [{"raw": b"x"}, ActionResponse.success(object())])
def test_a_result_without_json_form_is_answered_with_its_path(act, value):
    response = act(returning(value))
    assert (response.status_code, response.mimetype) == (500, "application/json")
    assert "has no JSON form" in response.json["error"]


def test_a_header_that_would_split_the_answer_is_refused(act):
    response = act(returning(Foreign(status_code=200, headers={"x-a": "1\r\nx-b: 2"}, body=b"")))
    assert response.status_code == 500
    assert "x-b" not in response.headers


def test_what_an_action_raises_is_a_500_of_the_protocol(act):
    def raises(self, action, params, credentials):
        raise ConnectionError("provider is down")

    response = act(raises)
    assert response.status_code == 500
    assert response.json == {"status": "error", "result": None, "error": "ConnectionError: provider is down"}


def test_values_are_encoded_by_our_own_codec(act):
    response = act(returning({"nan": float("nan"), "set": {2, 1}, "large": 2**70}))
    assert json.loads(response.data) == {"nan": None, "set": [1, 2], "large": str(2**70)}
