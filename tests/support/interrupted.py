"""A connector whose process kills itself, as ``KILL`` in its environment says; else it counts steps.

``step:37`` is before or after a call of the manager or of the inventory, ``sent:2`` when the manager has accepted the second batch, ``ms:250``
so long after the begin.
"""

from __future__ import annotations

import functools
import json
import os
import pathlib
import signal
import threading

from omni_connector import Connector, DeletionLimits, Document, DocumentPermissions
from omni_connector.manager import SdkClient
from omni_connector.runstore.inventory_sqlite import SqliteInventories

PAGE = 25
PUBLIC = DocumentPermissions(public=True)


class Steps:
    """Counts what is done at the manager and in the inventory, before and after each."""

    def __init__(self, kill):
        self._lock = threading.Lock()
        self._count = 0
        kind, _, figure = kill.partition(":")
        self._last = int(figure) if kind == "step" else 0
        self._batches = int(figure) if kind == "sent" else 0
        self._seconds = int(figure) / 1000 if kind == "ms" else 0

    def begin(self):
        if self._seconds:
            timer = threading.Timer(self._seconds, die)
            timer.daemon = True
            timer.start()

    def step(self):
        with self._lock:
            self._count += 1
            if self._count == self._last:
                die()

    def around(self, kind, name):
        call = getattr(kind, name)

        @functools.wraps(call)
        def stepping(*args, **kwargs):
            self.step()
            value = call(*args, **kwargs)
            if name == "send_events":
                self._batches -= 1
                if self._batches == 0:
                    die()
            self.step()
            return value

        setattr(kind, name, stepping)

    def said(self):
        return f"steps: {self._count}"


def die():
    os.kill(os.getpid(), signal.SIGKILL)


STEPS = Steps(os.environ.get("KILL", ""))
for owner, names in (
    (SdkClient, ("send_events", "save_checkpoint", "complete")),
    (SqliteInventories, ("write", "update")),
):
    for each in names:
        STEPS.around(owner, each)


class Interrupted(Connector):
    """Reads versions of documents from a file, page by page."""

    name = "interrupted"
    version = "1.0.0"
    source_types = ["web"]
    sync_modes = ["full", "incremental"]
    deletion_limits = DeletionLimits(share=None)  # A run may last while most of its source changes.

    def sync(self, source_config, credentials, state, ctx):
        STEPS.begin()
        source = json.loads(pathlib.Path(source_config["file"]).read_text())
        after = (state or {}).get("after", "")
        inventory = ctx.inventory()
        names = sorted(name for name in source if name > after)
        for first in range(0, len(names), PAGE):
            page = names[first : first + PAGE]
            for name in page:
                if inventory.changed(name, source[name]):
                    text = f"version {source[name]}"
                    ctx.emit(Document(external_id=name, title=name, content=text, permissions=PUBLIC))
            ctx.save_state({"after": page[-1]})
        inventory.finish()
        ctx.complete({"after": ""})
        steps = pathlib.Path(source_config["file"] + ".steps")
        steps.with_suffix(".new").write_text(STEPS.said())
        steps.with_suffix(".new").replace(steps)  # It may be killed while it writes.
