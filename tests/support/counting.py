"""A source of numbered documents, read slowly: how many events and counts must arrive is known to the last one."""

from __future__ import annotations

import asyncio
import threading

from omni_connector import Connector, Document, DocumentPermissions

SAVE_EVERY = 10


class Counting(Connector):
    """Emits the documents 0 to ``documents`` - 1 of the source's config, and saves its place after every tenth."""

    name = "counting"
    version = "1"
    source_types = ["web"]

    def sync(self, source_config, credentials, state, ctx):
        """Wait for the source ``seconds`` for each document, as a connector does that knows nothing of shutdowns."""
        source = threading.Event()
        first = 0 if state is None else state["next"]
        for number in range(first, source_config["documents"]):
            source.wait(source_config["seconds"])
            ctx.emit(document(number))
            ctx.increment_scanned()
            if (number + 1) % SAVE_EVERY == 0:
                ctx.save_state({"next": number + 1})


class AsyncCounting(Counting):
    """The same as a coroutine."""

    async def sync(self, source_config, credentials, state, ctx):
        first = 0 if state is None else state["next"]
        for number in range(first, source_config["documents"]):
            await asyncio.sleep(source_config["seconds"])
            await ctx.emit(document(number))
            await ctx.increment_scanned()
            if (number + 1) % SAVE_EVERY == 0:
                await ctx.save_state({"next": number + 1})


def document(number):
    return Document(
        external_id=str(number),
        title=f"Document {number}",
        content=f"Text {number}",
        permissions=DocumentPermissions(public=True),
    )
