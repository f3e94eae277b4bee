"""Endpoints under ``/local/``, which the real manager does not have: for demos, scripts and the curious.

POST  /local/sources                             configure a source (``LocalManager.add_source``)
GET   /local/sources                             all sources, deleted ones included
PATCH /local/sources/{id}                        change is_active, is_deleted, config, …
POST  /local/sources/{id}/reset                  forget the checkpoint, with {"connector_state": true} that as well
POST  /local/users                               add a user, or say who is an administrator
POST  /local/credentials                         store what a user has for a source, as connecting an account does
GET   /local/documents?source_id=&limit=&after=  documents by order of arrival; ``after`` is an ``id``
GET   /local/documents/{source_id}/{external_id} one document
GET   /local/search?q=&limit=&source_id=&person= full-text search; ``person``, an address, says whose
POST  /local/tick                                one tick of the scheduler, now
GET   /local/runs?source_id=                     runs of a source, newest last
GET   /local/runs/{id}                           a run, its checkpoint, its dead-lettered events
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs
from flask import Blueprint, Response, request

from omni_connector.local.app.access import answer, body, ok, services
from omni_connector.local.configuration import (
    CredentialHolder,
    change_source,
    configure_source,
    store_credential,
)
from omni_connector.local.errors import LocalManagerError
from omni_connector.local.indexed_rows import DocumentRow
from omni_connector.local.request_shapes import (
    ADD_CREDENTIAL,
    ADD_SOURCE,
    ADD_USER,
    RESET_SOURCE,
    SOURCE_CHANGES,
)
from omni_connector.local.rows import SyncRunRow
from omni_connector.local.shapes import ShapeError, child, json_object
from omni_connector.local.store import storable
from omni_connector.local.strict_json import JSON

blueprint = Blueprint("development", __name__, url_prefix="/local")

_DEFAULT_DOCUMENTS = 100
_DEFAULT_HITS = 10
_MAX_COUNT = 10_000


@blueprint.post("/sources")
def add_source() -> Response:
    """Configure a source, new or known by its id."""
    return answer(configure_source(services(), body(ADD_SOURCE)).to_wire())


@blueprint.get("/sources")
def sources() -> Response:
    """List all sources, newest first."""
    return answer([each.to_wire() for each in services().sources.all()])


@blueprint.patch("/sources/<source_id>")
def set_source(source_id: str) -> Response:
    """Change some columns of a source."""
    changes = body(_changes)
    return answer(change_source(services(), source_id, changes).to_wire())


@blueprint.post("/sources/<source_id>/reset")
def reset_source(source_id: str) -> Response:
    """Forget the checkpoint of a source."""
    return answer(services().sources.reset(source_id, **body(RESET_SOURCE)).to_wire())


@blueprint.post("/users")
def add_user() -> Response:
    """Add a user, or find the one with the address."""
    return answer(attrs.asdict(services().users.put(**body(ADD_USER))))


@blueprint.post("/credentials")
def add_credential() -> Response:
    """Store the credential of a user for a source; the secrets are not answered."""
    wanted = body(ADD_CREDENTIAL)
    source = services().sources.get(wanted.pop("source_id"))
    user_id, secrets = wanted.pop("user_id"), wanted.pop("credentials")
    if user_id is not None:
        services().users.get(user_id)
    stored = store_credential(services(), CredentialHolder(source, user_id), secrets, wanted)
    return answer({**stored.to_wire(), "credentials": None})


@blueprint.get("/documents")
def documents() -> Response:
    """List documents page by page."""
    found = services().reader.documents(
        request.args.get("source_id"),
        after=request.args.get("after"),
        limit=_count("limit", _DEFAULT_DOCUMENTS),
    )
    return answer({"documents": [_shown_document(each) for each in found]})


@blueprint.get("/documents/<source_id>/<path:external_id>")
def document(source_id: str, external_id: str) -> Response:
    """Return one document; ``%2F`` within its id may be written as such or as a slash."""
    external_id = external_id.replace("%2F", "/").replace("%2f", "/")
    found = services().reader.document(source_id, external_id)
    if found is None:
        raise LocalManagerError(404, f"Document not found: {external_id}")
    return answer(_shown_document(found))


@blueprint.get("/search")
def search() -> Response:
    """Return the best hits for ``q``."""
    hits = services().reader.search(
        request.args.get("q", ""),
        limit=_count("limit", _DEFAULT_HITS),
        source_id=request.args.get("source_id"),
        person=request.args.get("person"),
    )
    return answer({"hits": [attrs.asdict(hit) for hit in hits]})


@blueprint.post("/tick")
def tick() -> Response:
    """Run all phases of the scheduler once."""
    services().scheduler.tick()
    return ok()


@blueprint.get("/runs")
def runs() -> Response:
    """List the runs of a source, newest last."""
    found = services().runs.of_source(storable(request.args.get("source_id", "")))
    return answer({"runs": [_shown_run(run) for run in found]})


@blueprint.get("/runs/<sync_run_id>")
def run(sync_run_id: str) -> Response:
    """Return a run, and what became of events that could not be indexed."""
    found = services().runs.get(sync_run_id)
    dead = services().reader.events(sync_run_id, status="dead_letter")
    letters = [
        {"id": each.id, "type": each.type, "error": each.error, "payload": each.payload} for each in dead
    ]
    return answer({**_shown_run(found), "dead_letter_count": len(dead), "dead_letters": letters})


def _changes(value: JSON, path: str) -> dict[str, Any]:
    """Decode the body of PATCH: known keys only, none of them required."""
    changes = {}
    for key, item in json_object(value, path).items():
        if key not in SOURCE_CHANGES:
            expected = ", ".join(f"`{name}`" for name in SOURCE_CHANGES)
            raise ShapeError(path, f"unknown field `{key}`, expected one of {expected}")
        changes[key] = SOURCE_CHANGES[key](item, child(path, key))
    return changes


def _count(name: str, default: int) -> int:
    text = request.args.get(name, str(default))
    if not (text.isascii() and text.isdigit() and int(text) <= _MAX_COUNT):
        raise LocalManagerError(400, f"{name} must be a number from 0 to {_MAX_COUNT}, not {text!r}")
    return int(text)


def _shown_document(found: DocumentRow) -> JSON:
    return attrs.asdict(found, value_serializer=_moments_as_text)


def _shown_run(found: SyncRunRow) -> dict[str, JSON]:
    return {**found.to_wire(), "checkpoint": found.checkpoint}


def _moments_as_text(owner: Any, attribute: Any, value: Any) -> Any:  # noqa: ARG001 - the signature of attrs.
    return value.isoformat() if isinstance(value, datetime) else value
