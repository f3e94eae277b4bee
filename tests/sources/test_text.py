"""Text out of HTML and bytes, and moments as sources write them."""

from __future__ import annotations

import datetime as dt

import pytest

from omni_connector import InvalidValueError
from omni_connector.sources import decode_text, html_to_text, parse_moment

MOMENT = dt.datetime(2026, 8, 1, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<table><tr><td>a</td><td>b</td></tr><tr><th>c</th><td>d</td></tr></table>", "a b\nc d"),
        ("<h1>Head</h1><p>one<br>two</p><ul><li>x</li><li>y</ul>", "Head\n\none\ntwo\n\n* x\n* y"),
        ("<script>x()</script><style>p {}</style><p>AT&amp;T&nbsp;&lt;3", "AT&T <3"),
        ("List<String> a && b < c", "List<String> a && b < c"),
        ("<p>Map<String, List<Integer>> of &lt;T&gt;</p>", "Map<String, List<Integer>> of <T>"),
        ("AT&amp;T", "AT&T"),
        ("<dl><dt>Term<dd>Meaning</dl><details><summary>Two</summary>x</details>", "Term\nMeaning\nTwo\nx"),
        ("plain\n  text", "plain\n  text"),
        ("<o:p>Word</o:p><p>x</p>", "Word\n\nx"),
        ("<p></p>", ""),
        ("", ""),
    ],
)
def test_html_becomes_text_and_text_stays(html, text):
    assert html_to_text(html) == text


@pytest.mark.parametrize(
    ("data", "content_type", "text"),
    [
        ("é日".encode(), None, "é日"),
        ("﻿é".encode(), "text/plain", "é"),
        ("é".encode("utf-16"), None, "é"),
        ("é".encode("latin1"), None, "é"),
        ("日本".encode("shift_jis"), "text/plain; charset=Shift_JIS", "日本"),
        (b"<meta charset=koi8-r>" + "да".encode("koi8-r"), "text/html", "<meta charset=koi8-r>да"),
        (b"a\xffb", "text/plain; charset=utf-8", "a�b"),
        (b"abc", "text/plain; charset=unheard-of", "abc"),
        (b"", None, ""),
    ],
)
def test_bytes_become_text(data, content_type, text):
    assert decode_text(data, content_type) == text


@pytest.mark.parametrize(
    "value",
    [
        "2026-08-01T12:00:00Z",
        "2026-08-01T14:00:00.0000000+02:00",
        "2026-08-01 12:00:00",
        "2026-08-01 12:00:00 UTC",
        "20260801T120000Z",
        "Sat, 01 Aug 2026 12:00:00 GMT",
        "1 Aug 2026 14:00:00 +0200",
        1785585600,
        "1785585600.0",
        1785585600000,
        1785585600000000000,
        dt.datetime(2026, 8, 1, 12),  # noqa: DTZ001 - without a zone.
    ],
)
def test_a_moment_has_its_zone_however_it_is_written(value):
    moment = parse_moment(value)
    assert moment == MOMENT
    assert moment.tzinfo is not None


def test_a_moment_without_a_zone_is_in_the_one_that_is_given():
    zone = dt.timezone(dt.timedelta(hours=2))
    assert parse_moment("2026-08-01T14:00:00", zone=zone) == MOMENT
    assert parse_moment("2026-08-01", zone=zone) == dt.datetime(2026, 8, 1, tzinfo=zone)
    assert parse_moment(None) is None
    assert parse_moment("") is None


@pytest.mark.parametrize(
    "value", ["10/11/12", "tomorrow", "May", "2026-13-01", "nan", "inf", float("inf"), True, [], "9" * 30]
)
def test_what_could_mean_several_things_is_an_error(value):
    with pytest.raises(InvalidValueError, match="give ISO 8601"):
        parse_moment(value)
