"""The Celery application of a connector: one queue, two tasks, messages with ids only; and what sends to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omni_connector.exceptions import ConfigurationError, RunQueueError
from omni_connector.runstore.store import VERSION

if TYPE_CHECKING:
    from celery import Celery

    from omni_connector.config import Settings
    from omni_connector.partitions.messages import PartitionTask
    from omni_connector.runtime.run import QueuedRun

TASK_NAME = "omni_connector.worker.sync"
PARTITION_TASK_NAME = "omni_connector.worker.partition"

SOCKET_SECONDS = 10
"""How long a call waits for a Redis that is the broker. Above the 1 s for which Celery itself waits for a message."""

PROCESS_START_SECONDS = 30.0
"""How long a new process of the pool may take to be ready; Celery's 4 s are few on a busy machine."""


def make_celery_app(settings: Settings, connector_name: str) -> Celery:
    """Return the Celery application of a connector; nothing is connected yet.

    Raises:
        ConfigurationError: the extra ``[celery]`` is not installed.
    """
    try:
        from celery import Celery  # noqa: PLC0415 - an extra.
    except ImportError as error:
        raise ConfigurationError(
            "OMNI_EXECUTOR=celery needs Celery, which is not installed. Type: pip install 'omni-connector[celery]'"
        ) from error
    url = settings.broker_url or ""
    is_redis = url.startswith(("redis", "rediss"))
    app = Celery("omni_connector", broker=url, set_as_current=False, fixups=[])
    app.conf.update(
        task_default_queue=f"omni.{connector_name}",
        # The manager dispatches a run again that was lost. A broker that did so, too, would only be in its way.
        task_acks_late=False,
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        # A run may take hours: a worker that is busy must not keep the next one from another that is free.
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=is_redis,  # Other brokers have no such setting, and Celery warns of it.
        worker_proc_alive_timeout=PROCESS_START_SECONDS,
        # For `celery events` and Flower.
        worker_send_task_events=True,
        task_send_sent_event=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        worker_cancel_long_running_tasks_on_connection_loss=False,
    )
    if is_redis:
        app.conf.broker_transport_options = {
            "socket_timeout": SOCKET_SECONDS,
            "socket_connect_timeout": SOCKET_SECONDS,
        }
    return app


class CeleryQueue:
    """Sends runs, and partitions of runs, to the workers of a connector; implements ``RunQueue`` and ``PartitionQueue``.

    The id of a task is the token of what it is about, so that a second delivery finds it used.

    Args:
        app: of the connector.
    """

    def __init__(self, app: Celery) -> None:
        self._app = app

    def put(self, queued: QueuedRun, mode: str) -> None:
        """Send a run.

        Raises:
            RunQueueError: the broker cannot be used now.
        """
        key = queued.key
        self._send(
            TASK_NAME, queued.token, source_id=key.source_id, sync_mode=mode, sync_run_id=key.sync_run_id
        )

    def put_partition(self, task: PartitionTask, token: str, mode: str) -> None:
        """Send a partition.

        Raises:
            RunQueueError: the broker cannot be used now.
        """
        ids = {"source_id": task.source_id, "sync_mode": mode, "sync_run_id": task.sync_run_id}
        self._send(PARTITION_TASK_NAME, token, **ids, partition=task.key)

    def _send(self, name: str, token: str, **ids: str) -> None:
        from kombu.exceptions import KombuError, OperationalError  # noqa: PLC0415 - an extra.

        try:
            self._app.send_task(name, kwargs={"v": VERSION, **ids}, task_id=token, retry=False)
        except (KombuError, OperationalError, OSError) as error:
            raise RunQueueError(
                f"The broker (OMNI_BROKER_URL) cannot be used now: {type(error).__name__}"
            ) from error

    def close(self) -> None:
        """Close the connections."""
        self._app.close()
