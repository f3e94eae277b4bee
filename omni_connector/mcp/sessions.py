"""The sessions of one connector: shared by equal calls, limited in number, closed when idle."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from omni_connector.exceptions import McpTimeoutError, McpUnavailableError
from omni_connector.mcp.access import Access
from omni_connector.mcp.connecting import McpConnection
from omni_connector.mcp.failures import SessionForgottenError, timed_out
from omni_connector.mcp.session import Session
from omni_connector.models.mcp_servers import SessionLimits

log = logging.getLogger(__name__)

T = TypeVar("T")

TURNS = 20
"""Of the loop, from the end of a pipe to the end of the session: it is handed on from task to task, one a turn."""

CLOSE_SECONDS = 10.0
"""How long ``close`` waits for sessions; a process that ignores its end of input is killed after 4."""


class Sessions:
    """Makes requests in sessions that it opens, shares and closes. Lives on the loop. ``close`` it.

    ``on_lists_changed`` is called when a server says that it offers something else now, with the access for asking it.
    """

    def __init__(self, limits: SessionLimits, *, on_lists_changed: Callable[[Access], None]) -> None:
        self._limits = limits
        self._on_lists_changed = on_lists_changed
        self._sessions: list[Session] = []  # All that have not ended.
        self._changed = asyncio.Event()  # Set when one has ended or become unused; replaced each time.
        self._timers: dict[Session, asyncio.TimerHandle] = {}
        self._closed = False

    async def request(
        self,
        access: Access,
        ask: Callable[[McpConnection], Awaitable[T]],
        *,
        timeout_seconds: float,
        repeatable: bool,
    ) -> T:
        """Return what ``ask``, which may be called twice, returns for a connection.

        A session that was kept and has gone meanwhile is replaced by another, and the request made there, if it cannot
        have been carried out or may be repeated. A session in which a request got no answer is not used again: a
        process that hangs would take the next one with it.

        Opening a session and waiting for a free one are part of ``timeout_seconds``. A ``repeatable`` request changes nothing.

        Raises:
            McpError: it failed.
        """
        session = None
        try:
            with anyio.fail_after(timeout_seconds):
                while True:
                    session = await self._take(access)
                    was_fresh, session.is_fresh = session.is_fresh, False
                    try:
                        return await self._ask(session, ask)
                    except McpUnavailableError as error:
                        unseen = isinstance(error, SessionForgottenError)
                        if was_fresh or not (repeatable or unseen):
                            raise
                    finally:
                        self._give_back(session)
        except TimeoutError:
            if session is None:
                text = f"All {self._limits.most} sessions with MCP servers are in use; try again later"
                raise McpUnavailableError(text, server=access.server.label) from None
            raise timed_out(access, timeout_seconds) from None

    async def close(self) -> None:
        """End every session and wait for their processes."""
        self._closed = True
        left = list(self._sessions)
        for session in left:
            session.leave()
        self._notify()
        with anyio.move_on_after(CLOSE_SECONDS) as scope:
            for session in left:
                await session.ended()
        if scope.cancelled_caught:
            log.warning("%d sessions with MCP servers did not end in time", len(self._sessions))

    async def _ask(self, session: Session, ask: Callable[[McpConnection], Awaitable[T]]) -> T:
        try:
            return await ask(await session.opened())
        except (McpUnavailableError, McpTimeoutError, asyncio.CancelledError):
            session.is_retired = True
            raise

    async def _take(self, access: Access) -> Session:
        """Return a session for one more call, waiting for room if need be."""
        while True:
            await self._let_loop_run()
            if self._closed:
                raise McpUnavailableError("The connector shuts down", server=access.server.label)
            session = self._kept(access) or self._new(access)
            if session is not None:
                session.calls += 1
                self._stop_timer(session)
                return session
            await self._changed.wait()

    async def _let_loop_run(self) -> None:
        """Let pending callbacks run, so that a server that has gone is noticed now and not by the request."""
        for _ in range(TURNS):
            await asyncio.sleep(0)

    def _kept(self, access: Access) -> Session | None:
        usable = (each for each in self._sessions if each.access.key == access.key and not each.is_retired)
        return next(usable, None)

    def _new(self, access: Access) -> Session | None:
        """Open a session if there is room; else make room if one is unused."""
        if len(self._sessions) < self._limits.most:
            session = Session(access, on_end=self._on_end, on_lists_changed=self._on_lists_changed)
            self._sessions.append(session)
            return session
        unused = [each for each in self._sessions if not each.calls and not each.is_retired]
        if unused:
            min(unused, key=lambda each: each.last_used).leave()
        return None

    def _give_back(self, session: Session) -> None:
        session.calls -= 1
        if session.calls:
            return
        loop = asyncio.get_running_loop()
        session.last_used = loop.time()
        if session.is_retired:
            session.leave()
        elif not session.has_ended:
            self._timers[session] = loop.call_later(self._limits.idle_seconds, session.leave)
        self._notify()

    def _on_end(self, session: Session) -> None:
        self._sessions.remove(session)
        self._stop_timer(session)
        self._notify()

    def _stop_timer(self, session: Session) -> None:
        timer = self._timers.pop(session, None)
        if timer is not None:
            timer.cancel()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
