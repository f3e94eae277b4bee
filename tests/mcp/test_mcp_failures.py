"""Whatever goes wrong is told in one of four classes."""

from __future__ import annotations

import pytest
from mcp import MCPError

from omni_connector import HttpMcpServer, McpRefusedError, McpTimeoutError, McpUnavailableError
from omni_connector.mcp.access import Access
from omni_connector.mcp.failures import SessionForgottenError, translated

ACCESS = Access(
    server=HttpMcpServer("https://example.com/mcp?key=t0p-secret"),
    settings={},
    secrets=frozenset({"t0p-secret"}),
)
FAILED = MCPError(-32603, "Server returned an error response")
FORGOTTEN = MCPError(-32600, "Session terminated")


@pytest.mark.parametrize(
    ("error", "more", "kind"),
    [
        (MCPError(-32602, "unknown tool"), "", McpRefusedError),
        (
            MCPError(-32000, "the quota is used up"),
            "",
            McpRefusedError,
        ),  # Of the server; the code is the package's, too.
        (MCPError(-32000, "Connection closed"), "", McpUnavailableError),
        (MCPError(-32000, "SSE stream ended without a response"), "", McpUnavailableError),
        (MCPError(-32001, "Request timed out"), "", McpTimeoutError),
        (FAILED, "HTTP 502 Bad Gateway", McpUnavailableError),
        (FAILED, "HTTP 429 Too Many Requests", McpRefusedError),
        (FAILED, "HTTP 400 Bad Request", SessionForgottenError),
        (FAILED, "HTTP 401 Unauthorized", SessionForgottenError),
        (FORGOTTEN, "HTTP 404 Not Found", SessionForgottenError),
        (ValueError("not what the protocol says"), "", McpRefusedError),
        (ConnectionRefusedError("refused"), "", McpUnavailableError),
        (
            ExceptionGroup("several", [OSError("a"), ExceptionGroup("more", [OSError("b")])]),
            "",
            McpUnavailableError,
        ),
    ],
)
def test_an_error_in_a_session_has_its_class(error, more, kind):
    assert type(translated(error, ACCESS, more=more, established=True)) is kind


@pytest.mark.parametrize(
    ("error", "more"),
    [(FAILED, "HTTP 400 Bad Request"), (FAILED, "HTTP 401 Unauthorized"), (FORGOTTEN, "HTTP 404")],
)
def test_a_session_that_never_stood_was_not_forgotten(error, more):
    assert type(translated(error, ACCESS, more=more)) is McpRefusedError


def test_every_member_of_a_group_is_told_once_and_no_secret():
    group = ExceptionGroup("several", [OSError("for t0p-secret"), OSError("for t0p-secret"), KeyError("x")])
    error = translated(group, ACCESS, more="it said: t0p-secret")
    assert str(error) == (
        "MCP server https://example.com/mcp cannot be reached: OSError: for ***; KeyError: 'x' (it said: ***)"
    )
    assert error.server == "https://example.com/mcp"


def test_one_of_ours_stays_what_it_is():
    ours = McpTimeoutError("late", server="x", seconds=1)
    assert translated(ours, ACCESS) is ours
