"""When a run last did something, and what."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Pulse:
    """Touched by every call on the context; read by the watch that keeps the run alive at the manager.

    A touch is one assignment, so that it costs next to nothing and needs no lock.
    """

    def __init__(self) -> None:
        self._last = (time.monotonic(), "start", "")
        self._lock = threading.Lock()  # Protects _inside.
        self._inside = 0  # Calls that wait inside the SDK; several threads may.

    def touch(self, what: str, about: str = "") -> None:
        """Note a call, such as ``emit`` about a document."""
        self._last = (time.monotonic(), what, about)

    @contextmanager
    def inside(self, what: str) -> Iterator[None]:
        """Note a call that waits inside the SDK: as long as it does, the run makes progress."""
        self.touch(what)
        with self._lock:
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
            self.touch(what)

    @property
    def idle_seconds(self) -> float:
        """How long ago the last call was; 0 while one waits inside the SDK."""
        return 0.0 if self._inside else time.monotonic() - self._last[0]

    @property
    def last(self) -> str:
        """What the last call was, such as ``emit of 'page-7'``."""
        _, what, about = self._last
        return f"{what} of {about[:200]!r}" if about else what
