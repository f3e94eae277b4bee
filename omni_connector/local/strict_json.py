"""Read JSON as strictly as the manager does, and write it as the manager stores it.

The rules are those of manager.openapi.yaml, "JSON decoding rules". Ordinary bodies take the fast
path: orjson, which refuses NaN, overflowing floats, lone surrogates, control characters, bad UTF-8 and
byte-order marks by itself. It does not report two things: repeated keys, which it folds silently, and
nesting beyond 127 levels. A walk over the result counts keys and depth; if the number of ``":`` in
the body differs from the number of keys (a repeated key, or the same bytes inside a string), or a
colon follows white space, the body is read again by the slow path, which is exact. The slow path
also reads bodies that go on after their first value.
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

JSON = Any
"""Anything that JSON can say: None, bool, int, float, str, list or dict with str keys."""

MAX_DEPTH = 127
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_LEADING_BLANKS = re.compile(r"[ \t\n\r]*")
_DISTANT_COLONS = (b" :", b"\n:", b"\r:", b"\t:")
_NUMBER_GOES_ON = frozenset("0123456789.eE")
_INTEGERS = range(-(2**63), 2**64)


class JsonSyntaxError(Exception):
    """The bytes are not JSON; answered 400 in plain text."""


class RepeatedKeys(dict[str, JSON]):
    """An object in which keys were repeated; the last value of each counts.

    Attributes:
        repeated: the keys in question. Where they are known to a shape the request is refused.
    """

    repeated: frozenset[str] = frozenset()


_CONTAINERS = frozenset({dict, list, RepeatedKeys})


def parse_json(body: bytes) -> JSON:
    """Return the first JSON value of ``body``; what follows it is ignored.

    Raises ``JsonSyntaxError`` with a reason and a position, such as ``expected value at line 1 column 3``.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _parse_exactly(body)
    keys, depth = _measure(value)
    if depth > MAX_DEPTH:
        raise JsonSyntaxError(f"recursion limit exceeded {end_position(body)}")
    colons = body.count(b'":')
    # Where every colon follows a quotation mark none follows white space.
    if keys != colons or (colons != body.count(b":") and any(pattern in body for pattern in _DISTANT_COLONS)):
        return _parse_exactly(body)
    return value


def stored_json(value: JSON) -> str:
    """Return ``value`` as it is stored: keys sorted, ``-0.0`` as ``0.0``, repeated keys folded."""
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    if b"-0.0" in text:
        text = orjson.dumps(_without_negative_zero(value), option=orjson.OPT_SORT_KEYS)
    return text.decode()


def end_position(body: bytes) -> str:
    """Return ``at line L column C`` for the end of ``body``.

    Used where the place of an error is not known: positions inside a body that was decoded already
    are not kept, only its end is.
    """
    text = body.rstrip()
    line, column = text.count(b"\n") + 1, len(text) - (text.rfind(b"\n") + 1)
    return f"at line {line} column {column}"


def contains_nul(value: JSON) -> bool:
    """Return whether any string in ``value``, keys included, holds U+0000."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any("\0" in key or contains_nul(item) for key, item in value.items())
    if isinstance(value, list):
        return any(contains_nul(item) for item in value)
    return False


def _measure(value: JSON) -> tuple[int, int]:
    """Return the number of keys and the number of nested levels of a value, level by level."""
    keys = depth = 0
    level = [value] if isinstance(value, (dict, list)) else []
    while level:
        depth += 1
        below: list[JSON] = []
        for container in level:
            if isinstance(container, dict):
                keys += len(container)
                below += [item for item in container.values() if type(item) in _CONTAINERS]
            else:
                below += [item for item in container if type(item) in _CONTAINERS]
        level = below
    return keys, depth


def _parse_exactly(body: bytes) -> JSON:
    """Read with the standard library's scanner, which reports repeated keys and where it stopped."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        text = body[: error.start].decode()  # Bad bytes after the value do no harm; inside they cut it short.
    start = _LEADING_BLANKS.match(text).end()  # type: ignore[union-attr]  # It always matches.
    try:
        value, end = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        if error.pos >= len(text):
            raise JsonSyntaxError(f"EOF while parsing a value {end_position(body)}") from None
        raise JsonSyntaxError(f"{_reason(error)} at line {error.lineno} column {error.colno}") from None
    except RecursionError:
        raise JsonSyntaxError(f"recursion limit exceeded {end_position(body)}") from None
    except ValueError as error:
        raise JsonSyntaxError(f"{error} {end_position(body)}") from None
    if type(value) in (int, float) and text[end : end + 1] in _NUMBER_GOES_ON:
        raise JsonSyntaxError(f"invalid number at line 1 column {end + 1}")  # `01` and `1.` are no numbers.
    if _measure(value)[1] > MAX_DEPTH:
        raise JsonSyntaxError(f"recursion limit exceeded {end_position(body)}")
    if _SURROGATE_ESCAPE.search(text, start, end) and _has_lone_surrogate(value):
        raise JsonSyntaxError(f"lone leading surrogate in hex escape {end_position(body)}")
    return value


def _reason(error: json.JSONDecodeError) -> str:
    """Translate the standard library's words into the manager's."""
    if "control character" in error.msg:
        return "control character (\\u0000-\\u001F) found while parsing a string"
    if "delimiter" in error.msg or "property name" in error.msg:
        return error.msg.lower()
    return "expected value"


def _has_lone_surrogate(value: JSON) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _without_negative_zero(value: JSON) -> JSON:
    if isinstance(value, dict):
        return {key: _without_negative_zero(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_negative_zero(item) for item in value]
    return 0.0 if isinstance(value, float) and value == 0 else value


def _object(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    result = dict(pairs)
    if len(result) == len(pairs):
        return result
    seen: set[str] = set()
    folded = RepeatedKeys(result)
    folded.repeated = frozenset(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
    return folded


def _integer(digits: str) -> int | float:
    try:
        value = int(digits)
    except ValueError:  # Python refuses to convert thousands of digits.
        return _float(digits)
    return value if value in _INTEGERS else _float(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError("number out of range")
    return value


def _constant(_: str) -> float:
    raise ValueError("expected value")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
)
