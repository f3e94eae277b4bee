"""Actions, resources, prompts and skills."""

from __future__ import annotations

from flask import Blueprint, Response, request

from omni_connector.local.app.access import answer, body, services
from omni_connector.local.request_shapes import EXECUTE_ACTION, GET_PROMPT, LOAD_SKILL, READ_RESOURCE

blueprint = Blueprint("catalogue", __name__)

_NOT_PASSED_ON = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade"})


@blueprint.get("/actions")
def actions() -> Response:
    """List the actions offered to agents."""
    return answer({"actions": services().catalogue.actions(request.args.get("source_id"))})


@blueprint.post("/action")
def action() -> Response:
    """Run an action and pass the connector's answer on as it came."""
    result = services().actions.execute(body(EXECUTE_ACTION))
    response = Response(result.body, result.status)
    response.headers.clear()
    for name, value in result.headers:
        if name.lower() not in _NOT_PASSED_ON:
            response.headers.add(name, value)
    return response


@blueprint.get("/resources")
def resources() -> Response:
    """List MCP resources."""
    return answer({"resources": services().catalogue.resources()})


@blueprint.post("/resource")
def resource() -> Response:
    """Read a resource through the connector."""
    wanted = body(READ_RESOURCE)
    return answer(services().mcp.read_resource(wanted["source_id"], wanted["uri"]))


@blueprint.get("/prompts")
def prompts() -> Response:
    """List MCP prompts."""
    return answer({"prompts": services().catalogue.prompts()})


@blueprint.post("/prompt")
def prompt() -> Response:
    """Get a prompt through the connector."""
    wanted = body(GET_PROMPT)
    return answer(services().mcp.get_prompt(wanted["source_id"], wanted["name"], wanted["arguments"]))


@blueprint.get("/skills")
def skills() -> Response:
    """List skills."""
    return answer({"skills": services().catalogue.skills()})


@blueprint.post("/skill")
def skill() -> Response:
    """Load a skill's text."""
    return answer(services().mcp.get_skill(**body(LOAD_SKILL)))
