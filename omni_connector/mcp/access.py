"""How a connector's MCP server is reached for given credentials: with which environment or headers."""

import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from attrs import field, frozen

from omni_connector.connector_base import ConnectorBase
from omni_connector.exceptions import ConfigurationError, McpRefusedError
from omni_connector.masking import error_text, owning, secrets_in
from omni_connector.models.codec import encode
from omni_connector.models.fields import is_text_by_name
from omni_connector.models.mcp_servers import HttpMcpServer, McpServer, StdioMcpServer
from omni_connector.models.records import secrets_and_row

CallHook = Callable[[Callable[..., Any], Mapping[str, Any], Mapping[str, Any]], Any]
"""Calls a hook of the author's, ``def`` or ``async def``, with those required and optional arguments that it takes."""

MCP_VERSION = 2
"""The major version of the ``mcp`` package that the bridge works with; as in setup.cfg."""


def server_of(connector: ConnectorBase) -> McpServer | None:
    """Return the MCP server that the connector declares, or None.

    The ``mcp`` package is looked for, but not imported: that takes half a second.

    Raises:
        ConfigurationError: it declares something else, or the ``mcp`` package is missing or of another version.
    """
    server = connector.mcp_server
    if server is None:
        return None
    if not isinstance(server, (StdioMcpServer, HttpMcpServer)):
        raise ConfigurationError(
            f"{type(connector).__name__}.mcp_server is {type(server).__name__}: "
            "give a StdioMcpServer, an HttpMcpServer or None"
        )
    needs = f"{connector.name} mirrors an MCP server (mcp_server), which needs"
    install = "Type: pip install 'omni-connector[mcp]'"
    if importlib.util.find_spec("mcp") is None:
        raise ConfigurationError(f"{needs} the extra [mcp]. {install}")
    version = importlib.metadata.version("mcp")
    if version.partition(".")[0] != str(MCP_VERSION):
        raise ConfigurationError(
            f"{needs} version {MCP_VERSION} of the package mcp; installed is {version}. {install}"
        )
    return server


@frozen(kw_only=True)
class Access:
    """One way into one server. Calls with equal ones may share a session.

    Attributes:
        settings: its environment, or the headers of requests: the declared ones and those made from credentials.
        secrets: what must not appear in a log or an answer.
        key: equal for equal ways; a digest, no secret.
    """

    server: McpServer
    settings: Mapping[str, str] = field(repr=False)
    secrets: frozenset[str] = field(repr=False, default=frozenset())
    key: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        identity = [self.server.identity, _whole_address(self.server), sorted(self.settings.items())]
        object.__setattr__(self, "key", hashlib.sha256(encode(identity)).hexdigest())


@frozen
class ServerAccess:
    """Makes an ``Access`` of credentials, with the connector's ``prepare_mcp_env`` or ``prepare_mcp_headers``."""

    connector: ConnectorBase
    server: McpServer
    call_hook: CallHook

    def make(self, credentials: Any) -> Access:
        """Return the access for credentials in any shape of the protocol (PROTOCOL, section 16).

        Raises:
            McpRefusedError: the connector's hook raised, or returned what cannot be used.
        """
        with owning(secrets_in(credentials)):
            try:
                return self._make(credentials)
            except Exception as error:  # It is the author's code; for the caller the server cannot be asked.
                name = type(self.connector).__name__
                text = f"{name} cannot reach its MCP server: {error_text(error)}"
                raise McpRefusedError(text, server=self.server.label) from error

    def _make(self, credentials: Any) -> Access:
        if isinstance(self.server, StdioMcpServer):
            declared, name = self.server.env, "prepare_mcp_env"
        else:
            declared, name = self.server.headers, "prepare_mcp_headers"
        secrets, row = secrets_and_row(credentials)
        optional = {"config": (row and row.config) or {}, "wrapper": row}
        prepared = self.call_hook(getattr(self.connector, name), {"credentials": secrets}, optional)
        if prepared is not None and not is_text_by_name(prepared):
            raise ConfigurationError(
                f"{type(self.connector).__name__}.{name} returned {type(prepared).__name__}: return a dict of strings"
            )
        settings = {**(declared or {}), **(prepared or {})}
        query = [value for _, value in parse_qsl(urlsplit(_whole_address(self.server)).query)]
        return Access(
            server=self.server,
            settings=settings,
            secrets=secrets_in(credentials) | secrets_in(settings) | secrets_in(query),
        )


def _whole_address(server: McpServer) -> str:
    """Return the address with what may be secret in it; the user in it is hidden in any case."""
    return server.url if isinstance(server, HttpMcpServer) else ""
