"""What connectors report about their runs."""

from __future__ import annotations

from flask import Blueprint, Response

from omni_connector.local.app.access import answer, body, ok, services
from omni_connector.local.dispatch import check_active
from omni_connector.local.errors import LocalManagerError
from omni_connector.local.manager_dates import Since
from omni_connector.local.request_shapes import CANCEL_SYNC, COUNT, CREATE_SYNC, FAIL, OLD_COMPLETE, WEBHOOK
from omni_connector.local.shapes import any_json

blueprint = Blueprint("sdk_runs", __name__, url_prefix="/sdk")


@blueprint.post("/sync/<sync_run_id>/heartbeat")
def heartbeat(sync_run_id: str) -> Response:
    """Renew a run's activity; no body is read."""
    services().runs.renew_activity(sync_run_id)
    return ok()


@blueprint.post("/sync/<sync_run_id>/scanned")
def scanned(sync_run_id: str) -> Response:
    """Add to ``documents_scanned``."""
    services().runs.count(sync_run_id, "documents_scanned", body(COUNT)["count"])
    return ok()


@blueprint.post("/sync/<sync_run_id>/updated")
def updated(sync_run_id: str) -> Response:
    """Add to ``documents_updated``."""
    services().runs.count(sync_run_id, "documents_updated", body(COUNT)["count"])
    return ok()


@blueprint.put("/sync/<sync_run_id>/checkpoint")
def checkpoint(sync_run_id: str) -> Response:
    """Replace the run's checkpoint by the body."""
    services().runs.save_checkpoint(sync_run_id, body(any_json))
    return ok()


@blueprint.post("/sync/<sync_run_id>/complete")
def complete(sync_run_id: str) -> Response:
    """Finish a run and publish its checkpoint; no body is read, except by managers before 26 April 2026."""
    if services().settings.has(Since.COMPLETE_IGNORES_BODY):
        services().runs.complete(sync_run_id)
        return ok()
    outcome = body(OLD_COMPLETE)
    services().runs.complete_with(
        sync_run_id,
        scanned=outcome["documents_scanned"] or 0,
        updated=outcome["documents_updated"] or 0,
        new_state=outcome["new_state"],
    )
    return ok()


@blueprint.post("/sync/<sync_run_id>/fail")
def fail(sync_run_id: str) -> Response:
    """Finish a run as failed."""
    services().runs.end_by_connector(sync_run_id, "failed", body(FAIL)["error"])
    return ok()


@blueprint.post("/sync/create")
def create() -> Response:
    """Open a run that the connector drives itself."""
    wanted = body(CREATE_SYNC)
    source = services().sources.get(wanted["source_id"])
    if services().settings.has(Since.ENDED_RUNS_PROTECTED):
        check_active(source)
        services().runs.check_slot(wanted["source_id"], wanted["sync_type"])
    run = services().runs.create(wanted["source_id"], wanted["sync_type"], "manual")
    return answer({"sync_run_id": run.id})


@blueprint.post("/sync/cancel")
def cancel() -> Response:
    """Mark a run cancelled without calling the connector."""
    services().runs.end_by_connector(body(CANCEL_SYNC)["sync_run_id"], "cancelled", "Cancelled by user")
    return answer({"success": True})


@blueprint.post("/webhook/notify")
def webhook() -> Response:
    """Start an incremental sync; every reason not to is a 500 here."""
    notification = body(WEBHOOK)
    try:
        run_id = services().dispatcher.trigger(notification["source_id"], "incremental", "webhook")
    except LocalManagerError as error:
        raise LocalManagerError(500, f"Failed to trigger sync: {error.message}") from error
    return answer({"sync_run_id": run_id})
