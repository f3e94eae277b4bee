"""Runs actions, and recognises what they return."""

import logging
from collections.abc import Iterable
from typing import Any

from omni_connector.actions import declared_actions
from omni_connector.connector_base import ConnectorBase
from omni_connector.connector_base.mcp_calls import McpPort
from omni_connector.event_loop import EventLoop
from omni_connector.models import ActionRequest, ActionResponse, Source
from omni_connector.runtime.asgi_answer import RawResponse, asgi_answer, is_asgi
from omni_connector.runtime.declared import UnusableParametersError, run_declared
from omni_connector.runtime.guarding import ENDS_A_PROCESS, reason_of
from omni_connector.runtime.hooks import call_fitted
from omni_connector.runtime.unsupported import is_unsupported
from omni_connector.sync.redaction import redact, redacted_traceback, secrets_in

log = logging.getLogger(__name__)

INTERNAL_SERVER_ERROR = 500


def run_action(
    connector: ConnectorBase, request: ActionRequest, loop: EventLoop, *, mcp: McpPort | None = None
) -> Any:
    """Run the action and return what the connector returned; responses of ASGI frameworks become RawResponse.

    An action that a method declares is run by it, every other by ``execute_action``. What is wrong with the parameters
    of a declared one answers 400; an action that raises answers 500 with the error's type and message. Secrets are
    removed from both. What ``execute_action`` does not support, and the MCP server does, is run there.
    """
    declared = declared_actions(type(connector)).by_name.get(request.action)
    source = Source.model_validate(request.source) if isinstance(request.source, dict) else request.source
    try:
        if declared is None:
            result = _executed(connector, request, loop, source=source)
        else:
            result = run_declared(connector, declared, request, loop, source=source)
        result = _foreign(result, request, loop) if _looks_foreign(result) else result
        if mcp is not None and is_unsupported(result, request.action):
            return _by_server(result, request, mcp)
        return result
    except UnusableParametersError as error:
        text = redact(str(error), secrets_in(request.credentials))
        log.info("Action %s was not run: %s", request.action, text)
        return ActionResponse.failure(text)
    except (Exception, *ENDS_A_PROCESS) as error:  # noqa: BLE001 - the request ends here; an exit is not the process's.
        secrets = secrets_in(request.credentials)
        told = redacted_traceback(error, secrets)
        log.error("Action %s failed: %s", request.action, told)  # noqa: TRY400 - the traceback is in it, redacted.
        text = redact(reason_of(error), secrets)
        return ActionResponse.failure(text, status_code=INTERNAL_SERVER_ERROR)


def _by_server(result: Any, request: ActionRequest, mcp: McpPort) -> Any:
    if not mcp.offers(request.action, request.credentials):
        return result
    return mcp.run_tool(request.action, request.params, request.credentials, request.source)


def _executed(connector: ConnectorBase, request: ActionRequest, loop: EventLoop, *, source: Any) -> Any:
    required = {
        "action": request.action,
        "params": {} if request.params is None else request.params,
        "credentials": {} if request.credentials is None else request.credentials,
    }
    optional = {"source": source, "actor_email": request.actor_email}
    return call_fitted(loop, connector.execute_action, required, optional)


def _looks_foreign(result: Any) -> bool:
    """Recognise a response of another framework by its shape, without importing any."""
    if isinstance(result, ActionResponse) or not isinstance(getattr(result, "status_code", None), int):
        return False
    has_content = hasattr(result, "body") or hasattr(result, "body_iterator") or is_asgi(result)
    return hasattr(result, "headers") and has_content


def _foreign(result: Any, request: ActionRequest, loop: EventLoop) -> RawResponse:
    if is_asgi(result) and (not hasattr(result, "body") or getattr(result, "background", None) is not None):
        # It has no plain body, or something to do after it was sent.
        return asgi_answer(result, loop, secrets=secrets_in(request.credentials))
    streamed = hasattr(result, "body_iterator")
    body = loop.run(_collected(result.body_iterator)) if streamed else result.body
    raw = getattr(result, "raw_headers", None)
    pairs: Iterable[tuple[Any, Any]] = raw if raw is not None else _pairs(result.headers)
    headers = tuple((_latin(name), _latin(value)) for name, value in pairs)
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
