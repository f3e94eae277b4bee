"""One session with an MCP server, owned by a task."""

import asyncio
import math
from collections.abc import Callable

import anyio

from omni_connector.exceptions import McpError, McpTimeoutError, McpUnavailableError
from omni_connector.masking import SecretScope
from omni_connector.mcp.access import Access
from omni_connector.mcp.connecting import McpConnection, connect
from omni_connector.mcp.failures import translated

LEAVING_SECONDS = 5.0
"""For saying goodbye to an HTTP server. A process is given 4 s before it is killed, and that is not cut short."""


class Session:
    """Opens a connection, keeps it until it is asked to leave or the server hangs up, and closes it.

    All of that happens in one task: a connection has to be left in the task that entered it. Requests are made in the
    tasks of the callers.
    """

    def __init__(
        self,
        access: Access,
        *,
        on_end: Callable[["Session"], None],
        on_lists_changed: Callable[[Access], None],
    ) -> None:
        self.access = access
        self.calls = 0  # How many use it now; counted by ``Sessions``.
        self.last_used = 0.0  # When the last call ended, on the loop's clock; the same.
        self.is_fresh = True  # No call was made yet.
        self.is_retired = False  # No further call may use it.
        self.has_ended = False  # Connection and process are gone.
        self._on_end = on_end
        self._on_lists_changed = on_lists_changed
        self._leave = asyncio.Event()
        self._is_started = False
        self._is_open = False
        self._scope = anyio.CancelScope()
        self._opened: asyncio.Future[McpConnection] = asyncio.get_running_loop().create_future()
        self._opened.add_done_callback(_retrieve_error)
        self._task = asyncio.create_task(self._own(), name=f"mcp-session {access.server.label}")

    async def opened(self) -> McpConnection:
        """Return the connection, once it stands.

        Raises:
            McpError: it could not be opened.
        """
        return await asyncio.shield(self._opened)  # A caller may give up while others wait.

    def leave(self) -> None:
        """Begin to close: calls under way fail. Repeatable."""
        self.is_retired = True
        if not self._opened.done():
            label = self.access.server.label
            self._opened.set_exception(
                McpUnavailableError(f"MCP server {label} is not needed any more", server=label)
            )
        self._leave.set()
        if self._is_started and not self._is_open:
            self._scope.cancel()

    async def ended(self) -> None:
        """Wait until connection and process are gone."""
        await asyncio.wait([self._task])

    def on_started(self) -> None:
        """Start the time limit, or end at once if the session is no longer wanted."""
        self._is_started = True
        self._scope.deadline = anyio.current_time() + self.access.server.connect_timeout_seconds
        if self._leave.is_set():
            self._scope.cancel()

    def on_lost(self) -> None:
        """Leave: the server hung up."""
        self.is_retired = True
        self._leave.set()

    def on_lists_changed(self) -> None:
        """Pass it on, with the access for asking again."""
        self._on_lists_changed(self.access)

    async def _own(self) -> None:
        secrets = SecretScope(self.access.secrets)
        try:
            with self._scope:
                async with connect(self.access, self) as connection:
                    self._is_open = True
                    self._scope.deadline = math.inf
                    if not self._opened.done():
                        self._opened.set_result(connection)
                    await self._leave.wait()
                    self._scope.deadline = anyio.current_time() + LEAVING_SECONDS
            self._fail(self._timed_out())  # If it did not come to the result, the time was up.
        except Exception as error:  # noqa: BLE001 - the task ends here; those who wait get the error.
            self._fail(translated(error, self.access))
        finally:
            self.is_retired = self.has_ended = True
            self._fail(McpUnavailableError("The connector shuts down", server=self.access.server.label))
            self._on_end(self)
            secrets.close()

    def _fail(self, error: McpError) -> None:
        if not self._opened.done():
            self._opened.set_exception(error)

    def _timed_out(self) -> McpTimeoutError:
        label = self.access.server.label
        seconds = self.access.server.connect_timeout_seconds
        text = f"MCP server {label} could not be started or reached within {seconds:g} s"
        return McpTimeoutError(text, server=label, seconds=seconds)


def _retrieve_error(opened: "asyncio.Future[McpConnection]") -> None:
    """Retrieve the error, if there is one: asyncio logs errors that were never retrieved."""
    if not opened.cancelled():
        opened.exception()
