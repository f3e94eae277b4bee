"""Limits and parts of the runtime that tests and benchmarks may change."""

from collections.abc import Callable

from attrs import field, frozen

from omni_connector.inventory.storage import InventoryStorage
from omni_connector.models import SyncMode
from omni_connector.models.mcp_servers import SessionLimits
from omni_connector.partitions.executor import ExecutorFactory, PartitionQueue, ThreadExecutor
from omni_connector.partitions.merger import SavePace
from omni_connector.runtime.queueing import RunQueue
from omni_connector.runtime.watch import WatchTimes
from omni_connector.sources.source_run import SharedSources
from omni_connector.sync.delivery_limits import DeliveryLimits
from omni_connector.telemetry.instruments import Instruments
from omni_connector.telemetry.observer import RunObserver


@frozen(kw_only=True)
class RuntimeOptions:
    """How the runs of one connector are carried out.

    Attributes:
        limits: when batches are sent and how much may wait, by sync mode.
        watch: how often runs are looked at; None takes the usual times with the settings' ``stalled_seconds``.
        cancel_grace_seconds: how long the task of an ``async def sync`` may go on after it was stopped, before it
            is cancelled.
        dispatch_seconds: how long the manager may go on repeating a first dispatch (PROTOCOL, section 1). A process that
            is younger cannot tell whether one before it has worked on the run already, and asks.
        validate_seconds: how long the answer to ``POST /sync`` waits for the connector's ``validate_sync_request``; the
            manager waits 30 s for the whole.
        save_pace: how often the merged checkpoint of a run that is read in partitions is saved.
        executor: where partitions are read; in threads of the process by default.
        queue: takes dispatched runs to other processes; None executes them in threads of this one.
        partition_queue: takes the partitions of runs that this process has to other processes; None reads them where ``executor``
            says.
        mcp: how many sessions with the connector's MCP server are kept, and for how long.
        observers: learn of runs, beside the log.
        instruments: metrics and traces; None leaves it to what is installed and set.
        inventory: where inventories are kept; None is the memory of the process.
        sources: what all readers of a source share; None takes the run store and the manager.
    """

    limits: Callable[[SyncMode], DeliveryLimits] = field(default=DeliveryLimits.for_mode)
    watch: WatchTimes | None = None
    cancel_grace_seconds: float = 5.0
    dispatch_seconds: float = 150.0
    validate_seconds: float = 20.0
    save_pace: SavePace = field(factory=SavePace)
    executor: ExecutorFactory = ThreadExecutor
    queue: RunQueue | None = None
    partition_queue: PartitionQueue | None = None
    mcp: SessionLimits = field(factory=SessionLimits)
    observers: tuple[RunObserver, ...] = ()
    instruments: Instruments | None = None
    inventory: InventoryStorage | None = None
    sources: SharedSources | None = None
