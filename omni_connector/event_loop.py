"""The only place that knows asyncio: one private loop, in a thread of its own, for ``async def`` hooks.

There is one loop per connector and process, started when first needed and kept: clients that an async connector
holds (an ``httpx.AsyncClient``, say) are bound to their loop and must stay usable from one call to the next.
"""

import asyncio
import contextlib
import inspect
import logging
import threading
import weakref
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, wait
from functools import partial
from typing import Any, Generic, TypeVar

from omni_connector.forking import begins_anew
from omni_connector.pool import WorkerPool
from omni_connector.rounds import at_the_end_of_round

log = logging.getLogger(__name__)

T = TypeVar("T")

OFF_LOOP_THREADS = 32
"""Blocking calls of async connectors that run at once; a gather over sixteen saves needs sixteen."""

CLOSE_SECONDS = 5.0
"""How long ``close`` waits for tasks that do not end when they are cancelled; their thread is a daemon."""

ENDING_SECONDS = 2.0
"""How long ``close`` waits for what is about to end by itself before it cancels all that runs."""

OnStop = Callable[[Callable[[], object]], Callable[[], None]]
"""Registers a callback for the moment at which a run is stopped; returns how to forget it."""


class EventLoop:
    """Owns the private loop. ``close`` it."""

    def __init__(self, name: str = "omni-loop") -> None:
        self._name = name
        self._lock = threading.Lock()  # Protects _loop, _thread and _closed while they change.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        self._closing = threading.Event()
        self._pool = WorkerPool(f"{name}-call", OFF_LOOP_THREADS)
        self._ending: set[Future[None]] = set()
        self._kept: deque[Callable[[], None]] = deque()  # Appending and popping are atomic.
        self._woken = False
        begins_anew(self)

    def after_fork(self) -> None:
        """Leave the parent's loop alone, and start one when it is needed."""
        if self._loop is not None:
            # Closing it, or dropping it, would touch what the parent waits on.
            _of_the_parent.append(self._loop)
        self._lock = threading.Lock()
        self._loop = self._thread = None
        self._closing = threading.Event()
        self._ending = set()
        self._kept.clear()
        self._woken = False

    def run(
        self, awaitable: Awaitable[T], *, on_stop: OnStop | None = None, grace_seconds: float = 10.0
    ) -> T:
        """Run ``awaitable`` on the loop and wait for it, in a thread that is not the loop's.

        ``on_stop`` registers what ends the task: it is cancelled ``grace_seconds`` later.

        Raises:
            concurrent.futures.CancelledError: the task was cancelled.
            RuntimeError: called on the loop itself, or the loop is closed.
        """
        try:
            loop = self._started()
        except BaseException:
            if inspect.iscoroutine(awaitable):
                awaitable.close()
            raise
        if _running_loop() is loop:
            raise RuntimeError(
                "a coroutine waits for its own event loop, which would wait for ever: "
                "await the call, or make it in a thread (asyncio.to_thread)"
            )
        return self.start(_supervised(awaitable, on_stop, grace_seconds)).result()

    def start(self, awaitable: Awaitable[T]) -> Future[T]:
        """Run ``awaitable`` on the loop and return at once; the future has its value or error.

        Raises:
            RuntimeError: the loop is closed.
        """
        return asyncio.run_coroutine_threadsafe(_as_coroutine(awaitable), self._started())

    def let_end(self, future: Future[None]) -> None:
        """Let ``close`` wait for ``future``, whose task only cleans up: one cancelled at that may not close its files."""
        self._ending.add(future)
        future.add_done_callback(self._ending.discard)

    async def until(self, future: Future[T]) -> T:
        """Wait on the loop, without holding a thread, for what another thread sets; cancelling leaves it alone."""
        return await asyncio.shield(asyncio.wrap_future(future))

    def off_loop(self, call: Callable[[], T]) -> Awaitable[T]:
        """Start the blocking ``call`` in a thread, now, and return what a coroutine on the loop awaits."""
        return asyncio.wrap_future(self._pool.submit(call), loop=self._started())

    def promise(self) -> "Promise[Any]":
        """Return something to be awaited on the loop that any thread keeps."""
        return Promise(self._started().create_future(), self._keep)

    def _keep(self, keep: Callable[[], None]) -> None:
        """Keep a promise on the loop; those that are kept while it is being woken cost no wake-up of their own."""
        self._kept.append(keep)
        loop = self._loop
        if not self._woken and loop is not None:
            self._woken = True
            at_the_end_of_round(partial(self._wake, loop))

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        with contextlib.suppress(RuntimeError):  # It has just ended, and with it who waited.
            loop.call_soon_threadsafe(self._keep_all)

    def _keep_all(self) -> None:
        self._woken = False  # Before the queue is looked at: what comes later wakes the loop again.
        while self._kept:
            self._kept.popleft()()

    async def sleep(self, seconds: float, on_stop: OnStop) -> None:
        """Wait on the loop, without holding a thread; end early when the run is stopped."""
        loop = asyncio.get_running_loop()
        stopped = asyncio.Event()
        forget = on_stop(lambda: loop.call_soon_threadsafe(stopped.set))
        try:
            async with asyncio.timeout(seconds):
                await stopped.wait()
        except TimeoutError:
            pass
        finally:
            forget()

    def close(self, timeout_seconds: float = CLOSE_SECONDS) -> None:
        """Cancel what runs, stop the loop and join its thread, unless a task keeps it for longer than that."""
        with self._lock:
            self._closed = True
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is not None:
            wait(tuple(self._ending), ENDING_SECONDS)
            self._closing.set()
            with contextlib.suppress(RuntimeError):  # It has just ended by itself.
                loop.call_soon_threadsafe(loop.stop)
            thread.join(timeout_seconds)
            if thread.is_alive():
                log.warning("A task keeps the thread %s busy; it is left behind", thread.name)
        self._pool.close()

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._closed:
                raise RuntimeError("the event loop is closed")
            if self._loop is None:
                loop = asyncio.new_event_loop()
                thread = threading.Thread(
                    target=_serve, args=(loop, self._closing), name=self._name, daemon=True
                )
                try:
                    thread.start()
                except BaseException:  # None can be started now; perhaps the next time.
                    loop.close()
                    raise
                _owners[loop] = self
                self._loop, self._thread = loop, thread
            return self._loop


