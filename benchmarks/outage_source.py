"""A connector whose sync takes three minutes: it reads ten pages a second, and waits once for a rate limit."""

from __future__ import annotations

import logging
import os
import time
from typing import Any

from omni_connector import Connector, Document, DocumentPermissions, SyncContext

log = logging.getLogger(__name__)

SECONDS = float(os.environ.get("OUTAGE_SYNC_SECONDS", "180"))
PAUSE_SECONDS = SECONDS / 18
PAGES = int((SECONDS - PAUSE_SECONDS) * 10)
CHECKPOINT_PAGES = PAGES // 6


class Wiki(Connector):
    """Reads pages that it makes up."""

    name = "wiki"
    version = "1.0.0"
    source_types = ["web"]

    def sync(self, source_config: Any, credentials: Any, state: Any, ctx: SyncContext) -> None:
        """Emit the pages, with a checkpoint now and then."""
        del source_config, credentials
        ctx.progress(total=PAGES, phase="pages")
        for number in range((state or {}).get("page", 0), PAGES):
            time.sleep(0.1)  # The source.
            ctx.increment_scanned()
            ctx.emit(
                Document(
                    external_id=f"page-{number}",
                    title=f"Page {number}",
                    content=f"Text of page {number}. " * 50,
                    permissions=DocumentPermissions(public=True),
                )
            )
            if number % CHECKPOINT_PAGES == CHECKPOINT_PAGES - 1:
                ctx.save_state({"page": number + 1})
                log.info("Read %d of %d pages", number + 1, PAGES)
            if number == PAGES // 10:
                log.info("The source allows no more requests for %.0f s", PAUSE_SECONDS)
                ctx.sleep(PAUSE_SECONDS)
