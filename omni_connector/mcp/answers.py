"""What an MCP server answers, in the shapes of the connector protocol (connector.openapi.yaml)."""

from typing import Any

from omni_connector.models.codec import encode
from omni_connector.models.mcp import ToolResult
from omni_connector.models.plain import JsonValue


def tool_result(result: Any) -> ToolResult:
    """Return a tool's result: its texts joined by LF, and its structured content where it has one.

    A tool that gives structured content only is told as JSON. Pictures and other files, which are no text, are named.
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
    """Return a prompt's messages. What is no text is there with its type only."""
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
