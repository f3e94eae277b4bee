"""The arithmetic of waiting."""

from __future__ import annotations

import time

import pytest

from omni_connector.manager.retry import (
    ANSWERING,
    BULK,
    COUNTERS,
    ONCE,
    RETRIED_STATUSES,
    UNHANDLED_STATUSES,
    Policies,
    RetryPolicy,
    retry_after_seconds,
)

NOW = 1_785_585_600.0  # 2026-08-01T12:00:00Z


@pytest.mark.parametrize("attempt", range(1, 12))
def test_the_wait_doubles_up_to_its_cap_with_jitter_in_the_upper_half(attempt):
    policy = RetryPolicy(first_delay_seconds=1.0, longest_delay_seconds=10.0)
    whole = min(2.0 ** (attempt - 1), 10.0)
    for _ in range(50):
        assert whole / 2 <= policy.delay_seconds(attempt, None) <= whole


@pytest.mark.parametrize(
    ("asked", "waited"), [(0.0, 0.0), (-1.0, 0.0), (5.0, 5.0), (60.0, 60.0), (1e9, 60.0)]
)
def test_what_the_manager_asks_for_wins_within_its_cap(asked, waited):
    assert RetryPolicy().delay_seconds(7, asked) == waited


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("  ", None),
        ("30", 30.0),
        (" 30 ", 30.0),
        ("1.5", 1.5),
        ("-5", 0.0),
        ("Sat, 01 Aug 2026 12:00:45 GMT", 45.0),
        ("Sat, 01 Aug 2026 11:00:00 GMT", 0.0),
        ("Saturday, 01-Aug-26 12:00:45 GMT", 45.0),
        ("Sat Aug  1 12:00:45 2026", 45.0),
        ("tomorrow", None),
        ("Sat, 99 Aug 2026 12:00:45 GMT", None),
        ("nan", None),
        ("inf", None),
    ],
)
def test_a_retry_after_header_is_seconds_or_a_date(header, seconds):
    assert retry_after_seconds(header, now=NOW) == seconds


def test_a_date_without_zone_is_in_gmt_wherever_the_machine_is(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert retry_after_seconds("Sat Aug  1 12:00:45 2026", now=NOW) == 45.0
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_run_hangs_on_bulk_calls_and_somebody_waits_for_an_answer():
    assert BULK.attempts is None  # As many as there is time for.
    assert ANSWERING.attempts > ONCE.attempts == 1
    assert Policies.patient_for(7.0).bulk.total_seconds == 7.0
    assert ANSWERING.total_seconds < 30  # POST /sync is cut off after 30 s (PROTOCOL, section 1).
    assert COUNTERS.unless_sent
    assert not BULK.unless_sent


@pytest.mark.parametrize(
    "header",
    [
        "Wed, 01 Jan 2031 00:00:00 +9999",
        "Wed, 01 Jan 99999 00:00:00 GMT",
        "1e999",
    ],
)
def test_a_wait_that_no_clock_knows_is_ignored(header):
    assert retry_after_seconds(header, now=NOW) is None


def test_what_was_not_handled_is_among_what_is_retried():
    assert UNHANDLED_STATUSES < RETRIED_STATUSES
    assert not {500, 502, 504} & UNHANDLED_STATUSES
