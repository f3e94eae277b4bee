"""A source of numbered documents, read slowly: how many events and counts must arrive is known to the last one."""

from __future__ import annotations

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
            ctx.emit(
                Document(
                    external_id=str(number),
                    title=f"Document {number}",
                    content=f"Text {number}",
                    permissions=DocumentPermissions(public=True),
                )
            )
            ctx.increment_scanned()
            if (number + 1) % SAVE_EVERY == 0:
                ctx.save_state({"next": number + 1})
