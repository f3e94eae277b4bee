"""The runs of one connector in this process, and the slots that they hold."""

import threading
import time
import uuid
from collections import OrderedDict
from functools import partial

from attrs import define, evolve, field, frozen

from omni_connector.exceptions import SyncConflictError
from omni_connector.forking import begins_anew
from omni_connector.models import Slot
from omni_connector.sync.ledger import DocumentError
from omni_connector.sync.run import SyncRun
from omni_connector.sync.state import RunState

KEPT_REPORTS = 100
KEPT_ERRORS = 20
"""Errors in the report of a run that has ended; the count goes beyond."""


@frozen(kw_only=True)
class RunReport:
    """What a run has done so far, or had done when it ended.

    Attributes:
        sync_run_id: id of the run.
        outcome: ``running``, ``completed``, ``failed``, ``cancelled``, ``interrupted`` (the process shuts down),
            ``left to the manager`` (realtime, or the final call failed: it starts or resumes the run again), or
            ``not started``.
        scanned: documents counted by the connector.
        emitted: documents given to ``emit`` and ``emit_updated``.
        deleted: documents given to ``emit_deleted``.
        error_count: documents that did not arrive.
        errors: the last of those.
        seconds: since the run was started.
    """

    sync_run_id: str
    outcome: str
    scanned: int = 0
    emitted: int = 0
    deleted: int = 0
    error_count: int = 0
    errors: list[DocumentError] = field(factory=list)
    seconds: float = 0.0


@define(eq=False)
class Run:
    """One run in this process, from the claim of its slot to the end of its thread.

    Attributes:
        sync: what carries it out; None until it has been accepted.
    """

    sync_run_id: str
    source_id: str
    slot: Slot
    state: RunState
    started: float = field(factory=time.monotonic)
    sync: SyncRun | None = None
    thread: threading.Thread | None = None

    @property
    def extra(self) -> dict[str, str]:
        """What the run's lines in the log carry beside their text."""
        return {"sync_run_id": self.sync_run_id, "source_id": self.source_id}

    def report(self, outcome: str) -> RunReport:
        """Return the run's figures."""
        report = RunReport(
            sync_run_id=self.sync_run_id, outcome=outcome, seconds=time.monotonic() - self.started
        )
        sync = self.sync
        if sync is None:
            return report
        return evolve(
            report,
            scanned=sync.documents_scanned,
            emitted=sync.documents_emitted,
            deleted=sync.documents_deleted,
            error_count=len(sync.ledger),
            errors=sync.ledger.entries(),
        )


class RunRegistry:
    """Knows which runs are in progress; one of each slot class per source (PROTOCOL, section 4)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # Protects everything below.
        self._slots: dict[tuple[str, Slot], Run] = {}
        self._runs: dict[str, Run] = {}
        self._threads: set[Run] = set()  # Also the cancelled ones whose thread still runs.
        self._reports: OrderedDict[str, RunReport] = OrderedDict()
        begins_anew(self)

    def after_fork(self) -> None:
        """Forget every run: their threads are in the process from which this one was forked."""
        self._lock = threading.Lock()
        self._slots.clear()
        self._runs.clear()
        self._threads.clear()

    def claim(self, sync_run_id: str, source_id: str, slot: Slot) -> Run | None:
        """Take the slot for a run; None when this very run is in progress already.

        Raises:
            SyncConflictError: another run holds the slot.
        """
        with self._lock:
            if sync_run_id in self._runs:
                return None
            return self._added(sync_run_id, source_id, slot)

    def claim_unnamed(self, source_id: str, slot: Slot) -> Run:
        """Take the slot for a run whose id is not known yet; ``name`` it, or ``release`` it.

        Raises:
            SyncConflictError: another run holds the slot.
        """
        with self._lock:
            return self._added(f"unnamed-{uuid.uuid4().hex}", source_id, slot)

    def name(self, unnamed: Run, sync_run_id: str) -> Run:
        """Return the run by its id, in the place of one that had none: from now on it is reported as running."""
        with self._lock:
            self._drop(unnamed)
            self._threads.discard(unnamed)
            return self._added(sync_run_id, unnamed.source_id, unnamed.slot)

    def free_slot(self, run: Run) -> None:
        """Let the source's next run start; this one is still reported as running."""
        with self._lock:
            self._drop_slot(run)

    def cancel(self, sync_run_id: str) -> bool:
        """Stop and fence a run and free its slot; False when it is not in progress."""
        with self._lock:
            run = self._runs.get(sync_run_id)
        if run is None:
            return False
        run.state.cancel()  # Calls back, see _stopped.
        return True

    def release(self, run: Run, outcome: str) -> None:
        """Forget a run whose thread ends; keep its report."""
        report = run.report(outcome)
        with self._lock:
            self._drop(run)
            self._threads.discard(run)
            self._reports[run.sync_run_id] = evolve(report, errors=report.errors[-KEPT_ERRORS:])
            self._reports.move_to_end(run.sync_run_id)
            while len(self._reports) > KEPT_REPORTS:
                self._reports.popitem(last=False)

    def is_running(self, sync_run_id: str) -> bool:
        """Say whether the run is in progress: from its claim until its final call was answered."""
        with self._lock:
            return sync_run_id in self._runs

    def report(self, sync_run_id: str) -> RunReport | None:
        """Return the figures of a run in progress, or of one of the last hundred that ended."""
        with self._lock:
            run = self._runs.get(sync_run_id)
            if run is None:
                return self._reports.get(sync_run_id)
        return run.report("running")

    def alive(self) -> list[Run]:
        """Return every run whose thread has not ended, cancelled ones included."""
        with self._lock:
            return list(self._threads)

    def _stopped(self, run: Run) -> None:
        """A run that was cancelled here, or is over at the manager, holds no slot, however long its thread goes on."""
        if not run.state.fence.is_set():
            return
        with self._lock:
            self._drop(run)

    def _added(self, sync_run_id: str, source_id: str, slot: Slot) -> Run:
        """Enter a run and its slot; called under the lock."""
        if (source_id, slot) in self._slots:
            raise SyncConflictError(source_id)
        run = Run(sync_run_id, source_id, slot, RunState(sync_run_id))
        run.state.before_final = partial(self.free_slot, run)
        run.state.on_stop(partial(self._stopped, run))
        self._slots[source_id, slot] = run
        self._runs[sync_run_id] = run
        self._threads.add(run)
        return run

    def _drop(self, run: Run) -> None:
        self._drop_slot(run)
        if self._runs.get(run.sync_run_id) is run:
            del self._runs[run.sync_run_id]

    def _drop_slot(self, run: Run) -> None:
        if self._slots.get((run.source_id, run.slot)) is run:
            del self._slots[run.source_id, run.slot]
