"""The wire: how one request of a run reaches the manager, whatever library carries it.

There are two implementations, ``session_wire`` (the connection pool of the ``requests`` session, in threads; always there)
and ``curl_wire`` (libcurl, one thread; the extra ``curl``). Code above ``manager/`` does not know which one is used. A wire
sends a request at most once; whether it is sent again is the decision of the retry policy.
"""

import threading
from collections.abc import Mapping
from typing import Protocol

from attrs import define, field

from omni_connector.manager.pending import Pending
from omni_connector.telemetry.spans import TraceHeaders


class Readable(Protocol):
    """A body that is streamed, such as a form with a file."""

    def __len__(self) -> int:
        """Return its length in bytes."""
        ...

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes; empty at the end."""
        ...


Body = tuple[bytes, ...] | Readable | None
"""What a request carries: parts that are sent one after the other, a stream, or nothing."""


# Not frozen: there are thousands a second, and that costs three times as much.
@define(kw_only=True, eq=False)
class WireRequest:
    """One request, sent at most once; never changed.

    Attributes:
        method: HTTP method.
        path: after the manager's base address, quoted, beginning with a slash.
        body: what is sent.
        content_type: of the body.
        seconds: deadline for the whole request: connecting, sending, and reading the last byte of the answer.
        owner: what it belongs to, such as a run; ``Wire.abort`` ends all requests of an owner.
        stop: the request is not sent once this is set, which happens before the owner's requests are aborted.
        headers: beside those of the session, such as ``traceparent``.
    """

    method: str
    path: str
    body: Body = None
    content_type: str = "application/json"
    seconds: float = 30.0
    owner: object = None
    stop: threading.Event | None = None
    headers: TraceHeaders = ()


@define(eq=False)
class WireAnswer:
    """The final answer to one request; never changed.

    Attributes:
        status: HTTP status, 200 or more.
        headers: by lower-case name.
        body: decompressed, whole.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class WireError(OSError):
    """No answer came.

    Attributes:
        was_sent: the request may have reached the manager; False only where that is certain.
    """

    def __init__(self, message: str, *, was_sent: bool) -> None:
        super().__init__(message)
        self.was_sent = was_sent


class WireAbortedError(WireError):
    """The owner of the request was aborted, or the wire was closed."""


class Wire(Protocol):
    """Carries requests to one manager. ``close`` it. Safe to use from many threads; made anew after a fork."""

    def submit(self, request: WireRequest) -> Pending[WireAnswer]:
        """Send a request; never blocks for the network.

        Returns:
            The answer to come, whatever its status, or a ``WireError``. Callbacks may run in a thread of the wire: they
            must not block.
        """
        ...

    def carry(self, request: WireRequest) -> WireAnswer:
        """Send a request from the calling thread, and wait for its answer: no change of threads, which cost more than HTTP.

        Raises:
            WireError: there is none.
        """
        ...

    def abort(self, owner: object) -> None:
        """End every request of ``owner`` that is under way or waiting, with ``WireAbortedError``."""

    def close(self) -> None:
        """End every request with ``WireAbortedError`` and release threads and connections. Repeatable."""
