"""MCP servers in processes of their own, bridges to them, and a look at what is left of them."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from pathlib import Path

from omni_connector import Connector
from omni_connector.event_loop import EventLoop
from omni_connector.mcp.access import ServerAccess, server_of
from omni_connector.mcp.bridge import McpBridge
from omni_connector.models.mcp_servers import StdioMcpServer
from omni_connector.runtime.hooks import HookCaller
from support.processes import ROOT, Process

SERVERS = ROOT / "tests" / "mcp" / "servers"
WAIT = 60


class Mirror(Connector):
    """Mirrors the server that it is given; the token of its credentials goes along."""

    name = "mirror"
    version = "1.0.0"
    source_types = ["web"]
    mcp_server = None

    def __init__(self, server):
        self.mcp_server = server

    def sync(self, source_config, credentials, state, ctx):
        """Nothing."""

    def prepare_mcp_env(self, credentials):
        return {"TOKEN": credentials["token"]} if "token" in credentials else {}

    def prepare_mcp_headers(self, credentials):
        return {"Authorization": f"Bearer {credentials['token']}"} if "token" in credentials else {}


class Bridged:
    """A bridge with a loop of its own; ``changes`` counts what it told."""

    def __init__(self, connector, **options):
        self.connector = connector
        self.changes = 0
        self._condition = threading.Condition()
        self.loop = EventLoop("test-mcp")
        access = ServerAccess(connector, server_of(connector), HookCaller(connector, self.loop).call)
        self.bridge = McpBridge(access, self.loop, on_change=self._changed, **options)

    def __getattr__(self, name):
        return getattr(self.bridge, name)

    def changed(self, times):
        """Wait until so many changes were told."""
        with self._condition:
            return self._condition.wait_for(lambda: self.changes >= times, WAIT)

    def _changed(self):
        with self._condition:
            self.changes += 1
            self._condition.notify_all()

    def close(self):
        self.bridge.close()
        self.loop.close()


def python_server(name, *args, **options):
    return StdioMcpServer(sys.executable, [str(SERVERS / f"{name}.py"), *args], **options)


@contextlib.contextmanager
def http_library(*args):
    with Process(sys.executable, str(SERVERS / "library.py"), "http", *args) as process:
        port = process.wait_for(r"listening on (\d+)")[1]
        yield f"http://127.0.0.1:{port}/mcp"


@contextlib.contextmanager
def everything_server(servers, port):
    """Run the everything server over streamable HTTP on a port; ``servers`` is the folder of those from npm."""
    script = servers / "server-everything" / "dist" / "index.js"
    with Process("node", str(script), "streamableHttp", env={"PORT": str(port)}) as process:
        process.wait_for("listening on port")
        yield f"http://127.0.0.1:{port}/mcp"


def children(pid="self"):
    found = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            found |= set((task / "children").read_text().split())
    return found


def is_alive(pid):
    """Say whether a process runs, zombies not counted."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until_gone(pid):
    deadline = time.monotonic() + WAIT
    while is_alive(pid):
        assert time.monotonic() < deadline, f"{pid} still runs"
        time.sleep(0.01)


def open_descriptors():
    """Return what this process has open, by descriptor."""
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # The one of the listing itself.
            found[entry.name] = str(entry.readlink())
    return found
