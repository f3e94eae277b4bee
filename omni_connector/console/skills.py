"""Skills: instructions for a model that connectors offer."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, render_template, request
from werkzeug.exceptions import NotFound

from omni_connector.console.manager_requests import Asked, ask
from omni_connector.console.page import Entry, Page, console
from omni_connector.local import SourceRow

blueprint = Blueprint("skills", __name__, url_prefix="/console/skills")
page = Page(blueprint, Entry("Skills", "skills.index", 70))


@blueprint.get("/")
def index() -> str:
    """List the skills."""
    manifests = console().manager.manifests()
    return render_template(
        "skills.html", skills=[(manifest, each) for manifest in manifests for each in manifest["skills"]]
    )


@blueprint.get("/skill")
def skill() -> str:
    """Show the text of one skill; what a connector loads is asked for with a source."""
    wanted, source_id = request.args.get("id", ""), request.args.get("source", "")
    for manifest in console().manager.manifests():
        for each in manifest["skills"]:
            if each["id"] == wanted:
                sources = _sources(manifest, each)
                return render_template(
                    "skill.html",
                    manifest=manifest,
                    skill=each,
                    sources=sources,
                    chosen=source_id,
                    loaded=_loaded(each, source_id),
                )
    raise NotFound("No connector that is registered now offers this skill. Is it running?")


def _loaded(skill: Mapping[str, Any], source_id: str) -> Asked | None:
    """Return the text; None where a source has to be chosen first."""
    if skill["content"] is not None:
        return Asked({"content": skill["content"]})
    return ask("/skill", {"skill_id": skill["id"], "source_id": source_id}) if source_id else None


def _sources(manifest: Mapping[str, Any], skill: Mapping[str, Any]) -> list[SourceRow]:
    types = skill["source_types"] or manifest["source_types"]
    return [each for each in console().manager.sources() if not each.is_deleted and each.source_type in types]
