"""The connector's process under ``omni-connector dev``: what keeps it from starting is on top of every page."""

from urllib.parse import urlsplit

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from omni_connector.console.page import Page, console

blueprint = Blueprint("connector", __name__, url_prefix="/console/connector")
page = Page(blueprint)


@blueprint.app_context_processor
def _connector() -> dict[str, object]:
    return {"connector_process": console().connector}


@blueprint.get("/banner")
def banner() -> Response:
    """Return the part of the page that says how the connector fares; nothing where the page knows it."""
    process = console().connector
    if process is None or request.args.get("seen") == f"{process.state.phase}{process.state.starts}":
        return Response(status=204)
    return Response(render_template("connector_banner.html"))


@blueprint.post("/restart")
def restart() -> AnyResponse:
    """Start the connector again."""
    process = console().connector
    if process is not None:
        process.restart()
    back = urlsplit(request.referrer or "/").path
    return redirect("/" + back.lstrip("/\\"), 303)
