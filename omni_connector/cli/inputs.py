"""What ``--config``, ``--set`` and ``--credentials`` hold, as JSON objects."""

import tomllib
from collections.abc import Iterable
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import orjson

from omni_connector.exceptions import ConfigurationError
from omni_connector.models.plain import JsonValue


def read_config(given: str | None, assignments: Iterable[tuple[str, str]]) -> dict[str, JsonValue]:
    """Return the source's configuration.

    Args:
        given: ``--config``: a path to a JSON or TOML file, JSON text that starts with ``{``, or None.
        assignments: ``--set``: key and text, the last one wins. A key with dots goes into nested objects; a text
            that is JSON is that value, any other is a string.

    Raises:
        ConfigurationError: names the option, what is wrong with it, and the remedy.
    """
    if given is None:
        config: dict[str, JsonValue] = {}
    elif given.lstrip().startswith("{"):
        config = parse_object(given.encode(), "--config")
    else:
        config = read_object(Path(given), "--config")
    for key, text in assignments:
        _put(config, key, _value(text))
    return config


def read_object(path: Path, option: str) -> dict[str, JsonValue]:
    """Return the object in a JSON file, or in a TOML file (``.toml``).

    Raises:
        ConfigurationError: it cannot be read, or holds no object.
    """
    where = f"{option} {path}"
    try:
        content = path.expanduser().read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{where}: {error.strerror or error}. Name a JSON or TOML file.") from error
    if path.suffix.lower() != ".toml":
        return parse_object(content, where)
    try:
        return _object(_plain(tomllib.loads(content.decode("utf-8"))), where)
    except ValueError as error:  # Also what is no UTF-8.
        raise ConfigurationError(f"{where} is not TOML: {error}.") from error


def parse_object(content: bytes, where: str) -> dict[str, JsonValue]:
    """Return the JSON object in ``content``; raises ConfigurationError, whose message begins with ``where``."""
    try:
        value = orjson.loads(content)
    except ValueError as error:
        raise ConfigurationError(f"{where} is not JSON: {error}.") from error
    return _object(value, where)


def _object(value: JsonValue, where: str) -> dict[str, JsonValue]:
    if not isinstance(value, dict):
        raise ConfigurationError(f'{where} holds no object. Write {{"key": "value"}}.')
    return value


def _plain(value: Any) -> JsonValue:
    """Return a TOML value as JSON knows it: its moments become ISO 8601 texts."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, float) and (value != value or value in {float("inf"), float("-inf")}):  # noqa: PLR0124 - NaN.
        raise ValueError(f"JSON has no {value}")
    return value


def _value(text: str) -> JsonValue:
    try:
        return orjson.loads(text)
    except ValueError:
        return text


def _put(config: dict[str, JsonValue], key: str, value: JsonValue) -> None:
    *parents, last = key.split(".")
    target = config
    for depth, name in enumerate(parents, start=1):
        inner = target.setdefault(name, {})
        if not isinstance(inner, dict):
            raise ConfigurationError(
                f"--set {key}: {'.'.join(parents[:depth])} is already {inner!r}, which is no object. "
                "Leave one of the two out."
            )
        target = inner
    target[last] = value