async def within(seconds: float, awaitable: Awaitable[T]) -> T:
    """Await, but no longer than so many seconds.

    Raises:
        TimeoutError: it took longer, and was cancelled.
    """
    async with asyncio.timeout(seconds):
        return await awaitable


def beside_the_loop(work: Callable[[], T]) -> T | Awaitable[T]:
    """Do ``work``, which may take long; called in a coroutine, in a thread: then an awaitable of its value is returned."""
    loop = _running_loop()
    if loop is None:
        return work()
    owner = _owners.get(loop)
    return asyncio.to_thread(work) if owner is None else owner.off_loop(work)


_of_the_parent: list[asyncio.AbstractEventLoop] = []
"""Loops of the process from which this one was forked."""

_owners: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, EventLoop]" = weakref.WeakKeyDictionary()
"""Whose threads do the slow work of coroutines that run on a loop; others' loops have threads of their own."""


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:  # None runs in this thread.
        return None


class Promise(Generic[T]):
    """A ``value`` to come, awaited on the loop and given by any thread."""

    def __init__(self, value: "asyncio.Future[T]", keep: Callable[[Callable[[], None]], None]) -> None:
        self.value = value
        self._keep = keep

    def keep(self, result: T) -> None:
        """Give the value."""
        self._keep(lambda: None if self.value.done() else self.value.set_result(result))

    def fail(self, error: BaseException) -> None:
        """Give an error in its place."""
        self._keep(lambda: None if self.value.done() else self.value.set_exception(error))


def _serve(loop: asyncio.AbstractEventLoop, closing: threading.Event) -> None:
    """Run the loop until it is stopped; the runner then ends its tasks in order."""
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        asyncio.set_event_loop(runner.get_loop())
        while not closing.is_set():
            # A task that raises SystemExit stops the loop on its way; the thread that waits for the task gets the
            # exception, and the loop goes on for the others.
            with contextlib.suppress(SystemExit, KeyboardInterrupt):
                loop.run_forever()


async def _supervised(awaitable: Awaitable[T], on_stop: OnStop | None, grace_seconds: float) -> T:
    """Await, and cancel the awaiting task a grace period after the run was stopped."""
    if on_stop is None:
        return await awaitable
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(_as_coroutine(awaitable))

    def stop() -> None:  # Called in the thread that stops the run.
        loop.call_soon_threadsafe(lambda: loop.call_later(grace_seconds, task.cancel))

    forget = on_stop(stop)
    try:
        return await task
    finally:
        forget()


async def _as_coroutine(awaitable: Awaitable[T]) -> T:
    return await awaitable
