"""How many runs of a process are executed at once; the others wait for their turn, in the order in which they came."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

from omni_connector.forking import begins_anew

log = logging.getLogger(__name__)


class RunThread(Protocol):
    """The thread of a run."""

    def start(self) -> None:
        """Begin."""

    def on_stop(self, callback: Callable[[], object]) -> None:
        """Call ``callback`` when the run is cancelled, or the process ends."""


class Turns:
    """Starts the threads of runs, at most ``limit`` at once. A run that waits costs no thread.

    Args:
        limit: how many.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        begins_anew(self)
        self.after_fork()

    def after_fork(self) -> None:
        """Forget the parent's runs."""
        self._lock = threading.Lock()  # Protects the following.
        self._running = 0
        self._waiting: deque[RunThread] = deque()

    def take(self, thread: RunThread) -> None:
        """Start ``thread`` now, or when it is its turn.

        Raises:
            RuntimeError: no thread can be started.
            MemoryError: the same.
        """
        with self._lock:
            is_now = self._running < self._limit
            if is_now:
                self._running += 1
            else:
                self._waiting.append(thread)
        if is_now:
            self._begin(thread)
            return
        log.info(
            "%d syncs are in progress (OMNI_MAX_CONCURRENT_SYNCS): another one waits for its turn",
            self._limit,
        )
        thread.on_stop(partial(self.skip, thread))

    @property
    def is_free(self) -> bool:
        """Whether another run would be started at once."""
        with self._lock:
            return self._running < self._limit and not self._waiting

    def done(self) -> None:
        """A thread ends: the next one has its turn."""
        with self._lock:
            self._running -= 1
        while True:
            with self._lock:
                if not self._waiting or self._running >= self._limit:
                    return
                thread = self._waiting.popleft()
                self._running += 1
            try:
                self._begin(thread)
            except (RuntimeError, MemoryError) as error:
                log.warning("A waiting sync needs a thread, and none can be started; it waits on: %s", error)
                with self._lock:
                    self._waiting.appendleft(thread)
                return

    def skip(self, thread: RunThread) -> None:
        """Start a waiting thread whose run was stopped: it ends at once."""
        with self._lock:
            if thread not in self._waiting:
                return
            self._waiting.remove(thread)
            self._running += 1
        self._begin(thread)

    def _begin(self, thread: RunThread) -> None:
        try:
            thread.start()
        except BaseException:
            with self._lock:
                self._running -= 1
            raise
