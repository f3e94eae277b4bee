"""One connector's MCP server: what it offers, and the manager's requests to it."""

import concurrent.futures
import contextlib
import functools
import logging
import operator
import threading
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from omni_connector.event_loop import EventLoop
from omni_connector.exceptions import McpError, McpRefusedError, McpUnavailableError
from omni_connector.masking import mask, mask_json, mask_values, owning
from omni_connector.mcp.access import Access, ServerAccess
from omni_connector.mcp.catalogue import McpCatalogue
from omni_connector.mcp.discovery import discover
from omni_connector.mcp.keeper import CatalogueKeeper, CatalogueStorage
from omni_connector.mcp.messages import (
    prompt_arguments,
    prompt_messages,
    resource_contents,
    tool_arguments,
    tool_result,
)
from omni_connector.models import ActionResponse
from omni_connector.models.codec import structure, unstructure
from omni_connector.models.json_values import JsonValue
from omni_connector.models.manifest import READ
from omni_connector.models.mcp import ToolResult
from omni_connector.models.mcp_servers import SessionLimits
from omni_connector.pool import WorkerPool

# The ``mcp`` package is imported at the first call, in the thread that waits: it takes half a second.
if TYPE_CHECKING:
    from omni_connector.mcp.connecting import McpConnection
    from omni_connector.mcp.sessions import Sessions

log = logging.getLogger(__name__)

T = TypeVar("T")

DISCOVERY_SECONDS = 120.0
"""For all pages of all lists; each page may take as long as a call."""


