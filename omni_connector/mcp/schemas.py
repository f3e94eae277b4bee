"""Makes the schema of a foreign tool acceptable to the manager, by saying less where it may not be said.

What an author writes is refused with a remedy (``models/action_schema.py``); a tool's schema is somebody else's, and
cannot be mended there. To leave a rule out is safe: the server checks what it is given in any case.
"""

from collections.abc import Mapping
from typing import Any

from omni_connector.models.action_schema import (
    REFUSED_ANYWHERE,
    REFUSED_AT_TOP,
    inline_references,
    schema_problems,
)
from omni_connector.models.plain import JsonValue

DEEPEST = 60
"""Levels of nesting; the manager takes 127 in a whole manifest (PROTOCOL, section 19)."""

LARGEST = 10_000
"""Objects in one schema. Definitions that use each other twice over double at every step."""

_ONE_SCHEMA = frozenset(
    {
        "items", "additionalItems", "additionalProperties", "contains", "propertyNames", "unevaluatedItems",
        "unevaluatedProperties", "contentSchema",
    }
)  # fmt: skip
_SCHEMA_LISTS = frozenset({"anyOf", "oneOf", "allOf", "prefixItems", "items"})
_SCHEMAS_BY_NAME = frozenset({"properties", "patternProperties"})
_LEADING_NOWHERE = frozenset({"$dynamicRef", "$recursiveRef"})

Schema = dict[str, Any]


class UnacceptableSchemaError(Exception):
    """A tool's schema cannot be put in words that the manager takes; the text says why, keyword first."""


def acceptable_schema(schema: JsonValue) -> Schema:
    """Return what ``schema`` says as far as the manager takes it (PROTOCOL, section 2); the given one is not changed.

    References to parts of the schema are replaced by them. Of alternatives at the top level the parameters of all are
    kept. Keywords that are refused are left out.

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


class _Loosening:
    """One walk over a schema that knows where schemas stand, where names, and where values."""

    def schema(self, value: JsonValue, path: str) -> Any:
        if not isinstance(value, Mapping):
            return value
        kept = {}
        for key, item in value.items():
            if key in REFUSED_ANYWHERE or key in _LEADING_NOWHERE:
                continue
            loosened = self._keyword(key, item, f"{path}.{key}")
            if loosened is not _GONE:
                kept[key] = loosened
        self._check_required(value, path)
        return kept

    def _keyword(self, key: str, value: JsonValue, path: str) -> Any:
        if key in _SCHEMAS_BY_NAME and isinstance(value, Mapping):
            named = {name: each for name, each in value.items() if name not in REFUSED_ANYWHERE}
            return {name: self.schema(each, f"{path}.{name}") for name, each in named.items()}
        if key in _SCHEMA_LISTS and isinstance(value, (list, tuple)):
            return [self.schema(each, f"{path}[{n}]") for n, each in enumerate(value)]
        if key in _ONE_SCHEMA:
            return self.schema(value, path)
        # Whatever else it is, a default or a vendor's own keyword: its keys are no keywords, but the manager looks.
        return _GONE if _refused_within(value) else value

    def _check_required(self, original: Mapping[str, Any], path: str) -> None:
        """Refuse to hide a parameter that cannot be left out: the tool could never be called."""
        required = original.get("required")
        properties = original.get("properties")
        names = required if isinstance(required, (list, tuple)) else ()
        hidden = [name for name in names if name in REFUSED_ANYWHERE]
        if hidden and isinstance(properties, Mapping):
            raise UnacceptableSchemaError(
                f"{hidden[0]} is the name of a required parameter, at {path}.properties"
            )


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


def _refused_within(value: JsonValue) -> bool:
    if isinstance(value, Mapping):
        return any(key in REFUSED_ANYWHERE or _refused_within(item) for key, item in value.items())
    return isinstance(value, (list, tuple)) and any(_refused_within(item) for item in value)


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


_GONE = object()
"""Stands for a keyword that is left out."""
