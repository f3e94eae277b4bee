"""Makes the schema of an MCP server's tool acceptable to the manager, by leaving out what it rejects.

An author's own schema is refused with a remedy (``models/action_schema.py``); a tool's schema comes from its server and
cannot be changed there. Leaving out a rule is safe: the server checks its arguments in any case.
"""

from collections.abc import Mapping
from typing import Any

from omni_connector.models.action_schema import (
    REFUSED_ANYWHERE,
    REFUSED_AT_TOP,
    SCHEMA_KEYWORDS,
    SchemaCopier,
    inline_references,
    refused_keys,
    schema_problems,
)
from omni_connector.models.json_values import JsonValue

DEEPEST = 60
"""Levels of nesting; the manager takes 127 in a whole manifest (PROTOCOL, section 19)."""

LARGEST = 10_000
"""Objects in one schema. Definitions that use each other twice over double at every step."""

_LEADING_NOWHERE = frozenset({"$dynamicRef", "$recursiveRef"})

Schema = dict[str, Any]


class UnacceptableSchemaError(Exception):
    """A tool's schema cannot be made acceptable; the text says why, keyword first."""


def acceptable_schema(schema: JsonValue) -> Schema:
    """Return ``schema`` as far as the manager accepts it (PROTOCOL, section 2); the given one is not changed.

    References to parts of the schema are replaced by those parts. Of alternatives at the top level the parameters of all
    are kept. Rejected keywords are left out.

    Raises:
        UnacceptableSchemaError: a required parameter has a name that is refused, the parameters are no object, or the
            schema is too large or too deep.
    """
    if not isinstance(schema, Mapping):
        raise UnacceptableSchemaError("input_schema is no JSON object")
    _check_size(schema)
    try:
        inlined = inline_references(schema).schema
    except RecursionError:
        raise UnacceptableSchemaError("$ref: the references lead too deep") from None
    _check_size(inlined)
    top = _Loosening().schema(inlined, "input_schema")
    top = _without_alternatives(top)
    if top.get("type", "object") != "object" and "object" not in top["type"]:
        raise UnacceptableSchemaError(f"type is {top['type']!r}, not object")
    result = {**top, "type": "object", "properties": _properties(top)}
    for problem in schema_problems(result):
        raise UnacceptableSchemaError(problem)
    return result


class _Loosening(SchemaCopier):
    """Copies a schema without what the manager rejects."""

    def schema(self, value: JsonValue, path: str) -> Any:
        """Return a copy; reject one that would hide a required parameter, since the tool could never be called."""
        required = value.get("required") if isinstance(value, Mapping) else None
        names = required if isinstance(required, (list, tuple)) else ()
        hidden = [name for name in names if name in REFUSED_ANYWHERE]
        if hidden and isinstance(value.get("properties"), Mapping):
            raise UnacceptableSchemaError(
                f"{hidden[0]} is the name of a required parameter, at {path}.properties"
            )
        return super().schema(value, path)

    def keeps_keyword(self, key: str, value: JsonValue) -> bool:
        """Leave out keywords that are rejected, and values with such keys: the manager looks into them as well."""
        if key in REFUSED_ANYWHERE or key in _LEADING_NOWHERE:
            return False
        return key in SCHEMA_KEYWORDS or next(refused_keys(value), None) is None

    def keeps_property(self, name: str) -> bool:
        """Leave out parameters whose name is rejected."""
        return name not in REFUSED_ANYWHERE


def _without_alternatives(schema: Schema) -> Schema:
    """Turn allOf, anyOf and oneOf of the top level, which are refused, into plain parameters."""
    result = {key: value for key, value in schema.items() if key not in REFUSED_AT_TOP}
    parts = {
        key: [_without_alternatives(each) for each in _schemas(schema.get(key))] for key in REFUSED_AT_TOP
    }
    branches = [each for key in REFUSED_AT_TOP for each in parts[key]]
    if not branches:
        return result
    properties: Schema = {}
    for each in [result, *branches]:
        for name, what in _properties(each).items():
            properties[name] = _either(properties[name], what) if name in properties else what
    required = set(_names(result)).union(*(_names(each) for each in parts["allOf"]))
    for key in ("anyOf", "oneOf"):
        if parts[key]:  # Only what every alternative requires is required.
            required |= set.intersection(*(set(_names(each)) for each in parts[key]))
    result["properties"] = properties
    result["required"] = sorted(required)
    # What each branch forbids beside its own parameters, the others allow.
    return {
        key: value
        for key, value in result.items()
        if key not in {"additionalProperties", "unevaluatedProperties"}
    }


def _either(first: JsonValue, second: JsonValue) -> JsonValue:
    if first == second:
        return first
    known = first["anyOf"] if isinstance(first, dict) and set(first) == {"anyOf"} else [first]
    return {"anyOf": known if second in known else [*known, second]}


def _schemas(value: JsonValue) -> list[Schema]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _properties(schema: Schema) -> Schema:
    found = schema.get("properties")
    return found if isinstance(found, dict) else {}


def _names(schema: Schema) -> list[str]:
    required = schema.get("required")
    return [each for each in required if isinstance(each, str)] if isinstance(required, list) else []


def _check_size(schema: JsonValue) -> None:
    """Walk without recursion: the depth is what is in doubt."""
    left = LARGEST
    waiting = [(schema, 0)]
    while waiting:
        value, depth = waiting.pop()
        if not isinstance(value, (dict, list)):
            continue
        left -= 1
        if left < 0 or depth > DEEPEST:
            what = f"more than {LARGEST} objects" if left < 0 else f"more than {DEEPEST} levels"
            raise UnacceptableSchemaError(f"input_schema has {what}, with every $ref replaced")
        waiting += [(each, depth + 1) for each in (value.values() if isinstance(value, dict) else value)]
