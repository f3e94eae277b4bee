"""Server-sent events: how many pages may be fed at once, and for how long.

Each stream holds one of the manager's threads, of which there are sixteen, and connectors need them. So there are few
streams. A page beyond that is answered with the state as it is and asked to come again in a while, as every page is
when its stream has lasted long enough: browsers do so by themselves.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from attrs import frozen

MOST_STREAMS = 4
STREAM_SECONDS = 30.0
LOOK_SECONDS = 1.0
HEARTBEAT_LOOKS = 5
"""So often a comment is sent when there is no news: a browser that has gone is noticed when something is sent to it."""

AGAIN_SOON_SECONDS = 0.5
AGAIN_LATER_SECONDS = 3.0


@frozen(kw_only=True)
class Event:
    """One event.

    Attributes:
        name: by which the page knows it.
        data: its text.
        number: the browser says it again when it comes back; None for events that need no such thing.
    """

    name: str
    data: str
    number: int | None = None

    def to_bytes(self) -> bytes:
        """Return it as it is sent."""
        lines = [f"event: {self.name}", *(f"data: {line}" for line in self.data.split("\n"))]
        if self.number is not None:
            lines.append(f"id: {self.number}")
        return ("\n".join(lines) + "\n\n").encode()


Look = Callable[[], tuple[list[Event], bool]]
"""Returns what is new since the last look, and whether that is all there will ever be."""


class LiveStreams:
    """The streams of one console.

    Args:
        closes_within: waits so many seconds, but no longer than until the manager closes; says whether it does.
        most: streams at once.
        seconds: how long each may last.
    """

    def __init__(
        self,
        closes_within: Callable[[float], bool],
        *,
        most: int = MOST_STREAMS,
        seconds: float = STREAM_SECONDS,
    ) -> None:
        self._closes_within = closes_within
        self._places = threading.BoundedSemaphore(most)
        self._seconds = seconds

    def stream(self, look: Look) -> Iterator[bytes]:
        """Yield what ``look`` returns, again and again, until there is nothing more or the time is over."""
        with self._place() as has_place:
            yield _again(AGAIN_SOON_SECONDS if has_place else AGAIN_LATER_SECONDS)
            ends = time.monotonic() + (self._seconds if has_place else 0.0)
            quiet = 0
            while True:
                events, is_over = look()
                quiet = 0 if events else quiet + 1
                if events:
                    yield b"".join(event.to_bytes() for event in events)
                elif quiet % HEARTBEAT_LOOKS == 0:
                    yield b": no news\n\n"
                if is_over or time.monotonic() >= ends or self._closes_within(LOOK_SECONDS):
                    return

    @contextmanager
    def _place(self) -> Iterator[bool]:
        has_place = self._places.acquire(blocking=False)
        try:
            yield has_place
        finally:
            if has_place:
                self._places.release()


def _again(seconds: float) -> bytes:
    return f"retry: {seconds * 1000:.0f}\n\n".encode()
