"""Asks an MCP server what it offers, page by page, and puts it in the manager's terms."""

import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, TypeVar

from omni_connector.exceptions import McpRefusedError
from omni_connector.mcp.catalogue import McpCatalogue
from omni_connector.mcp.schemas import UnacceptableSchemaError, acceptable_schema
from omni_connector.models import ActionDefinition, McpPrompt, McpPromptArgument, McpResource, SkillDefinition
from omni_connector.models.manifest import READ, WRITE
from omni_connector.models.skills import MCP_PREFIX

if TYPE_CHECKING:
    from omni_connector.mcp.connecting import McpConnection

log = logging.getLogger(__name__)

T = TypeVar("T")

MOST_PAGES = 1000
"""Of one list; a server that never comes to an end must not keep a session for ever."""


async def discover(connection: "McpConnection") -> McpCatalogue:
    """Return what the server at the other end offers.

    A tool whose schema the manager would refuse is left out, with a line in the log; so is a list of resources or
    prompts that the server declares but refuses to give.

    Raises:
        McpError: the server failed, or refuses to list its tools.
    """
    nothing: tuple[Any, ...] = ()
    tools = resources = templates = prompts = nothing
    if connection.offers("tools"):
        tools = tuple([each async for each in _pages(connection, "tools")])
    if connection.offers("resources"):
        resources = await _tolerant(connection, "resources")
        templates = await _tolerant(connection, "resource_templates")
    if connection.offers("prompts"):
        prompts = await _tolerant(connection, "prompts")
    return McpCatalogue(
        tools=_unique([found for tool in tools if (found := _action(tool, connection.label))], "name"),
        resources=_unique([_resource(each) for each in (*resources, *templates)], "uri_template"),
        prompts=_unique([_prompt(each) for each in prompts if each.name], "name"),
        skills=_unique([_skill(each) for each in prompts if each.name], "id"),
    )


async def _pages(connection: "McpConnection", items: str) -> AsyncIterator[Any]:
    cursor: str | None = None
    seen: set[str] = set()
    for _ in range(MOST_PAGES):
        page = await connection.list_page(items, cursor)
        for item in getattr(page, items):
            yield item
        cursor = page.next_cursor
        if cursor is None or cursor in seen:  # One that comes again would lead in a circle.
            return
        seen.add(cursor)


async def _tolerant(connection: "McpConnection", items: str) -> tuple[Any, ...]:
    try:
        return tuple([each async for each in _pages(connection, items)])
    except McpRefusedError as error:
        log.warning(
            "MCP server %s does not list its %s: %s", connection.label, items.replace("_", " "), error
        )
        return ()


def _action(tool: Any, label: str) -> ActionDefinition | None:
    try:
        schema = acceptable_schema(tool.input_schema)
    except UnacceptableSchemaError as error:
        log.warning("MCP server %s: tool %s cannot be announced: %s", label, tool.name, error)
        return None
    if not tool.name:
        return None
    is_read_only = tool.annotations is not None and tool.annotations.read_only_hint is True
    return ActionDefinition(
        name=tool.name,
        description=tool.description or tool.title or tool.name,
        input_schema=schema,
        mode=READ if is_read_only else WRITE,
    )


def _resource(resource: Any) -> McpResource:
    """Take a resource as well as a template."""
    uri = resource.uri_template if hasattr(resource, "uri_template") else resource.uri
    return McpResource(
        uri_template=uri,
        name=resource.name or uri,
        description=resource.description,
        mime_type=resource.mime_type,
    )


def _prompt(prompt: Any) -> McpPrompt:
    return McpPrompt(
        name=prompt.name,
        description=prompt.description,
        arguments=[
            McpPromptArgument(name=each.name, description=each.description, required=each.required is True)
            for each in prompt.arguments or ()
            if each.name
        ],
    )


def _skill(prompt: Any) -> SkillDefinition:
    return SkillDefinition(
        id=f"{MCP_PREFIX}{prompt.name}",
        title=prompt.title or prompt.name,
        description=prompt.description,
        mcp_prompt=prompt.name,
    )


def _unique(items: list[T], key: str) -> list[T]:
    """Keep the first of those with the same name."""
    found: dict[str, T] = {}
    for item in items:
        found.setdefault(getattr(item, key), item)
    return list(found.values())
