"""A connector as authors write them for an asynchronous, FastAPI-based SDK of this protocol; ``app`` is all it needs."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from fastapi.responses import JSONResponse, Response, StreamingResponse

from omni_connector import (
    ActionDefinition,
    ActionResponse,
    Connector,
    ConnectorManifest,
    Document,
    DocumentMetadata,
    DocumentPermissions,
    SearchOperator,
    SyncContext,
    SyncMode,
)
from omni_connector.server import create_app

ITEMS = [
    {
        "id": "1",
        "title": "First",
        "text": "Hello",
        "changed": "2026-08-01T12:00:00Z",
        "readers": ["Ann@Example.com"],
    },
    {"id": "2", "title": "Second", "text": "World", "changed": "2026-08-02T12:00:00Z", "readers": []},
    {"id": "3", "title": "Broken", "text": None, "changed": "2026-08-03T12:00:00Z", "readers": []},
]


class ExistingConnector(Connector):
    """Syncs ``ITEMS``; awaits whatever it calls."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = asyncio.Lock()

    @property
    def name(self) -> str:
        return "existing"

    @property
    def version(self) -> str:
        return "1.0.0"

    @property
    def source_types(self) -> list[str]:
        return ["web"]

    @property
    def sync_modes(self) -> list[str]:
        return ["full", "incremental"]

    @property
    def search_operators(self) -> list[SearchOperator]:
        return [SearchOperator(operator="by", attribute_key="author", value_type="person")]

    @property
    def actions(self) -> list[ActionDefinition]:
        return [
            ActionDefinition(
                name=name,
                description=f"Answer in the manner of {name}",
                input_schema={"type": "object", "properties": {"text": {"type": "string"}}},
                mode="read",
                source_types=["web"],
            )
            for name in ("count", "export", "stream", "refuse")
        ]

    async def get_manifest(self, connector_url: str) -> ConnectorManifest:
        manifest = await super().get_manifest(connector_url)
        manifest.actions = [
            action.model_copy(update={"admin_only": action.name == "export"}) for action in manifest.actions
        ]
        return manifest

    async def sync(
        self,
        source_config: dict[str, Any],
        credentials: dict[str, Any],
        state: dict[str, Any] | None,
        ctx: SyncContext,
    ) -> None:
        async with self.lock:
            since = (state or {}).get("changed", "") if ctx.sync_mode == SyncMode.INCREMENTAL else ""
            last = since
            for item in ITEMS:
                if ctx.is_cancelled():
                    await ctx.fail("Cancelled by user")
                    return
                if item["changed"] <= since:
                    continue
                await ctx.increment_scanned()
                try:
                    await ctx.emit(await self._document(item, ctx))
                except Exception as error:  # noqa: BLE001 - as authors write it.
                    await ctx.emit_error(item["id"], str(error))
                last = max(last, item["changed"])
                await ctx.save_state({"changed": last})
            await ctx.complete(new_state={"changed": last})

    async def _document(self, item: dict[str, Any], ctx: SyncContext) -> Document:
        content_id = await ctx.content_storage.save(item["text"].upper(), "text/plain")
        document = Document(
            external_id=item["id"],
            title=item["title"],
            content_id=content_id,
            metadata=DocumentMetadata(updated_at=item["changed"], url=f"https://example.com/{item['id']}"),
        )
        document.permissions = DocumentPermissions(public=not item["readers"], users=item["readers"])
        if document.metadata and not document.metadata.title:
            document.metadata.title = document.title
        document.attributes = {"author": item["readers"]}
        return document

    async def execute_action(
        self, action: str, params: dict[str, Any], credentials: dict[str, Any]
    ) -> JSONResponse | Response:
        if action == "count":
            return ActionResponse.success({"words": len(params["text"].split())}).to_response()
        if action == "refuse":
            return ActionResponse.failure("Missing 'token' in credentials").to_response(status_code=401)
        if action == "export":
            return Response("a,b\n", media_type="text/csv; charset=utf-8", headers={"x-file-name": "a.csv"})
        if action == "stream":
            return StreamingResponse(self._lines(), media_type="text/plain")
        return await super().execute_action(action, params, credentials)

    async def _lines(self) -> Any:
        for number in range(3):
            await asyncio.sleep(0)
            yield f"line {number}\n"


if "CONNECTOR_MANAGER_URL" in os.environ:
    app = create_app(ExistingConnector())
