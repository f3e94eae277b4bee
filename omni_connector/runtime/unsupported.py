"""Recognises the answer by which a connector says that it has no such action, in whichever form it is given."""

from typing import Any

from omni_connector.models import ActionResponse
from omni_connector.models.codec import decode

NOT_FOUND = 404


def is_unsupported(result: Any, action: str) -> bool:
    """Say whether ``result`` is what ``ActionResponse.not_supported(action)`` is, also as a dict or an HTTP response."""
    error = ActionResponse.not_supported(action).error
    if isinstance(result, ActionResponse):
        return result.error == error
    if isinstance(result, dict):
        return result.get("error") == error
    status = getattr(result, "status_code", None) or getattr(result, "status", None)
    if status != NOT_FOUND:
        return False
    body = getattr(result, "body", None)
    if not isinstance(body, bytes) and callable(getattr(result, "get_data", None)):  # Flask's.
        body = result.get_data()
    try:
        told = decode(body) if isinstance(body, bytes) else None
    except ValueError:
        return False
    return isinstance(told, dict) and told.get("error") == error
