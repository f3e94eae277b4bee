"""Answers: JSON by our own codec, and whatever an action returned, verbatim."""

import logging
from typing import Any

from flask import Response
from werkzeug.wrappers import Response as WerkzeugResponse

from omni_connector.masking import mask
from omni_connector.models import ActionResponse
from omni_connector.models.codec import encode
from omni_connector.runtime.asgi_answer import RawResponse

log = logging.getLogger(__name__)


def json_response(value: Any, status: int = 200) -> Response:
    """Return ``value`` as JSON, whatever JSON provider the hosting application uses."""
    return Response(encode(value), status=status, mimetype="application/json")


def error_response(message: str, *, status: int, field: str | None = None) -> Response:
    """Return an error in the shapes of every endpoint at once: SyncResponse, ActionResponse and ErrorBody."""
    message = mask(message)
    body = {"status": "error", "message": message, "error": message}
    return json_response(body | ({"field": field} if field else {}), status)


def action_response(result: Any) -> WerkzeugResponse:
    """Return what ``execute_action`` returned as an HTTP answer."""
    if isinstance(result, WerkzeugResponse):
        _make_sendable(result)
        return result
    if isinstance(result, ActionResponse):
        return json_response(result.to_wire(), result.status_code)
    if isinstance(result, RawResponse):
        return _raw(result)
    if isinstance(result, dict):
        return json_response(result)
    kind = type(result).__name__
    log.error("The action answered with %s, which is no answer", kind)
    text = f"The action returned {kind}; return an ActionResponse, a dict or a response object"
    return json_response(ActionResponse.failure(text).to_wire(), 500)


def _raw(answer: RawResponse) -> Response:
    response = Response(answer.body, status=answer.status)
    response.headers.clear()
    whole = isinstance(answer.body, bytes)
    try:
        for name, value in answer.headers:
            if name.lower() != "content-length" or not whole:
                response.headers.add(name, value)
        _make_sendable(response)
    except ValueError:  # A header that would split the answer; the body is not sent.
        response.close()
        raise
    if isinstance(answer.body, bytes):
        response.content_length = len(answer.body)  # What the response says of itself may be wrong.
    return response


def _make_sendable(response: WerkzeugResponse) -> None:
    """Send text beyond Latin-1 in headers as its UTF-8 bytes, which the manager passes on (PROTOCOL, section 19)."""
    for name, value in list(response.headers.items()):
        try:
            value.encode("latin-1")
        except UnicodeEncodeError:
            response.headers.set(name, value.encode().decode("latin-1"))
