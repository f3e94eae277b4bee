"""How fast runs go: what the manager counts, sampled while they run."""

import itertools
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

from attrs import define, field, frozen

from omni_connector.local import SyncRunRow

SHORTEST_SECONDS = 1.0
"""Between two samples of a run, at first."""

KEPT_SAMPLES = 240
"""When there are more, every second one is dropped, and from then on samples are taken half as often."""

KEPT_RUNS = 50

RECENT_SECONDS = 15.0
"""Over so long a rate that is shown as a figure is taken."""


@frozen
class Sample:
    """What had been counted at a moment.

    Attributes:
        seconds: since the run was first seen.
        scanned: by the connector.
        processed: documents that the manager has added, changed or deleted.
    """

    seconds: float
    scanned: int
    processed: int


@frozen
class Rate:
    """Documents per second over a stretch of time.

    Attributes:
        begin: of the stretch, in seconds.
        end: of the stretch.
        per_second: documents that the manager has processed.
    """

    begin: float
    end: float
    per_second: float


def recent_rate(rates: Sequence[Rate]) -> float:
    """Return how many documents a second there were lately: batches of a slow source arrive seconds apart."""
    end = rates[-1].end
    recent = [each for each in rates if each.end > end - RECENT_SECONDS]
    processed = sum(each.per_second * (each.end - each.begin) for each in recent)
    return processed / (end - recent[0].begin)


@define
class _Samples:
    began: float
    step: float = SHORTEST_SECONDS
    taken: list[Sample] = field(factory=list)


class RunRates:
    """Samples of the last runs. Any thread may call.

    Args:
        running: returns the runs in progress.
        clock: monotonic seconds.
    """

    def __init__(
        self, running: Callable[[], Iterable[SyncRunRow]], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._running = running
        self._clock = clock
        self._lock = threading.Lock()  # Protects everything below.
        self._looked = float("-inf")
        self._runs: OrderedDict[str, _Samples] = OrderedDict()

    def look(self) -> None:
        """Take a sample of each run, unless that was done a moment ago; cheap to call often."""
        with self._lock:
            now = self._clock()
            if now - self._looked < SHORTEST_SECONDS:
                return
            self._looked = now
            for run in self._running():
                self._take(run, now)

    def of(self, run: SyncRunRow) -> list[Rate]:
        """Return how fast a run has been, the oldest first; nothing where that was not seen."""
        with self._lock:
            samples = self._runs.get(run.id)
            taken = [] if samples is None else list(samples.taken)
        return [
            Rate(
                one.seconds, other.seconds, (other.processed - one.processed) / (other.seconds - one.seconds)
            )
            for one, other in itertools.pairwise(taken)
        ]

    def _take(self, run: SyncRunRow, now: float) -> None:
        samples = self._runs.get(run.id)
        if samples is None:
            samples = self._runs[run.id] = _Samples(began=now)
            if len(self._runs) > KEPT_RUNS:
                self._runs.popitem(last=False)
        seconds = now - samples.began
        if samples.taken and seconds - samples.taken[-1].seconds < samples.step:
            return
        samples.taken.append(Sample(seconds, run.documents_scanned, run.documents_processed))
        if len(samples.taken) > KEPT_SAMPLES:
            samples.taken = samples.taken[::2]
            samples.step *= 2
