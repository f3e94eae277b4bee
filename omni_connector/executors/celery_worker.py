"""Executes runs, and reads partitions, in Celery workers: the tasks, and what happens when the worker is asked to end."""

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from celery import Celery, Task, signals

from omni_connector.exceptions import RunStoreError
from omni_connector.executors.celery_app import PARTITION_TASK_NAME, TASK_NAME
from omni_connector.forking import begins_anew
from omni_connector.masking import error_text
from omni_connector.models import SyncMode
from omni_connector.partitions.messages import PartitionTask
from omni_connector.runstore.runs import RunKey
from omni_connector.runstore.store import VERSION
from omni_connector.runtime.run import QueuedRun
from omni_connector.runtime.service import ConnectorService
from omni_connector.telemetry.logs import LogHandler, add_run_to_lines, formatter_of
from omni_connector.telemetry.metrics import NO_METRICS
from omni_connector.tokens import accepted_tokens

if TYPE_CHECKING:
    from omni_connector.telemetry.exposition import MetricsServer

log = logging.getLogger(__name__)

STORE_SECONDS = 1.0
"""Between two attempts of a task while the run store is away."""

STORE_ATTEMPTS = 60


class CeleryWorker:
    """Executes the runs of one connector in this worker, whatever its pool.

    Args:
        app: of the connector.
        service: executes runs in each process of the pool.

    Raises:
        ConfigurationError: the tokens that requests for metrics must bring cannot be used.
    """

    def __init__(self, app: Celery, service: ConnectorService) -> None:
        self._service = service
        self._tokens = accepted_tokens(service.settings.auth_token, service.settings.auth_token_file)
        self._warning = ShutdownWarning()
        self._lock = threading.Lock()  # Protects _thread.
        self._thread: threading.Thread | None = None
        self._metrics_server: MetricsServer | None = None
        begins_anew(self)
        worker = self

        def sync(task: Task, *, v: int, sync_run_id: str, source_id: str, sync_mode: str, **_: Any) -> None:
            """Execute one run; only its ids are sent."""
            queued = QueuedRun(RunKey(sync_run_id, source_id, SyncMode(sync_mode).slot), task.request.id)
            worker.execute(v, sync_run_id, partial(service.execute, queued))

        def partition(
            task: Task, *, v: int, sync_run_id: str, source_id: str, partition: str, **_: Any
        ) -> None:
            """Read one partition of a run; only ids are sent."""
            part = PartitionTask(sync_run_id=sync_run_id, source_id=source_id, key=partition)
            worker.execute(v, sync_run_id, partial(service.read_partition, part, task.request.id))

        app.task(name=TASK_NAME, bind=True)(sync)
        app.task(name=PARTITION_TASK_NAME, bind=True)(partition)
        signals.after_setup_logger.connect(self._show_log)
        signals.after_setup_task_logger.connect(self._show_log)
        signals.worker_ready.connect(self._say_ready)
        signals.worker_shutting_down.connect(self._warn)
        signals.worker_process_shutdown.connect(self._close)
        signals.worker_shutdown.connect(self._close)

    def after_fork(self) -> None:
        """Begin anew in a process of the pool."""
        self._lock = threading.Lock()
        self._thread = None
        if self._metrics_server is not None:
            self._metrics_server.forget()
            self._metrics_server = None
        self._warning.only_hear()

    def execute(self, version: int, sync_run_id: str, work: Callable[[], None]) -> None:
        """Do the work of a task, and return when it is over, or when this process ends and does not wait for it any longer.

        It is tried again while the run store is away. ``version`` is that of the message.
        """
        if version != VERSION:
            message = "Run %s was sent by another release (%s); it is given back in time"
            log.error(message, sync_run_id, version)
            return
        self._listen()
        for _ in range(STORE_ATTEMPTS):
            try:
                work()
                return
            except RunStoreError as error:
                log.warning("Run %s waits for the run store: %s", sync_run_id, error)
                if self._warning.heard.wait(STORE_SECONDS):
                    return
            except Exception as error:  # noqa: BLE001 - Celery would send its text and traceback to the broker, as an event.
                raise TaskFailedError(error_text(error)) from None

    def _listen(self) -> None:
        """Wait, in a thread, for the request to end; begun after the fork, with the first run."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._drain, name="omni-shutdown", daemon=True)
                self._thread.start()

    def _drain(self) -> None:
        self._warning.wait()
        self._service.drain()

    def _say_ready(self, **_: Any) -> None:
        log.info("This Celery worker executes the syncs of %s", self._service.connector.name)
        port, metrics = self._service.settings.metrics_port, self._service.instruments.metrics
        if port is None:
            return
        if metrics is None:
            log.warning("OMNI_METRICS_PORT is set. %s", NO_METRICS)
            return
        try:
            self._metrics_server = metrics.serve(port, self._tokens)
        except (OSError, OverflowError) as error:  # Syncs are more than figures about them.
            log.error("OMNI_METRICS_PORT=%d cannot be used, metrics are not served: %s", port, error)  # noqa: TRY400
        else:
            log.info("Metrics of this worker: http://0.0.0.0:%d/metrics", port)

    def _warn(self, **_: Any) -> None:
        """The worker is asked to end; called in a handler of signals."""
        self._warning.give()

    def _close(self, **_: Any) -> None:
        self._service.close()
        server, self._metrics_server = self._metrics_server, None
        if server is not None:
            server.close()

    def _show_log(self, logger: logging.Logger, loglevel: int, **_: Any) -> None:
        """Give Celery's handlers our form of lines. It shows warnings only unless it is asked for more; we ask."""
        settings = self._service.settings.log
        for handler in list(logger.handlers):
            if (
                type(handler) is logging.StreamHandler
            ):  # To standard error: as everywhere, repeated lines are counted.
                logger.removeHandler(handler)
                logger.addHandler(LogHandler(settings, handler.stream))
            else:
                handler.setFormatter(formatter_of(settings))
        logger.setLevel(min(loglevel, logging.getLevelNamesMapping()[settings.level]))
        add_run_to_lines()


class TaskFailedError(Exception):
    """A task failed for a reason that is no failure of its run; without secrets."""


class ShutdownWarning:
    """Warns the processes of a pool that the worker is asked to end: they have the reading end of a pipe.

    Celery's warm shutdown only waits for tasks. The pipe also ends when the worker is killed; on Linux its processes are then
    killed as well, elsewhere they stop their runs.

    Attributes:
        heard: set in a process that has heard it.
    """

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()
        self._is_open = True
        self.heard = threading.Event()

    def give(self) -> None:
        """Warn all; takes no lock, so that handlers of signals can call it. Repeatable."""
        if self._is_open:
            self._is_open = False
            # A byte for this process, should a child that it has forked hold the pipe; its end for all others.
            os.write(self._writing, b".")
            os.close(self._writing)

    def only_hear(self) -> None:
        """Close the writing end, in a forked process."""
        if self._is_open:
            self._is_open = False
            with contextlib.suppress(OSError):
                os.close(self._writing)
        self.heard = threading.Event()

    def wait(self) -> None:
        """Return when the warning was given."""
        os.read(self._reading, 1)
        self.heard.set()
