"""Texts from a command line or a file as the JSON values that a schema asks for."""

import contextlib
from collections.abc import Mapping
from typing import Any

from omni_connector.models.codec import decode
from omni_connector.models.json_values import JsonValue
from omni_connector.typed.schema import Schema
from omni_connector.typed.values import value_problems

_WORDS: Mapping[str, JsonValue] = {
    **dict.fromkeys(("true", "yes", "on"), True),
    **dict.fromkeys(("false", "no", "off"), False),
    **dict.fromkeys(("null", "none"), None),
}


def converted_texts(value: JsonValue, schema: Schema) -> JsonValue:
    """Return ``value`` with the texts in it converted, at any depth, where the schema asks for something else.

    What cannot be converted stays as it is, so that it is reported with its path. A text for an array is its only element;
    an empty one is an empty array.
    """
    if isinstance(value, dict):
        return {name: converted_texts(item, schema_at(schema, name)) for name, item in value.items()}
    if isinstance(value, list):
        items = schema.get("items")
        return [converted_texts(item, items if isinstance(items, dict) else {}) for item in value]
    if not isinstance(value, str) or not value_problems(value, schema, ""):
        return value
    return next((each for each in _readings(value, schema) if not value_problems(each, schema, "")), value)


def schema_at(schema: Schema, name: str) -> Schema:
    """Return the schema of a member of an object; one that takes anything where none is declared."""
    for each in (schema, *schema.get("anyOf", ())):
        found: Any = each.get("properties", {}).get(name, each.get("additionalProperties"))
        if isinstance(found, dict):
            return found
    return {}


def _readings(text: str, schema: Schema) -> list[JsonValue]:
    found: list[JsonValue] = []
    if text.lower() in _WORDS:
        found.append(_WORDS[text.lower()])
    with contextlib.suppress(ValueError):  # No JSON.
        found.append(converted_texts(decode(text), schema))
    for each in (schema, *schema.get("anyOf", ())):
        if each.get("type") == "array":
            items = each.get("items", {})
            found.append([converted_texts(text, items)] if text else [])
    return found
