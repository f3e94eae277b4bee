"""How the MCP server that a connector mirrors is reached, and how many sessions are kept with it."""

from collections.abc import Mapping
from functools import partial
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

from attrs import field, frozen

from omni_connector.models import fields


def _to_plain_path(value: Any) -> Any:
    return str(value) if isinstance(value, PurePath) else value


def _to_texts(value: Any) -> Any:
    """Take paths as arguments as well; leave everything else for the validator."""
    return [_to_plain_path(each) for each in value] if isinstance(value, (list, tuple)) else value


@partial(fields.Rule, is_secret=True)
def _text_by_name(value: Any) -> str | None:
    return None if fields.is_text_by_name(value) else "give a dict of strings"


@fields.Rule
def _seconds(value: Any) -> str | None:
    fits = isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0
    return None if fits else "give a number of seconds above 0"


@fields.Rule
def _address(value: Any) -> str | None:
    fits = isinstance(value, str) and value.startswith(("http://", "https://"))
    return None if fits else "give an address that begins with http:// or https://"


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


@frozen(kw_only=True)
class BaseMcpServer:
    """What both kinds of server have; InvalidValueError for a value of the wrong type.

    Attributes:
        connect_timeout_seconds: for starting or reaching it and the handshake; ``npx`` may have to unpack a package first.
        call_timeout_seconds: for one call, starting the server included; the manager waits 30 s for an action.
        needs_credentials: False when it works without: it is then asked what it offers when the connector starts, not
            at the first sync.
    """

    connect_timeout_seconds: float = field(default=20.0, validator=_seconds)
    call_timeout_seconds: float = field(default=25.0, validator=_seconds)
    needs_credentials: bool = field(default=True, validator=fields.boolean)


@frozen
class StdioMcpServer(BaseMcpServer):
    """An MCP server that runs as a process and talks over its standard input and output.

        StdioMcpServer("npx", ["-y", "@modelcontextprotocol/server-github"])

    Its environment holds what a program needs to start (PATH, HOME and the like), ``env``, and what the connector's
    ``prepare_mcp_env`` returns. What it writes to its standard error is logged.

    Attributes:
        env: more variables for its environment.
        cwd: where it runs; None is where the connector does.
    """

    command: str = field(converter=_to_plain_path, validator=fields.nonempty_text)
    args: list[str] = field(factory=list, converter=_to_texts, validator=fields.text_list)
    env: Mapping[str, str] | None = field(default=None, validator=fields.optional(_text_by_name), repr=False)
    cwd: str | None = field(
        default=None, converter=_to_plain_path, validator=fields.optional(fields.nonempty_text)
    )

    @property
    def label(self) -> str:
        """Its name in messages and logs; without arguments, which may hold secrets."""
        return PurePath(self.command).name

    @property
    def identity(self) -> list[Any]:
        """What distinguishes it from another server; without its environment."""
        return ["stdio", self.command, list(self.args), self.cwd]


@frozen
class HttpMcpServer(BaseMcpServer):
    """An MCP server that is reached over streamable HTTP.

        HttpMcpServer("https://mcp.example.com/mcp")

    Attributes:
        headers: sent with each request, in addition to what the connector's ``prepare_mcp_headers`` returns.
        timeout_seconds: for each step of a request, such as connecting.
        sse_read_timeout_seconds: how long a stream of answers may be silent.
    """

    url: str = field(validator=_address, repr=lambda url: repr(_shown(url)))
    headers: Mapping[str, str] = field(factory=dict, validator=_text_by_name, repr=False)
    timeout_seconds: float = field(default=30.0, validator=_seconds)
    sse_read_timeout_seconds: float = field(default=300.0, validator=_seconds)

    @property
    def label(self) -> str:
        """Its name in messages and logs: the address without what may be secret in it."""
        return _shown(self.url)

    @property
    def identity(self) -> list[Any]:
        """What distinguishes it from another server; without headers and what may be secret in the address."""
        return ["http", self.label]


McpServer = StdioMcpServer | HttpMcpServer
"""What ``Connector.mcp_server`` may be."""


@frozen(kw_only=True)
class SessionLimits:
    """How many sessions with MCP servers are kept, and for how long.

    Attributes:
        most: at once, of one connector; each may be a process. Calls with other credentials wait for a free one.
        idle_seconds: after which an unused one is closed.
    """

    most: int = 8
    idle_seconds: float = 120.0
