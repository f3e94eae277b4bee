"""The forms in which the manager writes and reads moments (manager.openapi.yaml, schemas).

Inside, a moment is an integer: microseconds since 1970 in UTC.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[\x00-\x7f]([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(?:\.([0-9]+))?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))",
    re.DOTALL,
)
_WITHOUT_OFFSET = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[\x00-\x7f][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(.?)", re.DOTALL
)
_LEAP_SECOND = 60
_MAX_HOUR = 23
_MAX_MINUTE = 59
_NANOSECOND_DIGITS = 9


def to_microseconds(moment: datetime) -> int:
    """Return the microseconds since 1970 of a moment that has an offset."""
    return (moment - _EPOCH) // _MICROSECOND


def to_datetime(microseconds: int) -> datetime:
    """Return the moment in UTC."""
    return _EPOCH + microseconds * _MICROSECOND


def long_timestamp(microseconds: int) -> str:
    """Return the LongTimestamp form, such as ``+002026-08-01T12:00:00.123456000Z``."""
    moment = to_datetime(microseconds)
    return f"+{moment.year:06d}-{moment:%m-%dT%H:%M:%S}.{moment.microsecond:06d}000Z"


def shown_timestamp(microseconds: int) -> str:
    """Return the ShownTimestamp form, such as ``2026-08-01 12:00:00.123456 +00:00:00``."""
    moment = to_datetime(microseconds)
    fraction = f"{moment.microsecond:06d}".rstrip("0") or "0"
    return f"{moment.year:04d}-{moment:%m-%d} {moment.hour}:{moment:%M:%S}.{fraction} +00:00:00"


def rfc3339(microseconds: int) -> str:
    """Return the form of ``last_sync_at``: UTC with 0 to 6 fractional digits."""
    moment = to_datetime(microseconds)
    fraction = f".{moment.microsecond:06d}".rstrip("0").rstrip(".")
    return f"{moment.year:04d}-{moment:%m-%dT%H:%M:%S}{fraction}Z"


@lru_cache(maxsize=4096)
def normalised_rfc3339(text: str) -> str:
    """Return an RFC 3339 moment as the manager stores it (PROTOCOL, section 11).

    The offset is kept, ``z``, ``+00:00`` and ``-00:00`` become ``Z``, trailing zeros of the fraction
    go, digits beyond the ninth are cut, and a leap second becomes .999999999.

    Raises ``ValueError``, worded like the manager's own decoder, for everything else.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError(_reason(text))
    year, month, day, hour, minute, second, fraction, sign, offset_hour, offset_minute = match.groups()
    _check_range("month", int(month), 1, 12)
    _check_range("day", int(day), 1, _days_in_month(int(year), int(month)))
    _check_range("hour", int(hour), 0, _MAX_HOUR)
    _check_range("minute", int(minute), 0, _MAX_MINUTE)
    _check_range("second", int(second), 0, _LEAP_SECOND)
    offset = "Z"
    if sign is not None:
        _check_range("offset hour", int(offset_hour), 0, _MAX_HOUR)
        _check_range("offset minute", int(offset_minute), 0, _MAX_MINUTE)
        if (offset_hour, offset_minute) != ("00", "00"):
            offset = f"{sign}{offset_hour}:{offset_minute}"
    fraction = (fraction or "")[:_NANOSECOND_DIGITS].rstrip("0")
    if int(second) == _LEAP_SECOND:
        _check_leap_second(f"{year}-{month}-{day}", hour=int(hour), minute=int(minute), offset=offset)
        second, fraction = "59", "9" * _NANOSECOND_DIGITS
    fraction = f".{fraction}" if fraction else ""
    return f"{year}-{month}-{day}T{hour}:{minute}:{second}{fraction}{offset}"


def parse_moment(text: str) -> int:
    """Return the microseconds of an ISO 8601 moment with an offset, years of six digits included.

    Raises ``ValueError`` for anything else.
    """
    text = text.removeprefix("+00")
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset")
    return to_microseconds(moment)


def _reason(text: str) -> str:
    """Say what is wrong the way the manager's decoder does; the offset is by far the most usual."""
    without_offset = _WITHOUT_OFFSET.match(text)
    if without_offset is None:
        return "the date or time could not be parsed as RFC 3339"
    if without_offset.group(1) in ("+", "-"):
        return "the 'offset minute' component could not be parsed"
    return "the 'offset hour' component could not be parsed"


def _check_range(component: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ValueError(f"{component} must be in the range {low}..={high}")


def _days_in_month(year: int, month: int) -> int:
    return monthrange(year or 2000, month)[1]  # The year 0 is a leap year; Python's calendar starts at 1.


def _check_leap_second(date: str, *, hour: int, minute: int, offset: str) -> None:
    """Accept a leap second only at 23:59:60 UTC on the last day of a month."""
    text = f"{date}T{hour:02d}:{minute:02d}:59{offset.replace('Z', '+00:00')}"
    try:
        next_second = datetime.fromisoformat(text).astimezone(UTC) + timedelta(seconds=1)
    except (ValueError, OverflowError):  # The years 0 and 10000 have no leap seconds.
        raise ValueError("second must be in the range 0..=59") from None
    if (next_second.day, next_second.hour, next_second.minute) != (1, 0, 0):
        raise ValueError("second must be in the range 0..=59")
