"""Connectors that read a source which waits, in partitions whose number and size the source's config says."""

from __future__ import annotations

import os
import sys

from omni_connector import Connector, Document, DocumentPermissions, Partition


def document(key, page, number):
    name = f"{key}/{page}/{number}"
    return Document(
        external_id=name,
        title=name,
        content=f"Text of {name}",
        permissions=DocumentPermissions(public=True),
    )


def expected(config):
    """Return the ids of all documents."""
    return {
        f"drive-{drive}/{page}/{number}"
        for drive in range(config["drives"])
        for page in range(config["pages"])
        for number in range(config["size"])
    }


class WaitingDrives(Connector):
    """Reads ``pages`` pages of ``size`` documents in each of ``drives`` partitions; a page takes so many ``seconds``."""

    name = "drives"
    version = "1.0.0"
    source_types = ["web"]
    sync_modes = ["full", "incremental"]
    partition_workers = 12

    def partitions(self, source_config, credentials, state, ctx):
        say(f"listed in {os.getpid()}")
        for number in range(source_config["drives"]):
            yield Partition(key=f"drive-{number}")

    def sync_partition(self, partition, source_config, credentials, state, ctx):
        say(f"{partition.key} in {os.getpid()}")
        for page in range((state or {"page": 0})["page"], source_config["pages"]):
            ctx.sleep(source_config["seconds"])
            for number in range(source_config["size"]):
                ctx.increment_scanned()
                ctx.emit(document(partition.key, page, number))
            ctx.save_state({"page": page + 1})


class AsyncWaitingDrives(WaitingDrives):
    """The same in the other colour."""

    async def sync_partition(self, partition, source_config, credentials, state, ctx):
        say(f"{partition.key} in {os.getpid()}")
        for page in range((state or {"page": 0})["page"], source_config["pages"]):
            await ctx.sleep(source_config["seconds"])
            for number in range(source_config["size"]):
                await ctx.increment_scanned()
                await ctx.emit(document(partition.key, page, number))
            await ctx.save_state({"page": page + 1})


def say(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
