"""Hostile requests, fewer than in ``python -m benchmarks.hostile``: none is answered 5xx, hangs, or ends a process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.thorough import thorough

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.hostile import Report, hostile
from benchmarks.hostile_requests import Hostility


@pytest.mark.slow
@pytest.mark.parametrize("side", ["connector", "manager"])
def test_hostile_requests(side):
    count = thorough(500, 1500)
    report = hostile(side, count, seed=7)
    assert report.problems == []
    assert sum(report.statuses.values()) > 0.96 * count
    assert report.statuses["200"] > 0
    assert report.statuses["400"] > count / 6


def test_the_requests_of_a_seed_are_always_the_same():
    first, second = (Hostility("connector", 3) for _ in range(2))
    assert [first.request() for _ in range(200)] == [second.request() for _ in range(200)]


def test_the_report_finds_what_is_wrong():
    report = Report()
    for answer in (
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 500 X\r\n\r\noops",
        b"",
        b"HTTP/1.1 501 Bad\r\n\r\nUnsupported transfer coding",
    ):
        report.add(b"GET /", answer, 0.1)
    report.hang(b"GET /slow")
    assert report.statuses == {"200": 1, "500": 1, "closed": 1, "501 as expected": 1}
    assert [problem.split(" to ")[0] for problem in report.problems] == ["500", "no answer within 20.0 s"]
