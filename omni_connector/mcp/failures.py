"""Translates errors of an MCP server into ours, without secrets."""

from collections.abc import Iterator

from mcp import MCPError
from mcp_types import CONNECTION_CLOSED, INTERNAL_ERROR, INVALID_REQUEST, REQUEST_TIMEOUT

from omni_connector.exceptions import McpError, McpRefusedError, McpTimeoutError, McpUnavailableError
from omni_connector.masking import error_text, mask, owning
from omni_connector.mcp.access import Access

SESSION_UNKNOWN = "Session terminated"
"""How the ``mcp`` package reports a 404: the HTTP server no longer knows the session, for example after a restart."""

TURNED_AWAY = ("HTTP 400", "HTTP 401", "HTTP 403")
"""What other servers answer in that case. Errors of a request itself come as JSON, not with these statuses."""

CONNECTION_LOST = ("Connection closed", "SSE stream")
"""How messages of the ``mcp`` package about an ended connection begin; servers use its code for errors of their own."""


class SessionForgottenError(McpUnavailableError):
    """The server turned the request away unseen: it may be sent again in a new session, whatever it is."""


def translated(
    error: BaseException, access: Access, *, more: str = "", established: bool = False
) -> McpError:
    """Return ``error``, whatever library it comes from, as one of ours; of a group, every member is named.

    ``more`` is what else is known, such as a process's last words, or the status of an HTTP answer. ``established`` says that
    it happened to a request in an open session.
    """
    if isinstance(error, McpError):
        return error
    label = access.server.label
    causes = list(_causes(error))
    messages = "; ".join(dict.fromkeys(_message(cause) for cause in causes))
    with owning(access.secrets):
        with_more = mask(f"{messages} ({more})" if more else messages)
        text = with_more if more.startswith("HTTP") else mask(messages)
    refusals = [cause for cause in causes if isinstance(cause, MCPError)]
    if any(cause.code == REQUEST_TIMEOUT for cause in refusals):
        return timed_out(access, access.server.call_timeout_seconds)
    if established and any(_is_turned_away(cause, more) for cause in refusals):
        return SessionForgottenError(
            f"MCP server {label} does not know the session any more: {with_more}", server=label
        )
    for cause in refusals:
        if not _is_lost(cause, more):
            return McpRefusedError(f"MCP server {label}: {text}", server=label, code=cause.code)
    if any(isinstance(cause, (ValueError, RuntimeError)) for cause in causes):
        return McpRefusedError(f"MCP server {label} gave an unusable answer: {text}", server=label)
    return McpUnavailableError(f"MCP server {label} cannot be reached: {with_more}", server=label)


def timed_out(access: Access, seconds: float) -> McpTimeoutError:
    """Return the error for a server that did not answer in time."""
    label = access.server.label
    return McpTimeoutError(
        f"MCP server {label} did not answer within {seconds:g} s", server=label, seconds=seconds
    )


def _is_turned_away(error: MCPError, more: str) -> bool:
    if error.code == INTERNAL_ERROR:
        return more.startswith(TURNED_AWAY)
    return error.code == INVALID_REQUEST and error.message == SESSION_UNKNOWN


def _is_lost(error: MCPError, more: str) -> bool:
    if error.code == INTERNAL_ERROR and more.startswith("HTTP 5"):
        return True
    return error.code == CONNECTION_CLOSED and error.message.startswith(CONNECTION_LOST)


def _causes(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _causes(each)
    else:
        yield error


def _message(error: BaseException) -> str:
    return error.message if isinstance(error, MCPError) else error_text(error)
