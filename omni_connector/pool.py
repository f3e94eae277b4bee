"""A bounded pool of daemon threads.

``concurrent.futures.ThreadPoolExecutor`` joins its threads at interpreter exit, before any ``atexit`` function runs.
A thread that waits for a manager that is down would then keep a worker process from shutting down in order, so the
threads here are daemons: what they still do is ended by the owner of the run, or by the end of the process.
"""

import contextlib
import contextvars
import itertools
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from omni_connector.forking import begins_anew

T = TypeVar("T")

_Task = tuple[contextvars.Context, Callable[..., Any], tuple[Any, ...], "Future[Any]"]


class WorkerPool:
    """Runs calls in at most ``limit`` threads, started when they are first needed and named after ``name``."""

    def __init__(self, name: str, limit: int) -> None:
        self._name = name
        self._limit = limit
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._lock = threading.Lock()  # Protects _threads, _waiting and _closed.
        self._threads: list[threading.Thread] = []
        self._waiting = 0  # Threads that wait for a task, less the tasks that wait for a thread.
        self._closed = False
        self._numbers = itertools.count(1)
        begins_anew(self)

    def after_fork(self) -> None:
        """Start threads of its own; the parent does what waits for one."""
        self._tasks = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = []
        self._waiting = 0

    def submit(self, call: Callable[..., T], *args: Any) -> "Future[T]":
        """Run ``call`` in one of the threads, in the caller's context; its result or error is in the future.

        Raises:
            RuntimeError: the pool is closed, or it has no thread and none can be started.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError(f"pool {self._name} is closed")
            if self._waiting <= 0 and len(self._threads) < self._limit:
                self._start_thread()
            self._waiting -= 1
            self._tasks.put((contextvars.copy_context(), call, args, future))
        return future

    def close(self, timeout_seconds: float = 5.0) -> None:
        """Take no more calls, cancel those that have not begun, and wait for the threads, but no longer than that."""
        with self._lock:
            self._closed = True
            threads = list(self._threads)
        # The threads take tasks meanwhile, so asking first would not do.
        with contextlib.suppress(queue.Empty):
            while True:
                task = self._tasks.get_nowait()
                if task is not None:
                    task[-1].cancel()
        for _ in threads:
            self._tasks.put(None)
        deadline = time.monotonic() + timeout_seconds
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _start_thread(self) -> None:
        name = f"{self._name}-{next(self._numbers)}"
        thread = threading.Thread(target=self._run, name=name, daemon=True)
        try:
            thread.start()
        except (RuntimeError, MemoryError):  # There is no memory for it, or a limit of the system is reached.
            if not self._threads:
                raise
            return  # Those that there are do its work.
        self._threads.append(thread)
        self._waiting += 1

    def _run(self) -> None:
        while True:
            task = self._tasks.get()
            if task is None:
                return
            context, call, args, future = task
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(context.run(call, *args))
                except BaseException as error:  # noqa: BLE001 - handed to the thread that waits for the future.
                    future.set_exception(error)
            del task, context, call, args, future  # Nothing is kept alive while the thread waits.
            with self._lock:
                self._waiting += 1
