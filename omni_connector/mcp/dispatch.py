"""Requests of the manager, made to an MCP server: arguments one way, answers the other (PROTOCOL, sections 16 and 17)."""

from collections.abc import Mapping
from typing import Any

from omni_connector.exceptions import McpRefusedError
from omni_connector.models import ActionDefinition
from omni_connector.models.codec import encode
from omni_connector.models.plain import JsonValue


def tool_arguments(tool: ActionDefinition, params: Any, source: Any) -> dict[str, JsonValue]:
    """Return what of an action's parameters is for the tool.

    The manager adds the whole of the source's config to the parameters, and servers are strict: what the tool does not
    declare is left out, unless it says that it takes anything; then only what the source's config has put there. It
    also renames ``document_id`` to ``file_id``, which is undone for a tool that only knows the former.

    Args:
        tool: the tool.
        params: as they came.
        source: the source's row, or None.

    Raises:
        McpRefusedError: the parameters are no object.
    """
    if params is None:
        params = {}
    if not isinstance(params, dict):
        raise McpRefusedError(f"{tool.name}: params must be an object by name", server="")
    schema = tool.input_schema
    declared: Mapping[str, Any] = schema.get("properties") or {}
    if "file_id" in params and "file_id" not in declared and "document_id" in declared:
        params = {**params, "document_id": params["file_id"]}
    config = source.get("config") if isinstance(source, dict) else None
    config = config if isinstance(config, dict) else {}
    takes_more = _takes_more(schema)
    return {
        name: value
        for name, value in params.items()
        if name in declared or (takes_more and not (name in config and config[name] == value))
    }


def prompt_arguments(arguments: Any) -> dict[str, str]:
    """Return a prompt's arguments as the protocol of MCP has them: texts by name; other values become JSON.

    Raises:
        TypeError: they are no object.
    """
    if arguments is None:
        return {}
    if not isinstance(arguments, dict):
        raise TypeError("arguments must be an object by name")
    return {
        name: value if isinstance(value, str) else encode(value).decode()
        for name, value in arguments.items()
        if value is not None
    }


def _takes_more(schema: Mapping[str, Any]) -> bool:
    """Say whether a tool may want parameters that it does not name; one that names none may."""
    more = schema.get("additionalProperties", not schema.get("properties"))
    return more is True or isinstance(more, dict) or bool(schema.get("patternProperties"))
