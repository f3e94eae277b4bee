"""How values are written on pages: filters of the templates."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_KILO = 1000

_ANSWER = re.compile(r"Connector returned error: status=\d+, message=(\{.*\})", re.DOTALL)


def install(app: Flask) -> None:
    """Make them known to the templates."""
    for each in (
        number,
        size,
        duration,
        moment_text,
        ago,
        zoned,
        is_past,
        pretty_json,
        compact_json,
        readable_error,
    ):
        app.jinja_env.filters[each.__name__] = each


def number(value: float) -> str:
    """Write 1234567 as 1,234,567."""
    return f"{value:,}"


def size(count: int) -> str:
    """Write a number of bytes with a unit."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < _KILO or unit == "GB":
            return f"{amount:,.0f} {unit}" if unit == "bytes" else f"{amount:,.1f} {unit}"
        amount /= _KILO
    raise AssertionError("unreachable")


def duration(span: timedelta | float) -> str:
    """Write a time span, or seconds: 0.8 s, 12 s, 3 min 20 s, 2 h 5 min, 3 d 4 h."""
    seconds = span.total_seconds() if isinstance(span, timedelta) else span
    if seconds < 10:  # noqa: PLR2004 - where tenths begin to matter.
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, name, smaller, smaller_name in (
        (_DAY, "d", _HOUR, "h"),
        (_HOUR, "h", _MINUTE, "min"),
        (_MINUTE, "min", 1, "s"),
    ):
        if whole >= unit:
            rest = whole % unit // smaller
            return f"{whole // unit} {name} {rest} {smaller_name}" if rest else f"{whole // unit} {name}"
    return f"{whole} s"


def zoned(moment: datetime) -> datetime:
    """Return a moment in this machine's time zone; one without a zone is in UTC."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone()


def moment_text(moment: datetime) -> str:
    """Write a moment in this machine's time zone, and name the zone."""
    return zoned(moment).strftime("%Y-%m-%d %H:%M:%S %Z")


def ago(moment: datetime) -> str:
    """Write how long ago a moment is, or how far away."""
    seconds = (datetime.now(UTC) - zoned(moment)).total_seconds()
    if abs(seconds) < 1:
        return "now"
    distance = abs(seconds)
    unit, name = next(
        (unit, name)
        for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min"), (1, "s"))
        if distance >= unit
    )
    if seconds > 0:
        return f"{int(distance // unit)} {name} ago"
    return f"in {round(distance / unit)} {name}"


def readable_error(message: str | None) -> str:
    """Return what a connector has said, without the manager's frame around its answer."""
    text = message or ""
    found = _ANSWER.fullmatch(text)
    try:
        said = json.loads(found[1]) if found else None
    except ValueError:
        return text
    error = said.get("error") if isinstance(said, dict) else None
    return error if isinstance(error, str) and error else text


def is_past(moment: datetime) -> bool:
    """Say whether a moment is over."""
    return zoned(moment) <= datetime.now(UTC)


def compact_json(value: Any) -> str:
    """Write a JSON value in one line."""
    return json.dumps(value, ensure_ascii=False, default=str)


def pretty_json(value: Any) -> str:
    """Write a JSON value over several lines."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)
