"""The one place where objects become JSON and JSON becomes objects.

Encoding is orjson with a hook for the types that it does not know; what it refuses or would send in a form that the manager
rejects goes through ``json_values`` and is encoded again, so that ordinary values pay nothing for the rare ones. Structuring
is cattrs, strict: no value is converted to another type, unknown keys are ignored (connector.openapi.yaml, "A connector as a
server").
"""

import datetime as dt
import hashlib
import re
import traceback
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import attrs
import cattrs
import orjson
from cattrs.errors import ClassValidationError, IterableValidationError

from omni_connector.exceptions import InvalidValueError, MalformedRequestError
from omni_connector.models.json_values import (
    MAX_DEPTH,
    JsonValue,
    clean_text,
    json_stand_in,
    plain_json,
    require_lasting,
)

T = TypeVar("T")

# Dataclasses go through json_stand_in like attrs classes: orjson would leave out their private fields.
# Keys that are not text take the way through plain_json: OPT_NON_STR_KEYS would cost every object.
_OPTIONS = orjson.OPT_NAIVE_UTC | orjson.OPT_PASSTHROUGH_DATACLASS


DEEPEST = 200
"""Levels of JSON that are read: Python recurses a few frames a level, and ends at a thousand of them. The manager stores at
most 127 (PROTOCOL, section 19), and adds some when it sends them."""

LARGEST_STATE_BYTES = 250_000_000
"""PostgreSQL keeps at most 268,435,455 bytes in one JSONB value, whose form is a little larger than the text."""

BACKSLASH = ord("\\")


def encode(value: Any) -> bytes:
    """Return ``value`` as UTF-8 JSON that the manager accepts; see ``json_values`` for what is converted.

    Raises:
        InvalidValueError: something in it has no JSON form; ``field`` is its path.
    """
    try:
        body = orjson.dumps(value, default=json_stand_in, option=_OPTIONS)
    except TypeError:  # orjson.JSONEncodeError, also when json_stand_in refused.
        return orjson.dumps(plain_json(value))
    # Looking for a backslash first takes an eighth of the time, and most bodies have none.
    if (BACKSLASH in body and b"\\u0000" in body) or body.count(b"{") + body.count(b"[") > MAX_DEPTH:
        return orjson.dumps(plain_json(value))
    return body


def digest(value: JsonValue) -> str:
    """Return a text that is the same for equal values, whatever the order of keys in their objects."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


def encode_text(text: str) -> bytes:
    """Return ``text`` as a JSON string; as ``encode``, without the checks that only nested values need."""
    if "\x00" in text:
        text = clean_text(text)
    try:
        return orjson.dumps(text)
    except TypeError:  # Lone surrogates.
        return orjson.dumps(clean_text(text))


def compact(body: bytes) -> bytes:
    """Return a copy without spare memory: orjson's own result keeps 31 KiB, measured, for a text of 2 KB."""
    return b"%b" % body


def checkpoint_of(state: Any, *, name: str = "checkpoint") -> dict[str, JsonValue]:
    """Return a copy of ``state`` as it comes back from the manager: plain JSON, safe from later changes.

    ``name`` says in messages whether it is a checkpoint or the connector state.

    Raises:
        InvalidValueError: it is no dict (PROTOCOL, section 6), holds something without a JSON form or that would come back
            as something else, or is larger than the manager's database takes.
    """
    if not isinstance(state, Mapping):
        raise InvalidValueError(
            model=name, field="state", value=state, remedy='give a dict, such as {"cursor": ...}'
        )
    encoded = encode(state)
    if len(encoded) > LARGEST_STATE_BYTES:
        raise too_large(name, len(encoded), LARGEST_STATE_BYTES)
    copy: dict[str, JsonValue] = orjson.loads(encoded)
    if copy != state:  # Tuples and dates differ as well, and may pass: look closer.
        require_lasting(state, path=name)
    return copy


def too_large(name: str, size_bytes: int, limit_bytes: int | None = None) -> InvalidValueError:
    """Return the error for a checkpoint or connector state that the manager does not take."""
    limit = "" if limit_bytes is None else f" (at most {limit_bytes:,} bytes)"
    return InvalidValueError(
        model=name,
        field="state",
        value=f"{size_bytes:,} bytes of JSON",
        remedy=f"this is more than the manager takes{limit}: keep a cursor in it, and data of your own elsewhere",
    )


def decode(body: bytes | bytearray | str) -> JsonValue:
    """Return the JSON value in ``body``.

    Raises:
        ValueError: it is not JSON, or nested too deeply.
    """
    value = orjson.loads(body)  # Refuses more than 1,024 levels by itself.
    # A short one, as nearly all answers are, has no room for so many levels.
    if len(body) > DEEPEST and _count(body, "{") + _count(body, "[") > DEEPEST:
        require_shallow(value)
    return value


def _count(body: bytes | bytearray | str, brace: str) -> int:
    return body.count(brace) if isinstance(body, str) else body.count(brace.encode())


def require_shallow(value: JsonValue) -> None:
    """Refuse a value of more levels than ``DEEPEST``; looks without recursion.

    Raises:
        ValueError: it has more.
    """
    level = [value] if type(value) in _CONTAINERS else []
    for _ in range(DEEPEST):
        level = [
            item
            for container in level
            for item in (container.values() if type(container) is dict else container)
            if type(item) in _CONTAINERS
        ]
    if level:
        raise ValueError(f"it is nested more than {DEEPEST} levels deep")


_CONTAINERS = frozenset({dict, list})


