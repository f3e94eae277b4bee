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

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx

from omni_connector import (
    ConfigurationError,
    Connector,
    ConnectorError,
    Document,
    DocumentMetadata,
    DocumentPermissions,
    InvalidValueError,
    SyncContext,
)

PAGE_SIZE = 100
TIMEOUT_SECONDS = 30.0
ATTEMPTS = 5
OVERLOADED = {httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE}

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
        async with api_client(source_config, credentials) as client:
            for item_id in refused:
                await emit_item(await get_item(client, item_id, ctx), ctx)
            refused = await refused_now(ctx)
            async for page in fetch_pages(client, cursor, source_config.get("page_size", PAGE_SIZE), ctx):
                # In order, because an item may be on a page twice: changed, then deleted. This is no slower: emit
                # fills a buffer, and contents are uploaded in the background, several at once.
                for item in page["items"]:
                    await emit_item(item, ctx)
                sent_again = {item.get("id") for item in page["items"]}
                refused = [name for name in refused if name not in sent_again] + await refused_now(ctx)
                await ctx.save_state({"cursor": page["next_cursor"], "refused": refused})
        await ctx.complete()


class ApiError(ConnectorError):
    """The API answers something that makes no sense."""


async def refused_now(ctx: SyncContext) -> list[str]:
    """Return the ids of the items that the manager has refused since the last call."""
    return [error.document_id for error in await ctx.flush()]


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
        transport=httpx.AsyncHTTPTransport(retries=2),  # Of connecting; ``get`` repeats after some answers.
    )


async def fetch_pages(
    client: httpx.AsyncClient, cursor: str | None, page_size: int, ctx: SyncContext
) -> AsyncIterator[Json]:
    """Yield the pages behind ``cursor``.

    Raises:
        ApiError: a page leads back to one that was read before.
        httpx.HTTPError: the API cannot be reached or refuses.
        SyncCancelledError: the run is to stop.
    """
    seen = {cursor}
    has_more = True
    while has_more:
        params = {"limit": page_size} | ({"cursor": cursor} if cursor else {})
        page: Json = (await get(client, "/items", params, ctx)).raise_for_status().json()
        yield page
        cursor, has_more = page["next_cursor"], page["has_more"]
        if has_more and cursor in seen:
            raise ApiError(
                f"The page behind the cursor {cursor!r} was read before: the API sends the same pages again."
            )
        seen.add(cursor)


async def get_item(client: httpx.AsyncClient, item_id: str, ctx: SyncContext) -> Json:
    """Return one item; one that is gone as its deletion."""
    response = await get(client, f"/items/{quote(item_id, safe='')}", {}, ctx)
    if response.status_code == httpx.codes.NOT_FOUND:
        return {"id": item_id, "deleted": True}
    item: Json = response.raise_for_status().json()
    return item


async def get(client: httpx.AsyncClient, path: str, params: Json, ctx: SyncContext) -> httpx.Response:
    """Return an answer; wait and ask again where the API says that it is overloaded."""
    for attempt in range(1, ATTEMPTS):
        ctx.raise_if_cancelled()
        response = await client.get(path, params=params)
        if response.status_code not in OVERLOADED:
            return response
        wait = response.headers.get("retry-after", "")
        await ctx.sleep(float(wait) if wait.isdecimal() else 2.0**attempt)
    return await client.get(path, params=params)


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
