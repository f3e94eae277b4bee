"""Lets only so many calls be under way at once; the others wait in order."""

import contextlib
import threading
from collections import deque
from typing import Any, Protocol

from attrs import frozen

from omni_connector.forking import begins_anew
from omni_connector.manager.limit import AdaptiveLimit
from omni_connector.pool import WorkerPool


class Waiting(Protocol):
    """What waits for its turn."""

    def begin(self) -> None:
        """Its turn has come; it says so with ``Gate.leave`` when it is over."""


class Gate:
    """Calls at most ``limit.value`` at once. Safe to use from many threads, and after a fork."""

    def __init__(self, limit: AdaptiveLimit) -> None:
        self._limit = limit
        self.after_fork()
        begins_anew(self)

    def after_fork(self) -> None:
        """Begin without calls: what the parent has under way stays the parent's."""
        self._lock = threading.Lock()  # Protects the limit and the following.
        self._waiting: deque[Waiting] = deque()
        self._inside = 0
        self._at_the_door: set[int] = set()  # Threads that let calls in; adding and discarding are atomic.

    @property
    def limit(self) -> int:
        """How many may be under way; a snapshot."""
        return self._limit.value

    @property
    def inside(self) -> int:
        """How many are under way; a snapshot."""
        return self._inside

    def enter(self, call: Waiting, *, first: bool = False) -> None:
        """Begin a call as soon as its turn comes; ``first`` before those that wait already."""
        with self._lock:
            if first:
                self._waiting.appendleft(call)
            else:
                self._waiting.append(call)
            following = self._next()
        if following is not None:
            self._let_in(following)

    def leave(self, started: float | None = None) -> None:
        """End a call; with the ``time.monotonic()`` of its beginning where its duration says something."""
        with self._lock:
            self._inside -= 1
            if started is not None:
                self._limit.finished(started, is_full=bool(self._waiting))
            following = self._next()
        if following is not None:
            self._let_in(following)

    def overloaded(self) -> None:
        """Halve the limit."""
        with self._lock:
            self._limit.overloaded()

    def _next(self, *, in_loop: bool = False) -> Waiting | None:
        """Give a place to the next call, if there is one, and return the call; the lock is held.

        After a call that ended at once there is none: the loop in ``_let_in``, further down the stack, goes on.
        """
        if not self._waiting or self._inside >= self._limit.value:
            return None
        if not in_loop and threading.get_ident() in self._at_the_door:
            return None
        self._inside += 1
        return self._waiting.popleft()

    def _let_in(self, call: Waiting | None) -> None:
        """Begin a call that has a place, and those for which there are places then."""
        me = threading.get_ident()
        self._at_the_door.add(me)
        try:
            while call is not None:
                call.begin()
                if not self._waiting or self._inside >= self._limit.value:
                    return  # Another look with the lock would say the same: who changes it later looks then.
                with self._lock:
                    call = self._next(in_loop=True)
        finally:
            self._at_the_door.discard(me)


class Permits(Protocol):
    """Places that the processes of a connector share."""

    def acquire(self) -> Any:
        """Wait for a permit and return it; at once when permits cannot be had."""

    def release(self, permit: Any) -> None:
        """Give a permit back."""

    def close(self) -> None:
        """Let no one wait any more."""


class SharedGate:
    """A gate whose places other processes share: what has a place here waits in a thread for a permit.

    Args:
        gate: limits this process.
        permits: limit all processes.
    """

    def __init__(self, gate: Gate, permits: Permits) -> None:
        self._gate = gate
        self._permits = permits
        self._threads = WorkerPool("omni-permit", limit=gate.limit + 1)  # One is left to give permits back.
        self._held: deque[Any] = (
            deque()
        )  # Which of them a call has does not matter. Appending and popping are atomic.
        begins_anew(self)

    def after_fork(self) -> None:
        """Hold nothing: the permits are the parent's."""
        self._held = deque()

    @property
    def limit(self) -> int:
        """How many may be under way in this process."""
        return self._gate.limit

    def enter(self, call: Waiting, *, first: bool = False) -> None:
        """Begin a call as soon as its turn comes; ``first`` before those that wait already."""
        self._gate.enter(_WithoutPermit(self, call), first=first)

    def leave(self, started: float | None = None) -> None:
        """End a call."""
        permit = self._held.popleft()
        with contextlib.suppress(RuntimeError):  # Closed: the process ends, and with it what it holds.
            self._threads.submit(self._permits.release, permit)
        self._gate.leave(started)

    def admit(self, call: Waiting) -> None:
        """Begin a call that has a place in this process as soon as it has a permit."""
        try:
            self._threads.submit(self._begin, call)
        except RuntimeError:  # Closed: the call ends at once.
            self._held.append(None)
            call.begin()

    def close(self) -> None:
        """End the threads."""
        self._permits.close()
        self._threads.close(timeout_seconds=1.0)

    def _begin(self, call: Waiting) -> None:
        self._held.append(self._permits.acquire())
        call.begin()


@frozen
class _WithoutPermit:
    gate: SharedGate
    call: Waiting

    def begin(self) -> None:
        self.gate.admit(self.call)
