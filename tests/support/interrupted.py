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

from omni_connector import Connector, DeletionLimits, Document, DocumentPermissions, ErrorLimits
from omni_connector.exceptions import SdkClientError
from omni_connector.manager import SdkClient
from omni_connector.runstore.inventory_redis import RedisInventories
from omni_connector.runstore.inventory_sqlite import SqliteInventories

PAGE = 25
SCOPES = ("one", "two")
UNREADABLE, REJECTED = 3, 13
"""Of twenty documents these two fail at first, by their number."""

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
accept = SdkClient.send_events


def send_events(self, sync_run_id, source_id, events, **more):
    """Reject what has this title, as a manager does."""
    if any(b'"rejected"' in event for event in events):
        raise SdkClientError("no", status=422)
    return accept(self, sync_run_id, source_id, events, **more)


SdkClient.send_events = send_events
for owner, names in (
    (SdkClient, ("send_events", "save_checkpoint", "complete")),
    (SqliteInventories, ("write", "update")),
    (RedisInventories, ("write", "update")),
):
    for each in names:
        STEPS.around(owner, each)


class Interrupted(Connector):
    """Reads versions of documents from a file, page by page, in two scopes.

    Every tenth document fails at first: it cannot be read, or is rejected.
    """

    name = "interrupted"
    version = "1.0.0"
    source_types = ["web"]
    sync_modes = ["full", "incremental"]
    error_limits = ErrorLimits(share=None)
    deletion_limits = DeletionLimits(share=None)  # A run may last while most of its source changes.

    def sync(self, source_config, credentials, state, ctx):
        STEPS.begin()
        source = json.loads(pathlib.Path(source_config["file"]).read_text())
        failed = pathlib.Path(source_config["file"] + ".failed")
        failed.mkdir(exist_ok=True)
        state = state or {"scope": SCOPES[0], "after": ""}
        for scope in SCOPES[SCOPES.index(state["scope"]) :]:
            inventory = ctx.inventory(scope)
            after = state["after"] if scope == state["scope"] else ""
            names = sorted(name for name, (place, _) in source.items() if place == scope and name > after)
            for first in range(0, len(names), PAGE):
                page = names[first : first + PAGE]
                for name in page:
                    version = source[name][1]
                    if inventory.changed(name, version):
                        emit(ctx, name, version, failed / f"{name}-{version}")
                ctx.save_state({"scope": scope, "after": page[-1]})
            inventory.finish()
        ctx.complete({"scope": SCOPES[0], "after": ""})
        steps = pathlib.Path(source_config["file"] + ".steps")
        steps.with_suffix(".new").write_text(STEPS.said())
        steps.with_suffix(".new").replace(steps)  # It may be killed while it writes.


def emit(ctx, name, version, failed):
    """Emit a document; some fail at first, at the source or at the manager."""
    title, number = name, int(name[1:]) % 20
    if number in {UNREADABLE, REJECTED}:
        if failed.exists():
            failed.unlink()  # Once, until it has this version again.
        else:
            failed.touch()
            if number == UNREADABLE:
                ctx.emit_error(name, "cannot be read now")
                return
            title = "rejected"
    ctx.emit(Document(external_id=name, title=title, content=f"version {version}", permissions=PUBLIC))
