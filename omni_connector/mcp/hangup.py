"""Notices when a server hangs up: the ``mcp`` package reports it only at the next request."""

import contextlib
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Self

from mcp.client import Transport


@contextlib.asynccontextmanager
async def notice_hangup(transport: Transport, on_lost: Callable[[], None]) -> AsyncIterator[tuple[Any, Any]]:
    """Open ``transport``; call ``on_lost`` when what comes from the server ends, for whatever reason."""
    async with transport as (incoming, outgoing):
        yield _EndingStream(incoming, on_lost), outgoing


class _EndingStream:
    """A stream of messages that reports its end; otherwise the stream itself, as the ``mcp`` package uses it."""

    def __init__(self, stream: Any, on_end: Callable[[], None]) -> None:
        self._stream = stream
        self._on_end = on_end

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def receive(self) -> Any:
        """Return the next message."""
        try:
            return await self._stream.receive()
        except BaseException:
            self._on_end()
            raise

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        try:
            return await self._stream.__anext__()
        except BaseException:  # The end is a StopAsyncIteration.
            self._on_end()
            raise

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> bool | None:
        handled: bool | None = await self._stream.__aexit__(exc_type, exc_val, exc_tb)
        return handled
