"""How many requests a source allows: a rate that the author sets, and what the source says in its answers."""

import math
import re
import threading
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from attrs import field, frozen
from attrs.validators import gt

from omni_connector.manager.retry import retry_after_seconds

EPOCH_FROM = 1e9
"""A ``Reset`` header of at least this is a moment (since 2001) in seconds since 1970; a smaller one is a duration."""
MILLISECONDS_FROM = 1e11

LONGEST_PAUSE_SECONDS = 86_400.0
"""For which a source is left alone without another request: quotas are daily at most, and headers may be wrong."""

_REMAINING = ("X-RateLimit-Remaining", "X-Rate-Limit-Remaining", "RateLimit-Remaining")
_RESET = ("X-RateLimit-Reset-After", "X-RateLimit-Reset", "X-Rate-Limit-Reset", "RateLimit-Reset")
_DRAFT_REMAINING = re.compile(r"(?:;\s*r|\bremaining)=(\d+)")
_DRAFT_RESET = re.compile(r"(?:;\s*t|\breset)=(\d+)")


@frozen
class RequestRate:
    """A rate that all threads, partitions and processes which read a source keep together.

    Attributes:
        per_second: requests a second; 0.5 is one every two seconds.
        burst: requests that may be sent at once after a pause.
        budget: sources of this connector that give the same name share one budget; left out, each source has its own.
    """

    per_second: float = field(converter=float, validator=gt(0))
    burst: float = 1.0
    budget: str = ""


def as_rate(rate: float | RequestRate | None) -> RequestRate | None:
    """Return a number of requests a second as a rate."""
    return RequestRate(rate) if isinstance(rate, int | float) else rate


def paid(
    paid_until: float | None, now: float, units: float, rate: tuple[float, float]
) -> tuple[float, float]:
    """Spend from a budget, which is the moment up to which its units are paid for.

    Args:
        paid_until: the budget so far; None for a new one.
        now: on the same clock.
        units: that are spent.
        rate: units a second, and those that may be spent at once after a pause.

    Returns:
        The budget afterwards, and for how many seconds to wait before what was paid for is done.
    """
    per_second, burst = rate
    after = max(now if paid_until is None else paid_until, now) + units / per_second
    return after, max(0.0, after - now - burst / per_second)


class RateGate:
    """Closed while a host allows no more requests. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # Protects the following.
        self._opens = float("-inf")

    def close_for(self, seconds: float) -> None:
        """Let no request through for so long, a day at most; a longer wait that was asked for before stays."""
        with self._lock:
            self._opens = max(self._opens, time.monotonic() + min(seconds, LONGEST_PAUSE_SECONDS))

    @property
    def seconds_left(self) -> float:
        """How long it stays closed."""
        return max(0.0, self._opens - time.monotonic())


@frozen
class RateLimit:
    """What the headers of an answer say about further requests.

    Attributes:
        retry_after: seconds, from ``Retry-After``, or None.
        is_exhausted: no request is left in the current window.
        reset: seconds until the next window begins, or None.
    """

    retry_after: float | None = None
    is_exhausted: bool = False
    reset: float | None = None

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> "RateLimit":
        """Read the headers, whatever the case of their names; moments are compared with the server's own clock.

        Known are ``Retry-After`` in seconds or as a date, ``X-RateLimit-Remaining`` and ``-Reset`` (also written
        ``X-Rate-Limit-...``) in seconds or as a moment, and ``RateLimit`` and ``RateLimit-...`` of the IETF's draft.
        """
        now = _server_time(headers)
        draft = headers.get("RateLimit", "")
        remaining = _first_number(headers, _REMAINING)
        reset = _first_number(headers, _RESET)
        if remaining is None:
            remaining = _found(_DRAFT_REMAINING, draft)
        if reset is None:
            reset = _found(_DRAFT_RESET, draft)
        return cls(
            retry_after=retry_after_seconds(headers.get("Retry-After"), now=now),
            is_exhausted=remaining is not None and remaining <= 0,
            reset=None if reset is None else _as_duration(reset, now),
        )

    @property
    def wait(self) -> float | None:
        """How long to wait before the next request, where the headers say so."""
        if self.retry_after is not None:
            return self.retry_after
        return self.reset if self.is_exhausted else None


def _as_duration(reset: float, now: float) -> float:
    if reset >= MILLISECONDS_FROM:
        reset /= 1000
    return max(0.0, reset - now if reset >= EPOCH_FROM else reset)


def _server_time(headers: Mapping[str, str]) -> float:
    try:
        return parsedate_to_datetime(headers["Date"]).timestamp()
    except (KeyError, TypeError, ValueError, OverflowError):
        return time.time()


def _first_number(headers: Mapping[str, str], names: tuple[str, ...]) -> float | None:
    for name in names:
        try:
            number = float(headers[name])
        except (KeyError, ValueError):
            continue
        if math.isfinite(number):
            return number
    return None


def _found(pattern: re.Pattern[str], text: str) -> float | None:
    found = pattern.search(text)
    return None if found is None else float(found[1])
