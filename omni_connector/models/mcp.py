"""What a mirrored MCP server offers beside its tools, what is asked of it, and what a tool answers (PROTOCOL, section 17)."""

from typing import Any

from attrs import Factory, define, field, frozen

from omni_connector.awaitables import AwaitableValue
from omni_connector.models import fields
from omni_connector.models.json_values import JsonValue
from omni_connector.models.model import Model, WireModel


@define(kw_only=True)
class McpResource(WireModel):
    """A resource, or a template of resources, that can be read.

    Attributes:
        uri_template: its URI; a template has placeholders in braces (RFC 6570).
        name: for people and models.
        description: what it holds, or None.
        mime_type: of its contents, or None when unknown.
    """

    uri_template: str = field(validator=fields.text(empty=False))
    name: str = field(validator=fields.text())
    description: str | None = field(default=None, validator=fields.optional(fields.text()))
    mime_type: str | None = field(default=None, validator=fields.optional(fields.text()))


@define(kw_only=True)
class McpPromptArgument(Model):
    """A value that a prompt is filled with.

    Attributes:
        name: its name.
        description: what it is, or None.
        required: the prompt cannot do without it.
    """

    name: str = field(validator=fields.text(empty=False))
    description: str | None = field(default=None, validator=fields.optional(fields.text()))
    required: bool = field(default=False, validator=fields.boolean)


@define(kw_only=True)
class McpPrompt(WireModel):
    """A prompt that can be fetched.

    Attributes:
        name: its name.
        description: what it is for, or None.
        arguments: what it is filled with.
    """

    name: str = field(validator=fields.text(empty=False))
    description: str | None = field(default=None, validator=fields.optional(fields.text()))
    arguments: list[McpPromptArgument] = field(
        default=Factory(list), validator=fields.list_of(McpPromptArgument)
    )


@frozen(kw_only=True)
class ResourceRequest(Model):
    """Body of ``POST /resource`` (connector.openapi.yaml).

    Attributes:
        uri: what to read.
        credentials: the owner's McpCredentials: ``credentials``, ``config``, ``auth_type``, maybe ``principal_email``.
    """

    uri: str
    credentials: Any = field(default=None, repr=False)


@frozen(kw_only=True)
class PromptRequest(Model):
    """Body of ``POST /prompt`` (connector.openapi.yaml).

    Attributes:
        name: of the prompt.
        arguments: an object by argument name, or None.
        credentials: as in ``ResourceRequest``.
    """

    name: str
    arguments: dict[str, Any] | None = None
    credentials: Any = field(default=None, repr=False)


@frozen(kw_only=True)
class ToolResult(Model, AwaitableValue):
    """What a tool of the MCP server returns to a connector that calls it.

    Attributes:
        content: its texts, joined by LF.
        structured_content: its structured result, by the tool's own output schema, or None.
    """

    content: str
    structured_content: JsonValue = field(default=None)

    def to_wire(self) -> dict[str, JsonValue]:
        """Return the result of an action; the structured part only where there is one."""
        return self.model_dump(exclude_none=True)