def structure(cls: type[T], payload: Any) -> T:
    """Return ``payload``, a decoded JSON value, as an instance of the attrs class ``cls``.

    Raises:
        MalformedRequestError: with the path of the first offending field.
    """
    if not isinstance(payload, dict):
        raise MalformedRequestError(
            f"body: a JSON object is required, not {_json_type(payload)}", field="body"
        )
    try:
        return _converter.structure(payload, cls)
    except (ClassValidationError, IterableValidationError) as error:
        path, reason = next(structuring_problems(error, ""))
        raise MalformedRequestError(f"{path}: {reason}", field=path) from error


def unstructure(value: Any) -> JsonValue:
    """Return an attrs instance as dicts and lists, every field present."""
    return _converter.unstructure(value)


def parse_moment(text: str) -> dt.datetime:
    """Return a moment as the manager writes it: RFC 3339, or ISO 8601 with a signed year of six digits (PROTOCOL, section 19).

    Before year 1 or after year 9999 it becomes the first or last that there is. Digits beyond the microsecond are cut; text
    without offset is taken as UTC.

    Raises:
        ValueError: it is no moment.
    """
    match = _LONG_YEAR.fullmatch(text)
    if match is not None:
        sign, year, rest = match.groups()
        if sign == "-" or int(year) == 0:
            return dt.datetime.min.replace(tzinfo=dt.UTC)
        if int(year) > _LARGEST_YEAR:
            return dt.datetime.max.replace(tzinfo=dt.UTC)
        text = f"{int(year):04d}{rest}"
    moment = dt.datetime.fromisoformat(text)
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment


_LONG_YEAR = re.compile(r"([+-])(\d{6})(-.+)", re.DOTALL)
_LARGEST_YEAR = 9999


def _require(value: Any, name: str, *types: type) -> None:
    """Refuse a value of another type: cattrs would convert it. True is no number here."""
    if type(value) not in types:
        raise TypeError(f"{name} is required, not {_json_type(value)}")


def _strict(expected: type, name: str) -> Any:
    def hook(value: Any, _: Any) -> Any:
        _require(value, name, expected)
        return value

    return hook


def _strict_float(value: Any, _: Any) -> float:
    _require(value, "a number", int, float)
    return float(value)


def _strict_moment(value: Any, _: Any) -> dt.datetime:
    _require(value, "a date and time", str)
    try:
        return parse_moment(value)
    except ValueError as error:
        raise ValueError("a date and time such as 2026-08-01T12:00:00Z is required") from error


def _json_type(value: Any) -> str:
    names = {str: "a string", bool: "a boolean", int: "a number", float: "a number", list: "an array"}
    return "null" if value is None else names.get(type(value), "an object")


def structuring_problems(error: BaseException, path: str) -> Iterator[tuple[str, str]]:
    """Yield the path and the reason of everything that cattrs found; another error has just one."""
    if isinstance(error, (ClassValidationError, IterableValidationError)):
        for inner in error.exceptions:
            yield from structuring_problems(inner, path + _step(inner))
        return
    failed = dict(_failed_validators(error))
    for name, reason in failed.items():
        yield f"{path}.{name}".lstrip("."), reason
    if _reason(error) in failed.values():
        return
    if isinstance(error, KeyError):
        yield path.lstrip(".") or str(error.args[0]), "required field is missing"
    elif isinstance(error, InvalidValueError):
        yield f"{path}.{error.field}".lstrip("."), error.remedy
    else:
        yield path.lstrip(".") or "body", _reason(error)


def _failed_validators(error: BaseException) -> Iterator[tuple[str, str]]:
    """Yield the field and the reason of each validator that refuses an instance of an attrs class.

    attrs raises the error of the first one, when all fields of the instance are set: it is in the frame of ``__init__``.
    """
    for frame, _ in traceback.walk_tb(error.__traceback__):
        instance: Any = frame.f_locals.get("self")
        if frame.f_code.co_name != "__init__" or not attrs.has(type(instance)):
            continue
        for attribute in attrs.fields(type(instance)):
            reason = reason_of_validator(instance, attribute) if hasattr(instance, attribute.name) else None
            if reason is not None:
                yield attribute.alias, reason
        return


def reason_of_validator(instance: Any, attribute: Any) -> str | None:
    """Return why the validator of a field refuses the value that ``instance`` has; None where it accepts it.

    A validator that needs a field which ``instance`` does not have says nothing.
    """
    if attribute.validator is None:
        return None
    value = getattr(instance, attribute.name)
    try:
        attribute.validator(instance, attribute, value)
    except Exception as refused:  # noqa: BLE001 - whatever an author's validator raises.
        return None if isinstance(refused, AttributeError) and refused.obj is instance else _reason(refused)
    return None


def _reason(error: BaseException) -> str:
    """Return what an error says; attrs' validators add the field, the rule and the value to the text."""
    if isinstance(error, InvalidValueError):
        return error.remedy
    text, *others = error.args or ("",)
    return text if others and isinstance(text, str) else str(error)


def _step(error: BaseException) -> str:
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, cattrs.AttributeValidationNote):
            return f".{note.name}"
        if isinstance(note, cattrs.IterableValidationNote):
            return f"[{note.index}]"
    return ""


_converter = cattrs.Converter(omit_if_default=False, forbid_extra_keys=False)
_converter.register_structure_hook(str, _strict(str, "a string"))
_converter.register_structure_hook(bool, _strict(bool, "a boolean"))
_converter.register_structure_hook(int, _strict(int, "a whole number"))
_converter.register_structure_hook(float, _strict_float)
_converter.register_structure_hook(dt.datetime, _strict_moment)
_converter.register_structure_hook_func(lambda kind: kind == dict[str, Any], _strict(dict, "an object"))
