"""Python types as JSON Schemas that the manager accepts: written out, without references."""

import dataclasses
import datetime as dt
import decimal
import enum
import inspect
import pathlib
import types
import typing
import uuid
from collections import abc
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs
from attrs import frozen

from omni_connector.exceptions import InvalidValueError
from omni_connector.models.json_values import JsonValue, plain_json
from omni_connector.typed.docstring import read_docstring
from omni_connector.typed.fields import DeclaredField, notes_of

Schema = dict[str, JsonValue]

_PLAIN: dict[Any, Schema] = {
    Any: {},
    object: {},
    inspect.Parameter.empty: {},
    None: {"type": "null"},
    type(None): {"type": "null"},
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    dt.datetime: {"type": "string", "format": "date-time"},
    dt.date: {"type": "string", "format": "date"},
    dt.time: {"type": "string", "format": "time"},
    uuid.UUID: {"type": "string", "format": "uuid"},
    decimal.Decimal: {"anyOf": [{"type": "number"}, {"type": "string", "format": "decimal"}]},
    pathlib.Path: {"type": "string"},
    pathlib.PurePath: {"type": "string"},
    pathlib.PurePosixPath: {"type": "string"},
    bytes: {"type": "string", "contentEncoding": "base64"},
}


class UndeclarableTypeError(Exception):
    """A type has no schema; the text says which, and what to use."""


def schema_of(kind: Any) -> Schema:
    """Return the schema of the JSON values that become a ``kind``.

    Raises:
        UndeclarableTypeError: there is none.
    """
    return _schema(kind, ())


def object_schema(properties: Mapping[str, Schema], required: list[str]) -> Schema:
    """Return the schema of an object with these properties."""
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def with_default(schema: Schema, default: Any) -> Schema:
    """Return ``schema`` with its default, where that has a JSON form."""
    try:
        return {**schema, "default": plain_json(default)}
    except InvalidValueError:
        return schema


def _schema(kind: Any, inside: tuple[Any, ...]) -> Schema:  # noqa: PLR0911 - one line a family of types.
    kind, description, is_secret = described_type(kind)
    if description or is_secret:
        return with_notes(_schema(kind, inside), description, is_secret=is_secret)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if _hashable(kind) and kind in _PLAIN:
        return dict(_PLAIN[kind])
    if origin in {typing.Union, types.UnionType}:
        return _any_of(inner, inside)
    if origin is typing.Literal:
        return _choice([plain_json(value) for value in inner])
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _enum(kind)
    build = _CONTAINERS.get(origin or kind) if _hashable(origin or kind) else None
    if build is not None:
        return build(kind, inner, inside)
    if origin is None and has_fields(kind):
        return _object(kind, inside)
    raise UndeclarableTypeError(
        f"{_called(kind)} has no JSON Schema; use text, numbers, bool, dates, enums, Literal, list, dict, an attrs class, "
        "a dataclass or a TypedDict"
    )


def with_notes(schema: Schema, description: str | None, *, is_secret: bool = False) -> Schema:
    """Return ``schema`` with a description, if there is one, and with what says that the value is secret."""
    notes: Schema = {"description": description} if description else {}
    if is_secret:
        is_text = schema.get("type") == "string" and not schema.keys() & {"format", "contentEncoding"}
        schema = {**schema, "writeOnly": True} | ({"format": "password"} if is_text else {})
    return schema | notes


def described_type(kind: Any) -> tuple[Any, str | None, bool]:
    """Return what an alias stands for, the first text in ``Annotated``, and whether that says that the value is secret."""
    description, is_secret = None, False
    while True:
        if typing.get_origin(kind) is typing.Annotated:
            kind, *notes = typing.get_args(kind)
            for note in notes:
                if isinstance(note, DeclaredField):
                    text, declared = notes_of(note.metadata)
                    description, is_secret = description or text, is_secret or declared
                elif isinstance(note, str):
                    description = description or note
        elif isinstance(kind, typing.NewType):
            kind = kind.__supertype__
        elif type(kind).__name__ == "TypeAliasType":  # ``type X = ...``, from Python 3.12 on.
            kind = kind.__value__
        else:
            return kind, description, is_secret


def has_fields(kind: Any) -> bool:
    """Say whether ``kind`` is an attrs class, a dataclass or a TypedDict."""
    return isinstance(kind, type) and (
        attrs.has(kind) or dataclasses.is_dataclass(kind) or typing.is_typeddict(kind)
    )


def _any_of(kinds: tuple[Any, ...], inside: tuple[Any, ...]) -> Schema:
    schemas: list[Schema] = []
    for kind in kinds:
        schema = _schema(kind, inside)
        members = schema["anyOf"] if set(schema) == {"anyOf"} else [schema]
        schemas += [member for member in members if member not in schemas]
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _choice(values: list[JsonValue]) -> Schema:
    kinds = {_json_type(value) for value in values}
    return {"type": kinds.pop(), "enum": values} if len(kinds) == 1 else {"enum": values}


def _json_type(value: JsonValue) -> str:
    names = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
    return names[type(value)]


