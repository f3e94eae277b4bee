"""Index the items of a JSON API: the asynchronous quick start made real.

    omni-connector run examples/async_connector.py --set url=https://api.example.com --credentials credentials.json

Settings of the source:

``url``        base address of the API.
``page_size``  items in one request; 100 unless given.

Credentials: ``{"token": "..."}``, sent as a bearer token; none for an API that is open to all.

The API lists its items in the order in which they changed, page by page, from a cursor on; ``has_more`` says whether
to go on at once, ``next_cursor`` where to go on, now or another day:

    GET /items?cursor=c1&limit=100

    {"items": [{"id": "1", "title": "First", "content": "...", "url": "https://...", "updated_at": "2026-08-01T12:00:00Z"},
               {"id": "2", "deleted": true}],
     "next_cursor": "c2", "has_more": false}

The state is the cursor behind the last page that was read. An incremental run goes on from it, a full run starts from
the beginning, and a run that was interrupted goes on where it was.
"""

from collections.abc import AsyncIterator
from typing import Any

import httpx

from omni_connector import (
    ConfigurationError,
    Connector,
    Document,
    DocumentMetadata,
    DocumentPermissions,
    InvalidValueError,
    SyncContext,
)

PAGE_SIZE = 100
TIMEOUT_SECONDS = 30.0
ATTEMPTS = 5
OVERLOADED = {429, 503}

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
        cursor = None
        # A full run that is taken up again before it saved anything is given the state of an earlier one.
        if state and (ctx.sync_mode != "full" or state.get("run") == ctx.sync_run_id):
            cursor = state["cursor"]
        async with api_client(source_config, credentials) as client:
            async for page in fetch_pages(client, cursor, source_config.get("page_size", PAGE_SIZE), ctx):
                # One after the other, because an item may be on a page twice: changed, then deleted. It costs no
                # time: emit fills a buffer, and contents travel in the background, several at once.
                for item in page["items"]:
                    await emit_item(item, ctx)
                await ctx.save_state({"run": ctx.sync_run_id, "cursor": page["next_cursor"]})
        await ctx.complete()


def api_client(config: Json, credentials: Json) -> httpx.AsyncClient:
    """Return a client for the API.

    Raises:
        ConfigurationError: the settings name no address.
    """
    url = config.get("url")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"url: {url!r} is not an address. Give one: --set url=https://api.example.com"
        )
    token = credentials.get("token")
    return httpx.AsyncClient(
        base_url=url,
        headers={"Authorization": f"Bearer {token}"} if token else {},
        timeout=TIMEOUT_SECONDS,
        transport=httpx.AsyncHTTPTransport(retries=2),  # Of connecting; see get_page for answers.
    )


async def fetch_pages(
    client: httpx.AsyncClient, cursor: str | None, page_size: int, ctx: SyncContext
) -> AsyncIterator[Json]:
    """Yield the pages behind ``cursor``.

    Raises:
        httpx.HTTPError: the API cannot be reached or refuses.
        SyncCancelledError: the run is to stop.
    """
    has_more = True
    while has_more:
        page = await get_page(client, {"limit": page_size} | ({"cursor": cursor} if cursor else {}), ctx)
        yield page
        cursor, has_more = page["next_cursor"], page["has_more"]


async def get_page(client: httpx.AsyncClient, params: Json, ctx: SyncContext) -> Json:
    """Return one page; wait and ask again where the API says that it is overloaded."""
    for attempt in range(1, ATTEMPTS + 1):
        ctx.raise_if_cancelled()
        response = await client.get("/items", params=params)
        if response.status_code not in OVERLOADED or attempt == ATTEMPTS:
            break
        wait = response.headers.get("retry-after", "")
        await ctx.sleep(float(wait) if wait.isdecimal() else 2.0**attempt)
    response.raise_for_status()
    page: Json = response.json()
    return page


async def emit_item(item: Json, ctx: SyncContext) -> None:
    """Send one item; one that cannot be sent costs itself."""
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
