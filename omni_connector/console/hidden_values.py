"""Settings without their secrets, to show and to edit."""

from omni_connector.masking.rules import is_secret_name
from omni_connector.models.json_values import JsonValue
from omni_connector.typed.schema import Schema

NOT_SHOWN = "(not shown)"
"""Stands for a secret where values are shown as JSON; one that is sent back stands for the former value."""


def hidden(value: JsonValue, schema: Schema, name: str = "") -> JsonValue:
    """Return a value to show, without what the schema or a name says is secret."""
    each, _ = without_null(schema)
    if value not in ("", None) and _is_secret(name, each) and not isinstance(value, bool):
        return NOT_SHOWN
    if isinstance(value, dict):
        properties, more = properties_of(each), each.get("additionalProperties")
        other: Schema = more if isinstance(more, dict) else {}
        return {key: hidden(item, properties.get(key, other), key) for key, item in value.items()}
    if isinstance(value, list):
        items = each.get("items")
        return [hidden(item, items if isinstance(items, dict) else {}, name) for item in value]
    return value


def restored(value: JsonValue, former: JsonValue) -> JsonValue:
    """Return a value that was shown with ``hidden`` and edited, with the former secrets in their places."""
    if value == NOT_SHOWN:
        return former
    if isinstance(value, dict):
        known = former if isinstance(former, dict) else {}
        return {key: restored(item, known.get(key, item)) for key, item in value.items()}
    if isinstance(value, list):
        items = former if isinstance(former, list) else []
        return [
            restored(item, items[index] if index < len(items) else item) for index, item in enumerate(value)
        ]
    return value


def all_secret(schema: Schema) -> Schema:
    """Return the schema of credentials: each of its values is a secret, and no message shows any."""
    if "properties" in schema:
        properties = {name: all_secret(each) for name, each in schema["properties"].items()}
        return {**schema, "properties": properties}
    if "anyOf" in schema:
        return {**schema, "anyOf": [all_secret(each) for each in schema["anyOf"]], "writeOnly": True}
    return {**schema, "writeOnly": True}


def properties_of(schema: Schema) -> dict[str, Schema]:
    """Return the schemas of an object's members by name."""
    found: dict[str, Schema] = schema.get("properties", {})
    return found


def without_null(schema: Schema) -> tuple[Schema, bool]:
    """Return what a schema asks for beside null, and whether it takes null."""
    alternatives = schema.get("anyOf")
    if not alternatives:
        return schema, False
    others = [each for each in alternatives if each.get("type") != "null"]
    rest = {key: each for key, each in schema.items() if key != "anyOf"}
    if len(others) == 1:
        return {**others[0], **rest}, len(others) < len(alternatives)
    return {**schema, "anyOf": others}, len(others) < len(alternatives)


def _is_secret(name: str, schema: Schema) -> bool:
    return schema.get("writeOnly") is True or is_secret_name(name)
