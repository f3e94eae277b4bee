"""What a tool of an MCP server returns to a connector that calls it."""

from attrs import field, frozen

from omni_connector.awaitables import AwaitableValue
from omni_connector.models.model import Model
from omni_connector.models.plain import JsonValue


@frozen(kw_only=True)
class ToolResult(Model, AwaitableValue):
    """A tool's result.

    Attributes:
        content: its texts, joined by LF.
        structured_content: its structured result, by the tool's own output schema; None when it gives none.
    """

    content: str
    structured_content: JsonValue = field(default=None)

    def to_wire(self) -> dict[str, JsonValue]:
        """Return the result of an action (PROTOCOL, section 17); the structured part only where there is one."""
        told: dict[str, JsonValue] = {"content": self.content}
        return (
            told
            if self.structured_content is None
            else {**told, "structured_content": self.structured_content}
        )
