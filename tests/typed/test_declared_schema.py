"""Types of parameters as JSON Schema."""

# ruff: noqa: UP007, UP045 - older forms are declared as well.
from __future__ import annotations

import collections.abc
import dataclasses
import datetime as dt
import decimal
import enum
import pathlib
import typing
import uuid
from typing import Annotated, Any, Literal, NewType, NotRequired, Optional, Required, TypedDict, Union

import attrs
import jsonschema_rs
import pytest
import typing_extensions

from omni_connector.models.action_schema import schema_problems
from omni_connector.typed.schema import UndeclarableTypeError, schema_of, with_default


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mixed(enum.Enum):
    A = "a"
    B = 2


class Odd(enum.Enum):
    A = (1, 2)


class Empty(enum.Enum):
    pass


@attrs.define
class Address:
    """An address.

    Attributes:
        city: where.
        street: said twice.
    """

    city: str
    street: Annotated[str | None, "told here"] = None
    _zone: int = 5
    tags: list[str] = attrs.Factory(list)
    computed: str = attrs.field(init=False, default="x")


@dataclasses.dataclass
class Person:
    name: str
    home: Address
    born: dt.date | None = None
    others: list[str] = dataclasses.field(default_factory=list)
    computed: int = dataclasses.field(init=False, default=0)


class Options(TypedDict, total=False):
    depth: Required[int]
    colour: Colour


class Further(Options):
    more: NotRequired[bool]
    must: str


@attrs.define
class Node:
    children: list[Node]


@dataclasses.dataclass
class Even:
    odd: Odder | None


@dataclasses.dataclass
class Odder:
    even: dict[str, Even]


@dataclasses.dataclass
class Box(typing.Generic[typing.TypeVar("T")]):
    """Generic."""


class Pair(typing.NamedTuple):
    a: int


UserId = NewType("UserId", str)

ADDRESS = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "description": "where."},
        "street": {
            "anyOf": [{"type": "string"}, {"type": "null"}],
            "default": None,
            "description": "told here",
        },
        "zone": {"type": "integer", "default": 5},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["city"],
}

SCHEMAS = [
    (str, {"type": "string"}),
    (int, {"type": "integer"}),
    (float, {"type": "number"}),
    (bool, {"type": "boolean"}),
    (None, {"type": "null"}),
    (Any, {}),
    (object, {}),
    (UserId, {"type": "string"}),
    (typing_extensions.TypeAliasType("Count", int), {"type": "integer"}),
    (Annotated[int, 5, "how many", "more"], {"type": "integer", "description": "how many"}),
    (Annotated[Annotated[int, "inner"], "outer"], {"type": "integer", "description": "inner"}),
    (dt.datetime, {"type": "string", "format": "date-time"}),
    (dt.date, {"type": "string", "format": "date"}),
    (dt.time, {"type": "string", "format": "time"}),
    (uuid.UUID, {"type": "string", "format": "uuid"}),
    (decimal.Decimal, {"anyOf": [{"type": "number"}, {"type": "string", "format": "decimal"}]}),
    (pathlib.Path, {"type": "string"}),
    (bytes, {"type": "string", "contentEncoding": "base64"}),
    (Optional[int], {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
    (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
    (Union[int, UserId, str], {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
    (Union[UserId, str], {"type": "string"}),
    (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
    (Literal[1, True], {"enum": [1, True]}),
    (Literal[Colour.RED], {"type": "string", "enum": ["red"]}),
    (Colour, {"type": "string", "enum": ["red", "blue"]}),
    (Level, {"type": "integer", "enum": [1, 2]}),
    (Mixed, {"enum": ["a", 2]}),
    (list, {"type": "array"}),
    (list[int], {"type": "array", "items": {"type": "integer"}}),
    (typing.List, {"type": "array"}),  # noqa: UP006 - older code has it.
    (collections.abc.Sequence[str], {"type": "array", "items": {"type": "string"}}),
    (set[str], {"type": "array", "items": {"type": "string"}, "uniqueItems": True}),
    (frozenset, {"type": "array", "uniqueItems": True}),
    (tuple, {"type": "array"}),
    (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}),
    (
        tuple[int, str],
        {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 2, "maxItems": 2},
    ),
    (dict, {"type": "object"}),
    (dict[str, Any], {"type": "object"}),
    (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
    (collections.abc.Mapping[str, list[int]], {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "integer"}}}),
    (Address, ADDRESS),
    (
        Person,
        {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "home": ADDRESS,
                "born": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}], "default": None},
                "others": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["name", "home"],
        },
    ),
    (
        Options,
        {
            "type": "object",
            "properties": {"depth": {"type": "integer"}, "colour": {"type": "string", "enum": ["red", "blue"]}},
            "required": ["depth"],
        },
    ),
    (
        Further,
        {
            "type": "object",
            "properties": {
                "depth": {"type": "integer"},
                "colour": {"type": "string", "enum": ["red", "blue"]},
                "more": {"type": "boolean"},
                "must": {"type": "string"},
            },
            "required": ["depth", "must"],
        },
    ),
    (tuple[Address, Address], {"type": "array", "prefixItems": [ADDRESS, ADDRESS], "minItems": 2, "maxItems": 2}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "schema"), SCHEMAS, ids=[str(kind) for kind, _ in SCHEMAS])
def test_a_type_has_a_schema_that_the_manager_takes(kind, schema):
    assert schema_of(kind) == schema
    jsonschema_rs.Draft202012Validator(schema)  # It is one.
    assert schema_problems({"type": "object", "properties": {"x": schema}}) == []


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (complex, "complex has no JSON Schema; use text, numbers"),
        (Pair, "Pair has no JSON Schema"),
        (Box[int], "Box.* has no JSON Schema"),
        (typing.TypeVar("T"), "T has no JSON Schema"),
        (list[complex], "complex has no JSON Schema"),
        (collections.abc.Iterator[int], "Iterator.* has no JSON Schema"),
        (Odd, "Odd has values that are neither text nor numbers"),
        (Empty, "Empty has values"),
        (dict[int, str], r"dict\[int, str\] has keys that are not text; use dict\[str, ...\]"),
        (Node, "Node contains itself.*or take a dict"),
        (Even, "Even contains itself"),
        (int | complex, "complex has no JSON Schema"),
        ([1], r"\[1\] has no JSON Schema"),
    ],
)
def test_a_type_without_a_schema_is_named(kind, message):
    with pytest.raises(UndeclarableTypeError, match=message):
        schema_of(kind)


def test_a_default_is_told_where_it_has_a_json_form():
    assert with_default({"type": "string"}, Colour.RED) == {"type": "string", "default": "red"}
    assert with_default({}, dt.date(2026, 8, 1)) == {"default": "2026-08-01"}
    assert with_default({}, None) == {"default": None}
    assert with_default({"type": "string"}, object()) == {"type": "string"}
