"""Connectors that do what a test tells them, and wait where it meets them."""

from __future__ import annotations

import threading

from omni_connector import Connector, Document, DocumentPermissions
from omni_connector.models import SyncRequest
from omni_connector.models.codec import structure

WAIT = 60
"""Seconds after which a test gives up."""


class Scripted(Connector):
    """Calls what the test gives it; ``meet`` waits until its sync has begun."""

    name = "scripted"
    version = "1"
    source_types = ["web"]

    def __init__(self, script=None):
        self.script = script or (lambda ctx: None)
        self.syncs = []
        self._begun = threading.Semaphore(0)

    def sync(self, source_config, credentials, state, ctx):
        self.syncs.append((source_config, credentials, state, ctx))
        self._begun.release()
        self.script(ctx)

    def meet(self):
        """Wait until a sync has begun."""
        assert self._begun.acquire(timeout=WAIT)

    @property
    def ctx(self):
        """The context of the last sync."""
        return self.syncs[-1][3]


class Holding(Scripted):
    """Stays in its sync until it is released; ``heeds`` its cancellation only if it is told to."""

    def __init__(self, *, heeds=False):
        super().__init__(self.hold)
        self.heeds = heeds
        self.release = threading.Event()

    def hold(self, ctx):
        if self.heeds:
            ctx.sleep(3600)
            ctx.raise_if_cancelled()
        else:
            assert self.release.wait(WAIT)


def emit(ctx, number):
    """Emit a document with a content; return what the context returned."""
    return ctx.emit(
        Document(
            external_id=str(number),
            title="T",
            content=f"text {number}",
            permissions=DocumentPermissions(public=True),
        )
    )


def sync_request(run="run-1", source="source-1", mode="full", **more):
    """Return the parsed body of a ``POST /sync``."""
    return structure(SyncRequest, {"sync_run_id": run, "source_id": source, "sync_mode": mode, **more})
