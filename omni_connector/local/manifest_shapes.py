"""The manifest: its shape, and the rules for action schemas (PROTOCOL, section 2)."""

from __future__ import annotations

from omni_connector.local.errors import LocalManagerError
from omni_connector.local.shapes import (
    Decoder,
    Struct,
    any_json,
    boolean,
    defaulted,
    list_of,
    one_of,
    optional,
    required,
    string,
)
from omni_connector.local.strict_json import JSON
from omni_connector.local.vocabulary import ACTION_MODES, INTEGRATION_TYPES, SOURCE_TYPES, SYNC_TYPES

_SOURCE_TYPES = defaulted("source_types", list_of(one_of(SOURCE_TYPES)), list)

ACTION = Struct(
    "ActionDefinition",
    (
        required("name", string),
        required("description", string),
        required("input_schema", any_json),
        defaulted("mode", one_of(ACTION_MODES), lambda: "write"),
        optional("required_scopes", list_of(string)),
        _SOURCE_TYPES,
        defaulted("admin_only", boolean, lambda: False),
        defaulted("hidden", boolean, lambda: False),
    ),
)
SEARCH_OPERATOR = Struct(
    "SearchOperator",
    (
        required("operator", string),
        required("attribute_key", string),
        defaulted("value_type", string, lambda: "text"),
    ),
)
RESOURCE = Struct(
    "McpResourceDefinition",
    (
        required("uri_template", string),
        required("name", string),
        optional("description", string),
        optional("mime_type", string),
    ),
)
PROMPT_ARGUMENT = Struct(
    "McpPromptArgument",
    (
        required("name", string),
        optional("description", string),
        defaulted("required", boolean, lambda: False),
    ),
)
PROMPT = Struct(
    "McpPromptDefinition",
    (
        required("name", string),
        optional("description", string),
        defaulted("arguments", list_of(PROMPT_ARGUMENT), list),
    ),
)
SKILL = Struct(
    "ConnectorSkillDefinition",
    (
        required("id", string),
        required("title", string),
        optional("description", string),
        _SOURCE_TYPES,
        optional("content", string),
        optional("mcp_prompt", string),
    ),
)


def _manifest(source_type: Decoder) -> Struct:
    return Struct(
        "ConnectorManifest",
        (
            required("name", string),
            required("display_name", string),
            required("version", string),
            required("sync_modes", list_of(one_of(SYNC_TYPES))),
            required("connector_id", string),
            required("connector_url", string),
            defaulted("integration_type", one_of(INTEGRATION_TYPES), lambda: "connector"),
            defaulted("source_types", list_of(source_type), list),
            optional("description", string),
            defaulted("actions", list_of(ACTION), list),
            defaulted("search_operators", list_of(SEARCH_OPERATOR), list),
            defaulted("read_only", boolean, lambda: False),
            defaulted("extra_schema", any_json, lambda: None),
            defaulted("attributes_schema", any_json, lambda: None),
            defaulted("mcp_enabled", boolean, lambda: False),
            defaulted("mcp_catalog_loaded", boolean, lambda: False),
            defaulted("resources", list_of(RESOURCE), list),
            defaulted("prompts", list_of(PROMPT), list),
            defaulted("skills", list_of(SKILL), list),
            defaulted("oauth", any_json, lambda: None),
        ),
    )


MANIFEST = _manifest(string)
OLD_MANIFEST = _manifest(one_of(SOURCE_TYPES))
"""Before 24 July 2026: built-in types of sources only."""

OLD_ANSWER = Struct(
    "ConnectorManifest",
    (
        required("name", string),
        required("version", string),
        required("sync_modes", list_of(string)),
        defaulted(
            "actions",
            list_of(
                Struct(
                    "ActionDefinition",
                    (
                        required("name", string),
                        required("description", string),
                        required("parameters", any_json),
                    ),
                )
            ),
            list,
        ),
    ),
)
"""``GET /manifest`` as managers without registration decode it: an action without ``parameters`` makes the whole manifest unusable."""

_REFUSED_EVERYWHERE = frozenset(
    {
        "$ref",
        "$defs",
        "definitions",
        "dependentRequired",
        "dependentSchemas",
        "if",
        "then",
        "else",
        "not",
    }
)
_REFUSED_AT_TOP = ("anyOf", "oneOf", "allOf")


def check_action_schemas(manifest: dict[str, JSON]) -> None:
    """Raise ``LocalManagerError`` (400) for the first action whose ``input_schema`` breaks the rules."""
    for action in manifest["actions"]:
        problem = _schema_problem(action["input_schema"])
        if problem is not None:
            raise LocalManagerError(400, f"{manifest['name']}.{action['name']} input_schema{problem}")


def _schema_problem(schema: JSON) -> str | None:
    if not isinstance(schema, dict):
        return " must be a JSON object"
    for keyword in _REFUSED_AT_TOP:
        if keyword in schema:
            return f".{keyword} is not supported at the top level"
    if "type" in schema and schema["type"] != "object":
        return '.type must be "object"'
    path = _refused_keyword(schema, "")
    return None if path is None else f"{path} is not supported"


def _refused_keyword(value: JSON, path: str) -> str | None:
    """Return the path of the first refused key, at any depth and in any position."""
    if isinstance(value, dict):
        for key, item in value.items():
            found = f"{path}.{key}" if key in _REFUSED_EVERYWHERE else _refused_keyword(item, f"{path}.{key}")
            if found is not None:
                return found
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found = _refused_keyword(item, f"{path}[{index}]")
            if found is not None:
                return found
    return None
