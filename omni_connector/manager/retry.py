"""When a failed call is tried again, as an immutable value."""

import datetime as dt
import math
import random
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from attrs import evolve, frozen

UNHANDLED_STATUSES = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.SERVICE_UNAVAILABLE,
    }
)
"""Answers that another attempt may change, and that say that nothing was carried out."""

RETRIED_STATUSES = UNHANDLED_STATUSES | {
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.GATEWAY_TIMEOUT,
}
"""Answers that another attempt may change; behind some of them it may have been carried out."""


@frozen(kw_only=True)
class RetryPolicy:
    """How often and how patiently a call is repeated.

    Attributes:
        attempts: at most this many, the first included; None is as many as there is time for.
        first_delay_seconds: before the second attempt; doubled from then on.
        longest_delay_seconds: cap of one wait.
        longest_retry_after_seconds: cap of a wait that the manager asked for.
        total_seconds: no attempt starts later than this after the first.
        is_deadline: ``total_seconds`` also ends an attempt that is under way.
        failing_attempts: a call whose parts may be to blame is answered 500 at most so often in a row ...
        failing_seconds: ... and no longer than this; then its parts are tried (``Call.is_divisible``).
        unless_sent: do not repeat a call that may have been carried out (counters are not idempotent).
    """

    attempts: int | None = None
    first_delay_seconds: float = 0.2
    longest_delay_seconds: float = 15.0
    longest_retry_after_seconds: float = 60.0
    total_seconds: float = 300.0
    is_deadline: bool = False
    failing_attempts: int = 8
    failing_seconds: float = 15.0
    unless_sent: bool = False

    def delay_seconds(self, attempt: int, retry_after: float | None) -> float:
        """Return the wait after failed attempt number ``attempt`` (from 1).

        Exponential with full jitter in its upper half; what the manager asked for wins, within its cap.

        Args:
            attempt: its number.
            retry_after: seconds that the manager asked for, if it did.
        """
        if retry_after is not None:
            return min(max(retry_after, 0.0), self.longest_retry_after_seconds)
        whole = min(self.first_delay_seconds * 2.0 ** min(attempt - 1, 30), self.longest_delay_seconds)
        return whole * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing


BULK = RetryPolicy()
ANSWERING = RetryPolicy(attempts=3, total_seconds=8.0, longest_delay_seconds=1.0, is_deadline=True)
COUNTERS = RetryPolicy(unless_sent=True, attempts=5, total_seconds=15.0)
ONCE = RetryPolicy(attempts=1)
PROBING = RetryPolicy(attempts=1, total_seconds=2.0, is_deadline=True)


@frozen(kw_only=True)
class Policies:
    """When each kind of call is repeated, and how long an answer is waited for.

    Attributes:
        bulk: contents, event batches, checkpoints, the end of a run: patient, because a run hangs on it.
        answering: calls that somebody waits for: ``POST /sync`` has to be answered well under 30 s (PROTOCOL, section 19).
        counters: counts add up, so one that may have arrived is not sent again.
        once: calls that are repeated by a rhythm of their own: registration, heartbeats.
        probing: whether the manager answers at all; somebody waits for that.
        connect_seconds: longest wait for a new connection.
        read_seconds: longest wait for an answer, or for the next piece of one.
        extraction_read_seconds: the same for an extraction, which can take minutes (PROTOCOL, section 13).
        extraction: files whose text the manager extracts; it answers 429 while it is busy (PROTOCOL, section 13).
    """

    bulk: RetryPolicy = BULK
    answering: RetryPolicy = ANSWERING
    counters: RetryPolicy = COUNTERS
    once: RetryPolicy = ONCE
    probing: RetryPolicy = PROBING
    extraction: RetryPolicy = RetryPolicy(total_seconds=1200.0)
    connect_seconds: float = 5.0
    read_seconds: float = 30.0
    extraction_read_seconds: float = 600.0

    @classmethod
    def patient_for(cls, seconds: float) -> "Policies":
        """Return the usual policies, but for how long a run waits for a manager that is away."""
        return cls(bulk=evolve(BULK, total_seconds=seconds))

    def of(self, name: str) -> RetryPolicy:
        """Return the policy of that name."""
        policy: RetryPolicy = getattr(self, name)
        return policy


DEFAULT_POLICIES = Policies()


def retry_after_seconds(header: str | None, *, now: float) -> float | None:
    """Read a Retry-After header: seconds, or an HTTP date (RFC 9110, section 10.2.3).

    Args:
        header: the header's text, or None.
        now: seconds since the epoch.
    """
    if not header:
        return None
    text = header.strip()
    try:
        seconds = float(text)
    except ValueError:
        pass
    else:
        return max(0.0, seconds) if math.isfinite(seconds) else None
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:  # The form without a zone is in GMT, too.
            moment = moment.replace(tzinfo=dt.UTC)
        return max(0.0, moment.timestamp() - now)
    except (TypeError, ValueError, OverflowError):  # The last for zones and years that no clock knows.
        return None
