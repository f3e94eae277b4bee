"""A connector and the receiver of its source's webhooks in one Flask application.

    export CONNECTOR_MANAGER_URL=http://localhost:8090
    export CONNECTOR_URL=http://localhost:8000
    flask --app examples/webhook_app.py run --port 8000

or, as in production:

    gunicorn -c python:omni_connector.gunicorn_conf --pythonpath examples 'webhook_app:create_app()'

The connector registers under http://localhost:8000/connectors/tickets.

The connector indexes the tickets of a JSON API: ``GET {url}/tickets`` answers a list of ``{"id": ..., "subject": ...,
"text": ...}``. Settings of a source: ``url``. Credentials: ``{"webhook_secret": "..."}``.

Configure the ticket system to send its events to ``/webhooks/tickets/<id of the source>``, signed with the secret: the
header ``X-Signature`` is ``sha256=`` and the HMAC of the body in hexadecimal digits. The body is ``{"type": ...}``, with
``"ticket": {...}`` where one was made or changed, and ``"id"`` where one was deleted (``ticket.deleted``). A ticket that comes with its
webhook is indexed at once, in a run of its own; for everything else the manager is asked for an incremental sync.
"""

import hashlib
import hmac
import json
from typing import Any
from urllib.request import urlopen

from flask import Flask, current_app, request
from flask.typing import ResponseReturnValue

from omni_connector import (
    Connector,
    Document,
    DocumentPermissions,
    NotFoundError,
    RunConflictError,
    SyncContext,
)
from omni_connector.exceptions import SyncConflictError
from omni_connector.server import create_blueprint, service_of

Json = dict[str, Any]

TIMEOUT_SECONDS = 30
BUSY_SECONDS = "60"


class TicketConnector(Connector):
    """Indexes the tickets of one system."""

    name = "tickets"
    version = "1.0.0"
    display_name = "Tickets"
    sync_modes = ["full", "incremental"]
    source_types = ["web"]

    def sync(self, source_config: Json, credentials: Json, state: Json | None, ctx: SyncContext) -> None:
        """Emit the tickets that have changed, and delete those that are gone; the system is open to all.

        The system cannot say which these are: the inventory compares.
        """
        del credentials, state
        inventory = ctx.inventory()
        with urlopen(f"{source_config['url']}/tickets", timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - set by an administrator.
            tickets = json.load(answer)
        for ticket in tickets:
            ctx.increment_scanned()
            if inventory.changed(ticket["id"], ticket):
                ctx.emit(ticket_document(ticket))
        inventory.finish()


def ticket_document(ticket: Json) -> Document:
    """Return the document of a ticket."""
    return Document(
        external_id=ticket["id"],
        title=ticket["subject"],
        content=ticket["text"],
        permissions=DocumentPermissions(public=True),
    )


def index(ctx: SyncContext, ticket: Json) -> None:
    """Send a ticket that came with a webhook; the next sync knows of it."""
    if ctx.inventory().changed(ticket["id"], ticket):
        ctx.emit_updated(ticket_document(ticket))


def remove(ctx: SyncContext, ticket_id: str) -> None:
    """Delete a ticket that is gone, in the inventory as well."""
    ctx.inventory()
    ctx.emit_deleted(ticket_id)


def receive(source_id: str) -> ResponseReturnValue:
    """``POST /webhooks/tickets/<source_id>``: index what came, or ask for a sync."""
    service = service_of(current_app, "tickets")
    try:
        secret = service.manager.credentials(source_id).credentials["webhook_secret"]
    except NotFoundError:
        return {"error": "no such source"}, 404
    if not is_signed(request.get_data(), request.headers.get("X-Signature", ""), secret):
        return {"error": "the signature is wrong"}, 401
    event: Json = request.get_json()
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        return {"error": "the body has no type"}, 400
    ticket = event.get("ticket")
    try:
        if event["type"] == "ticket.deleted":
            run_id = service.start_own_run(source_id, lambda ctx: remove(ctx, event["id"]))
        elif ticket is not None:
            run_id = service.start_own_run(source_id, lambda ctx: index(ctx, ticket))
        else:
            run_id = service.manager.notify_webhook(source_id, event["type"])
    except (RunConflictError, SyncConflictError):
        # A sync is in progress, which may have read past this ticket already: the sender tries again.
        return {"error": "a sync is in progress"}, 503, {"Retry-After": BUSY_SECONDS}
    return {"sync_run_id": run_id}, 202


def is_signed(body: bytes, signature: str, secret: str) -> bool:
    """Say whether the body was signed with the secret; takes equally long for every wrong signature."""
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(signature.encode(), expected.encode())


def create_app() -> Flask:
    """Return the application; its threads start in the process that calls this."""
    app = Flask(__name__)
    app.register_blueprint(create_blueprint(TicketConnector()), url_prefix="/connectors/tickets")
    app.add_url_rule("/webhooks/tickets/<source_id>", view_func=receive, methods=["POST"])
    return app
