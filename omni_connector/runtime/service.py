"""One connector at work in this process: what the endpoints call."""

import atexit
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from attrs import evolve

from omni_connector.config import Settings
from omni_connector.connector_base import ConnectorBase
from omni_connector.connector_base.sync_signature import require_reader
from omni_connector.event_loop import EventLoop
from omni_connector.exceptions import ConfigurationError
from omni_connector.forking import begins_anew
from omni_connector.inventory.memory import MemoryInventories
from omni_connector.manager.api import ManagerApi
from omni_connector.masking import SecretScope, protect_process
from omni_connector.models import SyncRequest
from omni_connector.models.json_values import JsonValue
from omni_connector.models.mcp_servers import SessionLimits
from omni_connector.partitions.messages import PartitionTask
from omni_connector.pool import WorkerPool
from omni_connector.runstore.memory import MemoryStore
from omni_connector.runstore.partitions import SharedPartitions
from omni_connector.runstore.runs import SharedRuns
from omni_connector.runstore.sources import StoredSources
from omni_connector.runtime.connector_calls import ConnectorCalls
from omni_connector.runtime.hooks import ENDS_A_PROCESS, HookCaller
from omni_connector.runtime.manifest import Announcement
from omni_connector.runtime.mirror import Mirror
from omni_connector.runtime.offers import RunOffers
from omni_connector.runtime.options import RuntimeOptions
from omni_connector.runtime.partition_offers import PartitionOffers
from omni_connector.runtime.partition_readings import PartitionReadings
from omni_connector.runtime.partition_runner import RunResources
from omni_connector.runtime.queueing import RunSender
from omni_connector.runtime.readiness import Readiness, ReadinessReport
from omni_connector.runtime.registration import Registration
from omni_connector.runtime.requests import USUAL_LIMIT, ServerLimits, SlowRequests
from omni_connector.runtime.run import QueuedRun, RunReport
from omni_connector.runtime.runs import RunRegistry
from omni_connector.runtime.shutdown import Shutdown, Stoppable
from omni_connector.runtime.starting import SyncStarter
from omni_connector.runtime.turns import Turns
from omni_connector.runtime.watch import Watch, WatchTimes
from omni_connector.runtime.worker import RunFactory
from omni_connector.sync.context import SyncContext
from omni_connector.telemetry.instruments import Instruments
from omni_connector.telemetry.observer import RunObservers
from omni_connector.telemetry.run_log import RunLog

log = logging.getLogger(__name__)

CANCEL_HOOK_SECONDS = 2.0
"""How long the answer to ``/cancel`` waits for the connector's own ``cancel``."""


