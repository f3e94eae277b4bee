"""Names of sources, for the log; the manager gives them only when it is asked."""

import contextlib
import threading
import time
from concurrent.futures import Future, wait

from omni_connector.exceptions import ConnectorError
from omni_connector.forking import begins_anew
from omni_connector.manager.api import ManagerApi
from omni_connector.pool import WorkerPool
from omni_connector.telemetry.log_context import RunIdentity

AGAIN_SECONDS = 60.0
"""A manager that gave no name is asked again after this."""


class SourceNames:
    """Asks in the background, for runs that take longer or fail. ``close`` it.

    Args:
        manager: knows them.
    """

    def __init__(self, manager: ManagerApi) -> None:
        self._manager = manager
        self._pool = WorkerPool("omni-names", limit=1)
        self.after_fork()
        begins_anew(self)

    def after_fork(self) -> None:
        """Forget the parent's requests."""
        self._lock = threading.Lock()  # Protects the following.
        self._names: dict[str, str] = {}
        self._asked: dict[str, tuple[float, Future[None]]] = {}

    def recall(self, run: RunIdentity) -> None:
        """Give a run the name of its source, if a run before it has learned it."""
        with self._lock:
            run.source_name = self._names.get(run.source_id, "")

    def name(self, run: RunIdentity, *, wait_seconds: float = 0.0) -> None:
        """Give a run the name of its source, now where it is known, else when the manager has said it."""
        if run.source_name:
            return
        with self._lock:
            run.source_name = self._names.get(run.source_id, "")
            if run.source_name:
                return
            asked_at, answer = self._asked.get(run.source_id, (0.0, None))
            if answer is None or (answer.done() and time.monotonic() - asked_at > AGAIN_SECONDS):
                with contextlib.suppress(RuntimeError):  # Closed, or there is no thread.
                    answer = self._pool.submit(self._ask, run)
                    self._asked[run.source_id] = time.monotonic(), answer
        if answer is not None and wait_seconds:
            wait([answer], wait_seconds)
        with self._lock:
            run.source_name = self._names.get(run.source_id, "")

    def close(self) -> None:
        """End the thread, and do not wait for an answer."""
        self._pool.close(timeout_seconds=0.0)

    def _ask(self, run: RunIdentity) -> None:
        try:
            name = self._manager.source(run.source_id).name
        except ConnectorError:  # An older manager, or one that is away: a name less.
            return
        with self._lock:
            self._names[run.source_id] = run.source_name = name
