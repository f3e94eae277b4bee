"""JSON Schemas of actions: what the manager rejects in them, and how to replace references, which it rejects.

The rules are those of manager.openapi.yaml (ActionDefinition). Generators write a reference wherever a type is used;
references to parts of the same schema are replaced by those parts. A type that contains itself cannot be written out.

``jsonref`` was tried: it also takes names and values for references, fails on types that contain each other, and lets a rule
beside a reference replace the rule that it refers to. ``referencing`` only finds what a reference names, which is fifteen
lines here, and needs a compiled package.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from attrs import frozen

from omni_connector.models.json_values import JsonValue

REFUSED_ANYWHERE = frozenset(
    {
        "$ref", "$defs", "definitions", "dependentRequired", "dependentSchemas", "if", "then", "else", "not",
    }
)  # fmt: skip
REFUSED_AT_TOP = ("anyOf", "oneOf", "allOf")

REFERENCES = frozenset({"$ref", "$defs", "definitions"})

MAX_INLINED = 1000
"""The most references that are written out: nested ones could make a schema of a few lines fill the memory."""

_ONE_SCHEMA = frozenset(
    {
        "items", "additionalItems", "additionalProperties", "contains", "propertyNames", "unevaluatedItems",
        "unevaluatedProperties", "contentSchema", "if", "then", "else", "not",
    }
)  # fmt: skip
_SCHEMA_LISTS = frozenset({"anyOf", "oneOf", "allOf", "prefixItems", "items"})
_SCHEMAS_BY_NAME = frozenset({"properties", "patternProperties", "dependentSchemas"})
SCHEMA_KEYWORDS = _ONE_SCHEMA | _SCHEMA_LISTS | _SCHEMAS_BY_NAME
_ANNOTATIONS = frozenset(
    {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"}
)


def no_parameters() -> dict[str, JsonValue]:
    """Return the schema of an action that takes nothing."""
    return {"type": "object", "properties": {}}


def schema_of_parameters(parameters: Mapping[str, Any]) -> dict[str, JsonValue]:
    """Return the JSON Schema for what connectors before March 2026 declared as ``parameters``.

    A JSON Schema of an object is returned as it is; a mapping of names has for each ``type``, ``description``, ``default``,
    and ``required`` as True or False.
    """
    if _is_schema(parameters):
        return dict(parameters)
    properties = {
        name: {key: value for key, value in each.items() if key != "required" or not isinstance(value, bool)}
        for name, each in parameters.items()
    }
    required = [name for name, each in parameters.items() if each.get("required") is True]
    schema: dict[str, JsonValue] = {"type": "object", "properties": properties}
    return schema | ({"required": required} if required else {})


def _is_schema(parameters: Mapping[str, Any]) -> bool:
    """Tell a schema from a mapping of names, in which all values are objects, also that of a parameter called ``type``."""
    if not all(isinstance(each, Mapping) for each in parameters.values()):
        return True
    properties = parameters.get("properties")
    if not isinstance(properties, Mapping):
        return False
    # A schema's properties are all objects; a parameter of the name ``properties`` has at least a type, which is text.
    return all(isinstance(each, Mapping) for each in properties.values())


@frozen
class Inlined:
    """A schema without definitions; references that could not be replaced are still there, and ``problems`` says why."""

    schema: JsonValue
    problems: tuple[str, ...]


def inline_references(schema: JsonValue) -> Inlined:
    """Replace every reference to a part of the same schema by that part; the given schema is not changed."""
    inliner = _Inliner(schema)
    return Inlined(inliner.schema(schema, "input_schema"), tuple(inliner.problems))


def schema_problems(schema: JsonValue) -> list[str]:
    """Return what the manager refuses in an action's schema, with path and remedy each; empty when nothing."""
    if not isinstance(schema, Mapping):
        return ["input_schema must be a JSON object"]
    problems = [
        f"input_schema.{keyword} is not supported at the top level: declare all parameters in properties, "
        "and say in the description which go together"
        for keyword in REFUSED_AT_TOP
        if keyword in schema
    ]
    if "type" in schema and schema["type"] != "object":
        problems.append('input_schema.type must be "object": the parameters are an object by name')
    refused = list(refused_keys(schema, "input_schema"))
    if any(keyword in REFERENCES for _, keyword, _ in refused):
        unreplaced = inline_references(schema).problems
        problems += unreplaced
        if unreplaced:  # They say more than that references are refused.
            refused = [each for each in refused if each[1] not in REFERENCES]
    problems += [f"{path} is not supported: {_remedy(keyword, within)}" for path, keyword, within in refused]
    return problems


