"""What a run consists of, and how a call of the connector enters it."""

from omni_connector.inventory.of_run import RunInventories
from omni_connector.inventory.terms import InventoryTerms
from omni_connector.manager.api import ManagerApi
from omni_connector.masking import SecretScope
from omni_connector.sources.source_run import LocalSources, Sessions, SharedSources
from omni_connector.sync.delivery import Delivery
from omni_connector.sync.delivery_limits import DeliveryLimits
from omni_connector.sync.ledger import INVENTORY_STAGE, DocumentError, ErrorLedger, ErrorLimits
from omni_connector.sync.pulse import Pulse
from omni_connector.sync.run_info import RunInfo
from omni_connector.sync.state import RunState
from omni_connector.telemetry.figures import Stage
from omni_connector.telemetry.meter import RunMeter


class RunParts:
    """The collaborators that everything in one run shares.

    Attributes:
        manager: where to report; its waits end when the run is fenced.
        state: whether it may still send.
        pulse: when the connector last called, and for what.
        meter: what its time is spent on ...
        run_meter: ... and that of the whole run, where this is one partition of it.
        ledger: the documents that did not arrive.
        delivery: the way of the events.
        inventories: which documents the manager has, by scope.
        secrets: are masked until the run is closed.
        sources: what other threads and processes that read the source have in common with the run.
        sessions: of its source; closed at its end.
        said: what is logged once a run, and was.
        log_extra: what its lines in the log carry beside their text.
    """

    def __init__(
        self,
        info: RunInfo,
        manager: ManagerApi,
        state: RunState,
        *,
        limits: DeliveryLimits | None,
        error_limits: ErrorLimits | None,
    ) -> None:
        self.info = info
        self.secrets = SecretScope(info.secrets)
        self.state = state
        self.manager = manager.for_run(state.fence)
        self.pulse = Pulse()
        self.meter = self.run_meter = RunMeter()
        self.ledger = ErrorLedger(info.sync_run_id, error_limits)
        limits = limits or DeliveryLimits.for_mode(info.mode)
        self.delivery = Delivery(info, self.manager, state, self.ledger, limits, meter=self.meter)
        self.use_inventories(InventoryTerms())
        self.sources: SharedSources = LocalSources()
        self.sessions = Sessions()
        self.said: set[str] = set()
        self.log_extra = {"sync_run_id": info.sync_run_id}

    def use_inventories(self, terms: InventoryTerms) -> None:
        """Keep the run's inventories where the connector's are; to be called before anything is emitted."""
        self.inventories = RunInventories(self.info.for_inventories(), terms, self._note_inventory)
        self.delivery.sender.inventories = self.inventories

    def waiting(self, what: str, stage: Stage = Stage.WAITING_MANAGER) -> "Waiting":
        """Around a call of the connector that waits inside the SDK: meanwhile the run makes progress."""
        return Waiting(self.pulse, what, self.meter, stage)

    def require_open(self, operation: str, about: str = "") -> None:
        """Note a call of the connector, and let it go on; raises as ``Delivery.check``."""
        self.pulse.touch(operation, about)
        self.delivery.check()

    def note(self, document_id: str, stage: str, reason: str) -> None:
        """Note a document of which the manager gets less than was emitted, or nothing."""
        self.ledger.add(DocumentError(document_id=document_id, stage=stage, reason=reason))

    def _note_inventory(self, reason: str) -> None:
        source = self.info.source_id
        self.ledger.note(
            DocumentError(document_id=source, kind="deletions", stage=INVENTORY_STAGE, reason=reason)
        )


class Waiting:
    """See ``RunParts.waiting``. One is made for each stored content: a generator would cost three times as much."""

    __slots__ = ("_meter", "_pulse", "_stage", "_what")

    def __init__(self, pulse: Pulse, what: str, meter: RunMeter, stage: Stage) -> None:
        self._pulse = pulse
        self._what = what
        self._meter = meter
        self._stage = stage

    def __enter__(self) -> None:
        self._pulse.enter(self._what)
        self._meter.enter(self._stage)

    def __exit__(self, *_: object) -> None:
        self._meter.leave(self._stage)
        self._pulse.leave(self._what)
