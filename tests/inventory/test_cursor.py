"""``Cursor``: where to go on in a source that is asked for what has changed since."""

from __future__ import annotations

import datetime as dt
import json
from types import SimpleNamespace

import pytest

from omni_connector import Cursor
from omni_connector.exceptions import InvalidValueError

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


def after(state, **more):
    """Return what the next run asks for."""
    return Cursor("at", json.loads(json.dumps(state)), **more).since


@pytest.mark.parametrize(
    ("values", "overlap", "since"),
    [
        ([NOON, NOON + MINUTE], 5 * MINUTE, NOON - 4 * MINUTE),
        ([NOON.replace(tzinfo=None)], MINUTE, NOON.replace(tzinfo=None) - MINUTE),
        ([dt.date(2026, 3, 1)], dt.timedelta(days=1), dt.date(2026, 2, 28)),
        ([3, 7, 5], 2, 5),
        ([1.5], 0, 1.5),
        (["2026-03-01T12:00:00Z"], MINUTE, "2026-03-01T11:59:00Z"),
        (["2026-03-01 12:00:00.5+02:00"], MINUTE, "2026-03-01 11:59:00.500000+02:00"),
        (["a", "b"], 0, "b"),
    ],
)
def test_the_next_run_asks_from_the_highest_value_on_less_the_overlap(values, overlap, since):
    cursor = Cursor("at", overlap=overlap)
    assert cursor.since is None
    for value in values:
        cursor.take({"at": value})
    assert after(cursor.end(), overlap=overlap) == since
    assert type(after(cursor.end(), overlap=overlap)) is type(since)


def test_rows_of_one_moment_are_asked_for_again_so_that_none_is_lost_between_two_pages():
    cursor = Cursor("at").take(NOON).take(SimpleNamespace(at=NOON))
    assert after(cursor.state) == NOON


def test_the_state_goes_on_with_the_rows_only_where_they_come_in_order():
    cursor = Cursor("at", {"at": {"number": 1}})
    cursor.take(2).take(2).take(5)
    assert cursor.state == {"at": {"number": 5}}
    cursor.take(4)  # What lies below 5 may be still to come.
    assert cursor.state == {"at": {"number": 1}}
    assert cursor.end() == {"at": {"number": 5}}


def test_a_late_row_within_the_overlap_is_asked_for():
    state = Cursor("at").take(NOON).end()
    late = NOON - 3 * MINUTE  # Stored after the run, with the moment at which its transaction began.
    assert after(state, overlap=5 * MINUTE) <= late < after(state, overlap=2 * MINUTE)


def test_a_run_without_rows_and_rows_without_a_value_move_nothing():
    state = Cursor("at").take(NOON).end()
    assert Cursor("at", state).take({"at": None}).take({}).end() == state
    assert Cursor("at", start=NOON).since == NOON
    assert Cursor("at").end() == {}


@pytest.mark.parametrize("form", [lambda moment: moment, lambda moment: moment.isoformat()])
def test_a_row_from_the_future_does_not_move_the_cursor_ahead(form):
    before = dt.datetime.now(dt.UTC)
    since = after(Cursor("at").take(form(NOON.replace(year=2999))).end())
    since = since if isinstance(since, dt.datetime) else dt.datetime.fromisoformat(since)
    assert before <= since <= dt.datetime.now(dt.UTC)


def test_a_run_that_lists_everything_goes_on_where_it_was_interrupted_and_no_other_run_does():
    cursor = Cursor("at", {"at": {"number": 9}}, start=0, listing="run-1")
    assert (cursor.since, cursor.lists_all) == (0, True)
    assert cursor.state == {"at": {"number": 9}}  # Nothing is listed yet.
    state = cursor.take(3).take(5).state
    assert after(state, overlap=1, start=0, listing="run-1") == 4
    assert after(state, overlap=1, start=0, listing="run-2") == 0
    assert Cursor("at", state, listing="run-1").state == state
    assert not Cursor("at", state).lists_all
    assert after(state) == 5
    assert cursor.end() == {"at": {"number": 9}}
    assert (
        after(cursor.take(4).state, start=0, listing="run-1") == 0
    )  # What lies below 5 may be still to come.


def test_other_keys_of_the_state_are_the_authors():
    state = {"folder": "x"} | Cursor("at").take(5).end()
    assert after(state) == 5


@pytest.mark.parametrize(
    ("make", "remedy"),
    [
        (lambda: Cursor("at", {"at": 5}), "give the state that cursor.state"),
        (lambda: Cursor("at", {"at": {"moment": "yesterday"}}), "give the state that cursor.state"),
        (lambda: Cursor("at").take(5).take("x"), "give values of one kind"),
        (lambda: Cursor("at").take(NOON).take(NOON.replace(tzinfo=None)), "give values of one kind"),
        (lambda: Cursor("at").take({"at": [1]}).end(), "give moments, dates, numbers or texts"),
        (
            lambda: Cursor("at", {"at": {"text": "x7"}}, overlap=MINUTE).since,
            "give an overlap that can be taken",
        ),
    ],
)
def test_what_cannot_be_used_is_named_with_the_remedy(make, remedy):
    with pytest.raises(InvalidValueError, match=rf"Cursor\.at.*{remedy}"):
        make()
