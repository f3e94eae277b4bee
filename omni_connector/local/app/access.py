"""What every view needs: the services, the decoded body, the encoded answer."""

from __future__ import annotations

import re
from typing import cast

import orjson
from flask import Response, current_app, request

from omni_connector.local.manager_dates import Since
from omni_connector.local.services import Services
from omni_connector.local.shapes import Decoder, NullVariantError, ShapeError
from omni_connector.local.strict_json import JSON, JsonSyntaxError, end_position, parse_json

EXTENSION = "omni_local_manager"

OLD_BODY_LIMIT = 2_097_152
"""Bytes of a request that managers before June 2026 take (PROTOCOL, section 18)."""

_JSON_TYPE = re.compile(
    r"application/(?:[!#$%&'*.^_`|~0-9A-Za-z+-]+\+)?json[ \t]*(?:;[\x20-\x7e\t]*)?", re.IGNORECASE
)
_PLAIN_TEXT = "text/plain; charset=utf-8"


class BodyRefusedError(Exception):
    """A request is refused before its handler runs, with an answer in plain text."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        self.text = text
        super().__init__(text)

    def to_response(self) -> Response:
        """Return the answer."""
        return Response(self.text, self.status, content_type=_PLAIN_TEXT)


def services() -> Services:
    """Return the services of the app that serves this request."""
    return cast("Services", current_app.extensions[EXTENSION])


def body(decode: Decoder) -> JSON:
    """Return the request's body as its shape; raises ``BodyRefusedError`` (415, 400, 422), in that order."""
    if not _JSON_TYPE.fullmatch(request.headers.get("Content-Type", "").strip()):
        raise BodyRefusedError(415, "Expected request with `Content-Type: application/json`")
    data = request.get_data(cache=False)
    if len(data) > OLD_BODY_LIMIT and not services().settings.has(Since.LARGE_BODIES):
        raise BodyRefusedError(413, "Failed to buffer the request body: length limit exceeded")
    try:
        return decode(parse_json(data), "")
    except (JsonSyntaxError, NullVariantError) as error:
        text = str(error) if isinstance(error, JsonSyntaxError) else f"{error} {end_position(data)}"
        raise BodyRefusedError(400, f"Failed to parse the request body as JSON: {text}") from None
    except ShapeError as error:
        text = f"{error} {end_position(data)}"
        raise BodyRefusedError(
            422, f"Failed to deserialize the JSON body into the target type: {text}"
        ) from None


def answer(value: JSON, status: int = 200) -> Response:
    """Return a JSON answer."""
    return Response(orjson.dumps(value), status, content_type="application/json")


def ok() -> Response:
    """Return ``{"status": "ok"}``."""
    return answer({"status": "ok"})
