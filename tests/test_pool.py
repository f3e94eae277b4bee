"""The pool of daemon threads: bounded, in order, closed without waiting for what hangs."""

from __future__ import annotations

import contextvars
import threading
from concurrent.futures import CancelledError

import pytest

from omni_connector.pool import WorkerPool

WAIT = 60


@pytest.fixture
def make_pool():
    pools = []

    def make(limit):
        pools.append(WorkerPool("test-pool", limit))
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()


def named():
    return [thread for thread in threading.enumerate() if thread.name.startswith("test-pool")]


def test_results_and_errors_are_in_the_future(make_pool):
    pool = make_pool(2)
    assert pool.submit(lambda: 42).result(WAIT) == 42
    with pytest.raises(ZeroDivisionError):
        pool.submit(lambda: 1 / 0).result(WAIT)
    with pytest.raises(SystemExit):
        pool.submit(lambda: (_ for _ in ()).throw(SystemExit(3))).result(WAIT)
    assert pool.submit(lambda: "still works").result(WAIT) == "still works"


def test_no_thread_before_the_first_call_and_one_is_used_again(make_pool):
    pool = make_pool(4)
    assert named() == []
    for _ in range(5):
        pool.submit(threading.get_ident).result(WAIT)
        # The thread notes that it is free after it gave the result; wait for that, then it is used again.
        with pool._lock:
            pass
    assert 1 <= len(named()) <= 4


def test_threads_are_daemons_with_the_pool_s_name(make_pool):
    pool = make_pool(1)
    thread = pool.submit(threading.current_thread).result(WAIT)
    assert thread.daemon
    assert thread.name == "test-pool-1"


def test_never_more_calls_at_once_than_the_limit_and_all_of_them_run(make_pool):
    pool = make_pool(3)
    busy, release = threading.Barrier(4), threading.Event()

    def call(number):
        if number < 3:
            busy.wait(WAIT)
        assert release.wait(WAIT)
        return number

    futures = [pool.submit(lambda number=number: call(number)) for number in range(12)]
    busy.wait(WAIT)  # The first three run ...
    assert len(named()) == 3  # ... and the others wait for their threads.
    release.set()
    assert [future.result(WAIT) for future in futures] == list(range(12))


def test_a_limit_of_one_keeps_the_order(make_pool):
    pool = make_pool(1)
    order = []
    futures = [pool.submit(lambda number=number: order.append(number)) for number in range(20)]
    for future in futures:
        future.result(WAIT)
    assert order == list(range(20))


def test_closing_cancels_what_has_not_begun_and_ends_the_threads(make_pool):
    pool = make_pool(1)
    busy, release = threading.Event(), threading.Event()
    running = pool.submit(lambda: (busy.set(), release.wait(WAIT)))
    assert busy.wait(WAIT)
    waiting = pool.submit(lambda: None)
    closer = threading.Thread(target=pool.close)
    closer.start()
    with pytest.raises(CancelledError):
        waiting.result(WAIT)
    release.set()
    closer.join(WAIT)
    assert running.done()
    assert named() == []


def test_a_closed_pool_takes_no_calls(make_pool):
    pool = make_pool(1)
    pool.close()
    with pytest.raises(RuntimeError, match="pool test-pool is closed"):
        pool.submit(lambda: None)
    pool.close()


def test_closing_waits_no_longer_than_asked_for_all_threads_together(make_pool, monkeypatch):
    pool = make_pool(4)
    busy, release = threading.Barrier(5), threading.Event()
    for _ in range(4):
        pool.submit(lambda: (busy.wait(WAIT), release.wait(WAIT)))
    busy.wait(WAIT)
    waits = []
    join = threading.Thread.join
    with monkeypatch.context() as patched:
        patched.setattr(
            threading.Thread, "join", lambda thread, seconds: (waits.append(seconds), join(thread, seconds))
        )
        pool.close(timeout_seconds=0.2)
    assert len(waits) == 4
    assert max(waits) <= 0.2
    assert max(waits[1:]) < 0.1, "the first has used the time up"
    release.set()


def test_a_cancelled_future_is_not_run(make_pool):
    pool = make_pool(1)
    busy, release = threading.Event(), threading.Event()
    pool.submit(lambda: (busy.set(), release.wait(WAIT)))
    assert busy.wait(WAIT)
    ran = []
    waiting = pool.submit(lambda: ran.append(1))
    assert waiting.cancel()
    release.set()
    pool.submit(lambda: None).result(WAIT)
    assert ran == []


def test_closing_while_threads_take_the_last_calls_always_ends(make_pool):
    for _ in range(100):
        pool = make_pool(4)
        for _ in range(16):
            pool.submit(int)
        closer = threading.Thread(target=pool.close, daemon=True)
        closer.start()
        closer.join(WAIT)
        assert not closer.is_alive()


def test_a_call_runs_in_the_context_of_its_caller(make_pool):
    pool = make_pool(1)
    name = contextvars.ContextVar("name", default="none")
    name.set("first")
    assert pool.submit(name.get).result(WAIT) == "first"
    contextvars.Context().run(lambda: pool.submit(name.set, "changed").result(WAIT))
    assert pool.submit(name.get).result(WAIT) == "first", "what one call sets is not seen by the next"
