"""What connectors mirror of MCP servers: tools, resources and prompts."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, render_template, request

from omni_connector.console.actions import Offered
from omni_connector.console.manager_requests import Asked, ask
from omni_connector.console.page import Entry, Page, console
from omni_connector.local import SourceRow
from omni_connector.models.json_values import JsonValue

blueprint = Blueprint("mcp", __name__, url_prefix="/console/mcp")
page = Page(blueprint, Entry("MCP", "mcp.index", 80))

ARGUMENT = "argument."
"""What the names of inputs for a prompt's arguments begin with."""


@blueprint.get("/")
def index() -> str:
    """Show the catalogue of each connector with an MCP server."""
    manifests = [each for each in console().manager.manifests() if each["mcp_enabled"]]
    connectors = [
        (each, [Offered(each, action) for action in each["actions"]], _sources(each)) for each in manifests
    ]
    return render_template("mcp.html", connectors=connectors)


@blueprint.get("/resource")
def resource() -> str:
    """Read a resource through the connector."""
    uri, source_id = request.args.get("uri", ""), request.args.get("source", "")
    return _answered(uri, ask("/resource", {"source_id": source_id, "uri": uri}))


@blueprint.get("/prompt")
def prompt() -> str:
    """Get a prompt through the connector."""
    name, source_id = request.args.get("name", ""), request.args.get("source", "")
    arguments: dict[str, JsonValue] = {
        key.removeprefix(ARGUMENT): text
        for key, text in request.args.items()
        if key.startswith(ARGUMENT) and text
    }
    return _answered(name, ask("/prompt", {"source_id": source_id, "name": name, "arguments": arguments}))


def _answered(title: str, asked: Asked) -> str:
    return render_template("mcp_answer.html", title=title, asked=asked)


def _sources(manifest: Mapping[str, Any]) -> list[SourceRow]:
    types = manifest["source_types"]
    return [each for each in console().manager.sources() if not each.is_deleted and each.source_type in types]
