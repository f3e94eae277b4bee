"""Skills: instructions for a model that works with a source (PROTOCOL, section 17)."""

from typing import Any

from attrs import define, field, frozen

from omni_connector.awaitables import AwaitableValue
from omni_connector.models import fields
from omni_connector.models.model import Model, WireModel

MCP_PREFIX = "mcp:"
"""Begins the id of a skill that is a prompt of the connector's MCP server; the prompt's name follows."""


@define(kw_only=True)
class SkillDefinition(WireModel):
    """A skill, as it is announced.

    Attributes:
        id: unique among all connectors of a manager; the first with the id wins.
        description: when to use it, or None.
        source_types: built-in types it is about; empty means all types of the connector.
        content: its text, which the manager then hands out itself. Without it, the text is loaded with ``POST /skill``.
        mcp_prompt: name of the MCP prompt that its text is made from, or None.
    """

    id: str = field(validator=fields.nonempty_text)
    title: str = field(validator=fields.text())
    description: str | None = field(default=None, validator=fields.optional_text)
    source_types: list[str] = field(factory=list, converter=fields.to_text_list, validator=fields.text_list)
    content: str | None = field(default=None, validator=fields.optional_text)
    mcp_prompt: str | None = field(default=None, validator=fields.optional_text)


@frozen(kw_only=True)
class SkillRequest(Model):
    """Body of ``POST /skill`` (connector.openapi.yaml); ``credentials`` are the owner's McpCredentials."""

    skill_id: str
    arguments: dict[str, Any] | None = None
    credentials: Any = field(default=None, repr=False)


@frozen(kw_only=True)
class SkillResponse(WireModel, AwaitableValue):
    """Answer to ``POST /skill``; ``content`` is the skill's text."""

    skill_id: str = field(validator=fields.nonempty_text)
    title: str = field(validator=fields.text())
    content: str = field(validator=fields.text())
