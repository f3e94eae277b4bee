"""Decoders that check JSON values against a shape, as strictly and in the words of the manager's own.

A decoder takes a value and its path (``events[0]``, ``actions[1].mode``, empty at the root) and returns
the decoded value. Nothing is coerced. ``Struct`` puts decoders together; the shapes themselves are in
``request_shapes``, ``manifest_shapes`` and ``event_shapes``.

One quirk of the real decoder is left out on purpose: an array in field order instead of an object
is refused here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from attrs import frozen

from omni_connector.local.strict_json import JSON, RepeatedKeys

Decoder = Callable[[JSON, str], Any]

_INT32 = range(-(2**31), 2**31)


class ShapeError(Exception):
    """A value has the wrong shape; answered 422 in plain text.

    Attributes:
        path: where in the body; empty at the root.
        reason: what is wrong there.
    """

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}" if path else reason)


class NullVariantError(ShapeError):
    """Null where one of a list of words is due; the manager's parser calls that a syntax error (400)."""


class _Required:
    """Says that a field has no default."""


REQUIRED = _Required()


@frozen
class Field:
    """One key of a ``Struct``; ``default`` is called for a value when the key is absent."""

    name: str
    decode: Decoder
    default: Callable[[], Any] | _Required = REQUIRED


@frozen
class Struct:
    """Decodes an object into a dict that has every one of its fields.

    Attributes:
        name: the name that error texts use.
        fields: the known keys; others are ignored.
        closed: refuse unknown keys instead.
    """

    name: str
    fields: tuple[Field, ...]
    closed: bool = False

    def __call__(self, value: JSON, path: str) -> dict[str, Any]:
        """Return the decoded object; raises ``ShapeError``."""
        if not isinstance(value, dict):
            raise ShapeError(path, f"invalid type: {described(value)}, expected struct {self.name}")
        if isinstance(value, RepeatedKeys):
            self.refuse_repeated(value, path)
        if self.closed:
            self._refuse_unknown(value, path)
        decoded = {}
        for field in self.fields:
            if field.name in value:
                decoded[field.name] = field.decode(value[field.name], child(path, field.name))
            elif isinstance(field.default, _Required):
                raise ShapeError(path, f"missing field `{field.name}`")
            else:
                decoded[field.name] = field.default()
        return decoded

    def refuse_repeated(self, value: RepeatedKeys, path: str) -> None:
        """Raise ``ShapeError`` when a known key was written twice."""
        for field in self.fields:
            if field.name in value.repeated:
                raise ShapeError(path, f"duplicate field `{field.name}`")

    def _refuse_unknown(self, value: dict[str, JSON], path: str) -> None:
        known = {field.name for field in self.fields}
        for key in value:
            if key not in known:
                expected = ", ".join(f"`{name}`" for name in sorted(known))
                raise ShapeError(child(path, key), f"unknown field `{key}`, expected one of {expected}")


def child(path: str, name: str) -> str:
    """Return the path of a key below ``path``."""
    return f"{path}.{name}" if path else name


def described(value: JSON) -> str:
    """Name a value in the way of error texts: ``integer `5```, ``string "x"``, ``map``."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"boolean `{str(value).lower()}`"
    if isinstance(value, int):
        return f"integer `{value}`"
    if isinstance(value, float):
        return f"floating point `{value!r}`"
    if isinstance(value, str):
        return f"string {orjson.dumps(value).decode()}"
    return "sequence" if isinstance(value, list) else "map"


def any_json(value: JSON, path: str) -> JSON:  # noqa: ARG001 - the signature of every decoder.
    """Accept anything."""
    return value


def string(value: JSON, path: str) -> str:
    """Accept a string."""
    if type(value) is not str:
        raise ShapeError(path, f"invalid type: {described(value)}, expected a string")
    return value


def boolean(value: JSON, path: str) -> bool:
    """Accept true and false."""
    if type(value) is not bool:
        raise ShapeError(path, f"invalid type: {described(value)}, expected a boolean")
    return value


def int32(value: JSON, path: str) -> int:
    """Accept an integer of 32 bits with a sign, written as one (not ``1.0``)."""
    if type(value) is not int:
        raise ShapeError(path, f"invalid type: {described(value)}, expected i32")
    if value not in _INT32:
        raise ShapeError(path, f"invalid value: {described(value)}, expected i32")
    return value


def json_object(value: JSON, path: str) -> dict[str, JSON]:
    """Accept an object with any keys."""
    if not isinstance(value, dict):
        raise ShapeError(path, f"invalid type: {described(value)}, expected a map")
    return value


def nullable(decode: Decoder) -> Decoder:
    """Accept null as well."""
    return lambda value, path: None if value is None else decode(value, path)


def list_of(decode: Decoder) -> Decoder:
    """Accept an array whose items all decode."""

    def decode_list(value: JSON, path: str) -> list[Any]:
        if not isinstance(value, list):
            raise ShapeError(path, f"invalid type: {described(value)}, expected a sequence")
        return [decode(item, f"{path}[{index}]") for index, item in enumerate(value)]

    return decode_list


def one_of(words: tuple[str, ...]) -> Decoder:
    """Accept one of the words; null is a syntax error here unless ``nullable`` takes it first."""
    expected = ", ".join(f"`{word}`" for word in words)

    def decode_word(value: JSON, path: str) -> str:
        if value is None:
            raise NullVariantError(path, "expected value")
        if not isinstance(value, str):
            raise ShapeError(path, f"invalid type: {described(value)}, expected string or map")
        if value not in words:
            raise ShapeError(path, f"unknown variant `{value}`, expected one of {expected}")
        return value

    return decode_word


def required(name: str, decode: Decoder) -> Field:
    """Return a field that must be present."""
    return Field(name, decode)


def optional(name: str, decode: Decoder) -> Field:
    """Return a field that may be absent or null; both decode to None."""
    return Field(name, nullable(decode), lambda: None)


def defaulted(name: str, decode: Decoder, default: Callable[[], Any]) -> Field:
    """Return a field that may be absent, but not null."""
    return Field(name, decode, default)
