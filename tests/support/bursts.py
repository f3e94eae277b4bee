"""A connector whose documents come in bursts; between them it waits until the manager lets it go on."""

from __future__ import annotations

import os

import requests

from omni_connector import Connector, Document

BURSTS, SIZE = 4, 8


class BurstConnector(Connector):
    """Emits ``BURSTS`` times ``SIZE`` documents."""

    name = "bursts"
    version = "1.0.0"

    def sync(self, source_config, credentials, state, ctx):
        for burst in range(BURSTS):
            for number in range(SIZE):
                name = f"{burst}-{number}"
                ctx.emit(Document(external_id=name, title=name, content=f"text of {name}"))
            ctx.flush()
            requests.get(os.environ["CONNECTOR_MANAGER_URL"] + "/go-on", timeout=60).raise_for_status()
        ctx.complete()
