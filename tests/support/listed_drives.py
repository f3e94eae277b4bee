"""A source in partitions whose documents are in a file, with an inventory for each partition."""

from __future__ import annotations

import json
from pathlib import Path

from omni_connector import Connector, Document, DocumentPermissions, Partition

PUBLIC = DocumentPermissions(public=True)


class ListedDrives(Connector):
    name = "listed-drives"
    version = "1.0.0"
    source_types = ["web"]
    sync_modes = ["full", "incremental"]

    def partitions(self, source_config, credentials, state, ctx):
        return [Partition(key=key) for key in json.loads(Path(source_config["file"]).read_text())]

    def sync_partition(self, partition, source_config, credentials, state, ctx):
        inventory = ctx.inventory()
        for name, version in json.loads(Path(source_config["file"]).read_text())[partition.key].items():
            if inventory.changed(name, version):
                ctx.emit(Document(external_id=name, title=name, content=version, permissions=PUBLIC))
        inventory.finish()
