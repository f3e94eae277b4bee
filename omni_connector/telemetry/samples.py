"""The values of metrics in one process, and how those of several processes become one.

The classes of prometheus-client are not used for this. Its mode for several processes is chosen for the whole process when
it is first imported, the metrics of the host application included; it keeps the files of every process that there ever
was (a scrape took 80 ms with 2 of them, 680 ms with 50); and an observation takes several times as long.
"""

import threading
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from itertools import pairwise

from attrs import field, frozen

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"

MOST_SERIES = 1000
"""Of one family in one process. Beyond it the oldest of ``is_latest`` are forgotten; others are counted as ``other``."""

Labels = tuple[str, ...]
Values = Mapping[str, Mapping[Labels, list[float]]]
"""Of each family, by labels: one number; of a histogram the counts of its buckets, the last without limit, then the sum."""


@frozen
class Family:
    """One metric.

    Attributes:
        name: with its unit; ``_total`` included.
        kind: counter, gauge or histogram.
        text: what it means.
        labels: their names.
        buckets: upper bounds, of a histogram.
        is_latest: of several processes the highest value counts, also that of one that has ended; other gauges are summed over
            the processes that live.
    """

    name: str
    kind: str
    text: str
    labels: tuple[str, ...] = field(default=(), kw_only=True)
    buckets: tuple[float, ...] = field(default=(), kw_only=True)
    is_latest: bool = field(default=False, kw_only=True)

    @property
    def stays(self) -> bool:
        """The value counts beyond the end of its process."""
        return self.kind != GAUGE or self.is_latest


class Samples:
    """The values of one process. Safe to use from many threads."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = {family.name: family for family in families}
        self._lock = threading.Lock()  # Protects _values.
        self._values: dict[str, dict[Labels, list[float]]] = {name: {} for name in self._families}

    def add(self, family: Family, labels: Labels = (), amount: float = 1.0) -> None:
        """Add to a counter."""
        with self._lock:
            self._series(family, labels)[0] += amount

    def put(self, family: Family, labels: Labels, value: float) -> None:
        """Set a gauge; one that ``is_latest`` only rises."""
        with self._lock:
            series = self._series(family, labels)
            series[0] = max(series[0], value) if family.is_latest else value

    def observe(self, family: Family, labels: Labels, *values: float) -> None:
        """Add to a histogram."""
        # One thousand at once take half the time of a search for the bucket of each.
        ordered = sorted(values)
        reached = [*(bisect_right(ordered, bound) for bound in family.buckets), len(ordered)]
        with self._lock:
            series = self._series(family, labels)
            for bucket, (before, count) in enumerate(pairwise([0, *reached])):
                series[bucket] += count - before
            series[-1] += sum(values)

    def values(self) -> dict[str, dict[Labels, list[float]]]:
        """Return a copy."""
        with self._lock:
            return {
                name: {labels: list(series) for labels, series in found.items()}
                for name, found in self._values.items()
            }

    def go_on_from(self, values: Values) -> None:
        """Add what an earlier process has left, in whose place this one is."""
        with self._lock:
            _merge(self._families.values(), self._values, values, is_alive=False)

    def _series(self, family: Family, labels: Labels) -> list[float]:
        found = self._values[family.name]
        series = found.get(labels)
        if series is None:
            if len(found) >= MOST_SERIES:
                if family.is_latest:
                    del found[min(found, key=lambda each: found[each][0])]
                else:
                    labels = ("other",) * len(labels)
            size = len(family.buckets) + 2 if family.kind == HISTOGRAM else 1
            series = found.setdefault(labels, [0.0] * size)
        return series


def merged(
    families: Iterable[Family], alive: Iterable[Values], ended: Iterable[Values]
) -> dict[str, dict[Labels, list[float]]]:
    """Return the values of several processes as one."""
    families = tuple(families)
    into: dict[str, dict[Labels, list[float]]] = {family.name: {} for family in families}
    for values in alive:
        _merge(families, into, values, is_alive=True)
    for values in ended:
        _merge(families, into, values, is_alive=False)
    return into


def to_json(values: Values) -> dict[str, list[list[list[str] | list[float]]]]:
    """Return values as JSON has them."""
    return {
        name: [[list(labels), series] for labels, series in found.items()] for name, found in values.items()
    }


def from_json(found: Mapping[str, list[list[list[str] | list[float]]]]) -> Values:
    """Return what ``to_json`` was given."""
    return {
        name: {tuple(map(str, labels)): [float(value) for value in values] for labels, values in series}
        for name, series in found.items()
    }


def _merge(
    families: Iterable[Family],
    into: dict[str, dict[Labels, list[float]]],
    values: Values,
    *,
    is_alive: bool,
) -> None:
    for family in families:
        if not is_alive and not family.stays:
            continue
        target = into[family.name]
        for labels, series in values.get(family.name, {}).items():
            before = target.get(labels)
            if before is None:
                target[labels] = list(series)
            elif family.is_latest:
                before[0] = max(before[0], series[0])
            elif len(before) == len(series):  # Otherwise another release had other buckets.
                before[:] = map(float.__add__, before, series)
