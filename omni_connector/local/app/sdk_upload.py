"""What connectors bring: registrations, events, contents, files to extract."""

from __future__ import annotations

from flask import Blueprint, Response, request

from omni_connector.local.app.access import OLD_BODY_LIMIT, BodyRefusedError, answer, body, ok, services
from omni_connector.local.errors import LocalManagerError
from omni_connector.local.manager_dates import Since
from omni_connector.local.manifest_shapes import MANIFEST, OLD_MANIFEST
from omni_connector.local.multipart import (
    UNREADABLE_FORM,
    NoBoundaryError,
    boundary_of,
    read_extract_request,
)
from omni_connector.local.older_events import EventShapes, shapes_of
from omni_connector.local.registry import check_manifest
from omni_connector.local.request_shapes import STORE_CONTENT
from omni_connector.local.search_operators import declare_operators

blueprint = Blueprint("sdk_upload", __name__, url_prefix="/sdk")


@blueprint.post("/register")
def register() -> Response:
    """Check a manifest, ask the connector for its health, and keep it for a while."""
    settings = services().settings
    manifest = body(MANIFEST if settings.has(Since.CUSTOM_SOURCE_TYPES) else OLD_MANIFEST)
    check_manifest(manifest, schemas=settings.has(Since.ACTION_SCHEMA_RULES))
    connector_url = manifest["connector_url"]
    if not services().connectors.is_healthy(connector_url):
        raise LocalManagerError(
            400, f"Connector health check failed at {connector_url}. Registration rejected."
        )
    services().registry.put(manifest)
    declare_operators(services().store, manifest)
    services().mcp.recover_catalogue(manifest)
    return ok()


@blueprint.post("/events")
def emit_event() -> Response:
    """Queue one event."""
    envelope = body(event_shapes().single)
    services().queue.emit(
        sync_run_id=envelope["sync_run_id"], source_id=envelope["source_id"], events=[envelope["event"]]
    )
    return ok()


@blueprint.post("/events/batch")
def emit_batch() -> Response:
    """Queue a list of events, all or none."""
    services().queue.emit(**body(event_shapes().batch))
    return ok()


@blueprint.post("/content")
def store_content() -> Response:
    """Store a text."""
    content = body(STORE_CONTENT)
    return answer({"content_id": services().contents.save(content["content"], content["sync_run_id"])})


@blueprint.post("/extract-content")
def extract_content() -> Response:
    """Extract a file's text and store it."""
    with services().extractor.permit():
        sync_run_id, text = _extracted()
        return answer({"content_id": services().contents.save(text, sync_run_id)})


@blueprint.post("/extract-text")
def extract_text() -> Response:
    """Extract a file's text and return it."""
    with services().extractor.permit():
        sync_run_id, text = _extracted()
        services().runs.renew_activity(sync_run_id)
        return answer({"text": text})


def event_shapes() -> EventShapes:
    """Return the shapes of events that the emulated manager decodes."""
    return shapes_of(services().settings.revision)


def _extracted() -> tuple[str, str]:
    """Return the run id and the text of the request's file; the caller holds a permit."""
    try:
        boundary = boundary_of(request.headers.get("Content-Type", ""))
    except NoBoundaryError:
        raise BodyRefusedError(400, "Invalid `boundary` for `multipart/form-data` request") from None
    data = request.get_data(cache=False)
    if len(data) > OLD_BODY_LIMIT and not services().settings.has(Since.LARGE_EXTRACTIONS):
        raise LocalManagerError(400, UNREADABLE_FORM)
    fields = read_extract_request(data, boundary)
    return fields.sync_run_id, services().extractor.extract(fields.data, fields.mime_type, fields.filename)
