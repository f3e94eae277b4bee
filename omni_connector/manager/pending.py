"""A result to come, of which there are thousands a second.

``concurrent.futures.Future`` does the same and more, at six times the cost: as much as libcurl takes for a whole request.
"""

import logging
from collections.abc import Callable
from concurrent.futures import CancelledError
from queue import Empty, SimpleQueue
from typing import Any, Generic, Self, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")


class Pending(Generic[T]):
    """Done exactly once: with a result, with an error, or cancelled. Safe to use from many threads without a lock.

    Thousands wait at once, so it consists of few objects that the garbage collector has to visit.
    """

    __slots__ = ("_callbacks", "_error", "_is_done", "_result", "_undecided")

    def __init__(self) -> None:
        self._undecided = bytearray(1)  # Taken off once, by what decides: that is atomic.
        self._is_done = False
        self._result: T | None = None
        self._error: BaseException | None = None
        # Each is taken off once, by the thread that adds it or by the one that decides, whichever sees it.
        self._callbacks: list[Callable[[Any], object]] = []

    def set_result(self, result: T) -> bool:
        """Decide; return False when something else has."""
        return self._decide(result, None)

    def set_exception(self, error: BaseException) -> bool:
        """Decide that it failed; return False when something else has decided."""
        return self._decide(None, error)

    def cancel(self) -> bool:
        """Decide that it is not needed: ``result`` raises CancelledError. What was begun goes on."""
        return self._decide(None, CancelledError())

    def done(self) -> bool:
        """Return whether it is decided."""
        return self._is_done

    def result(self, timeout: float | None = None) -> T:
        """Wait for the result, and return it or raise the error.

        Raises:
            CancelledError: it was cancelled.
            TimeoutError: it is not decided within so many seconds.
        """
        error = self._error if self._is_done else self.exception(timeout)
        if error is not None:
            raise error
        return self._result  # type: ignore[return-value]  # A cast would be a call for each document.

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait, and return the error, also that of a cancellation; None where there is a result."""
        if not self._is_done:
            decided: SimpleQueue[Any] = SimpleQueue()
            self.add_done_callback(decided.put)
            try:
                decided.get(timeout=timeout)
            except Empty:
                raise TimeoutError(f"not done within {timeout:g} s") from None
        return self._error

    def add_done_callback(self, callback: Callable[[Self], object], /) -> None:
        """Call ``callback`` with this object when it is decided, in the thread that decides, or now."""
        self._callbacks.append(callback)
        if self._is_done:
            self._call_back()

    def _decide(self, result: T | None, error: BaseException | None) -> bool:
        try:
            self._undecided.pop()
        except IndexError:
            return False
        self._result, self._error = result, error
        self._is_done = True
        if self._callbacks:
            self._call_back()
        return True

    def _call_back(self) -> None:
        while True:
            try:
                callback = self._callbacks.pop(0)
            except IndexError:  # Also where the other thread was faster.
                return
            try:
                callback(self)
            except Exception:  # The thread goes on: it carries everyone's requests.
                log.exception("A callback failed")
