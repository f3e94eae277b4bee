"""Recognises what actions return: responses of other frameworks, and the answer that says "no such action"."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from omni_connector.event_loop import EventLoop
from omni_connector.models import ActionResponse
from omni_connector.models.codec import decode
from omni_connector.runtime.asgi_answer import RawResponse, asgi_answer, is_asgi


def is_response(result: Any) -> bool:
    """Recognise an HTTP response of any framework by its shape, without importing any."""
    return isinstance(getattr(result, "status_code", None), int) and hasattr(result, "headers")


def is_unsupported(result: Any, action: str) -> bool:
    """Say whether ``result`` is ``ActionResponse.not_supported(action)``, as a dict or an HTTP response as well."""
    error = ActionResponse.not_supported(action).error
    if isinstance(result, ActionResponse):
        return result.error == error
    if isinstance(result, dict):
        return result.get("error") == error
    status = getattr(result, "status_code", None) or getattr(result, "status", None)
    if status != HTTPStatus.NOT_FOUND:
        return False
    body = getattr(result, "body", None)
    if not isinstance(body, bytes) and callable(getattr(result, "get_data", None)):  # Flask's.
        body = result.get_data()
    try:
        answer = decode(body) if isinstance(body, bytes) else None
    except ValueError:
        return False
    return isinstance(answer, dict) and answer.get("error") == error


def from_other_framework(result: Any, loop: EventLoop) -> Any:
    """Return a response of an ASGI framework, or one shaped like it, as a RawResponse; anything else as it is."""
    has_content = hasattr(result, "body") or hasattr(result, "body_iterator") or is_asgi(result)
    if isinstance(result, ActionResponse) or not (is_response(result) and has_content):
        return result
    if is_asgi(result) and (not hasattr(result, "body") or getattr(result, "background", None) is not None):
        # It has no plain body, or something to do after it was sent.
        return asgi_answer(result, loop)
    streamed = hasattr(result, "body_iterator")
    body = loop.run(_collected(result.body_iterator)) if streamed else result.body
    raw = getattr(result, "raw_headers", None)
    headers = tuple(
        (_latin(name), _latin(value)) for name, value in _pairs(result.headers if raw is None else raw)
    )
    return RawResponse(result.status_code, headers, _bytes(body))


async def _collected(chunks: Any) -> bytes:
    if hasattr(chunks, "__aiter__"):
        return b"".join([_bytes(chunk) async for chunk in chunks])
    return b"".join(_bytes(chunk) for chunk in chunks)


def _pairs(headers: Any) -> Iterable[tuple[Any, Any]]:
    return headers.items() if hasattr(headers, "items") else headers or ()


def _bytes(value: Any) -> bytes:
    if value is None:
        return b""
    return value.encode() if isinstance(value, str) else bytes(value)


def _latin(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
