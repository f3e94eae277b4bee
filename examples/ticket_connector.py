"""Index a ticket system: a REST API with OAuth tokens that rotate, limited rates, pages, and no word about deletions.

    omni-connector run examples/ticket_connector.py --set url=https://tickets.example.com --credentials login.json

``login.json``: ``{"client_id": "...", "client_secret": "...", "refresh_token": "..."}``. Each refresh token is good for one
use. The SDK keeps the newest one, so that the one in the file is needed only once.

An incremental run asks for the tickets that were updated since the last one, and in the five minutes before, for clocks that differ. The API does not say what was deleted: once a
day, a run lists all tickets, and the documents of those that are gone are deleted.

The members of a project find its tickets.
"""

from datetime import timedelta
from typing import Any

from attrs import define

from omni_connector import (
    Connector,
    Cursor,
    Document,
    DocumentMetadata,
    DocumentPermissions,
    SyncContext,
    secret,
)
from omni_connector.sources import RefreshToken, cursor_pages


@define
class Settings:
    """The ticket system."""

    url: str


@define
class Login:
    """An application that may read all projects."""

    client_id: str
    client_secret: str = secret()
    refresh_token: str = secret()


class TicketConnector(Connector[Settings, Login]):
    """Reads a ticket system."""

    name = "tickets"
    version = "1.0.0"
    sync_modes = ["full", "incremental"]
    source_types = ["web"]
    reconcile_every = timedelta(days=1)

    def sync(self, config: Settings, credentials: Login, state: Any, ctx: SyncContext) -> None:
        """Send the members of the projects, and the tickets that have changed."""
        login = (credentials.client_id, credentials.refresh_token, credentials.client_secret)
        token = RefreshToken(f"{config.url}/oauth/token", *login)
        api = ctx.http(config.url, auth=token, raise_for_status=True)
        for project in api.get("projects").json()["projects"]:
            ctx.emit_group_membership(group_of(project["id"]), project["members"], project["name"])
        inventory, cursor = ctx.inventory(), Cursor("updated_at", state, overlap=timedelta(minutes=5))
        since = None if inventory.reconciliation_due() else cursor.since
        # The session leaves out parameters that are None. An interrupted run goes on with the next page.
        params, start = {"updated_since": since}, (state or {}).get("page")
        tickets = cursor_pages(
            api, "tickets", cursor="next_cursor", items="tickets", start=start, params=params
        )
        for page in tickets:
            for ticket in page.items:
                ctx.increment_scanned()
                cursor.take(ticket)
                if inventory.changed(ticket["id"], ticket["updated_at"]):
                    ctx.emit(document(ticket))
            ctx.save_state({**(state or {}), "page": tickets.position})
        inventory.finish(complete=since is None)
        ctx.complete(cursor.end())


def document(ticket: dict[str, Any]) -> Document:
    """Return a ticket as a document."""
    return Document(
        external_id=ticket["id"],
        title=ticket["title"],
        content=ticket["body"].encode(),
        mime_type="text/html",
        metadata=DocumentMetadata(updated_at=ticket["updated_at"]),
        permissions=DocumentPermissions(groups=[group_of(ticket["project"])]),
    )


def group_of(project: str) -> str:
    """Return the address that stands for a project's members."""
    return f"{project}@tickets"
