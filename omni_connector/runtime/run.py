"""One run in this process, its report, and what names it while it waits for another process."""

import threading
import time
from collections.abc import Callable
from typing import Any

from attrs import define, evolve, field, frozen

from omni_connector.models import Slot
from omni_connector.runstore.leases import Lease
from omni_connector.runstore.runs import RunKey
from omni_connector.sync.ledger import DocumentError
from omni_connector.sync.run import SyncRun
from omni_connector.sync.state import RunState
from omni_connector.telemetry.figures import Progress

RUNNING = "running"
ENDED = {"completed", "failed", "cancelled"}
"""Outcomes after which a first dispatch starts nothing."""


@frozen(kw_only=True)
class RunReport:
    """What a run has done so far, or had done when it ended.

    Attributes:
        outcome: ``running``, ``completed``, ``failed``, ``cancelled``, ``interrupted`` (the process shuts down),
            ``left to the manager`` (realtime, or the final call failed: it starts or resumes the run again),
            ``taken over`` (by another process), or ``not started``.
        scanned: documents counted by the connector.
        emitted: documents given to ``emit`` and ``emit_updated``.
        deleted: documents given to ``emit_deleted``.
        error_count: documents that did not arrive.
        errors: the last of those.
        seconds: since the run was started.
        phase: what the connector says it is doing, or nothing.
        total: documents that it says there are, or None; of its phase, where it has named one.
        share: how much of that is done, from 0 to 1, or None.
        remaining_seconds: when it goes on as fast, or None.
    """

    sync_run_id: str
    outcome: str
    scanned: int = 0
    emitted: int = 0
    deleted: int = 0
    error_count: int = 0
    errors: list[DocumentError] = field(factory=list)
    seconds: float = 0.0
    phase: str = ""
    total: int | None = None
    share: float | None = None
    remaining_seconds: float | None = None


@frozen
class QueuedRun:
    """A run that waits for a process that executes it.

    Attributes:
        token: of its claim; the first process that presents it has the run.
    """

    key: RunKey
    token: str


@define(eq=False)
class Run:
    """One run in this process, from the claim of its slot to the end of its thread.

    Attributes:
        sync: what carries it out; None until it has been accepted.
        dispatch: makes what another process needs to execute it; None where no other can.
        lease: holds the run and its slot in the store; None while the store is away.
        is_offered: another process may have it: it says what is reported.
        is_taken_over: another process has it.
        reporting: held while figures are put into the store, so that the last ones come last.
        is_reported: the last ones are there.
        over: set when its thread has ended, or the process ends and no longer waits for it.
    """

    sync_run_id: str
    source_id: str
    slot: Slot
    state: RunState
    started: float = field(factory=time.monotonic)
    sync: SyncRun | None = None
    thread: threading.Thread | None = None
    dispatch: Callable[[], dict[str, Any]] | None = None
    lease: Lease | None = None
    is_offered: bool = False
    is_taken_over: bool = False
    reporting: threading.Lock = field(factory=threading.Lock)
    is_reported: bool = False
    over: threading.Event = field(factory=threading.Event)

    @property
    def key(self) -> RunKey:
        """How the store names it."""
        return RunKey(self.sync_run_id, self.source_id, self.slot)

    @property
    def owner(self) -> str:
        """The token of its claim; empty while the store is away."""
        return "" if self.lease is None else self.lease.claim.token

    @property
    def is_waiting(self) -> bool:
        """It is accepted, and waits for its turn."""
        return self.thread is not None and self.thread.ident is None

    @property
    def extra(self) -> dict[str, str]:
        """What the run's lines in the log carry besides their text."""
        return self.key.extra

    def report(self, outcome: str) -> RunReport:
        """Return the run's figures."""
        report = RunReport(
            sync_run_id=self.sync_run_id, outcome=outcome, seconds=time.monotonic() - self.started
        )
        sync = self.sync
        if sync is None:
            return report
        progress = sync.meter.progress(sync.figures) or Progress()
        return evolve(
            report,
            scanned=sync.documents_scanned,
            emitted=sync.documents_emitted,
            deleted=sync.intake.deleted,
            error_count=len(sync.ledger),
            errors=sync.ledger.entries(),
            phase=progress.phase,
            total=progress.total,
            share=progress.share,
            remaining_seconds=progress.remaining_seconds,
        )
