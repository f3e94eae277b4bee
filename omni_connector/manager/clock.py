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
        self._early: set[int] = set()  # Numbers of those that ``hasten`` calls.
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None
        self._closed = False

    def after(self, seconds: float, call: Callable[[], None], *, can_hasten: bool = False) -> None:
        """Call ``call`` after some seconds; with ``can_hasten`` as soon as ``hasten`` is called.

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
            number = next(self._numbers)
            heapq.heappush(self._due, (time.monotonic() + seconds, number, call))
            if can_hasten:
                self._early.add(number)
            self._changed.notify()

    def hasten(self) -> None:
        """Call now what may be called early, in its order."""
        with self._changed:
            now = time.monotonic()
            self._due = [
                (min(due, now) if number in self._early else due, number, call)
                for due, number, call in self._due
            ]
            heapq.heapify(self._due)
            self._early.clear()
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
                _, number, call = heapq.heappop(self._due)
                self._early.discard(number)
            call()
