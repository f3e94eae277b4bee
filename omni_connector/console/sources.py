"""The list of sources, one source, and what can be done with it."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from omni_connector.connector_base.declared_manifest import CHECK_CONNECTION
from omni_connector.console.connector_process import ConnectorPhase
from omni_connector.console.formatting import readable_error
from omni_connector.console.hidden_values import hidden
from omni_connector.console.page import Entry, Page, console
from omni_connector.console.source_settings import SettingsForms
from omni_connector.local import LocalManagerError, SourceRow, browse
from omni_connector.runstore.inventory_lookup import without_checkpoint
from omni_connector.testing.actions import post_action

blueprint = Blueprint("sources", __name__)
page = Page(blueprint, Entry("Sources", "sources.index", 10))

SHOWN_RUNS = 5
MODES = ("full", "incremental", "realtime")


@blueprint.get("/")
def index() -> str:
    """List the sources."""
    manager = console().manager
    with browse.reading(manager.data_dir) as db:
        sources = browse.list_sources(db, settings=manager.settings)
        errors = {each.source.id: _errors(each) for each in sources}
    served = {each for manifest in manager.manifests() for each in manifest["source_types"]}
    fragment = request.headers.get("HX-Target") == "sources"
    template = "sources_table.html" if fragment else "sources.html"
    return render_template(
        template, sources=sources, errors=errors, served=served, manifests=manager.manifests()
    )


@blueprint.get("/console/sources/<source_id>")
def source(source_id: str) -> str:
    """Show one source."""
    manager = console().manager
    with browse.reading(manager.data_dir) as db:
        summary = browse.find_source(db, source_id, settings=manager.settings)
        if summary is None or summary.source.is_deleted:
            raise _unknown(source_id)
        runs = browse.list_runs(db, source_id, limit=SHOWN_RUNS)
    credential = manager.credential(source_id)
    forms = settings_forms(summary.source.source_type)
    manifest = _manifest(summary.source)
    return render_template(
        "source.html",
        summary=summary,
        source=summary.source,
        runs=runs,
        errors=_errors(summary),
        config=hidden(summary.source.config, forms.config.schema if forms.config else {}),
        credential=credential,
        without_checkpoint=without_checkpoint(manager.data_dir, source_id),
        manifest=manifest,
        tests_connection=manifest is not None and _offers_check(manifest),
        running=[each.run for each in runs.items if each.run.is_running],
    )


@blueprint.post("/console/sources/<source_id>/sync")
def sync(source_id: str) -> Response:
    """Start a run."""
    found = known_source(source_id)
    mode = request.form.get("mode", "full")
    if not _may_run(found):
        flash("No run was started: the connector is not running, see above.", "error")
        return redirect(url_for("sources.source", source_id=source_id), 303)
    try:
        run_id = console().manager.trigger(source_id, mode if mode in MODES else "full")
    except LocalManagerError as error:
        flash(f"No run was started. {readable_error(error.message)}", "error")
        return redirect(url_for("sources.source", source_id=source_id), 303)
    return redirect(url_for("runs.run", run_id=run_id), 303)


@blueprint.post("/console/sources/<source_id>/test")
def test_connection(source_id: str) -> Response:
    """Have the connector try the stored settings and credentials; a page that asks for it by itself is given the note alone."""
    found = known_source(source_id)
    answer = post_action(console().manager, source_id, CHECK_CONNECTION, {}, None)
    said, category = f"The connector reaches {found.name} with these settings.", "message"
    if answer.is_error:
        reason = readable_error(answer.error or f"The answer has the status {answer.status_code}.")
        said, category = f"The connection failed: {reason}", "error"
    page_of_source = url_for("sources.source", source_id=source_id)
    if request.headers.get("HX-Request") == "true":
        note = render_template("flash.html", text=said, category=category)
        return Response(note, headers={"HX-Replace-Url": page_of_source}, content_type="text/html")
    flash(said, category)
    return redirect(page_of_source, 303)


@blueprint.post("/console/sources/<source_id>/cancel")
def cancel(source_id: str) -> Response:
    """Cancel what runs of the source are in progress."""
    found = known_source(source_id)
    manager = console().manager
    running = [each for each in manager.runs(source_id) if each.is_running]
    for each in running:
        try:
            manager.cancel(each.id)
        except LocalManagerError as error:
            flash(f"The run {each.id} was not cancelled: {error.message}", "error")
        else:
            flash(f"The {each.sync_type} sync of {found.name} was cancelled.")
    if not running:
        flash("No run is in progress.")
    return redirect(url_for("sources.source", source_id=source_id), 303)


@blueprint.get("/console/sources/<source_id>/reset")
def confirm_reset(source_id: str) -> str:
    """Ask before the state is reset."""
    return render_template("source_reset.html", source=known_source(source_id))


@blueprint.post("/console/sources/<source_id>/reset")
def reset(source_id: str) -> Response:
    """Forget the checkpoint, and the connector state if that is wanted."""
    found = known_source(source_id)
    try:
        console().manager.reset_source(source_id, connector_state="connector_state" in request.form)
    except LocalManagerError as error:
        flash(f"The state was not reset: {error.message}", "error")
    else:
        checkpoint = without_checkpoint(console().manager.data_dir, source_id)
        flash(f"The state of {found.name} was reset. Checkpoint {checkpoint}.")
    return redirect(url_for("sources.source", source_id=source_id), 303)


@blueprint.get("/console/sources/<source_id>/delete")
def confirm_delete(source_id: str) -> str:
    """Ask before the source is deleted."""
    manager = console().manager
    found = known_source(source_id)
    with browse.reading(manager.data_dir) as db:
        summary = browse.find_source(db, source_id, settings=manager.settings)
    return render_template("source_delete.html", source=found, summary=summary)


@blueprint.post("/console/sources/<source_id>/delete")
def delete(source_id: str) -> Response:
    """Delete the source; its runs are cancelled and its documents removed by the next ticks."""
    found = known_source(source_id)
    console().manager.set_source(source_id, is_deleted=True)
    flash(f"{found.name} was deleted. Its documents are being removed.")
    return redirect(url_for("sources.index"), 303)


def known_source(source_id: str) -> SourceRow:
    """Return a source that is not deleted; raises ``LocalManagerError`` (404)."""
    found = console().manager.source(source_id)
    if found.is_deleted:
        raise _unknown(source_id)
    return found


def settings_forms(source_type: str) -> SettingsForms:
    """Return the forms of what the connector of a type declares: as it says now, or else as it was loaded last."""
    described = console().manager.described(source_type)
    if described is None:
        loaded = console().declared.get(source_type, {})
        described = {f"{name}_schema": schema for name, schema in loaded.items()}
    return SettingsForms.of(described)


def _errors(summary: browse.SourceSummary) -> int:
    """Count what went wrong with documents in the last run: what the manager refused, and what the connector has reported."""
    last = summary.last_run
    return 0 if last is None else last.counts.refused + int(console().report(last.id).get("error_count", 0))


def _may_run(source: SourceRow) -> bool:
    """Say whether the source may have a connector that runs: that of ``dev`` has none once it has failed or ended."""
    process, declared = console().connector, console().declared
    if process is None or (declared and source.source_type not in declared):
        return True  # Another connector's.
    return process.state.phase not in {ConnectorPhase.FAILED, ConnectorPhase.ENDED}


def _offers_check(manifest: Mapping[str, Any]) -> bool:
    return any(each["name"] == CHECK_CONNECTION for each in manifest["actions"])


def _manifest(source: SourceRow) -> dict[str, Any] | None:
    """Return the manifest of the connector that serves the source."""
    manifests = console().manager.manifests()
    return next((each for each in manifests if source.source_type in each["source_types"]), None)


def _unknown(source_id: str) -> LocalManagerError:
    return LocalManagerError(404, f"Source not found: {source_id}")
