"""All that makes the manager refuse a manifest, found at once (manager.openapi.yaml, /sdk/register and its schemas).

The manager tells the first thing only, and a connector would have to be started once for each. Looked at is what would
be sent, whoever made it. The rest, such as the health check, is known only when it registers.
"""

import difflib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from attrs import frozen

from omni_connector.exceptions import InvalidValueError
from omni_connector.models.action_schema import schema_problems
from omni_connector.models.manifest import BUILT_IN_SOURCE_TYPES, READ, WRITE
from omni_connector.models.plain import JsonValue, plain_json
from omni_connector.models.sync import SyncMode

Check = Callable[[JsonValue], str | None]
"""Returns what to give instead, or None when a value will do."""


def manifest_problems(manifest: Any) -> list[str]:
    """Return what the manager refuses in a manifest, as it is sent, with the remedy each; empty when nothing.

    An empty ``connector_url`` is let pass: a connector whose address is unknown does not register.
    """
    if not isinstance(manifest, Mapping):
        return ["get_manifest must return a ConnectorManifest, or a dict as it is sent"]
    try:
        wire = plain_json(manifest, path="manifest")
    except InvalidValueError as error:
        return [str(error)]
    problems = list(_shape(wire, _MANIFEST))
    for part in _PARTS:
        problems += _part_problems(wire.get(part.key), part)
    return problems


def undispatchable_actions(manifest: Mapping[str, Any]) -> list[str]:
    """Return the names of actions that the manager knows no source for: they have no built-in type at all."""
    return [
        str(action.get("name")) for action in manifest.get("actions", ()) if not action.get("source_types")
    ]


def _part_problems(values: JsonValue, part: "_Part") -> Iterator[str]:
    """Look at each object of a list; that another value is no list is told by the shape of the whole."""
    entries = values if isinstance(values, list) else []
    for index, value in enumerate(entries):
        if not isinstance(value, Mapping):
            yield f"{part.key}[{index}]: {_shown(value)} cannot be used; give an object"
            continue
        called = f"{part.kind} {value.get(part.name) or f'number {index + 1}'}"
        for problem in _shape(value, part.rules):
            yield f"{called}: {problem}"
        if part.rules is _ACTION and "input_schema" in value:
            for problem in schema_problems(value["input_schema"]):
                yield f"{called}: {problem}"
    if part.unique:
        yield from _doubles(entries, part)


def _doubles(entries: list[JsonValue], part: "_Part") -> Iterator[str]:
    names = [entry.get(part.name) for entry in entries if isinstance(entry, Mapping)]
    for double, count in Counter(name for name in names if isinstance(name, str)).items():
        if count > 1:
            yield (
                f"{part.kind} {double}: {count} {part.kind}s have this {part.name}, and only the first would be found; "
                "rename the others"
            )


def _shape(value: Mapping[str, Any], rules: "_Rules") -> Iterator[str]:
    for key, (required, check) in rules.items():
        if key not in value:
            if required:
                yield f"{key} is missing"
            continue
        remedy = check(value[key])
        if remedy is not None:
            yield f"{key}: {_shown(value[key])} cannot be used; {remedy}"


def _text(value: JsonValue) -> str | None:
    return None if isinstance(value, str) else "give a string"


def _full_text(value: JsonValue) -> str | None:
    return None if isinstance(value, str) and value else "give a string that is not empty"


def _flag(value: JsonValue) -> str | None:
    return None if isinstance(value, bool) else "give True or False"


def _anything(_: JsonValue) -> str | None:
    return None


def _one_of(*choices: str) -> Check:
    def check(value: JsonValue) -> str | None:
        return None if value in choices else f"give one of {', '.join(choices)}"

    return check


def _or_null(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def _list(check: Check = _anything) -> Check:
    def check_each(value: JsonValue) -> str | None:
        if not isinstance(value, list):
            return "give a list; without entries it is empty, not None"
        return next((remedy for each in value if (remedy := check(each)) is not None), None)

    return check_each


def _built_in(value: JsonValue) -> str | None:
    if isinstance(value, str) and value in BUILT_IN_SOURCE_TYPES:
        return None
    near = difflib.get_close_matches(str(value), BUILT_IN_SOURCE_TYPES, n=1)
    hint = f", such as {near[0]}" if near else ""
    return f"the manager knows no source type {value}; give its built-in types only{hint}, or none for all of them"


def _prompt_argument(value: JsonValue) -> str | None:
    if not isinstance(value, dict):
        return "give objects"
    return next(_shape(value, _PROMPT_ARGUMENT), None)


def _shown(value: JsonValue) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004 - one line of a terminal


_Rules = Mapping[str, tuple[bool, Check]]
"""By key: whether it must be there, and what its value must be."""

_MANIFEST: _Rules = {
    "name": (True, _text),
    "display_name": (True, _text),
    "version": (True, _text),
    "sync_modes": (True, _list(_one_of(*SyncMode))),
    "connector_id": (True, _full_text),
    "connector_url": (True, _text),
    "integration_type": (False, _one_of("connector", "remote_mcp")),
    "source_types": (False, _list(_text)),
    "description": (False, _or_null(_text)),
    "actions": (False, _list()),
    "search_operators": (False, _list()),
    "read_only": (False, _flag),
    "mcp_enabled": (False, _flag),
    "mcp_catalog_loaded": (False, _flag),
    "resources": (False, _list()),
    "prompts": (False, _list()),
    "skills": (False, _list()),
}
_ACTION: _Rules = {
    "name": (True, _text),
    "description": (True, _text),
    "input_schema": (True, _anything),
    "mode": (False, _one_of(READ, WRITE)),
    "required_scopes": (False, _or_null(_list(_text))),
    "source_types": (False, _list(_built_in)),
    "admin_only": (False, _flag),
    "hidden": (False, _flag),
}
_OPERATOR: _Rules = {
    "operator": (True, _text),
    "attribute_key": (True, _text),
    "value_type": (False, _text),
}
_RESOURCE: _Rules = {
    "uri_template": (True, _text),
    "name": (True, _text),
    "description": (False, _or_null(_text)),
    "mime_type": (False, _or_null(_text)),
}
_PROMPT_ARGUMENT: _Rules = {
    "name": (True, _text),
    "description": (False, _or_null(_text)),
    "required": (False, _flag),
}
_PROMPT: _Rules = {
    "name": (True, _text),
    "description": (False, _or_null(_text)),
    "arguments": (False, _list(_prompt_argument)),
}
_SKILL: _Rules = {
    "id": (True, _text),
    "title": (True, _text),
    "description": (False, _or_null(_text)),
    "source_types": (False, _list(_built_in)),
    "content": (False, _or_null(_text)),
    "mcp_prompt": (False, _or_null(_text)),
}


@frozen
class _Part:
    """A list of the manifest: its key, what an entry is called and by which of its keys, and what an entry must be."""

    key: str
    kind: str
    name: str
    rules: _Rules
    unique: bool = False


_PARTS = (
    _Part("actions", "action", "name", _ACTION, unique=True),
    _Part("search_operators", "search operator", "operator", _OPERATOR),
    _Part("resources", "resource", "name", _RESOURCE),
    _Part("prompts", "prompt", "name", _PROMPT),
    _Part("skills", "skill", "id", _SKILL, unique=True),
)
