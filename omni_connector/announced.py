"""Reads off a connector what it announces, and says at once all that is wrong with it."""

import inspect
from typing import Any

from omni_connector.awaitables import MayBeAwaited, plain
from omni_connector.exceptions import ConfigurationError, InvalidValueError
from omni_connector.models import ConnectorManifest

PROPERTIES = (
    "name",
    "version",
    "display_name",
    "description",
    "sync_modes",
    "source_types",
    "actions",
    "search_operators",
    "read_only",
    "extra_schema",
    "attributes_schema",
    "skills",
)
"""Of a connector and of its manifest alike."""

_VALID = {"name": "name", "version": "1", "display_name": "name", "sync_modes": []}
"""Stands in for the rest of a manifest while one value is looked at."""


def announced_manifest(connector: Any, *, connector_url: str) -> ConnectorManifest:
    """Return the manifest of a connector.

    What ``oauth_config`` returns only when it is awaited is left out; ``runtime/manifest.py`` adds it.

    Raises:
        ConfigurationError: one problem for each property that cannot be announced.
    """
    problems: list[str] = []
    values: dict[str, Any] = {"connector_url": connector_url}
    for name in (*PROPERTIES, "oauth"):
        try:
            values[name] = _at_once(connector.oauth_config()) if name == "oauth" else getattr(connector, name)
        except InvalidValueError as error:
            problems.append(str(error))
    problems += _problems(values)
    if problems:
        raise ConfigurationError(
            [f"{_called(connector)} cannot be announced: {problem}" for problem in problems]
        )
    return ConnectorManifest(**values)


def _problems(values: dict[str, Any]) -> list[str]:
    """Look at each value alone: making the whole manifest would stop at the first that is wrong."""
    problems = []
    for name, value in values.items():
        try:
            ConnectorManifest(**{**_VALID, name: value})
        except InvalidValueError as error:
            problems.append(str(error))
    return problems


def _at_once(value: Any) -> Any:
    value = plain(value)
    if isinstance(value, MayBeAwaited) or not inspect.isawaitable(value):
        return value
    if inspect.iscoroutine(value):
        value.close()  # Else Python complains that nobody awaited it.
    return None


def _called(connector: Any) -> str:
    name = getattr(connector, "name", None)
    return name if isinstance(name, str) and name else type(connector).__name__
