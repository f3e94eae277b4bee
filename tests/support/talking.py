"""A connector that logs, its application, and one that has configured logging itself."""

from __future__ import annotations

import logging
import time

from flask import Flask

from omni_connector import Connector, Document, DocumentPermissions
from omni_connector.server import create_app

log = logging.getLogger("talking.source")


class Talking(Connector):
    """Delivers a document again and again, for as many seconds as the source says."""

    name = "talking"
    version = "1"
    source_types = ["web"]

    def sync(self, source_config, credentials, state, ctx):
        """Log before, and when it fails."""
        log.info("Reading %s", source_config.get("what", "it"))
        ctx.progress(total=4, phase="pages")
        deadline = time.monotonic() + source_config.get("seconds", 0)
        while True:
            ctx.emit(
                Document(
                    external_id="1", title="T", content="x", permissions=DocumentPermissions(public=True)
                )
            )
            ctx.flush()
            if time.monotonic() > deadline or not ctx.sleep(0.05):
                break
        if "fail" in source_config:
            raise ValueError(source_config["fail"])


def make_app() -> Flask:
    """Return the application, for ``flask run``."""
    return create_app(Talking())


def make_configured_app() -> Flask:
    """Configure logging after the application was made: the later, the harder."""
    app = make_app()
    logging.basicConfig(format="OWN %(levelname)s %(message)s", level=logging.INFO)
    return app
