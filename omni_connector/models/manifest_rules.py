"""Everything for which the manager rejects a manifest, found at once (manager.openapi.yaml, /sdk/register and its schemas).

The manager reports only the first problem. What is looked at is the manifest as it is sent, whatever made it. The rules are
those of the models' fields; only where the manager differs from them does this module say so.
"""

import difflib
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
from attrs import Factory, frozen

from omni_connector.exceptions import InvalidValueError, shown
from omni_connector.models.action_schema import schema_problems
from omni_connector.models.fields import Rule, one_of
from omni_connector.models.json_values import JsonValue, plain_json
from omni_connector.models.manifest import (
    BUILT_IN_SOURCE_TYPES,
    ActionDefinition,
    ConnectorManifest,
    SearchOperator,
)
from omni_connector.models.mcp import McpPrompt, McpPromptArgument, McpResource
from omni_connector.models.skills import SkillDefinition

NO_LIST = "give a list; without entries it is empty, not None"


def manifest_problems(manifest: Any) -> list[str]:
    """Return everything for which the manager rejects a manifest, as it is sent, each with its remedy.

    An empty ``connector_url`` is accepted here: a connector whose address is unknown does not register.
    """
    if not isinstance(manifest, Mapping):
        return ["get_manifest must return a ConnectorManifest, or a dict as it is sent"]
    try:
        return list(_problems(plain_json(manifest, path="manifest"), ConnectorManifest))
    except InvalidValueError as error:
        return [str(error)]


def undispatchable_actions(manifest: Mapping[str, Any]) -> list[str]:
    """Return the names of actions that the manager knows no source for: they have no built-in type at all."""
    return [
        str(action.get("name")) for action in manifest.get("actions", ()) if not action.get("source_types")
    ]


def _problems(value: Mapping[str, Any], model: Any) -> Iterator[str]:
    """Yield what is wrong with an object that is sent for a model, then what is wrong with the objects in its lists."""
    own = _OWN[model]
    lists = []
    fields = attrs.fields(model)
    required = own.required | {each.name for each in fields if each.default is attrs.NOTHING}
    rules = {each.name: each.validator for each in fields} | own.rules
    for key, rule in rules.items():
        if key not in value:
            if key in required:
                yield f"{key} is missing"
        elif rule.item_model is not None and isinstance(value[key], list):
            lists.append(_entry_problems(key, value[key], rule.item_model))
        else:
            remedy = rule.remedy(value[key]) if rule.item_model is None else NO_LIST
            if remedy is not None:
                yield f"{key}: {shown(value[key])} cannot be used; {remedy}"
    if model is ActionDefinition and "input_schema" in value:
        yield from schema_problems(value["input_schema"])
    yield from itertools.chain.from_iterable(lists)


def _entry_problems(key: str, entries: list[JsonValue], model: Any) -> Iterator[str]:
    own = _OWN[model]
    for index, entry in enumerate(entries):
        if not isinstance(entry, Mapping):
            yield f"{key}[{index}]: {shown(entry)} cannot be used; give an object"
            continue
        name = entry.get(own.name) or f"number {index + 1}"
        for problem in _problems(entry, model):
            yield f"{own.noun} {name}: {problem}"
    if own.is_unique:
        names = [entry.get(own.name) for entry in entries if isinstance(entry, Mapping)]
        for name, count in Counter(name for name in names if isinstance(name, str)).items():
            if count > 1:
                yield (
                    f"{own.noun} {name}: {count} {own.noun}s have this {own.name}, and only the first would be found; "
                    "rename the others"
                )


@Rule
def _built_in_types(value: JsonValue) -> str | None:
    if not isinstance(value, list):
        return NO_LIST
    unknown = next((str(each) for each in value if str(each) not in BUILT_IN_SOURCE_TYPES), None)
    if unknown is None:
        return None
    near = difflib.get_close_matches(unknown, BUILT_IN_SOURCE_TYPES, n=1)
    hint = f", such as {near[0]}" if near else ""
    return f"the manager knows no source type {unknown}; give its built-in types only{hint}, or none for all of them"


@Rule
def _anything(_: JsonValue) -> str | None:
    return None


@frozen
class _Own:
    """What a model's objects are called, and where the manager's rules differ from the model's."""

    noun: str = ""
    name: str = "name"  # The key of an object's name.
    is_unique: bool = False  # Only the first of those with the same name is found.
    rules: dict[str, Rule] = Factory(dict)  # In place of the fields', or for keys that are no field.
    required: frozenset[str] = frozenset()  # Keys that have a default in the model.


_OWN: Mapping[type, _Own] = {
    ConnectorManifest: _Own(
        rules={
            **dict.fromkeys(("extra_schema", "attributes_schema", "oauth"), _anything),
            "integration_type": one_of("connector", "remote_mcp"),
        },
        required=frozenset({"connector_id", "connector_url"}),
    ),
    ActionDefinition: _Own(
        "action",
        is_unique=True,
        # The schema is looked at as a whole; the other two have a meaning for old managers only.
        rules={"input_schema": _anything, "parameters": _anything, "source_types": _built_in_types},
        required=frozenset({"input_schema"}),
    ),
    SearchOperator: _Own("search operator", name="operator"),
    McpResource: _Own("resource"),
    McpPrompt: _Own("prompt"),
    McpPromptArgument: _Own("argument"),
    SkillDefinition: _Own("skill", name="id", is_unique=True, rules={"source_types": _built_in_types}),
}