class McpBridge:
    """Keeps the catalogue of one server and passes requests on to it. ``close`` it before the loop.

    All methods may be called from any thread but the loop's, and wait no longer than the server's time-outs. Requests raise
    an McpError when the server cannot be reached or fails, an McpRefusedError when it refuses. ``on_change`` is called in a
    thread when the catalogue has changed.
    """

    def __init__(
        self,
        access: ServerAccess,
        loop: EventLoop,
        *,
        on_change: Callable[[], None],
        cache: CatalogueStorage | None = None,
        limits: SessionLimits | None = None,
    ) -> None:
        self.server = access.server
        self._access = access
        self._loop = loop
        self._limits = limits or SessionLimits()
        name = access.connector.name
        self._keeper = CatalogueKeeper(name, self._discover, on_change=on_change, cache=cache)
        self._background = WorkerPool(f"omni-mcp-{name}", limit=1)
        self._lock = threading.Lock()  # Protects both below.
        self._sessions: Sessions | None = None
        self._closed = False

    # -- what the server offers ---------------------------------------------------------------------------------

    @property
    def catalogue(self) -> McpCatalogue | None:
        """What the server offers, or None while that is not known."""
        return self._keeper.catalogue

    @property
    def is_fresh(self) -> bool:
        """Whether the server was asked for its lists a moment ago."""
        return self._keeper.is_fresh

    def offers(self, action: str, credentials: Any = None) -> bool:
        """Say whether the server has a tool of that name; it is asked if its lists are not known yet."""
        if self.catalogue is None:
            self.bootstrap(credentials)
        return self._keeper.tool(action) is not None

    def discover(self, credentials: Any = None) -> bool:
        """Ask the server what it offers; say whether that has changed. When it fails, what was known is kept."""
        return self._keeper.update(self._access.make(credentials))

    def bootstrap(self, credentials: Any = None) -> bool:
        """As ``discover``; a failure is logged."""
        try:
            return self.discover(credentials)
        except McpError as error:
            self._keeper.complain(error)
            return False

    def in_background(self, call: Callable[..., T], *args: Any) -> "concurrent.futures.Future[T] | None":
        """Make the call in the thread for discoveries, one after the other; None once the bridge is closed."""
        with contextlib.suppress(RuntimeError):  # It is closed.
            return self._background.submit(functools.partial(call, *args))
        return None

    # -- requests -----------------------------------------------------------------------------------------------

    def run_tool(
        self, action: str, params: Any, credentials: Any = None, source: Any = None
    ) -> ActionResponse:
        """Run a tool as an action. What the tool or the server refuses is answered 400, a server that fails 500."""
        tool = self._keeper.tool(action)
        if tool is None:
            return ActionResponse.not_supported(action)
        if self._keeper.begin_refresh():
            self.in_background(self.bootstrap, credentials)
        try:
            result = self.call_tool(action, tool_arguments(tool, params, source), credentials)
        except McpRefusedError as error:
            log.info("Tool %s refused: %s", action, error)
            return ActionResponse.failure(str(error))
        except McpError as error:
            log.warning("Tool %s failed: %s", action, error)
            return ActionResponse.failure(str(error), status_code=HTTPStatus.INTERNAL_SERVER_ERROR)
        return ActionResponse.success(result.to_wire())

    def call_tool(self, name: str, arguments: dict[str, JsonValue], credentials: Any = None) -> ToolResult:
        """Call a tool; one that only reads is called again if the server went away during the call.

        An error that the tool reports is raised as McpRefusedError.
        """
        access = self._access.make(credentials)
        tool = self._keeper.tool(name)
        ask = operator.methodcaller("call_tool", name, arguments)
        answer = self._request(access, ask, repeatable=tool is not None and tool.mode == READ)
        result = tool_result(answer)
        if answer.is_error:
            with owning(access.secrets):
                text = mask(result.content or "the tool failed without a word")
            raise McpRefusedError(text, server=self.server.label)
        return result

    def read_resource(self, uri: str, credentials: Any = None) -> dict[str, JsonValue]:
        """Read a resource; return the answer to ``/resource``."""
        ask = operator.methodcaller("read_resource", uri)
        return resource_contents(self._request(self._access.make(credentials), ask))

    def get_prompt(self, name: str, arguments: Any = None, credentials: Any = None) -> dict[str, JsonValue]:
        """Fetch a prompt; return the answer to ``/prompt``."""
        access = self._access.make(credentials)
        try:
            given = prompt_arguments(arguments)
        except TypeError as error:
            raise McpRefusedError(f"Prompt {name}: {error}", server=self.server.label) from error
        return prompt_messages(self._request(access, operator.methodcaller("get_prompt", name, given)))

    def close(self) -> None:
        """End discoveries, sessions and processes; calls in progress fail. Repeatable."""
        self._keeper.close()
        with self._lock:
            sessions = None if self._closed else self._sessions
            self._closed = True
        if sessions is not None:
            self._loop.run(sessions.close())
        self._background.close()

    # -- inside -------------------------------------------------------------------------------------------------

    def _discover(self, access: Access) -> McpCatalogue:
        found = self._request(access, discover, seconds=DISCOVERY_SECONDS)
        with owning(access.secrets):  # A server may repeat what it was given in a description.
            return structure(McpCatalogue, mask_json(unstructure(found), mask_values))

    def _on_lists_changed(self, access: Access) -> None:
        """The server says that its lists have changed; called on the loop, so it is asked in a thread."""
        self.in_background(self._keeper.try_update, access)

    def _request(
        self,
        access: Access,
        ask: "Callable[[McpConnection], Awaitable[T]]",
        *,
        seconds: float | None = None,
        repeatable: bool = True,
    ) -> T:
        seconds = seconds or self.server.call_timeout_seconds
        request = self._opened().request(access, ask, timeout_seconds=seconds, repeatable=repeatable)
        try:
            return self._loop.run(request)
        except concurrent.futures.CancelledError as error:
            raise self._shutting_down() from error
        finally:
            request.close()  # Where the loop never began it.

    def _opened(self) -> "Sessions":
        """Return the sessions, made at the first call."""
        from omni_connector.mcp.sessions import Sessions  # noqa: PLC0415 - imports the ``mcp`` package.

        with self._lock:
            if self._closed:
                raise self._shutting_down()
            if self._sessions is None:
                self._sessions = Sessions(self._limits, on_lists_changed=self._on_lists_changed)
            return self._sessions

    def _shutting_down(self) -> McpUnavailableError:
        return McpUnavailableError("The connector shuts down", server=self.server.label)
