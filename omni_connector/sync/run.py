"""One run, from its begin to its one end.

Everything here blocks and belongs to the thread of the run; ``SyncContext`` is the face that connectors see.
"""

import copy
import logging
import threading
from collections.abc import Iterable
from typing import Any

from attrs import evolve

from omni_connector.exceptions import (
    ConnectorError,
    ManagerUnreachableError,
    NotFoundError,
    SdkClientError,
)
from omni_connector.manager.api import ManagerApi
from omni_connector.masking import error_text, protect_process, secrets_in
from omni_connector.sync.checkpoints import RunCheckpoints
from omni_connector.sync.covered import CoveredCounts
from omni_connector.sync.delivery_limits import DeliveryLimits
from omni_connector.sync.intake import Intake
from omni_connector.sync.ledger import (
    ENDED_STAGE,
    DocumentError,
    ErrorLimits,
)
from omni_connector.sync.run_info import RunInfo
from omni_connector.sync.run_parts import RunParts
from omni_connector.sync.state import RunState
from omni_connector.telemetry.figures import Figures, RunFigures, Stage
from omni_connector.telemetry.meter import looked_at

log = logging.getLogger(__name__)

FLUSH_SECONDS = 30.0
"""How long a failing run tries to deliver what it has taken."""


class SyncRun(RunParts):
    """One run. ``close`` it. Safe to use from many threads.

    Args:
        manager: where to report.
        limits: when batches are sent, and how much may wait.
        error_limits: how many documents may fail.
        covered: see ``RunCheckpoints``.

    Attributes:
        intake: takes what the connector emits.
        checkpoints: saves where it is.
        failure: why it was reported as failed.
    """

    def __init__(
        self,
        info: RunInfo,
        manager: ManagerApi,
        state: RunState,
        *,
        limits: DeliveryLimits | None = None,
        error_limits: ErrorLimits | None = None,
        covered: CoveredCounts | None = None,
    ) -> None:
        protect_process()
        super().__init__(info, manager, state, limits=limits, error_limits=error_limits)
        self.intake = Intake(self)
        self.checkpoints = RunCheckpoints(self, covered)
        self.failure: str | None = None
        self._credentials: Any = info.credentials
        self._user_email: str | None = None
        self._asking = threading.Lock()  # Held while the address is asked for, so that it is asked for once.
        self._forget_abort = state.on_stop(self._abort_if_fenced)

    # -- figures --------------------------------------------------------------------------------------------------

    @property
    def documents_scanned(self) -> int:
        """Documents looked at, before a resume included."""
        return self.delivery.counters.total_scanned

    @property
    def documents_emitted(self) -> int:
        """Documents emitted, and before a resume accepted."""
        return self.delivery.counters.updated_before + self.intake.emitted

    @property
    def figures(self) -> Figures:
        """All of it, before a resume included where that is known."""
        counters = self.delivery.counters
        return evolve(
            self.ledger.figures,
            scanned=counters.total_scanned,
            updated=counters.total_updated,
            emitted=self.intake.emitted,
            deleted=self.intake.deleted,
        )

    @property
    def run_figures(self) -> RunFigures:
        """The same, and what the run is doing."""
        figures, meter = self.figures, self.meter
        events, size = meter.buffered()
        batches, delivered = meter.traffic()
        return RunFigures(
            documents=figures,
            before=self.delivery.counters.before,
            seconds=meter.seconds,
            stages=meter.stages(),
            buffered_documents=events,
            buffered_bytes=size,
            batches=batches,
            bytes_delivered=delivered,
            parallel_uploads=self.manager.parallel_uploads,
            progress=meter.progress(figures),
        )

    def set_progress(self, total: int | None, phase: str | None) -> None:
        """Note how many documents there are, and what the connector is doing."""
        identity = self.info.identity
        self.run_meter.set_progress(
            looked_at(self.figures), total=total, phase=phase, partition=identity.partition
        )

    def add_part(self, more: Figures, errors: Iterable[DocumentError]) -> None:
        """Add what a part of the run, which delivers by itself, has done."""
        counters = self.delivery.counters
        counters.scanned(more.scanned)
        counters.updated(more.updated)
        self.intake.emitted += more.emitted
        self.intake.deleted += more.deleted
        self.ledger.add_part(more, errors)
        self.delivery.wake()

    # -- the end --------------------------------------------------------------------------------------------------

    def complete(self) -> None:
        """End the run as completed; nothing happens when it is stopped or has ended.

        Raises:
            TooManyErrorsError: more documents failed than allowed.
        """
        if self.state.stopped.is_set() or self.state.has_ended:
            return
        with self.waiting("complete"):
            self.delivery.barrier(final=True)
        self.ledger.judge()  # Also for a connector that went on after TooManyErrorsError.
        self.checkpoints.save_final()
        counters = self.delivery.counters
        with self.state.final_call("completed") as is_first:
            if is_first:
                self.manager.complete(
                    self.info.sync_run_id,
                    scanned=counters.total_scanned,
                    updated=counters.total_updated,
                    new_state=self.checkpoints.last,
                )
                self.inventories.scopes.completed(self.checkpoints.last)

    def fail(self, error: str | BaseException) -> None:
        """Deliver what was taken as far as possible, then end the run as failed, without secrets in the text."""
        if self.state.stopped.is_set() or self.state.has_ended:
            return
        try:
            self.delivery.counters.release_all()
            self.delivery.barrier(timeout_seconds=FLUSH_SECONDS, final=True)
        except ConnectorError as trouble:
            message = "Not everything that was emitted could be delivered: %s"
            log.warning(message, trouble, extra=self.log_extra)
        self.failure = text = error_text(error)
        with self.state.final_call("failed") as is_first:
            if is_first:
                self.manager.fail(self.info.sync_run_id, text)

    # -- other calls of the connector -----------------------------------------------------------------------------

    def user_email(self) -> str:
        """Return the address of the user who made the source; asked for once."""
        with self._asking:
            if self._user_email is None:
                self.require_open("user_email")
                with self.waiting("user_email"), self.state.naming_cancellation():
                    self._user_email = self.manager.user_email(self.info.source_id)
            return self._user_email

    def credentials(self, fresh: bool) -> dict[str, Any]:  # noqa: FBT001 - from a face where it has a name.
        """Return the source's credentials; ``fresh`` asks the manager for them."""
        if fresh:
            self.require_open("credentials")
            found = self._fetched_credentials()
            self.secrets.add(secrets_in(found))
            self._credentials = found
        return copy.deepcopy(self._credentials)

    def _fetched_credentials(self) -> Any:
        try:
            with self.state.naming_cancellation():
                return self.manager.credentials(self.info.source_id).credentials or {}
        except NotFoundError:
            self.manager.source(self.info.source_id)  # Raises when it is the source that is gone.
            return {}

    def heartbeat(self) -> None:
        """Report the run alive; a failure is logged."""
        self.require_open("heartbeat")
        try:
            self.beat()
        except SdkClientError as error:
            # That the manager is away is said once, by the client.
            level = logging.DEBUG if isinstance(error, ManagerUnreachableError) else logging.WARNING
            log.log(level, "A heartbeat failed: %s", error, extra=self.log_extra)

    def sleep(self, seconds: float, why: str = "sleep") -> bool:
        """Wait, but no longer than until the run is stopped; return True when the time is over."""
        with self.waiting(why, Stage.WAITING_RATE_LIMIT):
            return not self.state.stopped.wait(seconds)

    # -- for the runtime ------------------------------------------------------------------------------------------

    def drain(self, *, timeout_seconds: float) -> None:
        """Deliver what was taken while the process shuts down; what cannot be delivered is emitted again later."""
        try:
            self.delivery.barrier(timeout_seconds=timeout_seconds)
        except ConnectorError as error:
            log.info("Not drained: %s", error, extra=self.log_extra)

    def beat(self) -> None:
        """Report the run alive.

        Raises:
            SdkClientError: the manager did not take it.
        """
        if not self.state.has_ended:
            self.manager.heartbeat(self.info.sync_run_id)

    def note_after_the_end(self, error: BaseException) -> None:
        """Note what ``sync()`` raised after the run had ended; its report shows it."""
        run_id, reason = self.info.sync_run_id, error_text(error)
        self.ledger.note(DocumentError(document_id=run_id, kind="run", stage=ENDED_STAGE, reason=reason))

    def close(self) -> None:
        """End the run's own thread, after its end."""
        self._forget_abort()
        self.sessions.close()
        self.delivery.close()
        self.inventories.close()
        self.meter.end()
        self.secrets.close()

    # -- inside ---------------------------------------------------------------------------------------------------

    def _abort_if_fenced(self) -> None:
        """A cancelled run waits for nothing, not even for a call that is under way."""
        if self.state.fence.is_set():
            self.manager.abort()
