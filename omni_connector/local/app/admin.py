"""What operators and the web app call."""

from __future__ import annotations

from flask import Blueprint, Response

from omni_connector.local.app.access import answer, body, services
from omni_connector.local.progress import progress_events
from omni_connector.local.request_shapes import CREDENTIAL_READY, TRIGGER_SYNC

blueprint = Blueprint("admin", __name__)


@blueprint.get("/health")
def health() -> Response:
    """Say that the process serves."""
    return answer({"status": "healthy"})


@blueprint.post("/sync")
def trigger_sync() -> Response:
    """Start a sync, incremental by default."""
    wanted = body(TRIGGER_SYNC)
    return _started(wanted["source_id"], wanted["sync_mode"] or "incremental")


@blueprint.post("/sync/<source_id>")
def trigger_full_sync(source_id: str) -> Response:
    """Start a full sync; no body is read."""
    return _started(source_id, "full")


@blueprint.post("/sync/<sync_run_id>/cancel")
def cancel_sync(sync_run_id: str) -> Response:
    """Cancel a running run."""
    services().canceller.cancel(sync_run_id)
    return answer({"status": "cancelled"})


@blueprint.get("/sync/<sync_run_id>/progress")
def progress(sync_run_id: str) -> Response:
    """Stream a run's progress until it ends."""
    events = progress_events(services().runs, sync_run_id, services().settings.progress_interval_seconds)
    return Response(events, content_type="text/event-stream", headers={"cache-control": "no-cache"})


@blueprint.get("/schedules")
def schedules() -> Response:
    """List active sources with their latest run."""
    return answer(services().overview.schedules())


@blueprint.get("/sources")
def sources() -> Response:
    """List sources with health and recent runs."""
    return answer(services().overview.sources())


@blueprint.get("/sources/active")
def active_sources() -> Response:
    """List active sources."""
    return answer(services().overview.active_sources())


@blueprint.get("/sources/<source_id>")
def source(source_id: str) -> Response:
    """Return one source with health and recent runs."""
    return answer(services().overview.source(source_id))


@blueprint.get("/connectors")
def connectors() -> Response:
    """List registered connectors, asking each for its health."""
    return answer(services().catalogue.connectors())


@blueprint.post("/oauth/credential-ready")
def credential_ready() -> Response:
    """Notify a connector that an OAuth credential was stored."""
    notice = body(CREDENTIAL_READY)
    del notice["credentials"]  # The manager uses what it has stored.
    return answer(services().mcp.announce_credential(**notice))


def _started(source_id: str, sync_mode: str) -> Response:
    run_id = services().dispatcher.trigger(source_id, sync_mode, "manual")
    return answer({"sync_run_id": run_id, "status": "started"})
