"""Connectors that read in partitions, as a test tells them."""

from __future__ import annotations

import threading

from omni_connector import Connector, Partition
from support.scripted import WAIT, emit


class Drives(Connector):
    """Reads ``pages`` pages of ``size`` documents in each of its partitions; saves after each page.

    ``script``, where given, is called with the context and the partition in the place of that.
    """

    name = "drives"
    version = "1"
    source_types = ["web"]
    sync_modes = ["full", "incremental", "realtime"]

    def __init__(self, keys=("a", "b", "c"), *, pages=2, size=3, script=None, listing=None):
        self.keys = keys
        self.pages = pages
        self.size = size
        self.script = script
        self.listing = listing or (lambda ctx: None)
        self.listed = []
        self.given = {}
        self.lock = threading.Lock()

    def partitions(self, source_config, credentials, state, ctx):
        self.listed.append((state, ctx.state, ctx.checkpoint))
        self.listing(ctx)
        return [Partition(key=key, data={"name": f"drive {key}"}) for key in self.keys]

    def sync_partition(self, partition, source_config, credentials, state, ctx):
        with self.lock:
            self.given.setdefault(partition.key, []).append((state, ctx.state, ctx.checkpoint))
        if self.script is None:
            self.read(ctx, partition, state)
        else:
            self.script(ctx, partition)

    def read(self, ctx, partition, state):
        for page in range((state or {"page": 0})["page"], self.pages):
            for number in range(self.size):
                ctx.increment_scanned()
                emit(ctx, f"{partition.key}-{page}-{number}")
            ctx.save_state({"page": page + 1})

    def documents(self, *keys):
        """Return the ids of all documents in these partitions, or in all."""
        return {
            f"{key}-{page}-{number}"
            for key in keys or self.keys
            for page in range(self.pages)
            for number in range(self.size)
        }


class AsyncDrives(Drives):
    """The same in the other colour, listing with an async generator."""

    async def partitions(self, source_config, credentials, state, ctx):
        for partition in super().partitions(source_config, credentials, state, ctx):
            yield partition

    async def sync_partition(self, partition, source_config, credentials, state, ctx):
        with self.lock:
            self.given.setdefault(partition.key, []).append((state, ctx.state, ctx.checkpoint))
        if self.script is not None:
            await self.script(ctx, partition)
            return
        for page in range((state or {"page": 0})["page"], self.pages):
            for number in range(self.size):
                await ctx.increment_scanned()
                await emit(ctx, f"{partition.key}-{page}-{number}")
            await ctx.save_state({"page": page + 1})


class Gate:
    """Holds partitions until it is opened."""

    def __init__(self):
        self._reached = threading.Semaphore(0)
        self._open = threading.Event()

    def pass_through(self):
        """Say that one is here, and wait."""
        self._reached.release()
        assert self._open.wait(WAIT)

    def meet(self, count=1):
        """Wait until so many are here."""
        for _ in range(count):
            assert self._reached.acquire(timeout=WAIT)

    def open(self):
        """Let all go on."""
        self._open.set()


def states(checkpoint):
    """Return the states by key in a stored checkpoint."""
    return {key: entry["state"] for key, entry in checkpoint["partitions"].items()}


def arrived(manager):
    """Return the ids of the documents that arrived, in order."""
    return [event["document_id"] for event in manager.events if event["type"] == "document_created"]
