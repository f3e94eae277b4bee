"""Moments as the manager writes them."""

import datetime as dt

import pytest

from omni_connector.models.codec import parse_moment

NOON = dt.datetime(2026, 8, 1, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-08-01T12:00:00Z", NOON),
        ("2026-08-01T14:00:00+02:00", NOON),
        ("2026-08-01T12:00:00", NOON),
        ("2026-08-01T12:00:00.123456789Z", NOON.replace(microsecond=123456)),
        ("+002026-08-01T12:00:00.123456000Z", NOON.replace(microsecond=123456)),
        ("+012026-08-01T12:00:00.000000000Z", dt.datetime.max.replace(tzinfo=dt.UTC)),
        ("-000044-03-15T12:00:00.000000000Z", dt.datetime.min.replace(tzinfo=dt.UTC)),
        ("+000000-01-01T00:00:00.000000000Z", dt.datetime.min.replace(tzinfo=dt.UTC)),
    ],
)
def test_every_form_is_read_with_its_offset(text, moment):
    found = parse_moment(text)
    assert found == moment
    assert found.utcoffset() is not None


@pytest.mark.parametrize("text", ["", "yesterday", "+2026", "+002026-13-01T00:00:00Z"])
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(ValueError, match=r".+"):
        parse_moment(text)
