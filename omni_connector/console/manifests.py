"""Manifests: what connectors announce, and what a manager would refuse of it, or ignore."""

from collections.abc import Iterator, Mapping
from typing import Any

from flask import Blueprint, render_template

from omni_connector.connector_base.source_types import note_on_source_types
from omni_connector.console.page import Entry, Page, console
from omni_connector.models.manifest_rules import manifest_problems, undispatchable_actions

blueprint = Blueprint("manifests", __name__, url_prefix="/console/manifest")
page = Page(blueprint, Entry("Manifest", "manifests.index", 90))


@blueprint.get("/")
def index() -> str:
    """Show each manifest."""
    manifests = console().manager.manifests()
    return render_template("manifests.html", manifests=[(each, list(findings(each))) for each in manifests])


def findings(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what Omni's manager would do differently from what the connector announces: ``refused`` or ``ignored``, and why."""
    note = note_on_source_types(manifest["source_types"])
    for problem in manifest_problems(manifest):
        yield "refused", problem
    if note is not None:
        yield "refused", note
    for name in undispatchable_actions(manifest):
        yield "ignored", f"action {name}: it has none of Omni's source types, so that no source offers it."
    if not manifest["connector_url"]:
        yield "refused", "connector_url is empty: set CONNECTOR_HOST_NAME or CONNECTOR_URL."
