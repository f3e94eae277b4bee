"""Requests that have begun to arrive and are not complete yet; each holds a thread of the server.

Under gunicorn, clients that never finish their requests would take one thread after the other, until none is left for
``/health``. So the longest silent ones are ended when there are too many, and every one after a while.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from operator import attrgetter
from typing import Any, Protocol

from attrs import define, field

ENVIRON_KEY = "omni_connector.unfinished"
"""In a request's WSGI environment: the ``UnfinishedRequests`` of its server, where there is one."""

SILENT_SECONDS = 0.3
"""Only a request that has been silent this long is ended to make room for others: lost packets are sent again after 0.2 s."""

HEAD_SECONDS = 30.0
"""How long a request may take until its headers are there ..."""

BODY_SECONDS = 60.0
"""... and its body, and longer if it is large:"""

BODY_BYTES_A_SECOND = 64 * 1024

LINGER_SECONDS = 2.0
"""How long a client may go on sending after its answer, and keep the connection open: as long as gunicorn itself waits."""


class Connection(Protocol):
    """What a server knows of a client's connection."""

    @property
    def sock(self) -> socket.socket:
        """What is read from; under TLS it is replaced in the meantime."""
        ...


@define(eq=False)
class Unfinished:
    """One request that is not complete yet."""

    connection: Connection
    seconds: float
    began: float = field(factory=time.monotonic)
    moved: float = field(factory=time.monotonic)

    def progressed(self) -> None:
        """Note that more has arrived."""
        self.moved = time.monotonic()

    def end(self) -> None:
        """Let the thread that reads it find the end of what was sent."""
        with contextlib.suppress(OSError, ValueError):  # The client may have gone.
            self.connection.sock.shutdown(socket.SHUT_RD)


class UnfinishedRequests:
    """All incomplete requests of one server process.

    Args:
        most: how many there may be before silent ones are ended.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = (
            threading.Lock()
        )  # Protects _requests; held while one is ended, so that its socket is still its own.
        self._requests: dict[Unfinished, None] = {}

    @contextlib.contextmanager
    def reading(self, connection: Connection, size: int | None = None) -> Iterator[Unfinished]:
        """Note that this thread reads a body."""
        request = self.begin(connection, BODY_SECONDS + (size or 0) / BODY_BYTES_A_SECOND)
        try:
            yield request
        finally:
            self.finish(request)

    def begin(self, connection: Connection, seconds: float = HEAD_SECONDS) -> Unfinished:
        """Note a request that begins to arrive, and may take ``seconds``."""
        request = Unfinished(connection, seconds)
        with self._lock:
            self._requests[request] = None
        return request

    def finish(self, request: Unfinished) -> None:
        """Note that it is there, or has ended."""
        with self._lock:
            self._requests.pop(request, None)

    def __len__(self) -> int:
        return len(self._requests)

    def sweep(self, *, all_silent: bool = False) -> None:
        """End what takes too long, and the longest silent ones if there are too many.

        Args:
            all_silent: end all that are silent: other requests wait for a thread, or the server ends.
        """
        now = time.monotonic()
        with self._lock:
            for request in [one for one in self._requests if now - one.began > one.seconds]:
                self._end(request)
            silent = [one for one in self._requests if now - one.moved > SILENT_SECONDS]
            excess = len(self._requests) - (0 if all_silent else self._most)
            for request in sorted(silent, key=attrgetter("moved"))[: max(0, excess)]:
                self._end(request)

    def _end(self, request: Unfinished) -> None:
        del self._requests[request]
        request.end()


def unfinished_of(environ: dict[str, Any]) -> UnfinishedRequests | None:
    """Return the requests of the server that answers this one, None where the server needs no such care."""
    found: UnfinishedRequests | None = environ.get(ENVIRON_KEY)
    return found