class ConnectorService:
    """Owns the runs, threads and connections of one connector. ``close`` it; it also closes itself at exit.

    Args:
        connector: the author's connector.
        settings: addresses and limits.
        manager: where to report; also for calls outside of ``sync()``, such as a webhook's. It is closed with the service.
        options: limits other than the usual ones.
        shared: the runs of all processes, closed with the service; left out, there is this process only.

    Attributes:
        shutdown_seconds: how long the process has from the request to end until it is killed.
        calls: answers what the manager asks of the connector outside of its runs.
        instruments: metrics and traces.
    """

    def __init__(
        self,
        connector: ConnectorBase,
        settings: Settings,
        manager: ManagerApi,
        *,
        options: RuntimeOptions | None = None,
        shared: SharedRuns | None = None,
    ) -> None:
        protect_process()
        self._secrets = SecretScope(settings.secrets)
        require_reader(connector)
        _require_name(connector)
        self.connector = connector
        self.settings = settings
        self.shutdown_seconds = settings.shutdown_seconds
        self.manager = connector.manager_port = manager
        self._shared = shared or SharedRuns.of(MemoryStore())
        options = options or RuntimeOptions()
        connector.sources_port = sources = options.sources or StoredSources(self._shared, manager)
        self._inventories = options.inventory or MemoryInventories()
        self.instruments = options.instruments or Instruments()
        self._lock = threading.Lock()  # Protects _closed.
        self._closed = False
        self._hooks = HookCaller(connector, EventLoop(f"omni-loop-{connector.name}"))
        self._hook_threads = WorkerPool(f"omni-hook-{connector.name}", limit=4)
        self._prepare_answers(options.mcp)
        self._prepare_runs(evolve(options, inventory=self._inventories, sources=sources))
        self._shutdown = Shutdown(self._alive)
        begins_anew(self)

    def _prepare_answers(self, limits: SessionLimits) -> None:
        """Make what is registered with the manager, and what answers its requests outside of runs."""
        settings = self.settings
        self.mirror = Mirror.of(
            self._hooks, settings, self._shared, on_change=self._announce_again, limits=limits
        )
        self._announcement = Announcement(self._hooks, self.mirror, settings.connector_url or "")
        self._registration = Registration(self._announcement, self.manager, settings, self._shared)
        self.calls = ConnectorCalls(
            self._announcement,
            self.mirror,
            SlowRequests(settings.max_concurrent_actions or USUAL_LIMIT),
            settings.action_seconds,
        )
        self.calls.inventories = self._inventories
        checks = {
            "registration": self._registration.state,
            "manager": self._check_manager,
            "run store": self._check_run_store,
        }
        self._readiness = Readiness(self.connector.name, checks)

    def _prepare_runs(self, options: RuntimeOptions) -> None:
        """Make what starts, watches and offers runs and partitions."""
        settings, manager = self.settings, self.manager
        self._runs = RunRegistry(self._shared)
        self._runs.cancelled_elsewhere = self._call_cancel
        self._readings = PartitionReadings(
            RunResources(hooks=self._hooks, manager=manager, options=options), SharedPartitions(self._shared)
        )
        if options.partition_queue is not None:
            executor = PartitionOffers(
                self._readings.shared, options.partition_queue, self._readings, settings.queue_seconds
            )
            options = evolve(options, executor=executor)
        self._offers = RunOffers(self._runs, self._shared, Turns(settings.max_concurrent_syncs))
        run_log = RunLog(settings.log, settings.progress_seconds)
        observers = RunObservers((run_log, *options.observers, *self.instruments.observers))
        factory = RunFactory(self._hooks, manager, self._runs, options, self._offers, observers)
        self._names = factory.names
        watch_times = options.watch or WatchTimes(stalled_seconds=settings.stalled_seconds)
        self._watch = Watch(
            self._runs, watch_times, connector=self.connector, observers=observers, names=factory.names
        )
        sender = None
        if options.queue is not None:
            sender = RunSender(options.queue, self._runs, manager, settings.queue_seconds)
        self._starter = SyncStarter(factory, watch=self._watch, mirror=self.mirror, sender=sender)

    def after_fork(self) -> None:
        """Serve on in a process that was forked; registering is left to the one that began it."""
        self._lock = threading.Lock()
        self._shutdown = Shutdown(self._alive)

    # -- its own life -------------------------------------------------------------------------------------------

    def start(
        self,
        *,
        url_prefix: str = "",
        is_idle_process: Callable[[], bool | None] | None = None,
        limits: ServerLimits | None = None,
    ) -> None:
        """Begin to register with the manager, once; to be called in the process that serves.

        Raises:
            ConfigurationError: the manager would refuse the manifest, lists everything; or it is mounted elsewhere.
        """
        if not self._registration.start(url_prefix, is_idle_process):
            return
        self.apply(limits or ServerLimits())
        atexit.register(self.close)
        self._shared.keeper.start()
        self.instruments.begin()
        if not self._starter.is_sending:
            self._offers.start(self._starter.adopt)
        if self.mirror is not None:
            self.mirror.start()

    def apply(self, limits: ServerLimits) -> None:
        """Stay within what the server allows."""
        if self.settings.max_concurrent_actions is None:
            self.calls.slow_requests.limit = limits.slow_requests
        if limits.request_seconds is not None:
            self.calls.action_seconds = min(self.calls.action_seconds, limits.request_seconds)
        if limits.shutdown_seconds is not None:
            self.shutdown_seconds = min(self.shutdown_seconds, limits.shutdown_seconds)

    def drain(self, *, quick: bool = False) -> None:
        """Stop registering and stop the runs; requests are still answered. Returns when it is done, however often called.

        Each run goes on to its next checkpoint, for at most half of ``shutdown_seconds``; what others have buffered is
        delivered. No run is reported as failed: the manager finds it lost and resumes it from its last checkpoint.

        Args:
            quick: wait for no checkpoint; ends such a wait of another thread, too.
        """
        self._starter.refuse_more()
        self._readings.refuse_more()
        self._registration.close()
        self._offers.close()
        self._shutdown.run(self.shutdown_seconds, quick=quick)

    def close(self, *, quick: bool = False) -> None:
        """Stop in order: registration, runs (see ``drain``), threads, connections."""
        self.drain(quick=quick)
        with self._lock:
            if self._closed:
                return
            self._closed = True
        atexit.unregister(self.close)
        self._readiness.close()
        self._watch.close()
        self._readings.close()
        self._names.close()
        if self.mirror is not None:  # After the runs have stopped: a call that fails now fails none of them.
            self.mirror.close()
        self._hook_threads.close()
        self.calls.close()
        self._starter.close()
        self._hooks.loop.close()
        if self.connector.manager_port is self.manager:  # Another service may serve it, too.
            self.connector.manager_port = self.connector.sources_port = None
        self.manager.close()
        self._shared.close()
        self._inventories.close()
        self._secrets.close()
        self.instruments.close()

    # -- what the endpoints ask for -----------------------------------------------------------------------------

    def manifest(self) -> dict[str, JsonValue]:
        """Return the manifest as it is registered and served."""
        return self._announcement.manifest()

    def checked_manifest(self) -> dict[str, JsonValue]:
        """As ``manifest``, of one that the manager does not refuse; leaves no thread behind, and so may be forked after.

        Raises:
            ConfigurationError: lists everything that would make it refuse.
        """
        loop = EventLoop(f"omni-check-{self.connector.name}")
        try:
            return evolve(self._announcement, hooks=HookCaller(self.connector, loop)).checked()
        finally:
            loop.close()

    def readiness(self) -> ReadinessReport:
        """Say whether the connector is registered, and whether the manager and the run store can be used; never hangs."""
        return self._readiness.report()

    def start_sync(self, request: SyncRequest) -> None:
        """Start the run that the manager dispatches; see ``SyncStarter.start``."""
        self._starter.start(request)

    def execute(self, queued: QueuedRun) -> None:
        """Execute a run that another process has left, and return when it has ended, or this process ends.

        Raises:
            RunStoreError: the run store is away.
        """
        run = self._starter.adopt(queued)
        if run is not None:
            run.over.wait()

    def read_partition(self, task: PartitionTask, token: str) -> None:
        """Read a partition that another process offers, and return when it has ended, or this process ends.

        Raises:
            RunStoreError: the run store is away.
        """
        reading = self._readings.begin(task, token)
        if reading is not None:
            reading.over.wait()

    def start_own_run(
        self, source_id: str, work: Callable[[SyncContext], Any], *, sync_mode: str = "incremental"
    ) -> str:
        """Open a run that was not dispatched, and do ``work`` in it; see ``SyncStarter.start_own``."""
        return self._starter.start_own(source_id, work, sync_mode=sync_mode)

    def is_running(self, sync_run_id: str) -> bool:
        """Say whether the run is in progress, in any process.

        Raises:
            RunStoreError: that cannot be known now.
        """
        return self._runs.is_running(sync_run_id)

    def report(self, sync_run_id: str) -> RunReport | None:
        """Return the figures of a run, in progress or ended recently; None when it is unknown."""
        return self._runs.report(sync_run_id)

    def cancel(self, sync_run_id: str) -> bool:
        """Stop a run; False when neither the SDK nor the connector knows it."""
        known = self._runs.cancel(sync_run_id)
        if not known and self._runs.cancel_elsewhere(sync_run_id):
            return True  # The connector's ``cancel`` is called where the run is.
        hook = self._call_cancel(sync_run_id)
        try:
            return bool(hook.result(CANCEL_HOOK_SECONDS)) or known
        except TimeoutError:
            extra = {"sync_run_id": sync_run_id}
            log.warning("%s.cancel takes long; it goes on by itself", self.connector.name, extra=extra)
        except (Exception, *ENDS_A_PROCESS):  # The run is stopped whatever the author's hook does.
            log.exception("%s.cancel failed", self.connector.name, extra={"sync_run_id": sync_run_id})
        return known

    # -- inside -------------------------------------------------------------------------------------------------

    def _check_manager(self) -> str:
        self.manager.ping()
        return "answers"

    def _check_run_store(self) -> str:
        self._shared.check()
        return "can be used"

    def _alive(self) -> list[Stoppable]:
        return [*self._runs.alive(), *self._readings.alive()]

    def _call_cancel(self, sync_run_id: str) -> "Future[Any]":
        given = {"sync_run_id": sync_run_id}
        return self._hook_threads.submit(self._hooks.call, self.connector.cancel, given)

    def _announce_again(self) -> None:
        self._registration.again()


def _require_name(connector: ConnectorBase) -> None:
    name: object = connector.name
    if not isinstance(name, str) or not name.strip():
        raise ConfigurationError(
            f"{type(connector).__name__}.name is {name!r}: give it text that is not empty, such as my-connector."
        )
