"""What the headers of an answer say about further requests, in all the ways in which sources say it."""

from __future__ import annotations

import pytest
from requests.structures import CaseInsensitiveDict

from omni_connector.sources.rates import RateLimit

NOON = 1785585600  # Sat, 01 Aug 2026 12:00:00 GMT
DATE = {"date": "Sat, 01 Aug 2026 12:00:00 GMT"}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Retry-After": "1.5"}, RateLimit(retry_after=1.5)),
        ({"Retry-After": "Sat, 01 Aug 2026 12:01:30 GMT"}, RateLimit(retry_after=90)),
        ({"Retry-After": "Saturday, 01-Aug-26 12:01:30 GMT"}, RateLimit(retry_after=90)),
        ({"Retry-After": "Sat Aug  1 12:01:30 2026"}, RateLimit(retry_after=90)),
        ({"Retry-After": "Sat, 01 Aug 2026 11:00:00 GMT"}, RateLimit(retry_after=0)),
        ({"Retry-After": "soon"}, RateLimit()),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{NOON + 60}"}, RateLimit(None, True, 60)),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{NOON + 60}500"}, RateLimit(None, True, 60.5)),
        ({"X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": f"{NOON - 60}"}, RateLimit(None, True, 0)),
        ({"X-RateLimit-Remaining": "7", "X-RateLimit-Reset": "60"}, RateLimit(None, False, 60)),
        (
            {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "1.5", "X-RateLimit-Reset": f"{NOON}"},
            RateLimit(None, True, 1.5),
        ),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "inf"}, RateLimit(None, True, None)),
        ({"RateLimit-Limit": "100", "RateLimit-Remaining": "0", "RateLimit-Reset": "50"}, RateLimit(None, True, 50)),
        ({"RateLimit": '"default";r=0;t=30'}, RateLimit(None, True, 30)),
        ({"RateLimit": '"default"; r=50; t=30', "RateLimit-Policy": '"default";q=100;w=60'}, RateLimit(None, False, 30)),
        ({"RateLimit": "limit=100, remaining=0, reset=50"}, RateLimit(None, True, 50)),
    ],
)  # fmt: skip
def test_headers_are_understood_by_the_clock_of_the_server(headers, expected):
    found = RateLimit.of(CaseInsensitiveDict(DATE | headers))
    assert found == expected
    if expected.retry_after is None:
        assert found.wait == (expected.reset if expected.is_exhausted else None)
