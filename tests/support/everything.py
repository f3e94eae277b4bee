"""All processes of the example that uses everything: gunicorn, the manager, the wiki; the tracker's MCP server comes by itself."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from support.manager_http import ManagerClient
from support.processes import ListeningSocket, Process, start_application, start_manager
from support.waiting import eventually

NEVER_SECONDS = "86400"


@frozen
class World:
    """What runs, once all of it has found each other.

    Attributes:
        manager_url: the manager, whose scheduler never ticks.
        data: what it stores.
        projects: the tracker's folder, empty at first.
        app: gunicorn with both connectors.
        app_url: its address.
    """

    manager_url: str
    data: Path
    projects: Path
    app: Process
    app_url: str


@contextlib.contextmanager
def started(root: Path) -> Iterator[World]:
    """Start everything in a folder, and end it."""
    data, projects = root / "data", root / "projects"
    projects.mkdir()
    with contextlib.ExitStack() as stack:
        wiki = Process(sys.executable, "-m", "everything.wiki_mcp", "--port", "0", env={"HOME": str(root)})
        stack.enter_context(wiki)
        manager, manager_url = start_manager(data, "--tick", NEVER_SECONDS)
        stack.enter_context(manager)
        address = stack.enter_context(ListeningSocket())
        env = {
            "HOME": str(root),
            "CONNECTOR_MANAGER_URL": manager_url,
            "TRACKER_FOLDER": str(projects),
            "WIKI_MCP_URL": wiki.wait_for(r"(http://\S+/mcp)")[1],
        }
        app = stack.enter_context(start_application(address, "everything.app:create_app()", env=env))
        with ManagerClient(manager_url, data) as client:
            client.wait_until_registered("notion")
            eventually(lambda: client.manifest("linear").get("mcp_catalog_loaded"))
        yield World(manager_url, data, projects, app, address.url)
