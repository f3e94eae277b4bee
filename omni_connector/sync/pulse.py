"""When a run last did something, and what."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Pulse:
    """Touched by every call on the context; read by the watch that keeps the run alive at the manager.

    A touch is one assignment, so that it costs next to nothing and needs no lock. A partition has a pulse of its own, which
    counts for its run as well.

    Args:
        partition: its key; empty for a run.

    Attributes:
        thread_id: of the thread that made it: a partition is read there.
    """

    def __init__(self, partition: str = "") -> None:
        self.partition = partition
        self.thread_id = threading.get_ident()
        self._last = (time.monotonic(), "start", "")
        # Calls that wait inside the SDK, in any thread; appending and popping are atomic.
        self._inside: list[str] = []
        self._lock = threading.Lock()  # Protects the following.
        self._parts: list[Pulse] = []

    def touch(self, what: str, about: str = "") -> None:
        """Note a call, such as ``emit`` about a document."""
        self._last = (time.monotonic(), what, about)

    @contextmanager
    def inside(self, what: str) -> Iterator[None]:
        """Note a call that waits inside the SDK: as long as it does, the run makes progress."""
        self.enter(what)
        try:
            yield
        finally:
            self.leave(what)

    def enter(self, what: str) -> None:
        """Begin what ``inside`` is for."""
        self.touch(what)
        self._inside.append(what)

    def leave(self, what: str) -> None:
        """End it."""
        self._inside.pop()
        self.touch(what)

    @contextmanager
    def beside(self, part: "Pulse") -> Iterator[None]:
        """While a partition is read."""
        with self._lock:
            self._parts.append(part)
        try:
            yield
        finally:
            with self._lock:
                self._parts.remove(part)
            self.touch("a partition", part.partition)

    @property
    def parts(self) -> list["Pulse"]:
        """Those of the partitions that are being read."""
        with self._lock:
            return list(self._parts)

    @property
    def idle_seconds(self) -> float:
        """How long ago the last call was, of partitions as well; 0 while one waits inside the SDK."""
        return min([self._own_idle_seconds, *(part.idle_seconds for part in self.parts)])

    @property
    def last_call(self) -> tuple[float, str, str]:
        """When the last call was, what it was and about what."""
        return self._last

    @property
    def last(self) -> str:
        """What the last call was, such as ``emit of 'page-7'``."""
        _, what, about = max([self.last_call, *(part.last_call for part in self.parts)])
        return f"{what} of {about[:200]!r}" if about else what

    @property
    def _own_idle_seconds(self) -> float:
        return 0.0 if self._inside else time.monotonic() - self._last[0]
