"""Finds the text of a skill: in the manifest, from the connector, or from a prompt of its MCP server."""

from collections.abc import Iterable, Mapping
from typing import Any

from omni_connector.exceptions import UnknownSkillError
from omni_connector.models import SkillRequest, SkillResponse
from omni_connector.models.skills import MCP_PREFIX
from omni_connector.runtime.hooks import HookCaller, guarded
from omni_connector.runtime.mirror import Mirror


def load_skill(
    hooks: HookCaller,
    request: SkillRequest,
    *,
    definitions: Iterable[Mapping[str, Any]],
    prompts: Mirror | None,
) -> SkillResponse:
    """Return a skill; ``definitions`` are those of the manifest, as they are sent.

    Looked for in this order: static content, ``Connector.load_skill``, the ``mcp_prompt`` of an announced skill, and, for
    an id that begins with ``mcp:``, the prompt of the name that follows.

    Raises:
        UnknownSkillError: it is found nowhere.
        HookFailedError: the connector's ``load_skill`` failed.
        ConnectorError: the prompt could not be had.
    """
    definition = next((skill for skill in definitions if skill["id"] == request.skill_id), {})
    arguments = request.arguments if isinstance(request.arguments, dict) else {}
    content = definition.get("content")
    if content is None:
        content = _of_connector(hooks, request, arguments)
    if isinstance(content, SkillResponse):
        return content
    prompt = definition.get("mcp_prompt")
    if not prompt and request.skill_id.startswith(MCP_PREFIX):
        prompt = request.skill_id.removeprefix(MCP_PREFIX)
    if content is None and prompt is not None and prompts is not None:
        content = prompts.prompt_text(prompt, arguments, request.credentials)
    if content is None:
        raise UnknownSkillError(request.skill_id)
    title = definition.get("title") or prompt or request.skill_id
    return SkillResponse(skill_id=request.skill_id, title=title, content=content)


def _of_connector(
    hooks: HookCaller, request: SkillRequest, arguments: dict[str, Any]
) -> str | SkillResponse | None:
    given = {
        "skill_id": request.skill_id,
        "arguments": arguments,
        "credentials": {} if request.credentials is None else request.credentials,
    }
    with guarded("load_skill", request.credentials):
        loaded = hooks.call(hooks.connector.load_skill, given)
        if loaded is None or isinstance(loaded, SkillResponse):
            return loaded
        if isinstance(loaded, str):
            return str(loaded)
        raise TypeError(f"it returned {type(loaded).__name__}; return text, a SkillResponse, or None")
