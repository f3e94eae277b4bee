"""What arrives for a parameter is checked against its schema and made a Python value."""

# ruff: noqa: UP007, UP045 - older forms are declared as well.
from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import math
import pathlib
import uuid
from typing import Annotated, Any, Literal, Optional, TypedDict, Union

import attrs
import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omni_connector import secret
from omni_connector.typed.schema import UndeclarableTypeError, schema_of
from omni_connector.typed.typed_class import TypedClass
from omni_connector.typed.values import converted, require_convertible, value_problems


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@attrs.define
class Address:
    city: str
    _zone: int = 5
    colours: list[Colour] = attrs.field(factory=list, validator=attrs.validators.max_len(2))


@dataclasses.dataclass
class Person:
    name: str
    home: Address | None = None
    born: Optional[dt.date] = None


@attrs.define
class Anybody:
    nick: str = ""


class Options(TypedDict, total=False):
    depth: int
    since: dt.date


MOMENT = dt.datetime(2026, 8, 1, 12, 30, tzinfo=dt.UTC)
IDENTITY = uuid.UUID("12345678-1234-5678-1234-567812345678")

CONVERSIONS = [
    (str, "a", "a"),
    (int, 5, 5),
    (int, 5.0, 5),
    (float, 5, 5.0),
    (float, 0.5, 0.5),
    (bool, True, True),
    (None, None, None),
    (Any, [{"a": 1}], [{"a": 1}]),
    (Colour, "red", Colour.RED),
    (Level, 2, Level.HIGH),
    (Literal["a", 1], 1, 1),
    (Literal[Colour.RED], "red", Colour.RED),
    (dt.datetime, "2026-08-01T12:30:00Z", MOMENT),
    (dt.datetime, "2026-08-01T14:30:00+02:00", MOMENT),
    (dt.datetime, "2026-08-01T12:30:00", MOMENT),
    (dt.date, "2026-08-01", dt.date(2026, 8, 1)),
    (dt.time, "12:30", dt.time(12, 30)),
    (uuid.UUID, str(IDENTITY), IDENTITY),
    (decimal.Decimal, "1.10", decimal.Decimal("1.10")),
    (decimal.Decimal, 1.5, decimal.Decimal("1.5")),
    (pathlib.Path, "a/b", pathlib.Path("a/b")),
    (bytes, "AP8=", b"\x00\xff"),
    (Optional[int], None, None),
    (int | None, 5, 5),
    (int | str, "5", "5"),
    (str | int, 5, 5),
    (Union[float, int], 5, 5),
    (str | dt.date, "2026-08-01", dt.date(2026, 8, 1)),
    (str | dt.date, "soon", "soon"),
    (Address | list[Address], [{"city": "x"}], [Address("x")]),
    (list[Colour], ["red", "blue"], [Colour.RED, Colour.BLUE]),
    (set[int], [1, 2], {1, 2}),
    (tuple[int, str], [1, "a"], (1, "a")),
    (dict[str, dt.date], {"a": "2026-08-01"}, {"a": dt.date(2026, 8, 1)}),
    (Annotated[int, "text"], 5, 5),
    (Address, {"city": "x", "zone": 7, "undeclared": 1}, Address("x", 7)),
    (Person, {"name": "n", "home": {"city": "x", "colours": ["red"]}, "born": None}, Person("n", Address("x", 5, [Colour.RED]))),
    (Person, {"name": "n", "born": "2026-08-01"}, Person("n", None, dt.date(2026, 8, 1))),
    (Anybody | Person, {"name": "n"}, Person("n")),
    (Options, {"since": "2026-08-01"}, {"since": dt.date(2026, 8, 1)}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "made"), CONVERSIONS)
def test_a_value_is_converted(kind, value, made):
    assert value_problems(value, schema_of(kind), "p") == []
    require_convertible(kind)
    result = converted(value, kind, "p")
    assert result == made
    assert type(result) is type(made)


