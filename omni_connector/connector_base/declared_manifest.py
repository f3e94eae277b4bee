"""Makes the manifest of what a connector declares, and lists everything that is wrong with it."""

import copy
import inspect
from typing import Any

from omni_connector.actions import declared_actions
from omni_connector.awaitables import MayBeAwaited, plain
from omni_connector.exceptions import ConfigurationError, InvalidValueError
from omni_connector.inventory.approvals import APPROVE_DELETIONS
from omni_connector.models import ActionDefinition, ConnectorManifest
from omni_connector.models.manifest import READ
from omni_connector.models.manifest_rules import manifest_problems

PROPERTIES = (
    "name", "version", "display_name", "description", "sync_modes", "source_types", "actions",
    "search_operators", "read_only", "extra_schema", "attributes_schema", "skills",
)  # fmt: skip
"""Of a connector and of its manifest alike."""

CHECK_CONNECTION = "check_connection"
"""A hook, and the action that calls it where a connector overrides it."""

_VALID = {"name": "name", "version": "1", "display_name": "name", "sync_modes": []}
"""Stands in for the rest of a manifest while one value is looked at."""


def read_manifest(connector: Any, *, base: type, connector_url: str) -> ConnectorManifest:
    """Return the manifest of a connector, the actions that its methods declare after those of ``actions``.

    Members of ``base`` are no actions. What ``oauth_config`` returns only when it is awaited is left out; ``runtime/manifest.py`` adds it.

    Raises:
        ConfigurationError: lists everything that is wrong.
    """
    problems: list[str] = []
    values: dict[str, Any] = {"connector_url": connector_url}
    for name in (*PROPERTIES, "oauth"):
        try:
            values[name] = _at_once(connector.oauth_config()) if name == "oauth" else getattr(connector, name)
        except InvalidValueError as error:
            problems.append(str(error))
    values["actions"], found = _with_declared(values.get("actions", []), type(connector), base)
    problems += found
    values["actions"] = _with_approval(values["actions"], connector.deletion_limits)
    for name, value in list(values.items()):
        try:  # Each value alone: making the whole manifest would stop at the first that is wrong.
            ConnectorManifest(**{**_VALID, name: value})
        except InvalidValueError as error:
            problems.append(str(error))
            del values[name]
    manifest = ConnectorManifest(
        **{**_VALID, **values}, mcp_enabled=getattr(connector, "mcp_server", None) is not None
    )
    if problems:
        problems += manifest_problems(manifest.to_wire())  # What is wrong with the rest is said as well.
        raise ConfigurationError(
            [f"{_called(connector)} cannot be announced: {problem}" for problem in problems]
        )
    return manifest


def _with_declared(actions: Any, kind: type, base: type) -> tuple[Any, list[str]]:
    """Return the actions of both kinds, and why some cannot be."""
    declared = declared_actions(kind)
    problems = list(declared.problems)
    if isinstance(actions, tuple):
        actions = list(actions)
    if not isinstance(actions, list):
        return actions, problems
    handmade = {action.name for action in actions if isinstance(action, ActionDefinition)}
    for name, action in declared.by_name.items():
        is_member = action.attribute == "serve" or hasattr(base, action.attribute)
        if is_member and action.attribute != CHECK_CONNECTION:
            problems.append(
                f"action {name}: {action.attribute} is a member of every connector; give {action.place} another name, and "
                f'the action its own with @action(name="{name}")'
            )
        if name in handmade:
            problems.append(
                f"action {name}: it is declared by {action.place} and in actions as well; remove one"
            )
    added = [
        copy.deepcopy(action.definition) for name, action in declared.by_name.items() if name not in handmade
    ]
    offers_check = getattr(kind, CHECK_CONNECTION) is not getattr(base, CHECK_CONNECTION)
    if offers_check and CHECK_CONNECTION not in handmade | declared.by_name.keys():
        added.append(
            ActionDefinition(
                name=CHECK_CONNECTION,
                description="Check whether the source can be reached with its settings and credentials.",
                mode=READ,
            )
        )
    return [*actions, *added], problems


def _with_approval(actions: Any, limits: Any) -> Any:
    """Add the action that approves deletions, where a connector limits them and has none of that name."""
    if limits is None or not isinstance(actions, list):
        return actions
    if any(isinstance(action, ActionDefinition) and action.name == APPROVE_DELETIONS for action in actions):
        return actions
    what = "The code that the warning of a sync has named, such as 137-a1b2c3"
    approval = {"type": "string", "description": what}
    return [
        *actions,
        ActionDefinition(
            name=APPROVE_DELETIONS,
            description="Approve that the next sync deletes the documents that it does not find any more.",
            input_schema={"type": "object", "properties": {"approval": approval}, "required": ["approval"]},
            admin_only=True,
        ),
    ]


def _at_once(value: Any) -> Any:
    value = plain(value)
    if isinstance(value, MayBeAwaited) or not inspect.isawaitable(value):
        return value
    if inspect.iscoroutine(value):
        value.close()  # Python warns about a coroutine that is never awaited.
    return None


def _called(connector: Any) -> str:
    name = getattr(connector, "name", None)
    return name if isinstance(name, str) and name else type(connector).__name__
