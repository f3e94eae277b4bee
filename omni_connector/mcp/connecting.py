"""Connections to MCP servers, with the official ``mcp`` package."""

import contextlib
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import Any, Protocol, TypeVar

import httpx2
import mcp_types as types
from anyio.abc import ObjectReceiveStream
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client import IncomingMessage, Transport
from mcp.client.streamable_http import streamable_http_client

from omni_connector._version import __version__
from omni_connector.exceptions import McpUnavailableError
from omni_connector.mcp.access import Access
from omni_connector.mcp.failures import translated
from omni_connector.mcp.stderr import ServerStderr
from omni_connector.models.mcp_servers import HttpMcpServer, StdioMcpServer

T = TypeVar("T")

_LISTS_CHANGED = (
    types.ToolListChangedNotification,
    types.ResourceListChangedNotification,
    types.PromptListChangedNotification,
)

_Opened = tuple[Transport, Callable[[], str]]
"""A transport, and what knows more about its failures."""


class Listener(Protocol):
    """Is informed of what happens to a connection; called on the loop."""

    def on_started(self) -> None:
        """The process runs, or none is needed. Connecting may be cancelled from now on, and not before.

        A cancellation while a process is being spawned would leave it behind, and nothing would wait for it.
        """

    def on_lost(self) -> None:
        """The server hung up."""

    def on_lists_changed(self) -> None:
        """The server says that it offers something else now."""


@contextlib.asynccontextmanager
async def connect(access: Access, listener: Listener) -> AsyncIterator["McpConnection"]:
    """Start or reach the server, agree on a protocol version, and hand out the connection.

    Has to be entered and left in one task: the ``mcp`` package keeps task groups open in between. Leaving ends a
    stdio server: its input is closed, after 2 s it is asked to terminate, after 2 more it is killed, with all that it
    has started in its process group.

    Raises:
        McpError: the server could not be started or reached, or refuses; or it went away meanwhile.
    """
    server = access.server
    opened = (
        _http(access, server, listener)
        if isinstance(server, HttpMcpServer)
        else _stdio(access, server, listener)
    )
    async with opened as (transport, more):
        client = Client(
            _noticing_hangup(transport, listener.on_lost),
            cache=None,
            client_info=types.Implementation(name="omni-connector", version=__version__),
            message_handler=functools.partial(_pass_on, listener),
            read_timeout_seconds=server.call_timeout_seconds,
        )
        try:
            async with client:
                connection = McpConnection(client, access, more)
                try:
                    yield connection
                finally:
                    connection.is_open = False
        except Exception as error:
            raise translated(error, access, more=more()) from error


class McpConnection:
    """An open connection: the requests that the bridge makes. Each raises an McpError when it fails."""

    def __init__(self, client: Client, access: Access, more: Callable[[], str]) -> None:
        self.is_open = True  # False once it is being left.
        self._client = client
        self._access = access
        self._more = more

    @property
    def label(self) -> str:
        """What the server is called in messages."""
        return self._access.server.label

    def offers(self, what: str) -> bool:
        """Say whether the server declares ``tools``, ``resources`` or ``prompts``."""
        return getattr(self._client.server_capabilities, what) is not None

    async def list_page(self, items: str, cursor: str | None) -> Any:
        """Return one page of the list of ``tools``, ``resources``, ``resource_templates`` or ``prompts``."""
        return await self._answer(getattr(self._client, f"list_{items}"), cursor=cursor)

    async def call_tool(self, name: str, arguments: dict[str, Any]) -> types.CallToolResult:
        """Return what the tool returned, errors of its own included."""
        return await self._answer(self._client.call_tool, name, arguments)

    async def read_resource(self, uri: str) -> types.ReadResourceResult:
        """Return the contents."""
        return await self._answer(self._client.read_resource, uri)

    async def get_prompt(self, name: str, arguments: dict[str, str]) -> types.GetPromptResult:
        """Return the prompt, filled in."""
        return await self._answer(self._client.get_prompt, name, arguments or None)

    async def _answer(self, request: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any) -> T:
        try:
            return await request(*args, **kwargs)
        except Exception as error:
            if not self.is_open:
                text = f"MCP server {self.label} went away during the call"
                raise McpUnavailableError(text, server=self.label) from error
            raise translated(error, self._access, more=self._more(), established=True) from error


@contextlib.asynccontextmanager
async def _stdio(access: Access, server: StdioMcpServer, listener: Listener) -> AsyncIterator[_Opened]:
    parameters = StdioServerParameters(
        command=server.command, args=list(server.args), env=dict(access.settings), cwd=server.cwd
    )
    async with ServerStderr(server.label) as stderr:
        yield _started(parameters, stderr, listener), stderr.said


@contextlib.asynccontextmanager
async def _started(
    parameters: StdioServerParameters, stderr: ServerStderr, listener: Listener
) -> AsyncIterator[tuple[Any, Any]]:
    async with stdio_client(parameters, errlog=stderr.writer) as streams:
        stderr.handed_over()
        listener.on_started()
        yield streams


@contextlib.asynccontextmanager
async def _http(access: Access, server: HttpMcpServer, listener: Listener) -> AsyncIterator[_Opened]:
    listener.on_started()
    refusal = _HttpRefusal()
    timeout = httpx2.Timeout(server.timeout_seconds, read=server.sse_read_timeout_seconds)
    async with httpx2.AsyncClient(
        headers=dict(access.settings), timeout=timeout, event_hooks={"response": [refusal.note]}
    ) as client:
        yield streamable_http_client(server.url, http_client=client), refusal.text


class _HttpRefusal:
    """Remembers the status of the last POST if it was an error, such as ``HTTP 502 Bad Gateway``."""

    def __init__(self) -> None:
        self._text = ""

    async def note(self, response: httpx2.Response) -> None:
        """Take note of an answer; called by httpx."""
        if response.request.method == "POST":
            is_error = response.status_code >= HTTPStatus.BAD_REQUEST
            self._text = f"HTTP {response.status_code} {response.reason_phrase}".rstrip() if is_error else ""

    def text(self) -> str:
        """Return it, or nothing."""
        return self._text


@contextlib.asynccontextmanager
async def _noticing_hangup(
    transport: Transport, on_lost: Callable[[], None]
) -> AsyncIterator[tuple[Any, Any]]:
    """Open ``transport``; call ``on_lost`` when what comes from the server ends, for whatever reason."""
    async with transport as (incoming, outgoing):
        yield _EndingStream(incoming, on_lost), outgoing


class _EndingStream(ObjectReceiveStream[Any]):
    """A stream of messages that reports its end: the ``mcp`` package notices a hangup only at the next request."""

    def __init__(self, stream: Any, on_end: Callable[[], None]) -> None:
        self._stream = stream
        self._on_end = on_end

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def receive(self) -> Any:
        try:
            return await self._stream.receive()
        except BaseException:
            self._on_end()
            raise

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _pass_on(listener: Listener, message: IncomingMessage) -> None:
    if isinstance(message, _LISTS_CHANGED):
        listener.on_lists_changed()
