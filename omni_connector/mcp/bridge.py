"""One connector's MCP server: what it offers, and the manager's requests to it."""

import concurrent.futures
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from omni_connector.connector_base import ConnectorBase
from omni_connector.event_loop import EventLoop
from omni_connector.exceptions import ConfigurationError, McpError, McpRefusedError
from omni_connector.mcp.access import Access, CallHook
from omni_connector.mcp.cache import CatalogueCache
from omni_connector.mcp.calls import ServerCalls
from omni_connector.mcp.catalogue import McpCatalogue
from omni_connector.mcp.dispatch import tool_arguments
from omni_connector.mcp.installed import require_mcp
from omni_connector.mcp.limits import SessionLimits
from omni_connector.models import ActionDefinition, ActionResponse
from omni_connector.models.manifest import READ
from omni_connector.models.mcp import ToolResult
from omni_connector.models.mcp_servers import HttpMcpServer, McpServer, StdioMcpServer
from omni_connector.models.plain import JsonValue
from omni_connector.pool import WorkerPool

log = logging.getLogger(__name__)

T = TypeVar("T")

FRESH_SECONDS = 300.0
"""A server that was asked for its lists so recently is not asked again because of another sync."""

OLD_SECONDS = 86400.0
"""After which a server is asked again because of a call; one that is never synced would never be."""

AGAIN_SECONDS = 600.0
"""Between two such attempts, should the first one fail."""

INTERNAL_SERVER_ERROR = 500


def server_of(connector: ConnectorBase) -> McpServer | None:
    """Return the MCP server that the connector declares, or None.

    Raises:
        ConfigurationError: what it declares is none, or the ``mcp`` package is missing.
    """
    server = connector.mcp_server
    if server is None:
        return None
    if not isinstance(server, (StdioMcpServer, HttpMcpServer)):
        raise ConfigurationError(
            f"{type(connector).__name__}.mcp_server is {type(server).__name__}: "
            "give a StdioMcpServer, an HttpMcpServer or None"
        )
    require_mcp(connector.name)
    return server


