"""Runs that other processes execute: from the answer to ``/sync`` until a worker has them, or none took them in time."""

import logging
import threading
import time
from typing import Any, Protocol

from attrs import define

from omni_connector.exceptions import ConnectorError, RunQueueError, RunStoreError
from omni_connector.forking import begins_anew
from omni_connector.manager.api import ManagerApi
from omni_connector.models import SyncRequest
from omni_connector.runstore.store import LEASE_SECONDS
from omni_connector.runtime.run import QueuedRun, Run
from omni_connector.runtime.runs import RunRegistry

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""Between two looks at the runs that wait. There are none where workers are idle."""

HEARTBEAT_SECONDS = 20.0
"""How often a run that waits is reported alive."""

CLOSE_SECONDS = 5.0


class RunQueue(Protocol):
    """Carries runs to the processes that execute them. ``close`` it."""

    def put(self, queued: QueuedRun, mode: str) -> None:
        """Send a run; only its ids.

        Raises:
            RunQueueError: it cannot be sent now; it may have been sent nevertheless.
        """

    def close(self) -> None:
        """Release connections."""


@define(eq=False)
class _Waiting:
    run: Run
    request: SyncRequest
    dispatch: dict[str, Any]
    deadline: float
    beat: float
    queued: QueuedRun | None = None  # Once it is left to another process.
    is_sent: bool = False


class RunSender:
    """Sends runs to a queue, and gives back those that no process takes. ``close`` it.

    One thread serves all. It is started with the first run; so nothing runs before a fork.

    Args:
        queue: to which runs are sent; closed with this.
        manager: receives their heartbeats.
        seconds: how long a run may wait.
    """

    def __init__(self, queue: RunQueue, registry: RunRegistry, manager: ManagerApi, seconds: float) -> None:
        self._queue = queue
        self._registry = registry
        self._manager = manager
        self._seconds = seconds
        begins_anew(self)
        self.after_fork()

    def after_fork(self) -> None:
        """Forget the runs of the parent."""
        self._lock = threading.Lock()  # Protects _arriving, _thread and _is_closed.
        self._arriving: list[_Waiting] = []
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._wake = threading.Event()
        self._is_away = False

    def send(self, run: Run, request: SyncRequest, dispatch: dict[str, Any]) -> None:
        """Send a run whose slot is claimed, as soon as run store and broker can be used; returns at once."""
        now = time.monotonic()
        waiting = _Waiting(run, request, dispatch, now + self._seconds, now + HEARTBEAT_SECONDS)
        with self._lock:
            self._arriving.append(waiting)
            if self._thread is None and not self._is_closed:
                thread = threading.Thread(target=self._run, name="omni-queue", daemon=True)
                thread.start()
                self._thread = thread
        self._wake.set()

    def close(self) -> None:
        """End the thread. What was sent may be executed; the manager finds the other runs lost, and resumes them."""
        with self._lock:
            self._is_closed = True
            thread = self._thread
        self._wake.set()
        if thread is not None:
            thread.join(CLOSE_SECONDS)
        self._queue.close()

    def _run(self) -> None:
        waiting: list[_Waiting] = []
        while not self._is_closed:
            self._wake.wait(LOOK_SECONDS if waiting else None)
            self._wake.clear()
            with self._lock:
                waiting += self._arriving
                self._arriving.clear()
            waiting = [each for each in waiting if not self._is_done(each)]
        for each in waiting:
            if not each.is_sent:
                self._end(each)

    def _is_done(self, waiting: _Waiting) -> bool:
        """Bring a run one step further; True when there is no more to do for it."""
        try:
            return self._step(waiting)
        except RunQueueError as error:
            self._say_away(error)
        except RunStoreError as error:
            log.debug("A run waits for the run store: %s", error)
        except Exception:  # The thread must survive; the run is tried again until its time is over.
            log.exception("Run %s could not be sent", waiting.run.sync_run_id, extra=waiting.run.extra)
        return waiting.queued is not None and time.monotonic() > waiting.deadline + LEASE_SECONDS

    def _step(self, waiting: _Waiting) -> bool:
        if waiting.queued is None:
            if not self._registry.try_lease(waiting.run):
                return False
            if waiting.run.state.stopped.is_set():  # Cancelled, or the process ends.
                self._end(waiting)
                return True
            waiting.deadline = time.monotonic() + self._seconds
            # Its claim ends by itself where this process does not give it back in time.
            held_seconds = self._seconds + LEASE_SECONDS
            waiting.queued = self._registry.leave(waiting.run, waiting.dispatch, held_seconds)
        if time.monotonic() >= waiting.deadline:
            self._give_back(waiting.queued)
            return True
        if not waiting.is_sent:
            self._queue.put(waiting.queued, waiting.request.sync_mode)
            waiting.is_sent = True
            self._is_away = False
            log.info("Run %s waits for a worker", waiting.run.sync_run_id, extra=waiting.run.extra)
        return not self._still_waits(waiting, waiting.queued)

    def _still_waits(self, waiting: _Waiting, queued: QueuedRun) -> bool:
        if time.monotonic() < waiting.beat:
            return True
        if not self._registry.shared.is_held(queued.key, queued.token):
            return False
        waiting.beat = time.monotonic() + HEARTBEAT_SECONDS
        try:
            self._manager.heartbeat(waiting.run.sync_run_id)
        except ConnectorError as error:
            log.debug("A heartbeat failed; the next one follows: %s", error)
        return True

    def _give_back(self, queued: QueuedRun) -> None:
        if self._registry.shared.give_back(queued.key, queued.token):
            log.warning(
                "No worker took run %s within %g s (OMNI_QUEUE_SECONDS); the manager will find it lost and resume it. "
                "Are workers running, and is one of them free? Type: celery -A omni_connector.worker worker",
                queued.key.sync_run_id,
                self._seconds,
                extra=queued.key.extra,
            )

    def _end(self, waiting: _Waiting) -> None:
        """Let go of a run that is not sent."""
        if waiting.queued is None:
            self._registry.release(waiting.run, "not started")
            return
        try:
            self._registry.shared.give_back(waiting.queued.key, waiting.queued.token)
        except RunStoreError as error:
            log.warning("Run %s ends by itself: %s", waiting.run.sync_run_id, error, extra=waiting.run.extra)

    def _say_away(self, error: RunQueueError) -> None:
        if not self._is_away:
            self._is_away = True
            log.warning("%s. Runs wait until it can be used again.", error)
