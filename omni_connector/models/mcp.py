"""What a mirrored MCP server offers besides its tools, what is asked of it, and what a tool answers (PROTOCOL, section 17)."""

from typing import Any

from attrs import define, field, frozen

from omni_connector.awaitables import AwaitableValue
from omni_connector.models import fields
from omni_connector.models.json_values import JsonValue
from omni_connector.models.model import Model, WireModel


@define(kw_only=True)
class McpResource(WireModel):
    """A resource, or a template of resources, that can be read.

    ``uri_template`` is its URI; a template has placeholders in braces (RFC 6570).
    """

    uri_template: str = field(validator=fields.nonempty_text)
    name: str = field(validator=fields.text())
    description: str | None = field(default=None, validator=fields.optional_text)
    mime_type: str | None = field(default=None, validator=fields.optional_text)


@define(kw_only=True)
class McpPromptArgument(Model):
    """A value that a prompt is filled with."""

    name: str = field(validator=fields.nonempty_text)
    description: str | None = field(default=None, validator=fields.optional_text)
    required: bool = field(default=False, validator=fields.boolean)


@define(kw_only=True)
class McpPrompt(WireModel):
    """A prompt that can be fetched, and the arguments that it is filled with."""

    name: str = field(validator=fields.nonempty_text)
    description: str | None = field(default=None, validator=fields.optional_text)
    arguments: list[McpPromptArgument] = field(factory=list, validator=fields.list_of(McpPromptArgument))


@frozen(kw_only=True)
class ResourceRequest(Model):
    """Body of ``POST /resource`` (connector.openapi.yaml); ``credentials`` are the owner's McpCredentials."""

    uri: str
    credentials: Any = field(default=None, repr=False)


@frozen(kw_only=True)
class PromptRequest(Model):
    """Body of ``POST /prompt`` (connector.openapi.yaml); ``credentials`` are the owner's McpCredentials."""

    name: str
    arguments: dict[str, Any] | None = None
    credentials: Any = field(default=None, repr=False)


@frozen(kw_only=True)
class ToolResult(Model, AwaitableValue):
    """What a tool of the MCP server returns to a connector that calls it.

    ``content`` has its texts, joined by LF; ``structured_content`` follows the tool's own output schema, or is None.
    """

    content: str
    structured_content: JsonValue = field(default=None)

    def to_wire(self) -> dict[str, JsonValue]:
        """Return the result of an action; the structured part only where there is one."""
        return self.model_dump(exclude_none=True)
