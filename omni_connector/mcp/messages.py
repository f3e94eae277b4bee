"""Requests and answers in the terms of the connector protocol and of MCP (PROTOCOL, sections 16 and 17)."""

from collections.abc import Mapping
from typing import Any

from omni_connector.exceptions import McpRefusedError
from omni_connector.models import ActionDefinition
from omni_connector.models.codec import encode
from omni_connector.models.json_values import JsonValue
from omni_connector.models.mcp import ToolResult


def tool_arguments(tool: ActionDefinition, params: Any, source: Any) -> dict[str, JsonValue]:
    """Return what of an action's parameters is for the tool.

    The manager adds the whole of the source's config to the parameters, and servers are strict: what the tool does not
    declare is left out, unless it says that it takes anything; then only what the source's config has put there. It
    also renames ``document_id`` to ``file_id``, which is undone for a tool that only knows the former.

    Raises:
        McpRefusedError: the parameters are no object.
    """
    params = {} if params is None else params
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


def tool_result(result: Any) -> ToolResult:
    """Return a tool's result: its texts joined by LF, and its structured content where it has one.

    Structured content without text becomes text as JSON. Pictures and other files are named.
    """
    texts = [_text(block) for block in result.content]
    structured = result.structured_content
    if not texts and structured is not None:
        texts = [encode(structured).decode()]
    return ToolResult(content="\n".join(texts), structured_content=structured)


def resource_contents(result: Any) -> dict[str, JsonValue]:
    """Return the contents of a resource: text, or base64 as ``blob``."""
    return {"contents": [_contents(each) for each in result.contents]}


def prompt_messages(result: Any) -> dict[str, JsonValue]:
    """Return a prompt's messages; of what is not text, the type only."""
    messages = [{"role": each.role, "content": _message_content(each.content)} for each in result.messages]
    return {"description": result.description, "messages": messages}


def prompt_text(prompt: dict[str, JsonValue]) -> str:
    """Return a prompt as the text of a skill: its description and the texts of its messages."""
    texts = [message["content"].get("text") for message in prompt["messages"]]
    return "\n\n".join(text for text in [prompt["description"], *texts] if text)


def _contents(item: Any) -> dict[str, JsonValue]:
    contents: dict[str, JsonValue] = {"uri": str(item.uri)}
    for key in ("text", "blob"):
        if getattr(item, key, None) is not None:
            contents[key] = getattr(item, key)
    return contents | ({"mime_type": item.mime_type} if item.mime_type else {})


def _message_content(block: Any) -> dict[str, JsonValue]:
    if block.type == "text" or (block.type == "resource" and hasattr(block.resource, "text")):
        return {"type": "text", "text": _text(block)}
    return {"type": block.type}


def _text(block: Any) -> str:
    if block.type == "text":
        return str(block.text)
    if block.type == "resource" and hasattr(block.resource, "text"):
        return str(block.resource.text)
    if block.type == "resource_link":
        return f"[{block.name}]({block.uri})"
    holder = block.resource if block.type == "resource" else block
    kind = getattr(holder, "mime_type", None) or "of unknown type"
    return f"[{block.type} {kind}]"
