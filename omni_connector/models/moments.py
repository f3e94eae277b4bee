"""Moments as the manager writes them: RFC 3339, or ISO 8601 with a signed year of six digits (PROTOCOL, section 19)."""

import datetime as dt
import re

_LONG_YEAR = re.compile(r"([+-])(\d{6})(-.+)", re.DOTALL)
_LARGEST_YEAR = 9999


def parse_moment(text: str) -> dt.datetime:
    """Return an aware datetime; what lies before year 1 or after year 9999 becomes the first or last that there is.

    Digits beyond the microsecond are cut; a text without offset is taken as UTC.

    Raises:
        ValueError: it is no moment.
    """
    match = _LONG_YEAR.fullmatch(text)
    if match is not None:
        sign, year, rest = match.groups()
        if sign == "-" or int(year) == 0:
            return dt.datetime.min.replace(tzinfo=dt.UTC)
        if int(year) > _LARGEST_YEAR:
            return dt.datetime.max.replace(tzinfo=dt.UTC)
        text = f"{int(year):04d}{rest}"
    moment = dt.datetime.fromisoformat(text)
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment
