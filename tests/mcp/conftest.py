"""Bridges to real servers, and guards: no process, descriptor or thread of theirs is left behind."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import socket
import subprocess
import time

import pytest
from support.mcp_servers import (
    SERVERS,
    Bridged,
    Mirror,
    children,
    everything_server,
    http_library,
    python_server,
)
from support.ports import free_port
from support.processes import ROOT

from omni_connector import Connector, Settings
from omni_connector.models.mcp_servers import HttpMcpServer, StdioMcpServer
from omni_connector.runtime.service import ConnectorService
from omni_connector.testing import MemoryManager

NPM = ROOT / "build" / "mcp-servers"


@pytest.fixture(autouse=True)
def guard_children():
    """Fail the test that leaves a child process behind, a zombie included."""
    before = children()
    yield
    deadline = time.monotonic() + 5
    while (left := children() - before) and time.monotonic() < deadline:
        time.sleep(0.01)  # There is no event to wait for when a process of another's goes.
    assert not left, f"children left behind: {left}"


@pytest.fixture
def bridge_to():
    """Make bridges; close them after the test."""
    with contextlib.ExitStack() as stack:

        def make(server_or_connector, **options):
            given = server_or_connector
            made = Bridged(given if isinstance(given, Connector) else Mirror(given), **options)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def awkward():
    return python_server("awkward")


@pytest.fixture
def library():
    return python_server("library")


@pytest.fixture
def library_over_http():
    """The address of the library, served by a process of its own."""
    with http_library() as url:
        yield url


@pytest.fixture(scope="session")
def npm_servers():
    """The folder of the servers from npm, installed once for the checkout by the lock file beside ``servers``."""
    for command in ("node", "npm"):
        if shutil.which(command) is None:
            pytest.skip(f"{command} is not installed")
    versions = (SERVERS / "package-lock.json").read_bytes()
    done = NPM / "installed-lock.json"
    NPM.mkdir(parents=True, exist_ok=True)
    with (NPM / "installing").open("w") as alone:  # Tests run in several processes.
        fcntl.flock(alone, fcntl.LOCK_EX)
        if not done.is_file() or done.read_bytes() != versions:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(SERVERS / name, NPM)
            command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
            ended = subprocess.run(command, cwd=NPM, capture_output=True, text=True, check=False, timeout=300)
            if ended.returncode:
                pytest.skip(f"the servers cannot be installed from npm: {ended.stderr[-500:]}")
            done.write_bytes(versions)
    return NPM / "node_modules" / "@modelcontextprotocol"


@pytest.fixture
def npm_server(npm_servers):
    """Make servers from npm by name."""

    def make(name, *args, **options):
        return StdioMcpServer(
            "node", [str(npm_servers / f"server-{name}" / "dist" / "index.js"), *args], **options
        )

    return make


@pytest.fixture
def everything_over_http(npm_servers):
    """The everything server over streamable HTTP."""
    with everything_server(npm_servers, free_port()) as url:
        yield HttpMcpServer(url)


@pytest.fixture
def silent_address():
    """Of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"


@pytest.fixture
def manager_in_memory():
    """Make services over a manager in memory, with further settings; close them after the test."""
    with contextlib.ExitStack() as stack:

        def make(connector, **settings):
            service = ConnectorService(
                connector, Settings(manager_url="http://manager", **settings), MemoryManager()
            )
            stack.callback(service.close)
            return service

        yield make
