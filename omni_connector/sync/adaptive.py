"""How many uploads travel at once: found by trying, because it depends on how long the manager takes to answer.

With a manager that answers in 20 ms, 64 uploads at once deliver four times what 16 do; with one that answers at once, more
than a few threads only cost (``benchmarks/RESULTS.md``). So the limit climbs while throughput climbs with it, comes down
while throughput stays the same, rests, and tries again; an overloaded manager halves it.
"""

import math
import threading
import time
from collections.abc import Callable

STEP = 1.5
GAIN = 1.05
"""Going up has to bring at least this much more throughput ..."""
LOSS = 0.97
"""... and going down may cost at most this much."""
RESTING_WINDOWS = 16
"""How long a limit that was found is kept before it is questioned."""
BACKED_OFF_WINDOWS = 32
"""The same after the manager was overloaded."""
WINDOW_UPLOADS = 4
"""Uploads in one measurement, as a multiple of the limit."""
SHORTEST_WINDOW_SECONDS = 0.05


class AdaptiveLimit:
    """A number between ``least`` and ``most`` that follows the measured throughput.

    Args:
        first: where it starts.
        least: never lower.
        most: never higher; with ``least == most`` it is fixed.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        first: int = 16,
        *,
        least: int = 2,
        most: int = 64,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._least = least
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()  # Protects everything below.
        self._limit = min(max(first, least), most)
        self._direction = 1
        self._before: tuple[int, float] | None = (
            None  # Limit and throughput before the step that is being tried.
        )
        self._failed_directions = 0
        self._resting = 0
        self._halved_in_window = False
        self._count = 0
        self._since = clock()

    @property
    def value(self) -> int:
        """The limit now."""
        return self._limit

    def finished(self, *, saturated: bool) -> int:
        """Note one upload that came to its end; return the limit from now on.

        Args:
            saturated: more uploads were waiting. Where none wait, throughput says nothing about the limit.
        """
        with self._lock:
            if not saturated:
                self._begin_window()
                return self._limit
            self._count += 1
            elapsed = self._clock() - self._since
            if self._count >= WINDOW_UPLOADS * self._limit and elapsed >= SHORTEST_WINDOW_SECONDS:
                self._judge(self._count / elapsed)
                self._begin_window()
            return self._limit

    def overloaded(self) -> int:
        """Note that the manager answered 429 or 503; return the limit from now on."""
        with self._lock:
            if not self._halved_in_window:
                self._limit = max(self._least, self._limit // 2)
                self._halved_in_window = True
                self._before = None
                self._resting = BACKED_OFF_WINDOWS
                self._begin_window(keep_halved=True)
            return self._limit

    def _begin_window(self, *, keep_halved: bool = False) -> None:
        self._count = 0
        self._since = self._clock()
        self._halved_in_window = keep_halved

    def _judge(self, throughput: float) -> None:
        """One measurement is complete: keep the step that was tried, or take it back; then try another, or rest."""
        if self._resting:
            self._resting -= 1
            return
        if self._before is None:
            self._try(throughput)
            return
        limit, earlier = self._before
        worth_it = throughput >= earlier * (GAIN if self._direction > 0 else LOSS)
        if worth_it:
            self._failed_directions = 0
            self._try(max(throughput, earlier) if self._direction < 0 else throughput)
            return
        self._limit = limit
        self._before = None
        self._turn()

    def _try(self, throughput: float) -> None:
        """Take one step; where there is none left in this direction, turn."""
        step = self._limit * STEP if self._direction > 0 else self._limit / STEP
        candidate = math.ceil(step) if self._direction > 0 else math.floor(step)
        candidate = min(max(candidate, self._least), self._most)
        if candidate == self._limit:
            self._before = None
            self._turn()
            return
        self._before = (self._limit, throughput)
        self._limit = candidate

    def _turn(self) -> None:
        self._direction = -self._direction
        self._failed_directions += 1
        if self._failed_directions >= 2:  # noqa: PLR2004 - both directions: this is the place.
            self._failed_directions = 0
            self._direction = 1
            self._resting = RESTING_WINDOWS
