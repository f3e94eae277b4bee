"""Takes the answer out of a response object of an ASGI framework, as the framework's server would.

A streamed or file response has no body to read: it is an ASGI application that sends one. It is called on the private loop,
and the thread that answers takes its chunks one by one, so a large file is never in memory as a whole. Background tasks of
the response run after its body, while the answer is on its way.
"""

import inspect
import logging
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from typing import Any

from attrs import frozen

from omni_connector.event_loop import EventLoop
from omni_connector.masking import masked_traceback

log = logging.getLogger(__name__)

ROOM = 8
"""Chunks that wait for the caller; then the response waits. Frameworks send files in chunks of 64 KiB."""

SCOPE = {
    "type": "http",
    # To 2.3 a response listens for the caller to leave, and ends at once. From 2.4 on it waits for an OSError when it
    # sends, and Starlette takes every OSError for that, a provider's that cannot be reached included.
    "asgi": {"version": "3.0", "spec_version": "2.3"},
    "http_version": "1.1",
    "method": "POST",
    "scheme": "http",
    "path": "/action",
    "raw_path": b"/action",
    "query_string": b"",
    "root_path": "",
    "client": None,
    "server": None,
}
"""What a response sees of the request: no headers, so that none answers with a range, or with 304."""


@frozen
class RawResponse:
    """An answer that reaches the manager byte for byte.

    Attributes:
        status: HTTP status.
        headers: names and values; a name may come several times.
        body: the bytes, or chunks of them that are taken when they are sent; those have a ``close``.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: "bytes | Chunks"


def is_asgi(response: Any) -> bool:
    """Say whether ``response`` can be called as an ASGI application; those of WSGI frameworks are called otherwise."""
    return callable(response) and inspect.iscoroutinefunction(type(response).__call__)


def asgi_answer(response: Any, loop: EventLoop) -> RawResponse:
    """Call ``response`` as an ASGI application on ``loop`` and return what it answers, once the body begins.

    Raises:
        RuntimeError: it ended without an answer.
        Exception: whatever it raised before its body began.
    """
    chunks = Chunks(loop)
    chunks.run(response)
    start = chunks.take()
    first = chunks.take()
    headers = tuple(
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in start.get("headers", ())
    )
    if not first.get("more_body", False):
        return RawResponse(start["status"], headers, bytes(first.get("body", b"")))
    return RawResponse(start["status"], headers, chunks.beginning_with(first))


class Chunks:
    """What a response sends, handed from the loop to the thread that answers; an iterator of the body's bytes."""

    def __init__(self, loop: EventLoop) -> None:
        self._loop = loop
        self._changed = threading.Condition()  # Protects all that follows.
        self._messages: deque[Mapping[str, Any]] = deque()
        self._room: Future[None] | None = None  # What the response waits for while there is none.
        self._left: Future[None] = Future()  # Set when the caller stops reading.
        self._over: Future[None] = Future()  # Set when the response has returned or raised.
        self._complete = False
        self._error: BaseException | None = None
        self._asked = False

    def run(self, response: Any) -> None:
        """Call the response, on the loop."""
        self._loop.start(response(dict(SCOPE, headers=[]), self._receive, self._send)).add_done_callback(
            self._ended
        )

    def take(self) -> Mapping[str, Any]:
        """Wait for the next message of the response.

        Raises:
            Exception: what the response raised instead.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._messages or self._error is not None)
            if not self._messages:
                raise self._error  # type: ignore[misc]  # Not None, as waited for.
            message = self._messages.popleft()
            room, self._room = self._room, None
        if room is not None:
            room.set_result(None)
        return message

    def beginning_with(self, message: Mapping[str, Any]) -> "Chunks":
        """Put back a message that was taken."""
        with self._changed:
            self._messages.appendleft(message)
        return self

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with self._changed:
            if (self._complete or self._left.done()) and not self._messages:
                raise StopIteration
        return bytes(self.take().get("body", b""))

    def close(self) -> None:
        """Stop reading; the response is informed when it sends the next chunk, or waits for that."""
        with self._changed:
            if self._left.done():
                return
            self._left.set_result(None)
            self._messages.clear()
            room, self._room = self._room, None
        self._loop.let_end(self._over)
        if room is not None:
            room.set_result(None)

    async def _receive(self) -> dict[str, Any]:
        """The request has no body; the next message says that the caller has left."""
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._loop.until(self._left)
        return {"type": "http.disconnect"}

    async def _send(self, message: Mapping[str, Any]) -> None:
        if message["type"] not in {"http.response.start", "http.response.body"}:
            return  # Hints to the server that a WSGI answer cannot pass on.
        with self._changed:
            if self._left.done() and not self._complete:
                raise OSError("the caller has left")
            self._messages.append(message)
            self._complete = message["type"] == "http.response.body" and not message.get("more_body", False)
            room = None
            if len(self._messages) >= ROOM and not self._complete:
                room = self._room = Future()
            if self._complete:
                self._loop.let_end(self._over)  # Before the caller sees the end, and may close the loop.
            self._changed.notify_all()
        if room is not None:
            await self._loop.until(room)

    def _ended(self, call: "Future[None]") -> None:
        """The response has returned or raised; its background tasks are done."""
        self._over.set_result(None)
        error: BaseException | None = (
            RuntimeError("the action was stopped") if call.cancelled() else call.exception()
        )
        with self._changed:
            complete, left = self._complete, self._left.done()
            if not complete and not left:  # A kept error would keep alive what the response holds.
                self._error = error or RuntimeError("the response ended before its body did")
                self._changed.notify_all()
        if error is None:
            return
        if complete and not call.cancelled():
            traceback = masked_traceback(error)
            log.error("A background task of an action's response failed: %s", traceback)
        elif complete or left:
            log.debug("A response ended after its answer, or its caller, had left: %s", type(error).__name__)
