"""Row by row the table of models/json_values.py, on both ways through the codec."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import json
import pathlib
import types
import uuid
from typing import NamedTuple

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.properties import deterministic

from omni_connector.exceptions import InvalidValueError
from omni_connector.local.strict_json import parse_json
from omni_connector.models.codec import decode, encode
from omni_connector.models.json_values import MAX_DEPTH, clean_text, plain_json


class Colour(enum.Enum):
    RED = "red"
    NUMBER = 7


class Level(enum.IntEnum):
    LOW = 1


@attrs.frozen
class Point:
    x: int
    _private: int = 2


@dataclasses.dataclass
class Pair:
    left: str
    _right: str = "r"


class Shout(str):
    __slots__ = ()


class Half(float):
    pass


class Coordinates(NamedTuple):
    lat: float
    lon: float


MOMENT = dt.datetime.fromisoformat("2026-08-01T12:00")
WITH_OFFSET = MOMENT.replace(tzinfo=dt.timezone(dt.timedelta(hours=2)))
ID = uuid.UUID("12345678-1234-5678-1234-567812345678")

ROWS = [
    pytest.param(MOMENT, "2026-08-01T12:00:00+00:00", id="a datetime without offset is UTC"),
    pytest.param(WITH_OFFSET, "2026-08-01T12:00:00+02:00", id="a datetime with offset keeps it"),
    pytest.param(float("nan"), None, id="NaN is null"),
    pytest.param(float("inf"), None, id="infinity is null"),
    pytest.param(float("-inf"), None, id="minus infinity is null"),
    pytest.param("a\x00b", "ab", id="NUL is dropped"),
    pytest.param("a\ud800b", "a\ufffdb", id="a lone surrogate is replaced"),
    pytest.param("\ud83d\ude00", "\U0001f600", id="two halves of a pair become one character"),
    pytest.param(2**64 - 1, 2**64 - 1, id="the largest integer stays a number"),
    pytest.param(2**64, "18446744073709551616", id="a larger integer becomes text"),
    pytest.param(-(2**63), -(2**63), id="the smallest integer stays a number"),
    pytest.param(-(2**63) - 1, "-9223372036854775809", id="a smaller integer becomes text"),
    pytest.param({3, 1, 2}, [1, 2, 3], id="a set is sorted"),
    pytest.param(frozenset({"b", "a"}), ["a", "b"], id="a frozenset is sorted"),
    pytest.param({"a", 1}, ["a", 1], id="a mixed set has a fixed order"),
    pytest.param(ID, str(ID), id="a UUID is its text"),
    pytest.param(pathlib.PurePosixPath("a/b"), "a/b", id="a path is its text"),
    pytest.param(decimal.Decimal("1.50"), "1.50", id="a decimal is its text"),
    pytest.param(Colour.RED, "red", id="an enum is its value"),
    pytest.param(Level.LOW, 1, id="an int enum is its value"),
    pytest.param(dt.date(2026, 8, 1), "2026-08-01", id="a date is its text"),
    pytest.param(dt.time(12, 30), "12:30:00", id="a time is its text"),
    pytest.param(dt.time(12, 30, tzinfo=dt.UTC), "12:30:00+00:00", id="a time with offset is its text"),
    pytest.param(Point(1), {"x": 1, "_private": 2}, id="an attrs instance is an object"),
    pytest.param(Pair("l"), {"left": "l", "_right": "r"}, id="a dataclass instance is an object"),
    pytest.param({1: "a"}, {"1": "a"}, id="a number as key is its text"),
    pytest.param({True: "a", False: "b"}, {"true": "a", "false": "b"}, id="a boolean as key is its text"),
    pytest.param({None: "a"}, {"null": "a"}, id="None as key is null"),
    pytest.param({Colour.RED: 1, Colour.NUMBER: 2}, {"red": 1, "7": 2}, id="an enum as key is its value"),
    pytest.param({(1, 2): "a"}, {"(1, 2)": "a"}, id="a tuple as key is its text"),
    pytest.param({"k\x00\ud800": 1}, {"k\ufffd": 1}, id="keys are cleaned like text"),
    pytest.param((1, [2]), [1, [2]], id="a tuple is a list"),
    pytest.param(Coordinates(1.5, 2.5), [1.5, 2.5], id="a named tuple is a list"),
    pytest.param(types.MappingProxyType({"a": 1}), {"a": 1}, id="any mapping is an object"),
    pytest.param(Shout("hey"), "hey", id="a subclass of str is its text"),
    pytest.param(Half(0.5), 0.5, id="a subclass of float is its number"),
    pytest.param({"a": None, "b": True, "c": 1.5}, {"a": None, "b": True, "c": 1.5}, id="scalars stay"),
]


@pytest.mark.parametrize(("given_value", "sent"), ROWS)
def test_a_value_is_sent_as_the_table_says(given_value, sent):
    assert decode(encode({"value": given_value})) == {"value": sent}


@pytest.mark.parametrize(("given_value", "sent"), ROWS)
def test_the_slow_path_says_the_same_as_the_fast_one(given_value, sent):
    beside_a_rare_one = {"value": given_value, "rare": 2**70}
    assert decode(encode(beside_a_rare_one))["value"] == sent


@pytest.mark.parametrize(
    "value", [b"bytes", object(), Point, complex(1, 2), collections.deque(), lambda: None, range(3)]
)
@pytest.mark.parametrize("rare", [0, 2**70], ids=["fast path", "slow path"])
def test_what_has_no_json_form_is_refused_with_its_path(value, rare):
    with pytest.raises(InvalidValueError) as caught:
        encode({"rare": rare, "outer": [0, {"inner": value}]})
    assert caught.value.field == "value.outer[1].inner"
    assert caught.value.value is value
    assert f"{type(value).__name__} has no JSON form" in str(caught.value)


def nested(levels: int, kind: type) -> object:
    value: object = 0
    for _ in range(levels):
        value = {"a": value} if kind is dict else [value]
    return value


@pytest.mark.parametrize("kind", [dict, list])
def test_the_deepest_nesting_that_is_promised_is_sent(kind):
    value = nested(MAX_DEPTH, kind)
    assert decode(encode(value)) == value


@pytest.mark.parametrize("kind", [dict, list])
def test_nesting_beyond_that_is_refused(kind):
    with pytest.raises(InvalidValueError, match="nest it less than 120 levels deep"):
        encode(nested(MAX_DEPTH + 1, kind))


def test_an_event_at_the_limit_is_accepted_inside_the_envelope_of_a_batch():
    event = {"attributes": nested(MAX_DEPTH - 1, dict)}
    body = b'{"events":[%b]}' % encode(event)
    assert parse_json(body) == {"events": [event]}


def test_an_object_that_contains_itself_is_refused():
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(InvalidValueError, match="120 levels"):
        encode({"value": endless})


def test_a_text_that_only_looks_like_an_escaped_nul_is_left_alone():
    assert decode(encode({"text": r"\u0000"})) == {"text": r"\u0000"}


def test_many_braces_in_a_text_are_not_taken_for_nesting():
    text = "{[" * 200
    assert decode(encode({"text": text})) == {"text": text}


def test_clean_text_leaves_ordinary_text_as_it_is():
    text = "ÄÖÜ 漢字 \U0001f600 \t\n"
    assert clean_text(text) is text


any_text = st.text(st.characters(exclude_categories=()), max_size=12)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**80), 2**80),
    st.floats(),
    any_text,
    st.datetimes(),
    st.datetimes(timezones=st.timezones()),
    st.dates(),
    st.times(),
    st.uuids(),
    st.decimals(),
    st.sampled_from(Colour),
    st.builds(Point, st.integers(-5, 5)),
    st.builds(Pair, any_text),
    st.frozensets(st.one_of(st.integers(0, 9), any_text), max_size=3),
    st.binary(max_size=2),
)
keys = st.one_of(any_text, st.integers(), st.booleans(), st.none(), st.uuids(), st.sampled_from(Colour))
json_ish = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4) | st.tuples(inner),
    max_leaves=20,
)


def strings_and_numbers(value: object):
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from strings_and_numbers(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings_and_numbers(item)
    else:
        yield value


@deterministic(400)
@given(json_ish)
def test_whatever_is_given_becomes_json_that_the_strict_manager_accepts_or_is_refused_by_name(value):
    try:
        body = encode({"attributes": value})
    except InvalidValueError as error:
        refused = error
    else:
        refused = None
    if refused is not None:
        assert refused.field.startswith("value.attributes")
        assert isinstance(refused.value, bytes)
        return
    stored = parse_json(body)
    for item in strings_and_numbers(stored):
        if isinstance(item, str):
            assert "\x00" not in item
        elif isinstance(item, int):
            assert -(2**63) <= item < 2**64
    json.loads(body, parse_constant=pytest.fail)


@deterministic()
@given(json_ish)
def test_converting_twice_changes_nothing(value):
    try:
        once = plain_json(value)
    except InvalidValueError:
        return
    assert plain_json(once) == once
