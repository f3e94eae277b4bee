"""Calls things at their time, in one thread."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable


class Clock:
    """Calls what is due, which must not block. ``close`` it; its thread starts when it is first needed."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._changed = threading.Condition()  # Protects everything below.
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None
        self._closed = False

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Call ``call`` after some seconds.

        Raises:
            RuntimeError: it is closed, or its thread cannot be started.
        """
        with self._changed:
            if self._closed:
                raise RuntimeError(f"{self._name} is closed")
            if self._thread is None:
                thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                thread.start()
                self._thread = thread
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._numbers), call))
            self._changed.notify()

    def close(self) -> None:
        """Call nothing any more, and end the thread."""
        with self._changed:
            self._closed = True
            self._due.clear()
            self._changed.notify()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._closed and (not self._due or self._due[0][0] > time.monotonic()):
                    self._changed.wait(self._due[0][0] - time.monotonic() if self._due else None)
                if self._closed:
                    return
                _, _, call = heapq.heappop(self._due)
            call()
