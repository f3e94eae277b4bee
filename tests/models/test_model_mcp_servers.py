"""How an MCP server is declared, and what of it is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from omni_connector import HttpMcpServer, InvalidValueError, StdioMcpServer


def test_servers_are_declared_by_position_or_by_keyword():
    one = StdioMcpServer("npx", ["-y", "server"], {"A": "1"}, "/tmp")
    assert one == StdioMcpServer(command="npx", args=["-y", "server"], env={"A": "1"}, cwd="/tmp")
    assert (one.args, one.env, one.cwd, one.needs_credentials) == (["-y", "server"], {"A": "1"}, "/tmp", True)
    other = HttpMcpServer("https://example.com/mcp", {"X": "1"})
    assert other == HttpMcpServer(url="https://example.com/mcp", headers={"X": "1"})
    assert (other.timeout_seconds, other.sse_read_timeout_seconds) == (30.0, 300.0)


def test_paths_and_tuples_are_taken_as_texts_and_lists():
    server = StdioMcpServer(Path("/bin/x"), ("-c", Path("/etc/y")), cwd=Path("/tmp"))
    assert (server.command, server.args, server.cwd) == ("/bin/x", ["-c", "/etc/y"], "/tmp")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: StdioMcpServer(""), "StdioMcpServer.command"),
        (lambda: StdioMcpServer("x", "-y server"), "StdioMcpServer.args"),
        (lambda: StdioMcpServer("x", [1]), "StdioMcpServer.args"),
        (lambda: StdioMcpServer("x", env=["A=1"]), "StdioMcpServer.env"),
        (lambda: StdioMcpServer("x", cwd=5), "StdioMcpServer.cwd"),
        (lambda: StdioMcpServer("x", call_timeout_seconds=0), "StdioMcpServer.call_timeout_seconds"),
        (lambda: StdioMcpServer("x", connect_timeout_seconds=True), "StdioMcpServer.connect_timeout_seconds"),
        (lambda: StdioMcpServer("x", needs_credentials="no"), "StdioMcpServer.needs_credentials"),
        (lambda: HttpMcpServer("example.com/mcp"), "HttpMcpServer.url"),
        (lambda: HttpMcpServer("http://x", timeout_seconds="30"), "HttpMcpServer.timeout_seconds"),
    ],
)
def test_what_is_wrong_is_named(make, said):
    with pytest.raises(InvalidValueError, match=said):
        make()


def test_secrets_are_not_shown():
    wrong = {"TOKEN": 12345678}
    with pytest.raises(InvalidValueError) as caught:
        StdioMcpServer("x", env=wrong)
    assert "12345678" not in str(caught.value)
    assert "t0p-secret" not in repr(StdioMcpServer("x", env={"TOKEN": "t0p-secret"}))
    server = HttpMcpServer("https://ann:t0p-secret@example.com/mcp?key=t0p-secret", {"X": "t0p-secret"})
    assert "t0p-secret" not in repr(server) + server.label + str(server.identity)
    assert server.label == "https://example.com/mcp"
    assert StdioMcpServer("/usr/bin/npx", ["--token", "t0p-secret"]).label == "npx"
