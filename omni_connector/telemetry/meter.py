"""Measures what takes a run's time: only where a thread waits, and once a batch."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from attrs import define

from omni_connector.telemetry.figures import Figures, Progress, Spent, Stage

BLOCKING = (Stage.WAITING_MANAGER, Stage.WAITING_RATE_LIMIT)
"""Stages in which the connector stands still; the rest of its time it is reading."""


@define
class _Timer:
    """Time in which at least one thread was inside."""

    seconds: float = 0.0
    inside: int = 0
    since: float = 0.0

    def enter(self, now: float) -> None:
        if not self.inside:
            self.since = now
        self.inside += 1

    def leave(self, now: float) -> None:
        self.inside -= 1
        if not self.inside:
            self.seconds += now - self.since

    def at(self, now: float) -> float:
        return self.seconds + (now - self.since if self.inside else 0.0)


class RunMeter:
    """What one run, or one partition of it, has taken its time for. Safe to use from many threads.

    Attributes:
        batches: requests with events that were answered; counted by the thread that sends.
        bytes_delivered: bytes of the events in them.
    """

    def __init__(self) -> None:
        self.batches = 0
        self.bytes_delivered = 0
        self._began = time.monotonic()
        self._lock = threading.Lock()  # Protects everything below.
        self._timers: dict[Stage, _Timer] = {stage: _Timer() for stage in Stage if stage is not Stage.READING}
        self._standing = _Timer()  # In any of the blocking stages.
        self._ended: float | None = None
        self._buffered: Callable[[], tuple[int, int]] = _nothing_buffered
        self._parts: list[RunMeter] = []  # Of the partitions that are being read.
        self._is_in_parts = False
        self._of_parts = dict.fromkeys(Stage, 0.0)  # Of those that have ended.
        # Of those that other processes read, by key and attempt.
        self._elsewhere: dict[tuple[str, int], Spent] = {}
        self._phase = ""
        self._totals: dict[str, int] = {}  # By partition; of a run that is read whole, one.
        self._phase_began = self._began
        self._done_before = 0  # When the phase began.
        self._has_progress = False

    def begin(self) -> None:
        """Begin to count the time now: the run has waited for its turn."""
        self._began = self._phase_began = time.monotonic()

    def watch_buffer(self, buffered: Callable[[], tuple[int, int]]) -> None:
        """Learn how to ask for the events, and bytes, that wait."""
        self._buffered = buffered

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[None]:
        """Around a wait, in any thread; threads that wait at the same time count once."""
        self.enter(stage)
        try:
            yield
        finally:
            self.leave(stage)

    def enter(self, stage: Stage) -> None:
        """Begin what ``stage`` is for."""
        with self._lock:
            now = time.monotonic()
            self._timers[stage].enter(now)
            if stage in BLOCKING:
                self._standing.enter(now)

    def leave(self, stage: Stage) -> None:
        """End it."""
        with self._lock:
            now = time.monotonic()
            self._timers[stage].leave(now)
            if stage in BLOCKING:
                self._standing.leave(now)

    def delivered(self, size: int) -> None:
        """Count an answered request with events of so many bytes; called by the thread that sends."""
        self.batches += 1
        self.bytes_delivered += size

    def end(self) -> None:
        """Count no more time."""
        if self._ended is None:
            self._ended = time.monotonic()

    # -- partitions ---------------------------------------------------------------------------------------------

    def add_part(self, part: "RunMeter") -> None:
        """A partition begins: its time counts instead of the run's own."""
        with self._lock:
            self._is_in_parts = True
            self._parts.append(part)

    def part_ended(self, part: "RunMeter") -> None:
        """A partition has ended."""
        part.end()
        spent = part.spent()
        with self._lock:
            self._parts.remove(part)
            self._add_spent(spent)

    def spent(self) -> Spent:
        """Return what the partitions were read for so far, for the process that has the run."""
        batches, size = self.traffic()
        seconds = {stage.value: round(seconds, 3) for stage, seconds in self.stages().items() if seconds}
        return Spent(seconds=seconds, batches=batches, bytes_delivered=size)

    def spent_elsewhere(self, key: str, attempt: int, spent: Spent, *, is_over: bool) -> None:
        """Note what another process has spent on a partition so far; a report replaces the one before of its attempt."""
        with self._lock:
            self._is_in_parts = True
            self._elsewhere[key, attempt] = spent
            if is_over:
                self._add_spent(self._elsewhere.pop((key, attempt)))

    # -- progress -----------------------------------------------------------------------------------------------

    def set_progress(self, done: int, *, total: int | None, phase: str | None, partition: str = "") -> None:
        """Note what the connector says of its progress.

        Args:
            done: documents that it has looked at so far.
            total: how many there are, in this phase or partition.
            phase: a new one begins with no total, and counts from here on.
            partition: key of the partition that says it; their totals add up, and phases are only shown.
        """
        with self._lock:
            self._has_progress = True
            if phase is not None and phase != self._phase:
                self._phase = phase
                if not partition:
                    self._totals.clear()
                    self._phase_began, self._done_before = time.monotonic(), done
            if total is not None:
                self._totals[partition] = total

    # -- what is shown ------------------------------------------------------------------------------------------

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return self._now() - self._began

    def stages(self) -> dict[Stage, float]:
        """Return the seconds by stage."""
        now = self._now()
        with self._lock:
            found = {stage: timer.at(now) for stage, timer in self._timers.items()}
            is_in_parts, parts = self._is_in_parts, list(self._parts)
            reading = 0.0 if is_in_parts else max(0.0, now - self._began - self._standing.at(now))
            sums = {stage: found.get(stage, reading) + self._of_parts[stage] for stage in Stage}
            elsewhere = list(self._elsewhere.values())
        for spent in (*elsewhere, *(part.spent() for part in parts)):
            for stage in Stage:
                sums[stage] += spent.seconds.get(stage.value, 0.0)
        return sums

    def buffered(self) -> tuple[int, int]:
        """Return how many events wait, and their bytes."""
        events, size = self._buffered()
        with self._lock:
            parts = list(self._parts)
        for part in parts:
            more_events, more_bytes = part.buffered()
            events, size = events + more_events, size + more_bytes
        return events, size

    def traffic(self) -> tuple[int, int]:
        """Return the batches and bytes that were delivered."""
        with self._lock:
            all_of_it: list[RunMeter | Spent] = [self, *self._parts, *self._elsewhere.values()]
            return sum(each.batches for each in all_of_it), sum(each.bytes_delivered for each in all_of_it)

    def progress(self, figures: Figures) -> Progress | None:
        """Return how far the run is; None when its connector says nothing of it."""
        with self._lock:
            if not self._has_progress:
                return None
            return Progress(
                phase=self._phase,
                total=sum(self._totals.values()) if self._totals else None,
                done=max(0, looked_at(figures) - self._done_before),
                seconds=self._now() - self._phase_began,
            )

    def _add_spent(self, spent: Spent) -> None:
        self.batches += spent.batches
        self.bytes_delivered += spent.bytes_delivered
        for stage in Stage:
            self._of_parts[stage] += spent.seconds.get(stage.value, 0.0)

    def _now(self) -> float:
        return time.monotonic() if self._ended is None else self._ended


def looked_at(figures: Figures) -> int:
    """Return how many documents a connector has dealt with: those that it has counted, or given, whichever are more."""
    return max(figures.scanned, figures.emitted + figures.deleted + figures.unread)


def _nothing_buffered() -> tuple[int, int]:
    return 0, 0
