"""A script: syncs once, forks, and syncs again in the child; says what came of it."""

from __future__ import annotations

import os
import sys
import threading

from support.scripted import Scripted, emit, sync_request

from omni_connector import ConnectorError, Settings
from omni_connector.runtime.service import ConnectorService
from omni_connector.testing import MemoryManager

WAIT = 60


class Async(Scripted):
    async def sync(self, source_config, credentials, state, ctx):
        await emit(ctx, 1)
        await ctx.flush()


class Blocking(Scripted):
    def sync(self, source_config, credentials, state, ctx):
        emit(ctx, 1)


def run(service, run_id):
    """Run one sync, wait for it and return how it ended."""
    service.start_sync(sync_request(run=run_id))
    for thread in threading.enumerate():
        if thread.name == f"omni-sync-{run_id}":
            thread.join(WAIT)
    return service.report(run_id).outcome


def in_child(work):
    """Return what ``work`` returns in a forked process."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, work().encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return said


def after_use(kind):
    """Fork between two runs; the child has threads of its own."""
    service = ConnectorService(kind(), Settings(manager_url="http://x"), MemoryManager())
    outcomes = [run(service, "first"), in_child(lambda: run(service, "second")), run(service, "third")]
    sys.stdout.write(" ".join(outcomes) + "\n")
    service.close()


def in_the_middle():
    """Fork inside of sync(); the child cannot use the run, and does not say that it is running."""
    said = []

    def use(ctx):
        try:
            emit(ctx, 2)
            ctx.flush()
        except ConnectorError as error:
            return f"{service.is_running('first')} {error}"
        return "sent"

    def script(ctx):
        emit(ctx, 1)
        said.append(in_child(lambda: use(ctx)))
        emit(ctx, 3)

    manager = MemoryManager()
    service = ConnectorService(Scripted(script), Settings(manager_url="http://x"), manager)
    outcome = run(service, "first")
    sys.stdout.write(f"{outcome} {[event['document_id'] for event in manager.events]} {said}\n")
    service.close()


if __name__ == "__main__":
    {"blocking": lambda: after_use(Blocking), "async": lambda: after_use(Async), "middle": in_the_middle}[
        sys.argv[1]
    ]()