PROBLEMS = [
    (str, 5, ["p: text is required, not a whole number"]),
    (str, None, ["p: text is required, not null"]),
    (int, "5", ["p: a whole number is required, not text"]),
    (int, 5.5, ["p: a whole number is required, not a number"]),
    (int, True, ["p: a whole number is required, not true or false"]),
    (float, True, ["p: a number is required, not true or false"]),
    (bool, 1, ["p: true or false is required, not a whole number"]),
    (int | None, "x", ['p: a whole number or null is required, not "x"']),
    (int | None, [], ["p: a whole number or null is required, not an array"]),
    (Colour, "green", ['p: one of "red", "blue" is required, not "green"']),
    (Colour, ["red"], ['p: one of "red", "blue" is required, not an array']),
    (Level, True, ["p: one of 1, 2 is required, not true"]),
    (Level, 3, ["p: one of 1, 2 is required, not 3"]),
    (dt.datetime, "tomorrow", ['p: an ISO 8601 date and time is required, not "tomorrow"']),
    (dt.datetime, 1754000000, ["p: an ISO 8601 date and time is required, not a whole number"]),
    (dt.date, "2026-13-01", ['p: an ISO 8601 date is required, not "2026-13-01"']),
    (dt.time, "25:00", ['p: an ISO 8601 time is required, not "25:00"']),
    (uuid.UUID, "x" * 100, [f'p: a UUID is required, not "{"x" * 55}..."']),
    (decimal.Decimal, "NaN", ['p: a number or a decimal number as text is required, not "NaN"']),
    (decimal.Decimal, "1,5", ['p: a number or a decimal number as text is required, not "1,5"']),
    (bytes, "ü", ['p: bytes in base64 is required, not "ü"']),
    (list[int], "123", ["p: an array is required, not text"]),
    (list[int], [1, "2", None], ["p[1]: a whole number is required, not text", "p[2]: a whole number is required, not null"]),
    (tuple[int, str], [1], ["p: an array of 2 is required, not of 1"]),
    (tuple[int, str], ["a", 1], ["p[0]: a whole number is required, not text", "p[1]: text is required, not a whole number"]),
    (dict[str, int], [], ["p: an object is required, not an array"]),
    (dict[str, int], {"a": "1"}, ["p.a: a whole number is required, not text"]),
    (Address, "x", ["p: an object is required, not text"]),
    (Address, {}, ["p.city: text is required, and missing"]),
    (Address, {"city": None, "zone": "x"}, ["p.city: text is required, not null", "p.zone: a whole number is required, not text"]),
    (Person, {"name": "n", "home": {"city": 5}}, ["p.home.city: text is required, not a whole number"]),
    (Address | None, {"zone": 1}, ["p.city: text is required, and missing"]),
    (float, math.inf, ["p: a number is required, not inf"]),
    (int, math.nan, ["p: a whole number is required, not nan"]),
    (dt.date, dt.date(2026, 8, 1), ["p: an ISO 8601 date is required, not date"]),
    (Address | Person, {}, ["p: an object with city or an object with name is required, not an empty object"]),
    (Address | Person, {"nmae": "x"}, ["p: an object with city or an object with name is required, not an object with nmae"]),
    (Address | Person, {"city": "x", "zone": "x"}, ["p.zone: a whole number is required, not text"]),
    (list[Person], [{"name": "a", "born": "x"}], ['p[0].born: an ISO 8601 date or null is required, not "x"']),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "problems"), PROBLEMS)
def test_a_wrong_value_is_named_with_what_is_expected_and_what_came(kind, value, problems):
    assert value_problems(value, schema_of(kind), "p") == problems


def test_a_secret_that_is_wrong_is_not_shown():
    schema = {"type": "string", "format": "uuid"}
    assert value_problems("hush", {**schema, "writeOnly": True}, "p") == ["p: a UUID is required, not text"]
    assert value_problems("hush", schema, "p") == ['p: a UUID is required, not "hush"']


def test_what_an_author_s_validator_refuses_is_told_by_its_path():
    value = [{"city": "x"}, {"city": "y", "colours": ["red", "red", "red"]}]
    assert value_problems(value, schema_of(list[Address]), "p") == []
    with pytest.raises(ValueError, match=r"^p\[1\].colours: Length of 'colours' must be <= 2: 3$"):
        converted(value, list[Address], "p")


def test_all_faults_are_said_at_once_also_what_validators_refuse():
    @attrs.define
    class Settings:
        home: Address
        zone: int = attrs.field(default=1, validator=attrs.validators.ge(1))
        name: str = attrs.field(default="", validator=attrs.validators.max_len(3))
        area: int = attrs.field(default=1)
        key: str = secret(default="")

        @area.validator
        def _is_in_its_zone(self, _, value):
            if value > self.zone + len(self.key):
                raise ValueError("is beyond the zone")

    def problems(**given):
        found: list[str] = []
        TypedClass(Settings, "C.config").made_of(given, found)
        return found

    colours = ["red"] * 3
    assert problems(zone=0, name="four", home={"city": "x", "colours": colours}, area=True, Key=5) == [
        "area: a whole number is required, not true or false",
        "Key: there is no such key; did you mean key?",
        "home.colours: Length of 'colours' must be <= 2: 3",
        "zone: 'zone' must be >= 1: 0",
        "name: Length of 'name' must be <= 3: 4",
    ]
    assert problems(zone=0) == [
        "home: an object is required, and missing",
        "zone: 'zone' must be >= 1: 0",
    ]
    assert problems(area=7, key="") == ["home: an object is required, and missing"]  # Needs the zone.
    assert problems(**{"home": {"city": "x"}, "a\nb": 1}) == [
        '"a\\nb": there is no such key; remove it (known: home, zone, name, area, key)'
    ]


def test_the_default_of_a_setting_whose_name_says_that_it_is_secret_is_not_shown():
    @attrs.define
    class Settings:
        api_key: str = "hush"
        size: int = 5

    found = TypedClass(Settings, "C.config").schema["properties"]
    assert found["api_key"] == {"type": "string", "writeOnly": True, "format": "password"}
    assert found["size"]["default"] == 5


def test_a_type_that_no_json_becomes_is_named():
    with pytest.raises(UndeclarableTypeError, match="cannot be made of JSON"):
        require_convertible(__import__("collections").abc.Sequence)


KINDS = st.sampled_from([kind for kind, _, _ in CONVERSIONS])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 5)
    | st.sampled_from([0.5, 2.0, "red", "a", "2026-08-01", ""]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["city", "zone", "name", "home", "born", "depth", "a"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@settings(max_examples=600, derandomize=True, database=None, deadline=None)
@given(kind=KINDS, value=VALUES)
def test_what_has_no_problems_fits_the_schema_and_can_be_converted(kind, value):
    schema = schema_of(kind)
    problems = value_problems(value, schema, "p")
    if not jsonschema_rs.Draft202012Validator(schema).is_valid(value):
        # A set may be sent with doubles: nothing is lost by it.
        assert problems or "uniqueItems" in str(schema)
    if not problems:
        converted(value, kind, "p")
