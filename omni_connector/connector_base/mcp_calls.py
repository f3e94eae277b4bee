"""Calls that a connector makes to its MCP server, in a sync or an action."""

from typing import Any, Protocol

from omni_connector.awaitables import MayAwait
from omni_connector.blocking_hooks import blocking_hook
from omni_connector.models import ActionResponse
from omni_connector.models.json_values import JsonValue
from omni_connector.models.mcp import ToolResult


class McpPort(Protocol):
    """What the runtime lends to a connector that it serves; blocking. ``McpBridge`` is one."""

    def offers(self, action: str, credentials: Any = None) -> bool:
        """Say whether the server has a tool of that name; it is asked if its lists are not known yet."""
        ...

    def run_tool(
        self, action: str, params: Any, credentials: Any = None, source: Any = None
    ) -> ActionResponse:
        """Run a tool as an action; a failure is reported in the response."""
        ...

    def bootstrap(self, credentials: Any = None) -> bool:
        """Ask the server what it offers, and say whether that has changed; a failure is logged."""
        ...

    def call_tool(self, name: str, arguments: dict[str, JsonValue], credentials: Any = None) -> ToolResult:
        """Call a tool."""
        ...

    def read_resource(self, uri: str, credentials: Any = None) -> dict[str, JsonValue]:
        """Read a resource."""
        ...

    def get_prompt(
        self, name: str, arguments: dict[str, str] | None = None, credentials: Any = None
    ) -> dict[str, JsonValue]:
        """Fetch a prompt."""
        ...


class McpCalls:
    """The connector's MCP server, for the connector's own use.

    In a coroutine each call is awaited; elsewhere it blocks, no longer than the server's time-outs. ``credentials`` are
    whatever ``sync``, an action or a hook was given; equal ones share a session.
    """

    def __init__(self, port: McpPort) -> None:
        self._port = port

    @blocking_hook
    def call_tool(
        self, name: str, arguments: dict[str, JsonValue] | None = None, credentials: Any = None
    ) -> MayAwait[ToolResult]:
        """Call a tool and return its result.

        Raises:
            McpRefusedError: the tool reports an error, or the server does not know it or its arguments.
            McpError: the server failed.
        """
        return self._port.call_tool(name, arguments or {}, credentials)

    @blocking_hook
    def read_resource(self, uri: str, credentials: Any = None) -> MayAwait[dict[str, JsonValue]]:
        """Read a resource.

        Returns:
            ``contents``, a list of dicts with ``uri``, ``text`` or ``blob`` (base64), and maybe ``mime_type``.

        Raises:
            McpError: the server does not know it, or failed.
        """
        return self._port.read_resource(uri, credentials)

    @blocking_hook
    def get_prompt(
        self, name: str, arguments: dict[str, str] | None = None, credentials: Any = None
    ) -> MayAwait[dict[str, JsonValue]]:
        """Fetch a prompt, filled with the arguments.

        Returns:
            ``description`` and ``messages``, a list of dicts with ``role`` and ``content`` (``type``, and ``text``
            where there is some).

        Raises:
            McpError: the server does not know it or its arguments, or failed.
        """
        return self._port.get_prompt(name, arguments, credentials)
