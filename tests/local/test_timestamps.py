import re
from datetime import UTC, datetime

import pytest

from omni_connector.local.timestamps import (
    long_timestamp,
    normalised_rfc3339,
    parse_moment,
    rfc3339,
    shown_timestamp,
    to_datetime,
    to_microseconds,
)

MOMENT = to_microseconds(datetime(2026, 8, 1, 9, 5, 0, 123400, tzinfo=UTC))
WHOLE = to_microseconds(datetime(2026, 8, 1, 12, 0, 0, tzinfo=UTC))


def test_forms_of_a_moment():
    assert long_timestamp(MOMENT) == "+002026-08-01T09:05:00.123400000Z"
    assert shown_timestamp(MOMENT) == "2026-08-01 9:05:00.1234 +00:00:00"
    assert shown_timestamp(WHOLE) == "2026-08-01 12:00:00.0 +00:00:00"
    assert rfc3339(MOMENT) == "2026-08-01T09:05:00.1234Z"
    assert rfc3339(WHOLE) == "2026-08-01T12:00:00Z"
    assert to_microseconds(to_datetime(MOMENT)) == MOMENT
    assert re.fullmatch(
        r"\d{4}-\d{2}-\d{2} \d{1,2}:\d{2}:\d{2}\.\d{1,9} [+-]\d{2}:\d{2}:\d{2}", shown_timestamp(WHOLE)
    )


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("2026-08-01T12:00:00Z", "2026-08-01T12:00:00Z"),
        ("2026-08-01 12:00:00z", "2026-08-01T12:00:00Z"),
        ("2026-08-01\n12:00:00+05:30", "2026-08-01T12:00:00+05:30"),
        ("2026-08-01T12:00:00+00:00", "2026-08-01T12:00:00Z"),
        ("2026-08-01T12:00:00-00:00", "2026-08-01T12:00:00Z"),
        ("2026-08-01T12:00:00.120000Z", "2026-08-01T12:00:00.12Z"),
        ("2026-08-01T12:00:00.000Z", "2026-08-01T12:00:00Z"),
        ("2026-08-01T12:00:00.1234567891234-23:59", "2026-08-01T12:00:00.123456789-23:59"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999999999Z"),
        ("2017-01-01T05:29:60+05:30", "2017-01-01T05:29:59.999999999+05:30"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
        ("0000-02-29T00:00:00Z", "0000-02-29T00:00:00Z"),
    ],
)
def test_rfc3339_is_normalised_as_it_is_stored(given, stored):
    assert normalised_rfc3339(given) == stored


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("2026-08-01T12:00:00", "the 'offset hour' component"),
        ("2026-08-01T12:00:00.5", "the 'offset hour' component"),
        ("2026-08-01T12:00:00+0000", "the 'offset minute' component"),
        ("2026-08-01T12:00:00+00", "the 'offset minute' component"),
        ("2026-08-01T12:00:00+05:30:15", "the 'offset minute' component"),
        ("2026-08-01T24:00:00Z", "hour must be"),
        ("2026-08-01T12:60:00Z", "minute must be"),
        ("2026-08-01T12:00:61Z", "second must be"),
        ("2026-08-01T12:00:60Z", "second must be"),
        ("0000-01-31T23:59:60Z", "second must be"),
        ("2026-13-01T12:00:00Z", "month must be"),
        ("2026-02-29T12:00:00Z", "day must be"),
        ("2026-08-01T12:00:00+24:00", "offset hour must be"),
        ("2026-08-01T12:00:00+23:60", "offset minute must be"),
        ("2026-08-01", "could not be parsed"),
        ("2026-08-01T12:00Z", "could not be parsed"),
        ("+002026-08-01T12:00:00Z", "could not be parsed"),
        (" 2026-08-01T12:00:00Z", "could not be parsed"),
        ("2026-08-01é12:00:00Z", "could not be parsed"),
        ("", "could not be parsed"),
    ],
)
def test_what_is_not_rfc3339_with_an_offset_is_refused(given, reason):
    with pytest.raises(ValueError, match=reason):
        normalised_rfc3339(given)


def test_a_long_timestamp_is_read_back():
    assert parse_moment(long_timestamp(MOMENT)) == MOMENT
    assert parse_moment("2026-08-01T14:00:00+02:00") == WHOLE
    with pytest.raises(ValueError, match="has no offset"):
        parse_moment("2026-08-01T14:00:00")
