"""A connector that mirrors an MCP server: when the server is asked what it offers, and what is announced."""

import concurrent.futures
import logging
from collections.abc import Callable
from typing import Any

from omni_connector.config import Settings
from omni_connector.connector_base import ConnectorBase
from omni_connector.masking import owning, secrets_in
from omni_connector.mcp.access import ServerAccess, server_of
from omni_connector.mcp.bridge import McpBridge
from omni_connector.mcp.cache import CatalogueCache
from omni_connector.mcp.catalogue import add_to_manifest
from omni_connector.mcp.keeper import CatalogueStorage
from omni_connector.mcp.messages import prompt_text
from omni_connector.models.json_values import JsonValue
from omni_connector.models.mcp_servers import SessionLimits
from omni_connector.runstore.catalogues import SharedCatalogue
from omni_connector.runstore.runs import SharedRuns
from omni_connector.runtime.hooks import ENDS_A_PROCESS, HookCaller, reason_of

log = logging.getLogger(__name__)


class Mirror:
    """Joins a connector's hooks with the bridge to its server. ``close`` it before the loop."""

    @classmethod
    def of(
        cls,
        hooks: HookCaller,
        settings: Settings,
        shared: SharedRuns,
        *,
        on_change: Callable[[], None],
        limits: SessionLimits,
    ) -> "Mirror | None":
        """Return the mirror of a connector that declares a server; None for others.

        Where several processes serve the connector, what one learns of the server is known to all.

        Raises:
            ConfigurationError: what it declares is no server, or the extra ``[mcp]`` is missing.
        """
        server = server_of(hooks.connector)
        if server is None:
            return None
        file, folder, ttl = None, settings.catalog_cache_dir, settings.catalog_cache_ttl_seconds
        if folder is not None and ttl > 0:
            file = CatalogueCache(folder, ttl, connector=hooks.connector.name, server=server)
        cache: CatalogueStorage | None = file
        if shared.is_shared and ttl > 0:
            cache = SharedCatalogue(shared.store, shared.keeper, server, ttl_seconds=ttl, file=file)
        access = ServerAccess(hooks.connector, server, hooks.call)
        return cls(hooks, McpBridge(access, hooks.loop, on_change=on_change, cache=cache, limits=limits))

    def __init__(self, hooks: HookCaller, bridge: McpBridge) -> None:
        self.bridge = bridge
        self._hooks = hooks
        hooks.connector.mcp_port = bridge

    def start(self) -> None:
        """Ask a server that needs no credentials at once."""
        if not self.bridge.server.needs_credentials:
            self.bootstrap_later({})

    def bootstrap_later(self, credentials: Any) -> None:
        """Have the connector ask its server in the background, unless that was done a moment ago."""
        self.bridge.in_background(self._bootstrap_unless_fresh, credentials)

    def bootstrap_within(self, seconds: float, credentials: Any) -> None:
        """Have the connector ask its server, and wait for ``seconds`` at most; it then goes on in the background."""
        asking = self.bridge.in_background(self._bootstrap, credentials)
        if asking is not None:
            concurrent.futures.wait([asking], seconds)

    def add_to_manifest(self, wire: dict[str, JsonValue]) -> dict[str, JsonValue]:
        """Return the manifest with what the server offers."""
        return add_to_manifest(wire, self.bridge.catalogue)

    def prompt_text(self, name: str, arguments: dict[str, Any], credentials: Any) -> str | None:
        """Return a prompt as the text of a skill; None when the server has none of that name.

        Raises:
            McpError: the server does not know its arguments, or failed.
        """
        catalogue = self.bridge.catalogue
        if catalogue is not None and all(prompt.name != name for prompt in catalogue.prompts):
            return None
        return prompt_text(self.bridge.get_prompt(name, arguments, credentials))

    def close(self) -> None:
        """End sessions and processes. Repeatable."""
        if self._hooks.connector.mcp_port is self.bridge:  # Another service may serve it, too.
            self._hooks.connector.mcp_port = None
        self.bridge.close()

    def _bootstrap_unless_fresh(self, credentials: Any) -> None:
        if not self.bridge.is_fresh:
            self._bootstrap(credentials)

    def _bootstrap(self, credentials: Any) -> None:
        connector = self._hooks.connector
        with owning(secrets_in(credentials)):
            self._call_bootstrap(connector, credentials)

    def _call_bootstrap(self, connector: ConnectorBase, credentials: Any) -> None:
        try:
            self._hooks.call(connector.bootstrap_mcp, {"credentials": credentials})
        except (Exception, *ENDS_A_PROCESS) as error:  # noqa: BLE001 - the author's hook; the sync goes on, and the next one tries again.
            log.warning("%s.bootstrap_mcp failed: %s", type(connector).__name__, reason_of(error))
