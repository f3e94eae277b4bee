"""How many uploads are worth having in the air at once, found by the delay that they cause (the idea of TCP Vegas).

Where a manager serves ten at a time, an eleventh only waits: the answers take longer, and everybody else's too. So the limit
is where a few uploads wait at the manager, no more: ``waiting = limit * (1 - undisturbed / measured)``, with the time that an
answer takes when nothing waits, and the one that it takes now. The first is measured anew every few seconds, with half of
the uploads. A pause of the interpreter or of the machine looks like a queue for one measurement; so a queue is believed when
two in a row show it.
"""

import time
from collections.abc import Callable

FIRST_LIMIT = 4
MOST_UPLOADS = 64
"""Uploads at once in one process, whatever the number of runs, so that ``/health`` stays quick."""

FEWEST_WAITING, MOST_WAITING = 1.5, 3.0
"""Uploads that may wait at the manager: enough that it is never idle between two."""
BRISK_SHARE, CAREFUL_SHARE = 4, 10
"""The limit grows by this part of itself while next to nothing waits at the manager, or nearly enough."""
UNNOTICED_SECONDS = 0.001
"""A delay that is not counted: the interpreter causes as much by itself."""
WINDOW_SECONDS = 0.05
FIRST_WINDOW_SECONDS = 0.01
CALM_SECONDS = 10.0
"""After so long the undisturbed time is measured anew."""


class AdaptiveLimit:
    """A number of uploads at once; not safe to use from many threads without a lock.

    Args:
        fixed: the number, where it does not adapt.
        clock: monotonic seconds.

    Attributes:
        value: how many uploads may be in the air.
    """

    def __init__(self, fixed: int | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.value = fixed or FIRST_LIMIT
        self._is_fixed = fixed is not None
        self._clock = clock
        self._is_starting = True  # The number is doubled until something waits.
        self._undisturbed: float | None = None
        self._is_suspected = False  # The last window showed a queue.
        self._resume: int | None = None  # The number before the undisturbed time was measured.
        self._measured_at = 0.0
        self._begin_window()

    def finished(self, started: float, *, is_full: bool) -> None:
        """Learn from an upload.

        Args:
            started: when it began.
            is_full: others wait for their turn, so that the limit is what limits.
        """
        if self._is_fixed or started < self._window_began:
            return  # Sent under another limit.
        now = self._clock()
        self._count += 1
        self._seconds += now - started
        self._full += is_full
        if self._count >= self._enough and now - self._window_began >= self._window_seconds:
            self._judge(self._seconds / self._count, is_full=self._full * 2 >= self._count)
            self._begin_window()

    def overloaded(self) -> None:
        """Learn that the manager answered 429 or 503: halve."""
        if not self._is_fixed:
            self.value = max(1, (self._resume or self.value) // 2)
            self._is_starting, self._resume = False, None
            self._begin_window()

    def _judge(self, seconds: float, *, is_full: bool) -> None:
        if self._resume is not None:
            self._undisturbed, self._measured_at = seconds, self._clock()
            self.value, self._resume = self._resume, None
            return
        if self._undisturbed is None or seconds < self._undisturbed:
            self._undisturbed = seconds
        if not is_full:
            return
        waiting = self.value * max(0.0, 1 - (self._undisturbed + UNNOTICED_SECONDS) / seconds)
        is_queue = waiting > (FEWEST_WAITING if self._is_starting else MOST_WAITING)
        if is_queue and not self._is_suspected:
            self._is_suspected = True
            return
        self._is_suspected = False
        if self._is_starting:
            self._start(waiting)
        elif waiting < FEWEST_WAITING:
            share = BRISK_SHARE if waiting < FEWEST_WAITING / 2 else CAREFUL_SHARE
            self.value += max(1, self.value // share)
        elif is_queue:
            self.value -= max(1, int(waiting - MOST_WAITING) // 2)
        self.value = min(max(self.value, 1), MOST_UPLOADS)
        if not self._is_starting and self._clock() - self._measured_at > CALM_SECONDS:
            self._resume, self.value = self.value, max(1, self.value // 2)

    def _start(self, waiting: float) -> None:
        if waiting <= FEWEST_WAITING and self.value < MOST_UPLOADS:
            self.value *= 2
            return
        self._is_starting = False
        self.value = int(self.value - waiting + MOST_WAITING) if waiting > MOST_WAITING else self.value

    def _begin_window(self) -> None:
        self._window_began = self._clock()
        self._window_seconds = FIRST_WINDOW_SECONDS if self._is_starting else WINDOW_SECONDS
        self._enough = self.value if self._is_starting else 2 * self.value
        self._count = self._full = 0
        self._seconds = 0.0