def _enum(kind: type[enum.Enum]) -> Schema:
    values = [member.value for member in kind]
    if not values or not all(isinstance(value, (str, int, float, bool, type(None))) for value in values):
        raise UndeclarableTypeError(
            f"{_called(kind)} has values that are neither text nor numbers; give it such values"
        )
    return _choice([plain_json(value) for value in values])


def _list(_: Any, inner: tuple[Any, ...], inside: tuple[Any, ...]) -> Schema:
    return {"type": "array", "items": _schema(inner[0], inside)} if inner else {"type": "array"}


def _set(kind: Any, inner: tuple[Any, ...], inside: tuple[Any, ...]) -> Schema:
    return {**_list(kind, inner, inside), "uniqueItems": True}


def _tuple(kind: Any, inner: tuple[Any, ...], inside: tuple[Any, ...]) -> Schema:
    if not inner or inner[1:] == (Ellipsis,):
        return _list(kind, inner, inside)
    items = [_schema(each, inside) for each in inner]
    return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}


def _dict(kind: Any, inner: tuple[Any, ...], inside: tuple[Any, ...]) -> Schema:
    if not inner:
        return {"type": "object"}
    if described_type(inner[0])[0] not in {str, Any}:
        raise UndeclarableTypeError(f"{_called(kind)} has keys that are not text; use dict[str, ...]")
    values = _schema(inner[1], inside)
    return {"type": "object", "additionalProperties": values} if values else {"type": "object"}


_NONE = inspect.Parameter.empty
"""Stands for a default that is not there, or that is made anew each time (except lists)."""


@frozen
class _Field:
    name: str
    kind: Any
    required: bool
    default: Any = _NONE
    metadata: Mapping[Any, Any] = types.MappingProxyType({})


def _object(kind: type, inside: tuple[Any, ...]) -> Schema:
    if kind in inside:
        raise UndeclarableTypeError(
            f"{_called(kind)} contains itself, and the manager takes no references; declare as many levels as are needed, "
            "or take a dict"
        )
    descriptions = read_docstring(kind.__doc__).parameters
    properties = {}
    required = []
    for each in _fields(kind):
        description, is_secret = notes_of(each.metadata)
        schema = _schema(each.kind, (*inside, kind))
        description = description or schema.get("description") or descriptions.get(each.name)
        schema = with_notes(schema, description, is_secret=is_secret)
        shows_default = each.default is not _NONE and not schema.get("writeOnly")
        properties[each.name] = with_default(schema, each.default) if shows_default else schema
        if each.required:
            required.append(each.name)
    return object_schema(properties, required)


def _fields(kind: Any) -> Iterator[_Field]:
    """Yield the fields that a value is made from, by the names under which they are given."""
    hints = typing.get_type_hints(kind, include_extras=True)
    if typing.is_typeddict(kind):
        for name, hint in hints.items():
            required = name in kind.__required_keys__
            while typing.get_origin(hint) in {typing.Required, typing.NotRequired}:
                required = typing.get_origin(hint) is typing.Required
                (hint,) = typing.get_args(hint)  # noqa: PLW2901 - what it wraps.
            yield _Field(name, hint, required)
    elif attrs.has(kind):
        for attribute in attrs.fields(kind):
            if attribute.init:
                required = attribute.default is attrs.NOTHING
                kind_of_value = hints.get(attribute.name, Any)
                default = _NONE if required else _default(kind_of_value, attribute.default)
                yield _Field(attribute.alias, kind_of_value, required, default, attribute.metadata)
    else:
        for field in dataclasses.fields(kind):
            if field.init:
                default = _NONE if field.default is dataclasses.MISSING else field.default
                is_made = field.default_factory is not dataclasses.MISSING
                required = default is _NONE and not is_made
                if is_made:
                    default = _made_list(hints[field.name], field.default_factory)
                yield _Field(field.name, hints[field.name], required, default, field.metadata)


def _default(kind: Any, default: Any) -> Any:
    """Return a default of attrs."""
    if not isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # Typed as a function, but is a class.
        return default
    return _NONE if default.takes_self else _made_list(kind, default.factory)


def _made_list(kind: Any, factory: Any) -> Any:
    """Return the list that is made as a default, unless it is empty; other values may differ each time."""
    is_list = list in {kind, typing.get_origin(kind)}
    return (factory() if is_list else None) or _NONE


def _hashable(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _called(kind: Any) -> str:
    name = getattr(kind, "__name__", None)
    return name if isinstance(name, str) and not typing.get_args(kind) else str(kind).replace("typing.", "")


_CONTAINERS: dict[Any, Callable[[Any, tuple[Any, ...], tuple[Any, ...]], Schema]] = {
    **dict.fromkeys((list, abc.Sequence, abc.MutableSequence), _list),
    **dict.fromkeys((set, frozenset, abc.Set, abc.MutableSet), _set),
    **dict.fromkeys((dict, abc.Mapping, abc.MutableMapping), _dict),
    tuple: _tuple,
}
