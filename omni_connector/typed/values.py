"""Checks the JSON values that arrive for parameters against their schema, and makes Python values of them.

The schema is the one that is announced, so values are held to what was promised. cattrs converts them; errors that are left
then come from the author's own validators.
"""

import base64
import binascii
import datetime as dt
import decimal
import difflib
import json
import math
import pathlib
import types
import typing
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from typing import Any

import cattrs

from omni_connector.models.codec import structuring_problems
from omni_connector.models.json_values import JsonValue
from omni_connector.typed.schema import Schema, UndeclarableTypeError, described_type, schema_of

MISSING = "is required, and missing"
REQUIRED_NOT = " is required, not "
NO_SUCH_KEY = "there is no such key"
"""Parts of messages by which the command line recognises them."""

LONGEST_SHOWN = 60
"""Characters of a value that an error message shows."""


class UnusableValueError(ValueError):
    """A value cannot be converted; ``problems`` says what is wrong with it, each with its path."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__(problems[0])


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and math.isfinite(value)  # YAML has others.


_TYPES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "null": ("null", lambda value: value is None),
    "string": ("text", lambda value: isinstance(value, str)),
    "boolean": ("true or false", lambda value: isinstance(value, bool)),
    "integer": ("a whole number", lambda value: _is_number(value) and value == int(value)),
    "number": ("a number", _is_number),
    "array": ("an array", lambda value: isinstance(value, list)),
    "object": ("an object", lambda value: isinstance(value, dict)),
}


def value_problems(value: JsonValue, schema: Schema, path: str) -> list[str]:
    """Return what keeps ``value`` from being what ``schema`` asks for: path, what is expected, and what came."""
    return list(_problems(value, schema, path))


def member_problems(value: dict[str, JsonValue], schema: Schema, prefix: str = "") -> Iterator[str]:
    """Yield the same of the members of an object, whose paths begin with ``prefix``."""
    properties = schema.get("properties", {})
    more = schema.get("additionalProperties", {})
    for name, each in properties.items():
        if name in value:
            yield from _problems(value[name], each, f"{prefix}{name}")
        elif name in schema.get("required", ()):
            yield f"{prefix}{name}: {expected(each)} {MISSING}{_misspelt(name, value, properties, more)}"
    for name, other in value.items():
        if name in properties:
            continue
        if more is False:
            written = name if name.isprintable() else json.dumps(name)
            yield f"{prefix}{written}: {NO_SUCH_KEY}; {_instead_of(name, properties)}"
        elif more is not True:
            yield from _problems(other, more, f"{prefix}{name}")


def _misspelt(name: str, given: Collection[str], known: Collection[str], more: Any) -> str:
    """Return a question about a key that is probably meant for ``name``, where other keys are ignored and not reported."""
    others = [] if more is False else [each for each in given if each not in known]
    close = _closest(name, others)
    return f"; {close} is there, did you mean {name}?" if close else ""


def _instead_of(name: str, known: Collection[str]) -> str:
    """Return what to do about an unknown key."""
    close = _closest(name, known)
    if close:
        return f"did you mean {close}?"
    return f"remove it (known: {', '.join(known)})" if known else "remove it"


def _closest(name: str, names: Iterable[str]) -> str | None:
    """Return the name that is probably meant, whatever the case of its letters."""
    by_form = {each.lower(): each for each in names}
    close = difflib.get_close_matches(name.lower(), by_form, n=1)
    return by_form[close[0]] if close else None


def expected(schema: Schema) -> str:
    """Return what a schema asks for, in words."""
    if "enum" in schema:
        return f"one of {', '.join(json.dumps(choice, ensure_ascii=False) for choice in schema['enum'])}"
    if "anyOf" in schema:
        objects = [each for each in schema["anyOf"] if each.get("required")]
        forms = [
            _with_keys(each["required"]) if len(objects) > 1 and each in objects else expected(each)
            for each in schema["anyOf"]
        ]
        return " or ".join(dict.fromkeys(forms))
    text = _TEXTS.get(_text_kind(schema))
    return text[0] if text else _TYPES[schema["type"]][0] if "type" in schema else "any value"


def converted(value: JsonValue, kind: Any, path: str) -> Any:
    """Return ``value``, in which no problem was found, as a ``kind``.

    Raises:
        UnusableValueError: the author's own class refuses it.
    """
    try:
        return _converter.structure(value, kind)
    except Exception as error:
        # Whatever an author's converter or validator raises: its text is meant for who gave the value.
        problems = [f"{where or path}: {reason}" for where, reason in structuring_problems(error, path)]
        raise UnusableValueError(problems) from error


def unstructured(value: Any) -> Any:
    """Return the value that becomes the JSON of which ``converted`` makes an equal ``value``."""
    return _converter.unstructure(value)


def require_convertible(kind: Any) -> None:
    """Look whether values can be made into a ``kind``.

    Raises:
        UndeclarableTypeError: they cannot.
    """
    try:
        _converter.get_structure_hook(kind)
    except cattrs.StructureHandlerNotFoundError as error:
        raise UndeclarableTypeError(
            f"{error.type_} cannot be made of JSON; use a type such as list[str], dict[str, int] or a dataclass"
        ) from error


def _problems(value: JsonValue, schema: Schema, path: str) -> Iterator[str]:
    if "anyOf" in schema:
        yield from _alternatives(value, schema, path)
    elif "enum" in schema:
        if not any(_same(value, choice) for choice in schema["enum"]):
            yield _wrong(value, schema, path, show=isinstance(value, (str, int, float)))
    elif "type" in schema and not _TYPES[schema["type"]][1](value):
        yield _wrong(value, schema, path)
    elif isinstance(value, str):
        text = _TEXTS.get(_text_kind(schema))
        if text and not _can(text[1], value):
            yield _wrong(value, schema, path, show=True)
    elif isinstance(value, list):
        yield from _entries(value, schema, path)
    elif isinstance(value, dict):
        yield from member_problems(value, schema, f"{path}.")


def _alternatives(value: JsonValue, schema: Schema, path: str) -> Iterator[str]:
    found = [(each, value_problems(value, each, path)) for each in schema["anyOf"]]
    if not all(problems for _, problems in found):
        return
    # Of the alternatives that fit from the outside, one can say what is wrong inside.
    inside = [one for one in found if not any(each.startswith(f"{path}:") for each in one[1])]
    if isinstance(value, dict):
        known = [len(value.keys() & each.get("properties", {}).keys()) for each, _ in inside]
        inside = [one for one, count in zip(inside, known, strict=True) if count == max(known)]
    yield from (
        inside[0][1] if len(inside) == 1 else [_wrong(value, schema, path, show=isinstance(value, str))]
    )


def _entries(value: list[JsonValue], schema: Schema, path: str) -> Iterator[str]:
    tuple_schemas = schema.get("prefixItems")
    if tuple_schemas is not None and len(value) != len(tuple_schemas):
        yield f"{path}: an array of {len(tuple_schemas)} is required, not of {len(value)}"
        return
    for index, entry in enumerate(value):
        yield from _problems(
            entry, tuple_schemas[index] if tuple_schemas else schema.get("items", {}), f"{path}[{index}]"
        )


def _wrong(value: JsonValue, schema: Schema, path: str, *, show: bool = False) -> str:
    came = next((name for name, fits in _TYPES.values() if fits(value)), _odd(value))
    if isinstance(value, dict) and "anyOf" in schema:
        came = _with_keys(value)
    if show and not schema.get("writeOnly"):
        text = json.dumps(value, ensure_ascii=False)
        came = text if len(text) <= LONGEST_SHOWN else f'{text[: LONGEST_SHOWN - 4]}..."'
    return f"{path}: {expected(schema)}{REQUIRED_NOT}{came}"


def _odd(value: Any) -> str:
    """Return what a value is called that has no JSON form: YAML has such numbers, and dates."""
    return str(value) if isinstance(value, float) else type(value).__name__


def _with_keys(keys: Collection[str]) -> str:
    return f"an object with {', '.join(keys)}" if keys else "an empty object"


def _same(value: JsonValue, choice: JsonValue) -> bool:
    """Compare as JSON does: true is not 1, but 1.0 is."""
    return value == choice and isinstance(value, bool) == isinstance(choice, bool)


def _text_kind(schema: Schema) -> str:
    return str(schema.get("format") or schema.get("contentEncoding"))


def _moment(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _decimal(value: str | float) -> decimal.Decimal:
    number = decimal.Decimal(str(value))
    if not number.is_finite():
        raise ValueError("not a finite number")
    return number


_TEXTS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "date-time": ("an ISO 8601 date and time", _moment),
    "date": ("an ISO 8601 date", dt.date.fromisoformat),
    "time": ("an ISO 8601 time", dt.time.fromisoformat),
    "uuid": ("a UUID", uuid.UUID),
    "decimal": ("a decimal number as text", _decimal),
    "base64": ("bytes in base64", _bytes),
}
"""What formats of text are called, and what reads them."""


def _can(read: Callable[[str], Any], text: str) -> bool:
    try:
        read(text)
    except (ValueError, binascii.Error, decimal.InvalidOperation):
        return False
    return True


def _alternative(value: JsonValue, kind: Any) -> Any:
    """Make the first member of a union that the value fits; exact ones first."""
    members = sorted(typing.get_args(kind), key=_vagueness)
    fitting = [member for member in members if not value_problems(value, schema_of(member), "")]
    # Of classes that fit, the one that leaves out least of an object.
    return _converter.structure(value, max(fitting, key=partial(_known_keys, value)))


def _known_keys(value: JsonValue, kind: Any) -> int:
    """Return how many keys of an object a class has."""
    return len(value.keys() & schema_of(kind).get("properties", {}).keys()) if isinstance(value, dict) else 0


def _vagueness(kind: Any) -> int:
    kind, _, _ = described_type(kind)
    return {float: 1, str: 2, Any: 3, object: 3}.get(kind, 0) if isinstance(kind, type) or kind is Any else 0


def _is_union(kind: Any) -> bool:
    return typing.get_origin(kind) in {typing.Union, types.UnionType}


_converter = cattrs.Converter(use_alias=True)
for _kind, _read in (
    (dt.datetime, _moment),
    (dt.date, dt.date.fromisoformat),
    (dt.time, dt.time.fromisoformat),
    (uuid.UUID, uuid.UUID),
    (decimal.Decimal, _decimal),
    (bytes, _bytes),
    (type(None), lambda _: None),
    (pathlib.Path, pathlib.Path),
    (pathlib.PurePath, pathlib.PurePath),
    (pathlib.PurePosixPath, pathlib.PurePosixPath),
):
    _converter.register_structure_hook(_kind, lambda value, _, read=_read: read(value))
_converter.register_structure_hook_func(_is_union, _alternative)


def _moment_text(moment: dt.datetime) -> Any:
    """Return its text; what has no offset, or is something else, stays as it is, so that it is refused with its path."""
    is_lasting = isinstance(moment, dt.datetime) and moment.utcoffset() is not None
    return moment.isoformat() if is_lasting else moment


_converter.register_unstructure_hook(dt.datetime, _moment_text)
_converter.register_unstructure_hook(bytes, lambda value: base64.b64encode(value).decode())
