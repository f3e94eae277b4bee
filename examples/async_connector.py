"""Index the items of a JSON API: the asynchronous quick start, complete.

    omni-connector run examples/async_connector.py --set url=https://api.example.com --credentials credentials.json

Settings of the source:

``url``        base address of the API.
``page_size``  items in one request. Default: 100.

Credentials: ``{"token": "..."}``, sent as a bearer token; none for a public API.

The API lists its items in the order in which they changed, page by page, beginning after a cursor. ``has_more`` says whether
there is another page now; ``next_cursor`` is where to continue, now or in a later run; ``GET /items/2`` returns one item:

    GET /items?cursor=c1&limit=100

    {"items": [{"id": "1", "title": "First", "content": "...", "url": "https://...", "updated_at": "2026-08-01T12:00:00Z"},
               {"id": "2", "deleted": true}],
     "next_cursor": "c2", "has_more": false}

The state is the cursor after the last page that was read, and the ids of the items that the manager refused. An incremental
run reads those items again and continues from the cursor, a full run starts from the beginning, and an interrupted run
resumes from its last state.
"""

from typing import Any
from urllib.parse import quote

from omni_connector import (
    ConfigurationError,
    Connector,
    Document,
    DocumentMetadata,
    DocumentPermissions,
    InvalidValueError,
    SyncContext,
)
from omni_connector.sources import BearerAuth, HttpSession, SourceResponse, cursor_pages

PAGE_SIZE = 100
NOT_FOUND = 404

Json = dict[str, Any]


class ApiConnector(Connector):
    """Reads an API."""

    name = "json-api"
    version = "1.0.0"
    display_name = "JSON API"
    description = "Items of a JSON API"
    sync_modes = ["full", "incremental"]
    source_types = ["web"]

    async def sync(
        self, source_config: Json, credentials: Json, state: Json | None, ctx: SyncContext
    ) -> None:
        """Emit page after page; save the cursor behind each."""
        cursor = state["cursor"] if state else None
        refused: list[str] = state.get("refused", []) if state else []
        session = api_session(source_config, credentials, ctx)
        for item_id in refused:
            await emit_item(await get_item(session, item_id), ctx)
        refused = await refused_now(ctx)
        params = {"limit": source_config.get("page_size", PAGE_SIZE)}
        async for page in cursor_pages(
            session, "/items", cursor=next_cursor, items="items", start=cursor, params=params
        ):
            # In order, because an item may be on a page twice: changed, then deleted. This is no slower: emit
            # fills a buffer, and contents are uploaded in the background, several at once.
            for item in page.items:
                await emit_item(item, ctx)
            sent_again = {item.get("id") for item in page.items}
            refused = [name for name in refused if name not in sent_again] + await refused_now(ctx)
            await ctx.save_state({"cursor": page.body["next_cursor"], "refused": refused})
        await ctx.complete()


async def refused_now(ctx: SyncContext) -> list[str]:
    """Return the ids of the items that the manager has refused since the last call."""
    return [error.document_id for error in await ctx.flush()]


def api_session(config: Json, credentials: Json, ctx: SyncContext) -> HttpSession:
    """Return a session for the API: it waits and asks again where the API is overloaded.

    Raises:
        ConfigurationError: the settings name no address.
    """
    url = config.get("url")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"url: {url!r} is not an address. Give one: --set url=https://api.example.com"
        )
    token = credentials.get("token")
    return ctx.http(url, auth=BearerAuth(token) if token else None)


def next_cursor(response: SourceResponse) -> str | None:
    """Return where the next page begins; None when there is none now."""
    page: Json = response.json()
    return page["next_cursor"] if page["has_more"] else None


async def get_item(session: HttpSession, item_id: str) -> Json:
    """Return one item; one that is gone as its deletion."""
    response = await session.get(f"/items/{quote(item_id, safe='')}")
    if response.status_code == NOT_FOUND:
        return {"id": item_id, "deleted": True}
    response.raise_for_status()
    item: Json = response.json()
    return item


async def emit_item(item: Json, ctx: SyncContext) -> None:
    """Send one item; one that cannot be sent is reported as an error and skipped."""
    await ctx.increment_scanned()
    try:
        if item.get("deleted"):
            await ctx.emit_deleted(item["id"])
            return
        await ctx.emit(
            Document(
                external_id=item["id"],
                title=item["title"],
                content=item["content"],
                metadata=DocumentMetadata(url=item.get("url"), updated_at=item.get("updated_at")),
                permissions=DocumentPermissions(public=True),
            )
        )
    except (KeyError, InvalidValueError) as error:
        await ctx.emit_error(item.get("id", "an item without id"), error)


if __name__ == "__main__":
    ApiConnector().serve()