class McpBridge:
    """Keeps the catalogue of one server and passes requests on to it. ``close`` it before the loop.

    All methods may be called from any thread but the loop's, and wait no longer than the server's time-outs.

    Args:
        connector: whose server it is.
        server: as ``server_of`` returned it.
        loop: where the sessions live.
        call_hook: calls ``prepare_mcp_env`` or ``prepare_mcp_headers``, whatever their colour.
        on_change: told, in a thread, when the catalogue has changed.
        cache: where the catalogue is kept on disk, or None.
        limits: how many sessions are kept.
    """

    def __init__(
        self,
        connector: ConnectorBase,
        server: McpServer,
        loop: EventLoop,
        *,
        call_hook: CallHook,
        on_change: Callable[[], None],
        cache: CatalogueCache | None = None,
        limits: SessionLimits | None = None,
    ) -> None:
        self.server = server
        self._name = connector.name
        self._calls = ServerCalls(
            connector,
            server,
            loop,
            call_hook=call_hook,
            limits=limits or SessionLimits(),
            on_lists_changed=self._ask_again,
        )
        self._on_change = on_change
        self._cache = cache
        self._lock = threading.Lock()  # Protects the five below.
        self._catalogue: McpCatalogue | None = None
        self._asked_at: float | None = None  # When the server was asked last, on the monotonic clock.
        self._old_from = (
            0.0  # From when on a call has the server asked again; a kept catalogue is old at once.
        )
        self._complaint = ""
        self._closed = False
        self._asking = threading.Lock()  # One discovery at a time.
        self._background = WorkerPool(f"omni-mcp-{connector.name}", limit=1)

    # -- what the server offers ---------------------------------------------------------------------------------

    @property
    def catalogue(self) -> McpCatalogue | None:
        """What the server offers, or None while that is not known.

        Another process of the same connector may have written it to disk meanwhile.
        """
        found = self._cache.load() if self._cache is not None else None
        with self._lock:
            if found is not None:
                self._catalogue = found
            return self._catalogue

    @property
    def is_fresh(self) -> bool:
        """Whether the server was asked for its lists a moment ago."""
        with self._lock:
            return self._asked_at is not None and time.monotonic() - self._asked_at < FRESH_SECONDS

    def offers(self, action: str, credentials: Any = None) -> bool:
        """Say whether the server has a tool of that name; it is asked if its lists are not known yet."""
        if self.catalogue is None:
            self.bootstrap(credentials)
        return self._tool(action) is not None

    def discover(self, credentials: Any = None) -> bool:
        """Ask the server what it offers; say whether that has changed.

        Raises:
            McpError: it could not be asked; what was known is kept.
        """
        return self._discover(self._calls.access(credentials))

    def bootstrap(self, credentials: Any = None) -> bool:
        """As ``discover``; a failure is said in the log, and no error."""
        try:
            return self.discover(credentials)
        except McpError as error:
            self._complain(error)
            return False

    def in_background(self, call: Callable[[], T]) -> "concurrent.futures.Future[T] | None":
        """Make the call in the thread for discoveries, one after the other; None when none is made any more."""
        with contextlib.suppress(RuntimeError):  # It is closed.
            return self._background.submit(call)
        return None

    # -- requests -----------------------------------------------------------------------------------------------

    def run_tool(
        self, action: str, params: Any, credentials: Any = None, source: Any = None
    ) -> ActionResponse:
        """Run a tool as an action. What the tool or the server refuses answers 400, a server that fails 500."""
        tool = self._tool(action)
        if tool is None:
            return ActionResponse.not_supported(action)
        self._refresh_if_old(credentials)
        try:
            told = self.call_tool(action, tool_arguments(tool, params, source), credentials)
        except McpRefusedError as error:
            log.info("Tool %s refused: %s", action, error)
            return ActionResponse.failure(str(error))
        except McpError as error:
            log.warning("Tool %s failed: %s", action, error)
            return ActionResponse.failure(str(error), status_code=INTERNAL_SERVER_ERROR)
        return ActionResponse.success(told.to_wire())

    def call_tool(self, name: str, arguments: dict[str, JsonValue], credentials: Any = None) -> ToolResult:
        """As ``ServerCalls.call_tool``; a tool that only reads is called again if the server went away meanwhile."""
        tool = self._tool(name)
        repeatable = tool is not None and tool.mode == READ
        return self._calls.call_tool(name, arguments, credentials, repeatable=repeatable)

    def read_resource(self, uri: str, credentials: Any = None) -> dict[str, JsonValue]:
        """As ``ServerCalls.read_resource``."""
        return self._calls.read_resource(uri, credentials)

    def get_prompt(self, name: str, arguments: Any = None, credentials: Any = None) -> dict[str, JsonValue]:
        """As ``ServerCalls.get_prompt``."""
        return self._calls.get_prompt(name, arguments, credentials)

    def close(self) -> None:
        """End discoveries, sessions and processes; calls under way fail. Repeatable."""
        with self._lock:
            self._closed = True
        self._calls.close()
        self._background.close()

    # -- inside -------------------------------------------------------------------------------------------------

    def _tool(self, name: str) -> ActionDefinition | None:
        catalogue = self.catalogue
        return None if catalogue is None else catalogue.tool(name)

    def _discover(self, access: Access) -> bool:
        with self._asking:
            found = self._calls.discover(access)
        with self._lock:
            changed = found != self._catalogue
            self._catalogue = found
            self._asked_at = time.monotonic()
            self._old_from = self._asked_at + OLD_SECONDS
            self._complaint = ""
        if self._cache is not None:
            self._cache.save(found, access.secrets)
        if changed:
            log.info("MCP server %s offers %s", self.server.label, found.counted())
            self._on_change()
        return changed

    def _refresh_if_old(self, credentials: Any) -> None:
        now = time.monotonic()
        with self._lock:
            is_old = now >= self._old_from
            if is_old:
                self._old_from = now + AGAIN_SECONDS
        if is_old:
            self.in_background(lambda: self.bootstrap(credentials))

    def _ask_again(self, access: Access) -> None:
        """The server says that its lists have changed; called on the loop, and so asked in a thread."""

        def ask() -> None:
            try:
                self._discover(access)
            except McpError as error:
                self._complain(error)

        self.in_background(ask)

    def _complain(self, error: McpError) -> None:
        """Say why the catalogue is not known; once, not at every sync again."""
        text = str(error)
        with self._lock:
            level = logging.DEBUG if self._closed or text == self._complaint else logging.WARNING
            self._complaint = text
        log.log(level, "What the MCP server of %s offers is not known: %s", self._name, text)
