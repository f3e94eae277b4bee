"""Clients of a gunicorn worker with threads that never finish: each would hold a thread."""

import queue
import threading
from collections.abc import Iterable
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from omni_connector.serving.lingering import linger
from omni_connector.web.unfinished import ENVIRON_KEY, Unfinished, UnfinishedRequests

SWEEP_SECONDS = 0.1
"""Between two looks at requests that are not complete yet; nothing is looked at while there are none."""


class ThreadGuard:
    """Notes, in a worker with threads, which of them wait for a client, and ends those that wait too long.

    gunicorn itself waits without limit for the rest of headers and bodies.
    """

    def __init__(self, worker: ThreadWorker, asked: "queue.SimpleQueue[bool]") -> None:
        self._worker: Any = worker
        self._asked = asked
        self._has_asked = False
        self._requests = UnfinishedRequests(max(1, worker.cfg.threads // 4))
        self._current = threading.local()
        self._lock = threading.Lock()  # Protects _queued.
        self._queued = 0  # Connections that wait for a thread.
        self._is_needed = threading.Event()
        self._enqueue = worker.enqueue_req
        self._handle = worker.handle
        self._notify = worker.notify
        self._application = worker.wsgi

    def begin(self) -> None:
        """Wrap the methods of the worker."""
        self._worker.enqueue_req = self.enqueue
        self._worker.handle = self.handle
        self._worker.notify = self.notify
        self._worker.wsgi = self.answer
        threading.Thread(target=self._sweep, name="omni-unfinished", daemon=True).start()

    def enqueue(self, connection: Any) -> None:
        """Let a thread read from a connection."""
        self._count(1)
        self._enqueue(connection)

    def handle(self, connection: Any) -> Any:
        """Read and answer a request, in one of the threads."""
        self._count(-1)
        request = self._current.request = self._requests.begin(connection)
        self._is_needed.set()
        try:
            stays_open = self._handle(connection)
        finally:
            self._requests.finish(request)
        if not stays_open:
            # gunicorn would wait for the client in the thread that accepts connections, 2 s for each.
            with self._requests.reading(connection) as reading:
                self._is_needed.set()
                linger(connection.sock, reading.progressed)
        return stays_open

    def answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer a request whose headers are there; the application's side of ``handle``."""
        request: Unfinished = self._current.request
        self._requests.finish(request)
        environ[ENVIRON_KEY] = self._requests
        found: Iterable[bytes] = self._application(environ, start_response)
        return found

    def notify(self) -> None:
        """Tell the master that the worker is alive; called by the main loop at least once a second."""
        self._notify()
        if (
            not self._worker.alive and not self._has_asked
        ):  # Perhaps without a signal: --max-requests, --reload.
            self._has_asked = True
            self._asked.put(False)  # noqa: FBT003 - not quick.

    def _sweep(self) -> None:
        pause = threading.Event()
        while True:
            self._is_needed.wait()
            self._is_needed.clear()
            pause.wait(SWEEP_SECONDS)
            self._requests.sweep(all_silent=self._queued > 0 or not self._worker.alive)
            if len(self._requests):
                self._is_needed.set()

    def _count(self, more: int) -> None:
        with self._lock:
            self._queued += more
