"""What a connector says about the MCP server that it mirrors, and its way to it; a part of ``Connector``."""

from typing import Any

from omni_connector.awaitables import MayAwait, hook
from omni_connector.blocking_hooks import blocking_hook
from omni_connector.connector_base.mcp_calls import McpCalls, McpPort
from omni_connector.connector_base.overridable import overridable
from omni_connector.exceptions import ConfigurationError
from omni_connector.models.mcp_servers import McpServer


class McpHooks:
    """Declares no server by default."""

    mcp_port: McpPort | None = None
    """The way to the server; lent by the SDK while it serves the connector."""

    @overridable
    def mcp_server(self) -> McpServer | None:
        """The MCP server that it mirrors, a ``StdioMcpServer`` or an ``HttpMcpServer``; none by default.

        Its tools are announced as actions, its resources and prompts as such, and its prompts also as skills. Needs the
        extra ``[mcp]``.
        """
        return None

    @property
    def mcp(self) -> McpCalls:
        """Calls to that server, for ``sync`` and actions, while the connector is served.

        Raises:
            ConfigurationError: it declares no server, or is not served.
        """
        if self.mcp_port is None:
            name = type(self).__name__
            raise ConfigurationError(
                f"{name}.mcp: there is no MCP server to call; declare {name}.mcp_server, and call it while the "
                "connector is served"
            )
        return McpCalls(self.mcp_port)

    @hook
    def prepare_mcp_env(
        self, credentials: dict[str, Any], *_args: Any, **_kwargs: Any
    ) -> MayAwait[dict[str, str]]:
        """Return more variables for the environment of a ``StdioMcpServer``, such as an access token.

        Called before each call to the server, in a thread; calls with equal variables share a process. An override may
        also take ``config`` (the settings stored with the credentials, a dict) and ``wrapper`` (the credential row or
        the McpCredentials that came from the manager; None in a sync); it is given those that it accepts.

        Args:
            credentials: the secrets themselves, as ``sync`` is given them; empty when there are none.
        """
        del credentials
        return {}

    @hook
    def prepare_mcp_headers(
        self, credentials: dict[str, Any], *_args: Any, **_kwargs: Any
    ) -> MayAwait[dict[str, str]]:
        """Return more headers for the requests to an ``HttpMcpServer``; in all else as ``prepare_mcp_env``."""
        del credentials
        return {}

    @blocking_hook
    def bootstrap_mcp(self, credentials: dict[str, Any]) -> MayAwait[bool]:
        """Ask the server what it offers; called in the background of a sync, and when an account was connected.

        An override may look whether the credentials are any good, and ``super().bootstrap_mcp(credentials)``.

        Args:
            credentials: as they came: in a sync the secrets themselves, else McpCredentials, whose own ``credentials``
                are the secrets.

        Returns:
            True when the server offers something else than before. A failure is logged and not raised.
        """
        return self.mcp_port is not None and self.mcp_port.bootstrap(credentials)
