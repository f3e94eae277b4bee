"""Calls to one MCP server, for threads that wait."""

import concurrent.futures
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from omni_connector.connector_base import ConnectorBase
from omni_connector.event_loop import EventLoop
from omni_connector.exceptions import McpRefusedError, McpUnavailableError
from omni_connector.mcp.access import Access, CallHook, access_for
from omni_connector.mcp.answers import prompt_messages, resource_contents, tool_result
from omni_connector.mcp.catalogue import McpCatalogue
from omni_connector.mcp.discovery import discover
from omni_connector.mcp.dispatch import prompt_arguments
from omni_connector.mcp.limits import SessionLimits
from omni_connector.models.mcp import ToolResult
from omni_connector.models.mcp_servers import McpServer
from omni_connector.models.plain import JsonValue
from omni_connector.sync.redaction import error_text, redact, secrets_in

if (
    TYPE_CHECKING
):  # The ``mcp`` package takes half a second to import: at the first call, in the thread that waits.
    from omni_connector.mcp.connecting import McpConnection
    from omni_connector.mcp.sessions import Sessions

T = TypeVar("T")

DISCOVERY_SECONDS = 120.0
"""For all pages of all lists; each page has the time of a call."""


class ServerCalls:
    """Owns the sessions with one server. ``close`` it before the loop.

    All methods may be called from any thread but the loop's, and wait no longer than the server's time-outs.

    Args:
        connector: whose server it is; asked for environment or headers.
        server: the server.
        loop: where the sessions live.
        call_hook: calls ``prepare_mcp_env`` or ``prepare_mcp_headers``, whatever their colour.
        limits: how many sessions are kept.
        on_lists_changed: told on the loop when the server says that it offers something else now.
    """

    def __init__(
        self,
        connector: ConnectorBase,
        server: McpServer,
        loop: EventLoop,
        *,
        call_hook: CallHook,
        limits: SessionLimits,
        on_lists_changed: Callable[[Access], None],
    ) -> None:
        self.server = server
        self._connector = connector
        self._loop = loop
        self._call_hook = call_hook
        self._limits = limits
        self._on_lists_changed = on_lists_changed
        self._lock = threading.Lock()  # Protects both below.
        self._sessions: Sessions | None = None
        self._closed = False

    def access(self, credentials: Any) -> Access:
        """Return the way to the server for these credentials.

        Raises:
            McpRefusedError: the connector's hook raised, or returned what cannot be used.
        """
        try:
            return access_for(self._connector, self.server, credentials, self._call_hook)
        except (
            Exception
        ) as error:  # It is the author's code; to the caller it is a server that cannot be asked.
            text = redact(error_text(error), secrets_in(credentials))
            name = type(self._connector).__name__
            raise McpRefusedError(
                f"{name} cannot reach its MCP server: {text}", server=self.server.label
            ) from error

    def discover(self, access: Access) -> McpCatalogue:
        """Return what the server offers.

        Raises:
            McpError: it could not be asked.
        """
        return self._request(access, discover, seconds=DISCOVERY_SECONDS)

    def call_tool(
        self, name: str, arguments: dict[str, JsonValue], credentials: Any = None, *, repeatable: bool = False
    ) -> ToolResult:
        """Call a tool.

        Args:
            name: of the tool.
            arguments: by name.
            credentials: as they came.
            repeatable: it changes nothing, and may be called again should the server go away during the call.

        Raises:
            McpRefusedError: the tool reports an error, or the server does not know it or its arguments.
            McpError: the server failed.
        """
        access = self.access(credentials)
        result = self._request(
            access, lambda connection: connection.call_tool(name, arguments), repeatable=repeatable
        )
        told = tool_result(result)
        if result.is_error:
            text = redact(told.content or "the tool failed without a word", access.secrets)
            raise McpRefusedError(text, server=self.server.label)
        return told

    def read_resource(self, uri: str, credentials: Any = None) -> dict[str, JsonValue]:
        """Read a resource; return the answer to ``/resource``.

        Raises:
            McpError: the server does not know it, or failed.
        """
        access = self.access(credentials)
        return resource_contents(self._request(access, lambda connection: connection.read_resource(uri)))

    def get_prompt(self, name: str, arguments: Any = None, credentials: Any = None) -> dict[str, JsonValue]:
        """Fetch a prompt; return the answer to ``/prompt``.

        Raises:
            McpError: the server does not know it or its arguments, or failed.
        """
        access = self.access(credentials)
        try:
            given = prompt_arguments(arguments)
        except TypeError as error:
            raise McpRefusedError(f"Prompt {name}: {error}", server=self.server.label) from error
        return prompt_messages(self._request(access, lambda connection: connection.get_prompt(name, given)))

    def close(self) -> None:
        """End sessions and processes; calls under way fail. Repeatable."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            sessions = self._sessions
        if sessions is not None:
            self._loop.run(sessions.close())

    def _request(
        self,
        access: Access,
        ask: "Callable[[McpConnection], Awaitable[T]]",
        *,
        seconds: float | None = None,
        repeatable: bool = True,
    ) -> T:
        sessions = self._opened()
        seconds = seconds or self.server.call_timeout_seconds
        request = sessions.request(access, ask, timeout_seconds=seconds, repeatable=repeatable)
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
