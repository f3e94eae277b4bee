"""Turn what authors put into free-form fields into JSON that the manager stores unchanged (PROTOCOL, section 19).

What JSON can express is converted; what it cannot is refused with its path:

=========================================  ==========================================
given                                      sent
=========================================  ==========================================
datetime without offset                    taken as UTC
NaN, infinities                            null
NUL characters in text                     dropped
lone surrogates in text                    U+FFFD
integers outside -2^63 ... 2^64-1          the digits, as text (as numbers they would become floats)
sets                                       sorted lists
UUID, Path, Decimal, Enum, date, time      their usual text, or the enum's value
attrs and dataclass instances              objects
keys that are not text                     their text
nesting beyond 120 levels, other types     refused
=========================================  ==========================================
"""

import dataclasses
import datetime as dt
import decimal
import enum
import math
import pathlib
import uuid
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import attrs

from omni_connector.exceptions import InvalidValueError

JsonValue = Any
"""Any JSON value; spelled out so that signatures say what they mean."""

MAX_DEPTH = 120
"""Levels below one field. The manager allows 123 below an attribute of a batched event (PROTOCOL, section 19)."""

SMALLEST_INTEGER = -(2**63)
LARGEST_INTEGER = 2**64 - 1

_TEXT_TYPES = (uuid.UUID, pathlib.PurePath, decimal.Decimal)


def plain_json(value: Any, *, path: str = "value", depth: int = 0) -> JsonValue:
    """Return ``value`` made of dicts, lists and scalars only, by the table above.

    Raises:
        InvalidValueError: a value has no JSON form or is nested too deeply; ``field`` is its path.
    """
    if depth > MAX_DEPTH:
        raise InvalidValueError(
            model="JSON", field=path, value=value, remedy=f"nest it less than {MAX_DEPTH} levels deep"
        )
    if isinstance(value, enum.Enum):
        return plain_json(value.value, path=path, depth=depth)
    if value is None or isinstance(value, (bool, str, int, float)):
        return _scalar(value)
    if isinstance(value, Mapping):
        return {
            _key(key): plain_json(item, path=f"{path}.{_key(key)}", depth=depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [plain_json(item, path=f"{path}[{n}]", depth=depth + 1) for n, item in enumerate(value)]
    return plain_json(json_stand_in(value, path=path), path=path, depth=depth + 1)


def json_stand_in(value: Any, *, path: str = "value") -> Any:  # noqa: PLR0911 - one line a type, as in the table
    """Return a simpler object that stands for ``value`` in JSON; one step, not the whole way.

    Raises:
        InvalidValueError: there is none.
    """
    if isinstance(value, AbstractSet):
        return _sorted(value)
    if isinstance(value, dt.datetime):
        return (value if value.tzinfo else value.replace(tzinfo=dt.UTC)).isoformat()
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, _TEXT_TYPES):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if attrs.has(type(value)):
        return attrs.asdict(value, recurse=False)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    raise InvalidValueError(
        model="JSON",
        field=path,
        value=value,
        remedy=f"{type(value).__name__} has no JSON form: convert it to text, numbers, lists or dicts first",
    )


def require_lasting(value: Any, *, path: str) -> None:
    """Reject what would come back from the manager as something else; tuples, sets and what has a usual text may pass.

    Raises:
        InvalidValueError: ``value`` holds a key that is not text, or what ``_lost_in_json`` names; ``field`` is its path.
    """
    remedy = _lost_in_json(value)
    if remedy is not None:
        raise InvalidValueError(model="JSON", field=path, value=value, remedy=remedy)
    if attrs.has(type(value)) or dataclasses.is_dataclass(value):
        value = json_stand_in(value, path=path)
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                remedy = f"keys of JSON objects are text: this one would come back as {_key(key)!r}"
                raise InvalidValueError(model="JSON", field=path, value=key, remedy=remedy)
            require_lasting(str(key), path=f"{path}, key")
            require_lasting(item, path=f"{path}.{key}")
    elif isinstance(value, (list, tuple, AbstractSet)):
        for number, item in enumerate(value):
            require_lasting(item, path=f"{path}[{number}]")


def _lost_in_json(value: Any) -> str | None:
    """Return what to do about a scalar that would come back as something else; None where it would not."""
    if isinstance(value, dt.datetime) and value.utcoffset() is None:
        return "it has no offset and would come back with one: give it one (tzinfo=datetime.UTC), or text"
    if isinstance(value, float) and not math.isfinite(value):
        return "JSON has no such number, it would come back as None: leave it out"
    if type(value) is int and not SMALLEST_INTEGER <= value <= LARGEST_INTEGER:
        return "numbers beyond 64 bits would come back as text: give text"
    if isinstance(value, str) and clean_text(value) != value:
        return "it would come back without its NUL characters and lone surrogates: remove or quote them"
    return None


def clean_text(text: str) -> str:
    """Return ``text`` without NUL characters and with lone surrogates replaced by U+FFFD."""
    if "\x00" in text:
        text = text.replace("\x00", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _scalar(value: str | float | None) -> JsonValue:
    if isinstance(value, str):
        return clean_text(str.__str__(value))
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return int(value) if SMALLEST_INTEGER <= value <= LARGEST_INTEGER else str(int(value))
    return float(value) if math.isfinite(value) else None


def _key(key: Any) -> str:
    if isinstance(key, enum.Enum):
        key = key.value
    if isinstance(key, str):
        return clean_text(key)
    if isinstance(key, bool):
        return "true" if key else "false"
    return "null" if key is None else clean_text(str(key))


def _sorted(values: AbstractSet[Any]) -> list[Any]:
    try:
        return sorted(values)
    except TypeError:  # Mixed types have no order of their own; any fixed one will do.
        return sorted(values, key=repr)