def refused_keys(
    value: JsonValue, path: str = "", within: str | None = None
) -> Iterator[tuple[str, str, str | None]]:
    """Yield the path of each refused key, the key, and the key that it was found in."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in REFUSED_ANYWHERE:
                yield f"{path}.{key}", key, within
            else:
                yield from refused_keys(item, f"{path}.{key}", key)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from refused_keys(item, f"{path}[{index}]", within)


def _remedy(keyword: str, within: str | None) -> str:
    if within == "properties":
        return "the manager takes it for a keyword wherever it stands; give the parameter another name"
    if within in {"default", "const", "enum", "examples", "example"}:
        return "the manager takes it for a keyword wherever it stands; leave it out of the value"
    if keyword in REFERENCES:
        return "write what it refers to in its place"
    return "say it in the description, and check it when the action runs"


class SchemaCopier:
    """Copies a schema; subclasses leave things out. Only schemas are looked at, not names and values that look like them."""

    def schema(self, value: JsonValue, path: str) -> JsonValue:
        """Return a copy of the schema at ``path``."""
        if not isinstance(value, Mapping):
            return value
        return {
            key: self._keyword(key, item, f"{path}.{key}")
            for key, item in value.items()
            if self.keeps_keyword(key, item)
        }

    def keeps_keyword(self, key: str, value: JsonValue) -> bool:
        """Say whether a keyword is copied."""
        raise NotImplementedError

    def keeps_property(self, name: str) -> bool:  # noqa: ARG002 - for subclasses.
        """Say whether a property of this name is copied."""
        return True

    def _keyword(self, key: str, value: JsonValue, path: str) -> JsonValue:
        if key in _SCHEMAS_BY_NAME and isinstance(value, Mapping):
            kept = {name: item for name, item in value.items() if self.keeps_property(name)}
            return {name: self.schema(item, f"{path}.{name}") for name, item in kept.items()}
        if key in _SCHEMA_LISTS and isinstance(value, (list, tuple)):
            return [self.schema(item, f"{path}[{n}]") for n, item in enumerate(value)]
        return self.schema(value, path) if key in _ONE_SCHEMA else value


class _Inliner(SchemaCopier):
    """Copies a schema with its references replaced."""

    def __init__(self, root: JsonValue) -> None:
        self.problems: list[str] = []
        self._root = root
        self._open = ["#"]  # References on the way from the root to here.
        self._replaced = 0

    def schema(self, value: JsonValue, path: str) -> JsonValue:
        """Return the schema at ``path`` without references and definitions."""
        if isinstance(value, Mapping) and isinstance(value.get("$ref"), str):
            return self._referred(value, path)
        return super().schema(value, path)

    def keeps_keyword(self, key: str, value: JsonValue) -> bool:
        """Leave out definitions, and ``$ref`` keys that are no references."""
        return not (key in REFERENCES and isinstance(value, Mapping))

    def _referred(self, value: Mapping[str, Any], path: str) -> JsonValue:
        reference: str = value["$ref"]
        found, problem = self._target(reference)
        if problem:
            self.problems.append(f"{path}.$ref: {problem}")
            return {key: item for key, item in value.items() if key not in {"$defs", "definitions"}}
        self._replaced += 1
        self._open.append(reference)
        target = self.schema(found, path)
        self._open.pop()
        beside = self.schema({key: item for key, item in value.items() if key != "$ref"}, path)
        return _merged(target, beside)

    def _target(self, reference: str) -> tuple[JsonValue, str | None]:
        name = reference.rsplit("/", 1)[-1]
        if reference in self._open:
            name = "the schema" if name == "#" else name
            return None, (
                f"{name} contains itself, and the manager takes no references; "
                "declare as many levels as are needed, or take the value as text"
            )
        if self._replaced >= MAX_INLINED:
            return None, f"more than {MAX_INLINED} references would have to be written out; declare less"
        found = self._root
        if reference != "#" and not reference.startswith("#/"):  # An address, or an anchor.
            return None, f"{reference} is not part of the schema; write what it refers to in its place"
        for step in [unquote(step) for step in reference[1:].split("/")[1:]]:
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping) and key in found:
                found = found[key]
            elif isinstance(found, (list, tuple)) and key.isdecimal() and int(key) < len(found):
                found = found[int(key)]
            else:
                return None, f"{reference} is not in the schema; declare it, or write it in its place"
        return found, None


def _merged(target: JsonValue, beside: Mapping[str, JsonValue]) -> JsonValue:
    """Join what a reference names with the rules next to it; both apply."""
    if not beside:
        return target
    if not isinstance(target, Mapping):  # True or False are schemas, too.
        return dict(beside) if target is True else target
    contested = {
        key for key in beside if key in target and key not in _ANNOTATIONS and beside[key] != target[key]
    }
    if not contested:
        return {**target, **beside}
    notes = {key: item for key, item in beside.items() if key in _ANNOTATIONS}
    rules = {key: item for key, item in beside.items() if key not in _ANNOTATIONS}
    return {**notes, "allOf": [target, rules]}
