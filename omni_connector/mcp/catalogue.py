"""What an MCP server offers, in the manager's terms, and as part of a manifest."""

from attrs import field, frozen

from omni_connector.models import ActionDefinition, McpPrompt, McpResource, SkillDefinition
from omni_connector.models.json_values import JsonValue


@frozen(kw_only=True)
class McpCatalogue:
    """The lists of one server: tools as actions that the manager accepts, and the prompts once more, as skills."""

    tools: list[ActionDefinition] = field(factory=list)
    resources: list[McpResource] = field(factory=list)
    prompts: list[McpPrompt] = field(factory=list)
    skills: list[SkillDefinition] = field(factory=list)

    def tool(self, name: str) -> ActionDefinition | None:
        """Return the tool of that name, or None."""
        return next((tool for tool in self.tools if tool.name == name), None)

    def counted(self) -> str:
        """Return how much it holds, for the log."""
        return f"{len(self.tools)} tools, {len(self.resources)} resources, {len(self.prompts)} prompts"


def add_to_manifest(wire: dict[str, JsonValue], catalogue: McpCatalogue | None) -> dict[str, JsonValue]:
    """Return the manifest ``wire`` with what the server offers in it; ``catalogue`` is None when that is not known yet.

    What the connector itself declares under the same name or id wins.
    """
    if catalogue is None:
        return {**wire, "mcp_enabled": True, "mcp_catalog_loaded": False}
    source_types: list[str] = wire.get("source_types") or []
    joined = {**wire, "mcp_enabled": True, "mcp_catalog_loaded": True}
    for part, key, offered in (
        ("actions", "name", [tool.to_wire(source_types) for tool in catalogue.tools]),
        ("resources", "uri_template", [each.to_wire() for each in catalogue.resources]),
        ("prompts", "name", [each.to_wire() for each in catalogue.prompts]),
        ("skills", "id", [each.to_wire() for each in catalogue.skills]),
    ):
        own: list[JsonValue] = list(wire.get(part) or [])
        taken = {each[key] for each in own if isinstance(each, dict) and key in each}
        joined[part] = own + [each for each in offered if each[key] not in taken]
    return joined
