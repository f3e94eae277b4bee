"""The private loop: started when needed, kept, and closed whatever its tasks do."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
import time

import pytest

from omni_connector.event_loop import EventLoop
from omni_connector.rounds import one_round
from omni_connector.sync.state import RunState

WAIT = 60


@pytest.fixture
def loop():
    with_loop = EventLoop("test-loop")
    yield with_loop
    with_loop.close()


def loop_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("test-loop")]


async def value():
    return 42


def test_no_thread_until_it_is_needed(loop):
    assert loop_threads() == []
    loop.run(value())
    (thread,) = loop_threads()
    assert (thread.name, thread.daemon) == ("test-loop", True)


def test_a_coroutine_is_run_and_its_value_returned(loop):
    assert loop.run(value()) == 42


def test_its_error_is_raised(loop):
    async def fails():
        raise LookupError("no")

    with pytest.raises(LookupError, match="no"):
        loop.run(fails())


def test_every_run_has_the_same_loop_so_that_clients_stay_usable(loop):
    async def current():
        return asyncio.get_running_loop()

    assert loop.run(current()) is loop.run(current())


def test_anything_that_can_be_awaited_is_run(loop):
    class Later:
        def __await__(self):
            yield from asyncio.sleep(0).__await__()
            return "later"

    stop = RunState("r")
    assert loop.run(Later()) == "later"
    assert loop.run(Later(), on_stop=stop.on_stop) == "later"


def test_blocking_calls_off_the_loop_run_at_once(loop):
    together = threading.Barrier(16)

    async def gather():
        calls = [loop.off_loop(lambda: together.wait(WAIT)) for _ in range(16)]
        return await asyncio.gather(*calls)

    assert sorted(loop.run(gather())) == list(range(16))


def test_a_call_off_the_loop_starts_when_it_is_made_not_when_it_is_awaited(loop):
    began = threading.Event()

    async def begin():
        call = loop.off_loop(began.set)
        started = await asyncio.to_thread(began.wait, WAIT)
        await call
        return started

    assert loop.run(begin())


def test_an_error_off_the_loop_is_raised_where_it_is_awaited(loop):
    async def fails():
        await loop.off_loop(lambda: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        loop.run(fails())


def test_promises_that_are_kept_in_one_round_wake_the_loop_once(loop, monkeypatch):
    async def here():
        return asyncio.get_running_loop()

    own, woken = loop.run(here()), []
    call_soon = own.call_soon_threadsafe
    monkeypatch.setattr(own, "call_soon_threadsafe", lambda call: (woken.append(call), call_soon(call)))
    with one_round():
        promises = [loop.promise() for _ in range(10)]
        for number, promise in enumerate(promises):
            promise.keep(number)
        assert woken == []
    assert len(woken) == 1
    alone = loop.promise()
    alone.keep(10)
    monkeypatch.undo()

    async def all_of_them():
        return [await promise.value for promise in (*promises, alone)]

    assert loop.run(all_of_them()) == list(range(11))


@pytest.mark.parametrize("seconds", [0.02, 0, -1])
def test_sleep_ends_when_its_time_is_over(loop, seconds):
    state = RunState("r")
    began = time.monotonic()
    loop.run(loop.sleep(seconds, state.on_stop))
    assert time.monotonic() - began >= seconds
    assert state._callbacks == {}


def test_sleep_ends_early_when_the_run_is_stopped_and_leaves_no_callback(loop):
    stop = RunState("r")
    asleep = threading.Event()

    async def sleeper():
        task = asyncio.ensure_future(loop.sleep(3600, stop.on_stop))
        await asyncio.sleep(0)
        asleep.set()
        await task

    thread = threading.Thread(target=lambda: loop.run(sleeper()))
    thread.start()
    assert asleep.wait(WAIT)
    stop.cancel()
    thread.join(WAIT)
    assert not thread.is_alive()
    assert stop._callbacks == {}


def test_sleep_in_a_stopped_run_ends_at_once(loop):
    stop = RunState("r")
    stop.cancel()
    loop.run(asyncio.wait_for(loop.sleep(3600, stop.on_stop), WAIT))
    assert stop._callbacks == {}


def test_a_task_is_cancelled_a_grace_period_after_its_run_was_stopped(loop):
    stop = RunState("r")
    waiting, seen = threading.Event(), []

    async def hangs():
        try:
            waiting.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    def run():
        with pytest.raises(concurrent.futures.CancelledError):
            loop.run(hangs(), on_stop=stop.on_stop, grace_seconds=0.01)
        seen.append("returned")

    thread = threading.Thread(target=run)
    thread.start()
    assert waiting.wait(WAIT)
    stop.interrupt()
    thread.join(WAIT)
    assert seen == ["cancelled", "returned"]


def test_a_task_that_ends_within_the_grace_period_keeps_its_value(loop):
    stop = RunState("r")

    async def heeds():
        stop.cancel()
        await asyncio.sleep(0)
        return "in order"

    assert loop.run(heeds(), on_stop=stop.on_stop, grace_seconds=WAIT) == "in order"
    assert stop._callbacks == {}


def test_closing_cancels_what_runs(loop):
    waiting, seen = threading.Event(), []

    async def hangs():
        try:
            waiting.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # Clean-up may await.
            seen.append("cleaned up")

    def run():
        with pytest.raises(concurrent.futures.CancelledError):
            loop.run(hangs())
        seen.append("returned")

    thread = threading.Thread(target=run)
    thread.start()
    assert waiting.wait(WAIT)
    loop.close()
    thread.join(WAIT)
    assert seen == ["cleaned up", "returned"]
    assert loop_threads() == []


def test_closing_ends_forgotten_generators(loop):
    closed = []

    async def numbers():
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    async def take_one():
        generator = numbers()
        await anext(generator)
        kept.append(generator)

    kept = []
    loop.run(take_one())
    loop.close()
    assert closed == [True]


def test_closing_does_not_wait_for_ever_for_a_task_that_blocks_the_loop(loop, caplog):
    blocked, release = threading.Event(), threading.Event()

    async def blocks():
        blocked.set()
        release.wait(WAIT)

    thread = threading.Thread(target=lambda: _ignoring_cancellation(loop, blocks()))
    thread.start()
    assert blocked.wait(WAIT)
    loop.close(timeout_seconds=0.1)
    assert "A task keeps the thread test-loop busy; it is left behind" in caplog.text
    release.set()
    thread.join(WAIT)


def _ignoring_cancellation(loop, coroutine):
    with contextlib.suppress(concurrent.futures.CancelledError):
        loop.run(coroutine)


def test_a_closed_loop_takes_nothing_more(loop):
    loop.close()
    coroutine = value()
    with pytest.raises(RuntimeError, match="the event loop is closed"):
        loop.run(coroutine)
    coroutine.close()
    loop.close()


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_a_task_that_ends_the_process_ends_only_itself(loop, error):
    async def exits():
        raise error

    with pytest.raises(type(error)):
        loop.run(exits())
    assert loop.run(value()) == 42
