"""What went wrong with an MCP server, in one of three classes and without secrets."""

from collections.abc import Iterator

from mcp import MCPError
from mcp_types import CONNECTION_CLOSED, INVALID_REQUEST, REQUEST_TIMEOUT

from omni_connector.exceptions import McpError, McpRefusedError, McpTimeoutError, McpUnavailableError
from omni_connector.mcp.access import Access
from omni_connector.sync.redaction import error_text, redact

SESSION_UNKNOWN = "Session terminated"
"""How the ``mcp`` package says that an HTTP server does not know the session any more, after a restart, say."""


class SessionForgottenError(McpUnavailableError):
    """The server turned the request away unseen: it may be sent again in a new session, whatever it is."""


def translated(error: BaseException, access: Access, *, more: str = "") -> McpError:
    """Return ``error``, whatever library it comes from, as one of ours.

    Args:
        error: a group of errors is told by its members.
        access: the server, and what must not be told.
        more: what else is known, such as what a process has said last.
    """
    if isinstance(error, McpError):
        return error
    label = access.server.label
    causes = list(_causes(error))
    told = "; ".join(dict.fromkeys(_told(cause) for cause in causes))
    text = redact(f"{told} ({more})" if more else told, access.secrets)
    codes = [cause.code for cause in causes if isinstance(cause, MCPError)]
    if REQUEST_TIMEOUT in codes:
        return timed_out(access, access.server.call_timeout_seconds)
    if any(_is_unknown_session(cause) for cause in causes):
        return SessionForgottenError(f"MCP server {label} does not know the session any more", server=label)
    for code in codes:
        if code != CONNECTION_CLOSED:
            return McpRefusedError(f"MCP server {label}: {text}", server=label, code=code)
    if any(isinstance(cause, (ValueError, RuntimeError)) for cause in causes):
        return McpRefusedError(f"MCP server {label} gave an unusable answer: {text}", server=label)
    return McpUnavailableError(f"MCP server {label} cannot be reached: {text}", server=label)


def timed_out(access: Access, seconds: float) -> McpTimeoutError:
    """Return the error for a server that did not answer in time."""
    label = access.server.label
    return McpTimeoutError(
        f"MCP server {label} did not answer within {seconds:g} s", server=label, seconds=seconds
    )


def _is_unknown_session(error: BaseException) -> bool:
    return isinstance(error, MCPError) and error.code == INVALID_REQUEST and error.message == SESSION_UNKNOWN


def _causes(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _causes(each)
    else:
        yield error


def _told(error: BaseException) -> str:
    return error.message if isinstance(error, MCPError) else error_text(error)
