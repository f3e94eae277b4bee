"""Request bodies: JSON of the right shape, or an error that names the field."""

from http import HTTPStatus
from typing import TypeVar

from flask import request

from omni_connector.exceptions import MalformedRequestError
from omni_connector.models.codec import decode, structure
from omni_connector.web.bodies import request_body

T = TypeVar("T")


def json_body(cls: type[T]) -> T:
    """Return the body of the current request as an instance of ``cls``.

    Raises:
        MalformedRequestError: it is not JSON, or not of that shape, or too large; ``field`` says where.
    """
    if not request.is_json:
        raise MalformedRequestError(
            f"body: send JSON with Content-Type: application/json, not {request.mimetype or 'no content type'}",
            field="body",
            status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        )
    try:
        payload = decode(request_body())
    except ValueError as error:
        raise MalformedRequestError(f"body: not JSON ({error})", field="body") from error
    return structure(cls, payload)
