"""Where a thread cannot be started, or memory is short, a run fails or goes on; it never hangs."""

from __future__ import annotations

import threading

import pytest
from support.scripted import Scripted, emit, sync_request

from omni_connector.exceptions import SyncStartError
from omni_connector.pool import WorkerPool

START = threading.Thread.start


@pytest.fixture
def no_thread(monkeypatch):
    """Let no thread start whose name begins like this; return the names of those that were refused."""
    refused = []

    def forbid(prefix):
        def start(thread):
            if thread.name.startswith(prefix):
                refused.append(thread.name)
                raise RuntimeError("can't start new thread")
            START(thread)

        monkeypatch.setattr(threading.Thread, "start", start)
        return refused

    return forbid


def test_a_run_without_a_thread_is_not_accepted_and_frees_its_slot(serve, no_thread, monkeypatch):
    service = serve(Scripted())
    no_thread("omni-sync")
    with pytest.raises(SyncStartError, match="none can be started: can't start new thread"):
        service.start_sync(sync_request())
    assert not service.is_running("run-1")
    monkeypatch.setattr(threading.Thread, "start", START)
    service.start_sync(sync_request(run="run-2"))


@pytest.mark.parametrize("prefix", ["omni-send", "omni-loop"])
@pytest.mark.parametrize("colour", ["blocking", "async"])
def test_a_run_that_cannot_deliver_fails(serve, manager, ended, no_thread, prefix, colour):
    class Async(Scripted):
        async def sync(self, source_config, credentials, state, ctx):
            await emit(ctx, 1)
            await ctx.save_state({"cursor": 1})

    def script(ctx):
        emit(ctx, 1)
        ctx.save_state({"cursor": 1})

    service = serve(Async() if colour == "async" else Scripted(script))
    refused = no_thread(prefix)
    service.start_sync(sync_request())
    report = ended(service)
    if refused:
        assert report.outcome == "failed"
        assert "start" in manager.error
        assert manager.checkpoints == {}
    else:
        assert (report.outcome, colour) == ("completed", "blocking")


@pytest.mark.parametrize("operation", ["send_events", "save_checkpoint", "complete"])
def test_short_memory_fails_the_run(serve, manager, ended, operation):
    manager.on(operation, MemoryError())
    service = serve(Scripted(lambda ctx: (emit(ctx, 1), ctx.save_state({"cursor": 1}))))
    service.start_sync(sync_request())
    assert ended(service).outcome in {"failed", "left to the manager"}
    assert "completed" not in manager.statuses.values()


def test_a_pool_goes_on_with_the_threads_that_it_has(no_thread, closing_pool):
    pool = closing_pool(WorkerPool("test-pool", 4))
    inside, release = threading.Event(), threading.Event()
    first = pool.submit(lambda: (inside.set(), release.wait(60)))
    assert inside.wait(60)
    no_thread("test-pool")
    second = pool.submit(lambda: "done by the first")
    release.set()
    assert second.result(10) == "done by the first"
    assert first.done()


def test_a_pool_without_any_thread_says_so(no_thread, closing_pool):
    pool = closing_pool(WorkerPool("test-pool", 4))
    no_thread("test-pool")
    with pytest.raises(RuntimeError, match="can't start new thread"):
        pool.submit(lambda: None)


@pytest.fixture
def closing_pool():
    pools = []
    yield lambda pool: pools.append(pool) or pool
    for pool in pools:
        pool.close()
