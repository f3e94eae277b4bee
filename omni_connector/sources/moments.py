"""Reads moments as sources write them."""

import datetime as dt
from email.utils import parsedate_to_datetime

from omni_connector.exceptions import InvalidValueError

MILLISECONDS_FROM = 1e11
"""A number of at least this (the year 5138 in seconds) has milliseconds, microseconds or nanoseconds."""
BEYOND = 1e20
"""Nanoseconds of no year."""


def parse_moment(
    value: str | float | dt.datetime | dt.date | None, *, zone: dt.tzinfo = dt.UTC
) -> dt.datetime | None:
    """Return a moment with its zone; None for None and empty text.

    Understands ISO 8601 and RFC 3339, RFC 2822 (``Sat, 01 Aug 2026 12:00:00 GMT``), and numbers since 1970 in seconds,
    milliseconds, microseconds or nanoseconds, also as text. It never guesses: ``10/11/12`` is an error.

    Args:
        value: what the source says.
        zone: of a moment that names none.

    Raises:
        InvalidValueError: it is none of these.
    """
    if value is None or value == "":
        return None
    if isinstance(value, dt.datetime):
        return value if value.tzinfo is not None else value.replace(tzinfo=zone)
    if isinstance(value, dt.date):
        return dt.datetime.combine(value, dt.time(), zone)
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _since_1970(value)
        if isinstance(value, str):
            found = _of_text(value.strip())
            return found if found.tzinfo is not None else found.replace(tzinfo=zone)
    except (ValueError, OverflowError, OSError, TypeError):
        pass
    raise InvalidValueError(
        model="parse_moment",
        field="value",
        value=value,
        remedy="give ISO 8601, RFC 2822 or a number since 1970",
    )


def _of_text(text: str) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(text.removesuffix(" UTC") + "+00:00" * text.endswith(" UTC"))
    except ValueError:
        if text[:1].isalpha() or " " in text:
            return parsedate_to_datetime(text)
        return _since_1970(float(text))


def _since_1970(number: float) -> dt.datetime:
    if not abs(number) < BEYOND:
        raise ValueError(number)
    while abs(number) >= MILLISECONDS_FROM:
        number /= 1000
    return dt.datetime.fromtimestamp(number, dt.UTC)
