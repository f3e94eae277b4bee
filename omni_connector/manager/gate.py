"""Lets only so many calls be under way at once; the others wait in order."""

import threading
from collections import deque
from typing import Protocol

from omni_connector.manager.limit import AdaptiveLimit


class Waiting(Protocol):
    """What waits for its turn."""

    def begin(self) -> None:
        """Its turn has come; it says so with ``Gate.leave`` when it is over."""


class Gate:
    """Calls at most ``limit.value`` at once. Safe to use from many threads."""

    def __init__(self, limit: AdaptiveLimit) -> None:
        self._limit = limit
        self._lock = threading.Lock()  # Protects the limit and the following.
        self._waiting: deque[Waiting] = deque()
        self._inside = 0
        self._at_the_door: set[int] = set()  # Threads that let calls in; adding and discarding are atomic.

    @property
    def limit(self) -> int:
        """How many may be under way; a snapshot."""
        return self._limit.value

    def enter(self, call: Waiting, *, first: bool = False) -> None:
        """Begin a call as soon as its turn comes; ``first`` before those that wait already."""
        with self._lock:
            if first:
                self._waiting.appendleft(call)
            else:
                self._waiting.append(call)
            if self._inside >= self._limit.value:
                return
        self._let_in()

    def leave(self, started: float | None = None) -> None:
        """End a call; with the ``time.monotonic()`` of its beginning where its duration says something."""
        with self._lock:
            self._inside -= 1
            if started is not None:
                self._limit.finished(started, is_full=bool(self._waiting))
            if not self._waiting:
                return
        self._let_in()

    def overloaded(self) -> None:
        """Halve the limit."""
        with self._lock:
            self._limit.overloaded()

    def _let_in(self) -> None:
        me = threading.get_ident()
        if me in self._at_the_door:
            return  # A call that ended at once: the loop further down the stack goes on.
        self._at_the_door.add(me)
        try:
            while True:
                with self._lock:
                    if not self._waiting or self._inside >= self._limit.value:
                        return
                    self._inside += 1
                    call = self._waiting.popleft()
                call.begin()
        finally:
            self._at_the_door.discard(me)
