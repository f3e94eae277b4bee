"""With which environment or headers a server is reached for given credentials."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from attrs import field, frozen

from omni_connector.connector_base import ConnectorBase
from omni_connector.exceptions import ConfigurationError
from omni_connector.models.codec import encode
from omni_connector.models.mcp_servers import HttpMcpServer, McpServer, StdioMcpServer
from omni_connector.models.records import secrets_and_row
from omni_connector.sync.redaction import secrets_in

CallHook = Callable[[Callable[..., Any], Mapping[str, Any], Mapping[str, Any]], Any]
"""Calls a hook of the author's, whatever its colour, with those of the required and optional arguments that it takes."""


@frozen(kw_only=True)
class Access:
    """One way into one server. Calls with equal ones may share a session.

    Attributes:
        server: the server.
        settings: its environment, or the headers of requests: the declared ones and those made from credentials.
        secrets: what must not appear in a log or an answer.
        key: equal for equal ways; a digest, no secret.
    """

    server: McpServer
    settings: Mapping[str, str] = field(repr=False)
    secrets: frozenset[str] = field(repr=False, default=frozenset())
    key: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        told = encode([self.server.identity, _whole_address(self.server), sorted(self.settings.items())])
        object.__setattr__(self, "key", hashlib.sha256(told).hexdigest())


def access_for(connector: ConnectorBase, server: McpServer, credentials: Any, call_hook: CallHook) -> Access:
    """Ask the connector's ``prepare_mcp_env`` or ``prepare_mcp_headers`` and return the way in.

    Args:
        connector: whose hook is asked.
        server: its server.
        credentials: in whichever shape they came: the secrets, a ServiceCredential, McpCredentials, or None
            (PROTOCOL, section 16).
        call_hook: how.

    Raises:
        ConfigurationError: the hook returned something else than texts by name.
        Exception: whatever the hook raises.
    """
    is_http = isinstance(server, HttpMcpServer)
    hook = connector.prepare_mcp_headers if is_http else connector.prepare_mcp_env
    secrets, row = secrets_and_row(credentials)
    optional = {"config": (row and row.config) or {}, "wrapper": row}
    prepared = call_hook(hook, {"credentials": secrets}, optional)
    fine = prepared is None or (
        isinstance(prepared, Mapping)
        and all(isinstance(key, str) and isinstance(value, str) for key, value in prepared.items())
    )
    if not fine:
        name = f"{type(connector).__name__}.{'prepare_mcp_headers' if is_http else 'prepare_mcp_env'}"
        raise ConfigurationError(f"{name} returned {type(prepared).__name__}: return a dict of strings")
    settings = {**_declared(server), **(prepared or {})}
    return Access(
        server=server,
        settings=settings,
        secrets=secrets_in(credentials)
        | secrets_in(settings)
        | secrets_in(_values_in(_whole_address(server))),
    )


def _declared(server: McpServer) -> Mapping[str, str]:
    return (server.env or {}) if isinstance(server, StdioMcpServer) else server.headers


def _values_in(url: str) -> list[str]:
    """Return what may be secret in an address beside its user, which is hidden in any case."""
    return [value for _, value in parse_qsl(urlsplit(url).query)]


def _whole_address(server: McpServer) -> str:
    return server.url if isinstance(server, HttpMcpServer) else ""
