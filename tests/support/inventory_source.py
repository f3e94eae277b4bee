"""Runs in a row with one storage, over a manager in memory."""

from __future__ import annotations

import contextlib
import inspect

import attrs

from omni_connector import Document, DocumentPermissions
from omni_connector.event_loop import EventLoop
from omni_connector.inventory.terms import InventoryTerms
from omni_connector.models import SyncMode
from omni_connector.sync.colours import Blocking, OnLoop
from omni_connector.sync.context import SyncContext
from omni_connector.sync.run import SyncRun
from omni_connector.sync.run_info import RunInfo
from omni_connector.sync.state import RunState
from omni_connector.testing import MemoryManager

PUBLIC = DocumentPermissions(public=True)


def document(external_id, text="text"):
    return Document(external_id=external_id, title=external_id, content=text, permissions=PUBLIC)


@attrs.define(eq=False)
class Source:
    """A source, its manager, its inventory, and its runs; each publishes its checkpoint when it completes."""

    manager: MemoryManager = attrs.field(factory=MemoryManager)
    terms: InventoryTerms = attrs.field(factory=InventoryTerms)
    loop: EventLoop | None = None
    published: object = None
    runs: int = 0
    stack: contextlib.ExitStack = attrs.field(factory=contextlib.ExitStack)
    config: dict = attrs.field(factory=dict)
    last_sync_at: object = None

    def open(self, *, mode="incremental", sync_run_id=None, own=None, source_id="source-1"):
        """Begin a run; ``own`` is the checkpoint that a process before this one has saved in it."""
        self.runs += 1
        info = RunInfo(
            sync_run_id=sync_run_id or f"run-{self.runs}",
            source_id=source_id,
            mode=SyncMode(mode),
            checkpoint=self.published if own is None else own,
            has_own_checkpoint=own is not None,
            is_resume=own is not None,
            config=self.config,
            last_sync_at=self.last_sync_at,
        )
        sync = SyncRun(info, self.manager, RunState(info.sync_run_id))
        self.stack.callback(sync.close)
        sync.use_inventories(self.terms)
        return SyncContext(sync, Blocking() if self.loop is None else OnLoop(self.loop)), sync

    def run(self, *steps, mode="incremental", **more):
        """Take steps, functions of the context and its inventory, and complete; return what arrived, and the run."""
        ctx, sync = self.open(mode=mode, **more)
        before = len(self.manager.events)
        checkpoint = {"run": sync.info.sync_run_id}
        self.do(*(lambda step=step: step(ctx, ctx.inventory()) for step in steps))
        self.do(lambda: ctx.complete(checkpoint))
        self.published = checkpoint
        sync.close()
        return [
            (each["type"].removeprefix("document_"), each["document_id"])
            for each in self.manager.events[before:]
        ]

    def do(self, *steps):
        for step in steps:
            if self.loop is None:
                step()
            else:
                self.loop.run(_awaited(step))

    def sync(self, versions, **more):
        """Run as most connectors do."""
        return self.run(lister(versions, is_async=self.loop is not None), **more)


async def _awaited(step):
    value = step()
    if inspect.isawaitable(value):
        await value


def lister(versions, *, is_async=False, finish=True):
    """Return a step that emits what has changed, and finishes the listing."""

    def step(ctx, inventory):
        for name, version in versions.items():
            if inventory.changed(name, version):
                ctx.emit(document(name, str(version)))
        if finish:
            inventory.finish()

    async def async_step(ctx, inventory):
        for name, version in versions.items():
            if await inventory.changed(name, version):
                await ctx.emit(document(name, str(version)))
        if finish:
            await inventory.finish()

    return async_step if is_async else step
