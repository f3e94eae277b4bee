"""Makes the manifest as it is sent, and refuses to start with one that the manager would refuse."""

import logging
from typing import Any, cast

from omni_connector.connector_base import ConnectorBase
from omni_connector.event_loop import EventLoop
from omni_connector.exceptions import ConfigurationError, InvalidValueError
from omni_connector.models import ConnectorManifest
from omni_connector.models.json_values import JsonValue
from omni_connector.models.manifest_rules import manifest_problems, undispatchable_actions
from omni_connector.runtime.hooks import call_fitted, call_hook

log = logging.getLogger(__name__)

Wire = dict[str, JsonValue]


def make_manifest(connector: ConnectorBase, loop: EventLoop, *, connector_url: str) -> Wire:
    """Return what ``get_manifest`` returns, as it is sent."""
    manifest: Any = call_fitted(loop, connector.get_manifest, {"connector_url": connector_url})
    if not isinstance(manifest, ConnectorManifest):
        return cast("Wire", manifest)  # What is no dict either is refused at start.
    if manifest.oauth is None:  # An async hook cannot be asked where the manifest is made.
        manifest.oauth = call_hook(loop, connector.oauth_config)
    return manifest.to_wire()


def make_checked_manifest(connector: ConnectorBase, loop: EventLoop, *, connector_url: str) -> Wire:
    """As ``make_manifest``, of one that the manager does not refuse.

    Raises:
        ConfigurationError: lists everything that would make it refuse.
    """
    try:
        wire = make_manifest(connector, loop, connector_url=connector_url)
        problems = manifest_problems(wire)
    except InvalidValueError as error:
        wire, problems = {}, [str(error)]
    if problems:
        raise ConfigurationError([f"{connector.name} cannot be announced: {problem}" for problem in problems])
    return wire


def warn_of_undispatchable(connector: ConnectorBase, manifest: Wire) -> None:
    """Say which actions no real manager can run: it wants the source's type in the action's own list."""
    names = undispatchable_actions(manifest)
    if names:
        types = manifest.get("source_types")
        log.warning(
            "%s: no manager of Omni can run %s: it runs an action for the source types that the action lists, which are "
            "built-in types only, and neither the action nor the connector (source_types: %s) has one. "
            'Give the connector one of them, such as source_types = ["web"].',
            connector.name,
            ", ".join(names),
            ", ".join(map(str, types)) if isinstance(types, list) and types else "none",
        )
