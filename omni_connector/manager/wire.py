"""The wire: how one request of a run reaches the manager, whatever library carries it.

There are two implementations, ``session_wire`` (the connection pool of the ``requests`` session, in threads; always there)
and ``curl_wire`` (libcurl, one thread; the extra ``curl``). Code above ``manager/`` does not know which one is used. A wire
sends a request at most once; whether it is sent again is the decision of the retry policy.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from attrs import define, field


class Readable(Protocol):
    """A body that is streamed, such as a form with a file."""

    def __len__(self) -> int:
        """Return its length in bytes."""

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes; empty at the end."""


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
    """

    method: str
    path: str
    body: Body = None
    content_type: str = "application/json"
    seconds: float = 30.0
    owner: object = None


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


class Pending(Protocol):
    """The answer to come, as far as a ``concurrent.futures.Future`` is needed for it."""

    def done(self) -> bool:
        """Return whether there is an outcome."""

    def result(self, timeout: float | None = None) -> WireAnswer:
        """Wait for the answer.

        Raises:
            WireError: there is none.
            TimeoutError: not within so many seconds.
        """

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait, and return why there is no answer, None where there is one."""

    def add_done_callback(self, fn: Callable[["Pending"], object], /) -> None:
        """Call ``fn`` with this object when it is done, or now."""


class Wire(Protocol):
    """Carries requests to one manager. ``close`` it. Safe to use from many threads; made anew after a fork."""

    def submit(self, request: WireRequest) -> Pending:
        """Send a request; never blocks for the network.

        Returns:
            What is done exactly once: with the answer, whatever its status, or with a ``WireError``. Callbacks
            may run in a thread of the wire: they must not block.
        """

    def abort(self, owner: object) -> None:
        """End every request of ``owner`` that is under way or waiting, with ``WireAbortedError``."""

    def close(self) -> None:
        """End every request with ``WireAbortedError`` and release threads and connections. Repeatable."""
