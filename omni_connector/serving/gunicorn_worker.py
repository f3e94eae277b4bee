"""The gunicorn worker in this process: what it allows, when it is asked to end, and clients that never finish."""

import logging
import queue
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from attrs import frozen
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.workers.base import Worker
from gunicorn.workers.gthread import ThreadWorker
from gunicorn.workers.sync import SyncWorker

from omni_connector.config import LogSettings
from omni_connector.runtime.requests import ServerLimits
from omni_connector.serving.gunicorn_logs import show_as_ours
from omni_connector.serving.lingering import linger
from omni_connector.serving.processes import outwards
from omni_connector.serving.thread_guard import ThreadGuard
from omni_connector.telemetry.logs import set_up_logging

log = logging.getLogger(__name__)

TIMEOUT_SHARE = 0.8
"""Share of the time after which gunicorn kills a ``sync`` worker that an action may take."""

FEW_REQUESTS = 1000
"""A lower ``--max-requests`` is warned of: the manager alone makes several requests a minute for each run."""

QUICK_SIGNALS = (signal.SIGQUIT, signal.SIGINT) if hasattr(signal, "SIGQUIT") else (signal.SIGINT,)


_ATTENDANT = "omni_connector_attendant"
"""Attribute of a worker."""


def worker_of_this_process() -> Worker | None:
    """Return the gunicorn worker in this process; None in gunicorn's master, and outside of gunicorn."""
    main = sys._current_frames().get(threading.main_thread().ident or 0)  # noqa: SLF001 - the documented way to see another thread.
    for frame in outwards(main):
        if frame.f_code is Arbiter.spawn_worker.__code__:
            worker: Worker | None = frame.f_locals.get("worker")
            return worker
    return None


def limits_of(worker: Worker) -> ServerLimits:
    """Return what the worker's settings allow."""
    settings = worker.cfg
    is_threaded = isinstance(worker, ThreadWorker)
    is_killed = isinstance(worker, SyncWorker) and settings.timeout > 0
    return ServerLimits(
        threads=settings.threads if is_threaded else 1 if isinstance(worker, SyncWorker) else None,
        request_seconds=settings.timeout * TIMEOUT_SHARE if is_killed else None,
        shutdown_seconds=settings.graceful_timeout,
    )


def attend(
    worker: Worker,
    drain: Callable[..., None],
    log_settings: LogSettings,
    start: Callable[[], object] | None = None,
) -> None:
    """Call ``drain`` when the worker is asked to end, and keep clients that never finish from taking all threads.

    Called once for each connector that is mounted in the application.

    Args:
        worker: the worker of this process.
        drain: stops the runs of a connector; ``quick`` says that there is no time to wait for checkpoints.
        log_settings: used where the application, once it is loaded, has not configured logging.
        start: called when the worker has the rights of its account (``--user``), right before it serves.
    """
    attributes = vars(worker)
    if _ATTENDANT not in attributes:
        attributes[_ATTENDANT] = _Attendant(worker, log_settings)
    attendant: _Attendant = attributes[_ATTENDANT]
    attendant.drains.append(drain)
    if start is not None:
        attendant.starts.append(start)


def warn_of_settings(worker: Worker) -> None:
    """Say once what a worker cannot do with its settings."""
    if worker.age > 1:
        return
    if 0 < worker.cfg.max_requests < FEW_REQUESTS:
        log.warning(
            "--max-requests %d ends this worker after so many requests, and the probes of the manager count: its syncs are "
            "interrupted and resumed each time, and the manager gives up a sync that is lost four times in a row. "
            "Leave it out, or set it to at least %d.",
            worker.cfg.max_requests,
            FEW_REQUESTS,
        )
    if (limits_of(worker).threads or FEW_REQUESTS) > 1:
        return
    log.warning(
        "This gunicorn worker answers one request at a time: while an action runs, or a client is slow to send its request, "
        "/health and /sync are not answered, and the manager may count healthy syncs as lost%s. "
        "Type: gunicorn -c python:omni_connector.gunicorn_conf ..., or: gunicorn --worker-class gthread --threads 64 ...",
        f"; after {worker.cfg.timeout} s (--timeout) gunicorn kills the worker with its syncs"
        if isinstance(worker, SyncWorker)
        else "",
    )


class _Attendant:
    """Belongs to one worker; the threads and the handlers begin once it has loaded the application."""

    def __init__(self, worker: Worker, log_settings: LogSettings) -> None:
        self._log_settings = log_settings
        self.drains: list[Callable[..., None]] = []
        self.starts: list[Callable[[], object]] = []
        # A signal handler may interrupt the main thread anywhere, also while it holds a lock; ``put`` of this queue takes none.
        self._asked: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._next = worker.cfg.post_worker_init
        worker.cfg.set("post_worker_init", self.begin)

    def begin(self, worker: Worker) -> None:
        """Begin; gunicorn's hook ``post_worker_init``, called in the main thread."""
        self._next(worker)
        set_up_logging(self._log_settings)
        if type(worker.log) is Logger:  # Not one of the user's.
            show_as_ours(worker.log)
        for start in self.starts:
            start()
        threading.Thread(target=self._serve, name="omni-shutdown", daemon=True).start()
        for number in (signal.SIGTERM, *QUICK_SIGNALS):
            before = signal.getsignal(number)
            if callable(before):
                signal.signal(number, _Handler(self._asked, before, is_quick=number in QUICK_SIGNALS))
        signal.siginterrupt(signal.SIGTERM, False)  # noqa: FBT003 - as gunicorn does.
        if isinstance(worker, ThreadWorker):
            ThreadGuard(worker, self._asked).begin()
        elif isinstance(worker, SyncWorker):
            worker.cfg.set("post_request", _LingeringHook(worker.cfg.post_request))

    def _serve(self) -> None:
        while True:
            is_quick = self._asked.get()
            for drain in self.drains:
                threading.Thread(
                    target=drain, kwargs={"quick": is_quick}, name="omni-drain", daemon=True
                ).start()


@frozen
class _Handler:
    """Passes a signal on after noting it."""

    asked: "queue.SimpleQueue[bool]"
    before: Callable[[int, FrameType | None], Any]
    is_quick: bool

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.asked.put(self.is_quick)
        self.before(number, frame)


@frozen
class _LingeringHook:
    """gunicorn's hook ``post_request``, in a worker that closes each connection after its answer."""

    before: Callable[[Worker, Any, dict[str, Any], Any], object]

    def __call__(self, worker: Worker, request: Any, environ: dict[str, Any], answer: Any) -> None:
        linger(environ["gunicorn.socket"])
        self.before(worker, request, environ, answer)
