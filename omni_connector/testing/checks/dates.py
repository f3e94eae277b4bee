"""Dates have a zone, mean the same on every machine, and are possible."""

import datetime as dt
import os
import re
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from attrs import define, field

from omni_connector.code_location import innermost_author_line
from omni_connector.models.fields import noticing_naive_moments
from omni_connector.testing.checks.bench import Bench
from omni_connector.testing.checks.comparing import compare
from omni_connector.testing.checks.finding import Finding
from omni_connector.testing.results import ArrivedDocument

FAR_ZONE = "Pacific/Kiritimati"
"""UTC+14, which no machine of a developer has."""

EARLIEST = dt.datetime(1971, 1, 1, tzinfo=dt.UTC)
_MOMENT_WITHOUT_ZONE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?")


def find(bench: Bench) -> Iterator[Finding]:
    """Sync as a machine in another zone would, and look at every date."""
    naive = _Naive()
    with noticing_naive_moments(naive), _zone(FAR_ZONE):
        elsewhere = bench.sync()
    if naive.value is not None:
        yield Finding(
            what=f"The date {naive.value.isoformat()} has no zone; it is taken as UTC.",
            where=naive.place or "DocumentMetadata",
            why="A local time is wrong by hours: sorting, filters and 'changed since' go by it.",
            remedy="Give datetimes with a zone: datetime.fromtimestamp(seconds, tz=UTC), or .replace(tzinfo=...) with the "
            "zone that the source means.",
        )
    difference = compare(bench.first.index, elsewhere.index)
    if difference and naive.value is None and not compare(bench.first.index, bench.second.result.index):
        yield Finding(
            what=f"On a machine in another zone a sync brings other documents: {difference}.",
            where=difference.where,
            why="The same source gives other dates on a developer's machine and in production.",
            remedy="Use datetime.now(tz=UTC) and datetime.fromtimestamp(..., tz=UTC), and no local times in texts.",
        )
    for name, document in bench.first.index.items():
        finding = next(_doubtful(name, document), None)
        if finding is not None:
            yield finding
            return


@define
class _Naive:
    """Keeps the first moment without a zone, and where the author made it."""

    value: dt.datetime | None = None
    place: str = ""
    seen: int = field(default=0)

    def __call__(self, value: dt.datetime) -> None:
        self.seen += 1
        if self.value is None:
            self.value, self.place = value, innermost_author_line(traceback.extract_stack())


@contextmanager
def _zone(name: str) -> Iterator[None]:
    """Have this process live in another zone, where the platform can."""
    if not hasattr(time, "tzset"):
        yield
        return
    former = os.environ.get("TZ")
    os.environ["TZ"] = name
    time.tzset()
    try:
        yield
    finally:
        if former is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = former
        time.tzset()


def _doubtful(name: str, document: ArrivedDocument) -> Iterator[Finding]:
    now = dt.datetime.now(tz=dt.UTC)
    moments = {key: _moment(document.metadata.get(key)) for key in ("created_at", "updated_at")}
    for key, moment in moments.items():
        if moment is not None and not EARLIEST <= moment <= now + dt.timedelta(days=1):
            yield Finding(
                what=f"The date {moment.isoformat()} is hardly meant.",
                where=f"document {name!r}: {key}",
                why="Sorting and filters by date go wrong.",
                remedy="Leave a date out that the source does not have. Does the source count milliseconds?",
                is_warning=True,
            )
    for path, text in _texts("attributes", document.attributes):
        if _MOMENT_WITHOUT_ZONE.fullmatch(text):
            yield Finding(
                what=f"The text {text!r} is a moment without a zone.",
                where=f"document {name!r}: {path}",
                why="Searches compare it with moments that have one.",
                remedy="Write it with its zone: 2026-08-01T12:00:00+02:00, or with Z for UTC.",
                is_warning=True,
            )


def _moment(value: Any) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _texts(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(f"{path}.{key}", item)
    elif isinstance(value, str):
        yield path, value
