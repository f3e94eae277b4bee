"""Request bodies: JSON of the right shape, or an error that names the field."""

from typing import TypeVar

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from omni_connector.exceptions import MalformedRequestError
from omni_connector.models.codec import decode, structure

T = TypeVar("T")

UNSUPPORTED_MEDIA_TYPE = 415


def json_body(cls: type[T]) -> T:
    """Return the body of the current request as an instance of ``cls``.

    Raises:
        MalformedRequestError: it is not JSON, or not of that shape; ``field`` says where.
    """
    if not request.is_json:
        raise MalformedRequestError(
            f"body: send JSON with Content-Type: application/json, not {request.mimetype or 'no content type'}",
            field="body",
            status=UNSUPPORTED_MEDIA_TYPE,
        )
    data = request.get_data(cache=False)
    limit = request.max_content_length
    if request.content_length is None and limit is not None and len(data) >= limit:
        raise RequestEntityTooLarge  # A chunked body is cut at the limit without a word.
    try:
        payload = decode(data)
    except ValueError as error:
        raise MalformedRequestError(f"body: not JSON ({error})", field="body") from error
    return structure(cls, payload)
