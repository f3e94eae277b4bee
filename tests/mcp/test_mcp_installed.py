"""Without the extra everything else works, and a connector that needs it is told once, with the line to type."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys

import pytest
from support.mcp_servers import Mirror

from omni_connector import ConfigurationError, Settings, StdioMcpServer
from omni_connector.mcp.access import server_of
from omni_connector.server import create_app

SETTINGS = Settings(manager_url="http://manager")

WITHOUT = """
import sys
for name in ("mcp", "mcp_types", "anyio", "httpx2", "pydantic"):
    sys.modules[name] = None  # As if it were not installed.
from omni_connector import *
from omni_connector.server import create_app

class Plain(Connector):
    name = "plain"
    version = "1"
    source_types = ["web"]
    def sync(self, source_config, credentials, state, ctx):
        pass

class Mirrored(Plain):
    mcp_server = StdioMcpServer("server")

settings = Settings(manager_url="http://manager")
client = create_app(Plain(), settings=settings, register=False).test_client()
print(client.get("/manifest").json["mcp_enabled"], client.post("/resource", json={"uri": "a"}).status_code)
try:
    create_app(Mirrored(), settings=settings)
except ConfigurationError as error:
    print(len(error.problems), error)
"""


def test_without_the_extra_only_a_connector_with_a_server_is_refused():
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == [
        "False 404",
        "1 plain mirrors an MCP server (mcp_server), which needs the extra [mcp]. Type: pip install 'omni-connector[mcp]'",
    ]


def test_another_major_version_is_told(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "1.30.0")
    with pytest.raises(
        ConfigurationError, match=r"needs version 2 of the package mcp; installed is 1\.30\.0\. Type:"
    ):
        server_of(Mirror(StdioMcpServer("server")))


@pytest.mark.parametrize("server", ["npx", {"command": "npx"}, StdioMcpServer])
def test_what_is_no_server_is_told(server):
    with pytest.raises(ConfigurationError, match="give a StdioMcpServer, an HttpMcpServer or None"):
        create_app(Mirror(server), settings=SETTINGS, register=False)


def test_the_mcp_package_is_not_imported_before_it_is_needed():
    code = """
import sys
from omni_connector import *
from omni_connector.server import create_app
class Mirrored(Connector):
    name = "mirrored"
    version = "1"
    mcp_server = StdioMcpServer("server")
    def sync(self, source_config, credentials, state, ctx):
        pass
create_app(Mirrored(), settings=Settings(manager_url="http://manager"), register=False)
print(sorted({"mcp", "anyio", "pydantic", "httpx2"} & set(sys.modules)))
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert ended.stdout.strip() == "[]"
