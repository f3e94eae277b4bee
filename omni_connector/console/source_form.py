"""Adding a source, and changing its settings."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from omni_connector.console.formatting import readable_error
from omni_connector.console.page import Page, console
from omni_connector.console.source_settings import SourceDraft
from omni_connector.console.sources import known_source, settings_forms
from omni_connector.local import SourceRow

blueprint = Blueprint("source_form", __name__, url_prefix="/console/sources")
page = Page(blueprint, within="sources")

_DEFAULT_INTERVAL = "3600"
_UNUSABLE = 400


@blueprint.get("/new")
def new() -> str:
    """Show the form of a source to add; its fields depend on ``?type=``."""
    source_type = request.args.get("type", "")
    manifests = console().manager.manifests()
    if not source_type and len(manifests) == 1 and manifests[0]["source_types"]:
        source_type = manifests[0]["source_types"][0]
    draft = _draft(source_type)
    draft.interval = _DEFAULT_INTERVAL
    draft.name = next(
        (each["display_name"] for each in manifests if source_type in each["source_types"]), source_type
    )
    return _page(draft, None)


@blueprint.post("/new")
def add() -> tuple[str, int] | Response:
    """Add a source."""
    draft = _draft(request.form.get("source_type", "").strip())
    draft.read(request.form)
    if draft.problems:
        return _page(draft, None), _UNUSABLE
    manager = console().manager
    added = manager.add_source(
        source_type=draft.source_type,
        name=draft.name or None,
        config=draft.config,
        credentials=draft.credentials or {},  # Without a row of them no action is run.
        sync_interval_seconds=draft.interval_seconds,
    )
    if not draft.is_active:
        manager.set_source(added.id, is_active=False)
    flash(f"{added.name} was added.")
    return redirect(url_for("sources.source", source_id=added.id, saved="1"), 303)


@blueprint.get("/<source_id>/edit")
def edit(source_id: str) -> str:
    """Show the form of a source, with what its last run says about its settings."""
    found = known_source(source_id)
    draft = _stored(found)
    runs = console().manager.runs(source_id)
    if runs and runs[-1].status == "failed":
        draft.adopt(readable_error(runs[-1].error_message).splitlines())
    return _page(draft, found)


@blueprint.post("/<source_id>/edit")
def save(source_id: str) -> tuple[str, int] | Response:
    """Change the settings of a source; its checkpoint stays."""
    found = known_source(source_id)
    draft = _stored(found)
    draft.read({**request.form, "source_type": found.source_type})
    if draft.problems:
        return _page(draft, found), _UNUSABLE
    manager = console().manager
    manager.set_source(
        source_id,
        is_active=draft.is_active,
        name=draft.name or found.source_type,
        config=draft.config,
        sync_interval_seconds=draft.interval_seconds,
        credentials=draft.credentials,
    )
    flash("The settings were saved.")
    return redirect(url_for("sources.source", source_id=source_id, saved="1"), 303)


def _draft(source_type: str) -> SourceDraft:
    forms = settings_forms(source_type)
    return SourceDraft(forms=forms, source_type=source_type, as_json="json" in request.args)


def _stored(source: SourceRow) -> SourceDraft:
    credential = console().manager.credential(source.id)
    forms = settings_forms(source.source_type)
    draft = SourceDraft.of(source, None if credential is None else credential.credentials, forms)
    draft.as_json = "json" in request.args
    return draft


def _page(draft: SourceDraft, source: SourceRow | None) -> str:
    types = sorted({each for manifest in console().manager.manifests() for each in manifest["source_types"]})
    return render_template("source_form.html", draft=draft, source=source, types=types)
