"""Connectors that stop at a known point until a test meets them there, through a named pipe."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import filesystem_connector
from filesystem_connector import FilesystemConnector

from omni_connector import Connector, Document, DocumentPermissions, SyncContext


def meet_here(variable: str = "TEST_MEETING_POINT") -> None:
    """Wait, if a test has laid a pipe, until it opens the other end; the pipe's absence lets everything pass."""
    path = os.environ.get(variable, "")
    if path and Path(path).exists():
        with Path(path).open("w") as pipe:
            pipe.write("here\n")


def meet(path: Path) -> None:
    """The test's side: wait until the connector is there."""
    with path.open() as pipe:
        assert pipe.read() == "here\n"


class PausingContext:
    """A context that stops before the nth ``emit`` and then holds until the run is over."""

    def __init__(self, ctx: SyncContext, at: int) -> None:
        self._ctx = ctx
        self._at = at

    def __getattr__(self, name: str) -> object:
        return getattr(self._ctx, name)

    def emit(self, document: Document) -> object:
        self._at -= 1
        if self._at == 0 and Path(os.environ.get("TEST_MEETING_POINT", "")).is_fifo():
            meet_here()
            self._ctx.sleep(3600)
        return self._ctx.emit(document)


class PausingFilesystem(FilesystemConnector):
    """The example, stopping in the middle of its walk."""

    def sync(self, source_config, credentials, state, ctx):
        every = os.environ.get("TEST_FILES_PER_CHECKPOINT")
        filesystem_connector.FILES_PER_CHECKPOINT = int(every or filesystem_connector.FILES_PER_CHECKPOINT)
        super().sync(source_config, credentials, state, PausingContext(ctx, int(os.environ["TEST_PAUSE_AT"])))


class NamingItsProcess(PausingFilesystem):
    """The same, and says on standard output in which process it is."""

    def sync(self, source_config, credentials, state, ctx):
        sys.stdout.write(f"sync in {os.getpid()}\n")
        sys.stdout.flush()
        super().sync(source_config, credentials, state, ctx)


class SlowActions(Connector):
    """Counts, on standard output, the actions that run, until a test meets the first of them."""

    name = "slow"
    version = "1.0.0"
    source_types = ["web"]

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self._met = threading.Event()

    def sync(self, source_config, credentials, state, ctx):
        """Nothing is synced."""

    def execute_action(self, action, params, credentials):
        with self._lock:
            self._running += 1
            first = self._running == 1
            sys.stdout.write(f"{self._running} actions run\n")
            sys.stdout.flush()
        if first:
            meet_here()
            self._met.set()
        self._met.wait()
        return {"done": True}


class Endless(Connector):
    """Emits until it is told to stop."""

    name = "endless"
    version = "1.0.0"
    source_types = ["web"]

    def sync(self, source_config, credentials, state, ctx):
        number = 0
        while not ctx.is_cancelled():
            ctx.emit(
                Document(
                    external_id=str(number),
                    title="More",
                    content="and more",
                    permissions=DocumentPermissions(public=True),
                )
            )
            number += 1
            if number == 50:
                ctx.flush()
                meet_here()
            ctx.sleep(0.001 if number < 50 else 0.05)


class Busy(SlowActions):
    """The same, with a sync that goes on until it is told to stop."""

    def sync(self, source_config, credentials, state, ctx):
        sys.stdout.write("the sync runs\n")
        sys.stdout.flush()
        ctx.sleep(3600)


class InTwoHalves(Connector):
    """Emits documents, waits for a test to meet it twice, emits as many again, and says in which process it is."""

    name = "halves"
    version = "1.0.0"
    source_types = ["web"]
    half = 100

    def sync(self, source_config, credentials, state, ctx):
        sys.stdout.write(f"sync in {os.getpid()}\n")
        sys.stdout.flush()
        for number in range(2 * self.half):
            if number == self.half:
                meet_here()
                meet_here("TEST_SECOND_MEETING_POINT")
            ctx.increment_scanned()
            ctx.emit(
                Document(
                    external_id=str(number),
                    title="T",
                    content=f"text {number}",
                    permissions=DocumentPermissions(public=True),
                )
            )
