"""What ``--config``, ``--set``, ``--credentials`` and ``--secret`` hold, as JSON objects."""

import codecs
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from datetime import date, datetime, time
from typing import Any, Self

from attrs import evolve, frozen

from omni_connector.cli.errors import UnclearOptionError
from omni_connector.cli.places import place, secret_text
from omni_connector.exceptions import ConfigurationError
from omni_connector.models.codec import DEEPEST, decode, require_shallow
from omni_connector.models.json_values import JsonValue

_NO_OBJECT = 'holds no object. Write {"key": "value"}.'
_IS_YAML = 'looks like YAML, which is not read. Write JSON: {"key": "value"}; or TOML, in a file that ends in .toml: key = "value".'
_YAML_KEY = re.compile(rb"""[\w."'-]+:(\s|$)""")
_MEANT = {
    **dict.fromkeys(("true", "yes", "on"), "true"),
    **dict.fromkeys(("false", "no", "off"), "false"),
    **dict.fromkeys(("null", "none"), "null"),
}


@frozen(kw_only=True)
class SourceInputs:
    """A source as it was typed, before its connector is known.

    Attributes:
        config: its configuration, ``--set`` included.
        assignments: ``--set``.
        credentials: its secrets, or None where none were given.
        replaces_config: ``--config`` was given: nothing of a stored configuration is kept.
        replaces_credentials: ``--credentials`` was given: likewise.
    """

    config: dict[str, JsonValue]
    assignments: list[tuple[str, str]]
    credentials: dict[str, JsonValue] | None
    replaces_config: bool = False
    replaces_credentials: bool = False

    @classmethod
    def taken_from(cls, options: dict[str, Any]) -> Self:
        """Read what ``source_options`` add to a command, and take them out of its options.

        Raises:
            UnclearOptionError: a value cannot be understood.
            ConfigurationError: there is nothing usable at a place.
        """
        assignments: list[tuple[str, str]] = options.pop("assignments")
        secrets: list[tuple[str, str]] = options.pop("secrets")
        given: str | None = options.pop("credentials")
        config: str | None = options.pop("config")
        credentials = {} if given is None else read_object(given, "--credentials")
        for key, text in secrets:
            put(credentials, key, secret_text(key, text), "--secret")
        return cls(
            config=read_config(config, assignments),
            assignments=assignments,
            credentials=None if given is None and not secrets else credentials,
            replaces_config=config is not None,
            replaces_credentials=given is not None,
        )

    def over(self, config: JsonValue, credentials: JsonValue) -> Self:
        """Return these inputs for a source that has a configuration and credentials: what was typed goes on top.

        Raises:
            UnclearOptionError: ``--set`` names a key below a stored value that is no object.
        """
        merged, secrets = self.config, self.credentials
        if not self.replaces_config and isinstance(config, dict):
            merged = deepcopy(config)
            for key, text in self.assignments:
                put(merged, key, _value(text))
        if not self.replaces_credentials and isinstance(credentials, dict):
            secrets = credentials | (secrets or {})
        return evolve(self, config=merged, credentials=secrets)


def read_config(
    given: str | None, assignments: Iterable[tuple[str, str]], option: str = "--config", each: str = "--set"
) -> dict[str, JsonValue]:
    """Return the source's configuration, or another object that is typed like it.

    Args:
        given: ``--config``: JSON text that starts with ``{``, the place of JSON or TOML, or None.
        assignments: ``--set``: key and text, the last one wins. A key with dots goes into nested objects; a text
            that is JSON is that value, any other is a string.
        option: the name of ``--config``, for messages.
        each: that of ``--set``.

    Raises:
        UnclearOptionError: JSON text or an assignment cannot be understood.
        ConfigurationError: the file cannot be used.
    """
    if given is None:
        config: dict[str, JsonValue] = {}
    elif given.lstrip().startswith("{"):
        config = parse_argument(given, option)
    else:
        config = read_object(given, option)
    for key, text in assignments:
        put(config, key, _value(text), each)
    return config


def doubtful(assignments: Iterable[tuple[str, str]]) -> list[str]:
    """Return a note on each ``--set`` whose text was probably not meant to be text."""
    return [
        f'Note: --set {key}={text} is the text "{text}", because values are JSON or else text; '
        f"write --set {key}={_MEANT[text.lower()]}"
        for key, text in assignments
        if text.lower() in _MEANT and text != _MEANT[text.lower()]
    ]


def read_object(given: str, option: str) -> dict[str, JsonValue]:
    """Return the object at a place: TOML (``.toml``), JSON (``.json``), or either.

    Raises:
        UnclearOptionError: JSON text was given in place of a file.
        ConfigurationError: it cannot be read, or holds no object.
    """
    found = place(given, option)
    where = found.shown
    content = found.read().removeprefix(codecs.BOM_UTF8)
    kinds = _KINDS.get(found.suffix, {**_KINDS[".json"], **_KINDS[".toml"]})
    problems = []
    for kind, parse in kinds.items():
        try:
            value = parse(content)
        except ValueError as error:  # Also what is no UTF-8.
            problems.append(f"{kind}: {error}")
            continue
        if not isinstance(value, dict):
            raise ConfigurationError(f"{where} {_NO_OBJECT}")
        return value
    if _looks_like_yaml(content):
        raise ConfigurationError(f"{where} {_IS_YAML}")
    if len(problems) > 1:
        raise ConfigurationError(f"{where} is neither JSON nor TOML ({'; '.join(problems)}).")
    raise ConfigurationError(f"{where} is not {problems[0]}.")


def _looks_like_yaml(content: bytes) -> bool:
    lines = [line for line in content.splitlines() if line.strip() and not line.lstrip().startswith(b"#")]
    return bool(lines) and (lines[0].strip() == b"---" or _YAML_KEY.match(lines[0]) is not None)


def parse_argument(text: str, option: str) -> dict[str, JsonValue]:
    """Return the JSON object that was typed for ``option``; raises UnclearOptionError where it is none."""
    try:
        value = decode(text)
    except ValueError as error:
        raise UnclearOptionError(f"{option} is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise UnclearOptionError(f"{option} {_NO_OBJECT}")
    return value


def _toml(content: bytes) -> JsonValue:
    try:
        value = tomllib.loads(content.decode("utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    require_shallow(value)
    return _plain(value)


_KINDS: Mapping[str, Mapping[str, Callable[[bytes], JsonValue]]] = {
    ".json": {"JSON": decode},
    ".toml": {"TOML": _toml},
}


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
        return decode(text)
    except ValueError:
        return text


def put(config: dict[str, JsonValue], key: str, value: JsonValue, option: str = "--set") -> None:
    """Set a value of the configuration; a key with dots makes nested objects."""
    *parents, last = key.split(".")
    if len(parents) > DEEPEST:
        raise UnclearOptionError(
            f"{option}: a key has {len(parents):,} dots. Nest objects {DEEPEST} levels deep at most."
        )
    target = config
    for depth, name in enumerate(parents, start=1):
        inner = target.setdefault(name, {})
        if not isinstance(inner, dict):
            raise UnclearOptionError(
                f"{option} {key}: {'.'.join(parents[:depth])} has a value already, which is no object. "
                "Leave one of the two out."
            )
        target = inner
    target[last] = value
