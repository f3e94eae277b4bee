"""The runs of one connector in this process, and the slots that they hold, here and in the store of all processes."""

import logging
import threading
import uuid
from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import Any

from omni_connector.exceptions import RunStoreError, SyncConflictError
from omni_connector.forking import begins_anew
from omni_connector.models import Slot
from omni_connector.runstore.leases import TAKEN, Lease
from omni_connector.runstore.memory import MemoryStore
from omni_connector.runstore.runs import CANCELLED, SharedRuns
from omni_connector.runtime.run import RUNNING, QueuedRun, Run, RunReport
from omni_connector.runtime.run_reports import RunReports
from omni_connector.sync.state import RunState

log = logging.getLogger(__name__)

CLAIM_SECONDS = 1.0
"""Between two attempts of a run that waits for its slot, because the run store is away."""


class RunRegistry:
    """Knows which runs are in progress; one of each slot class per source (PROTOCOL, section 4).

    RunStoreError means that the run store is away.

    Args:
        shared: the runs of all processes; left out, there is this one only.

    Attributes:
        shared: the same, or a store of this process.
        reports: what its runs have done.
        cancelled_elsewhere: called with the id of a run of this process that was cancelled in another.
    """

    def __init__(self, shared: SharedRuns | None = None) -> None:
        self.shared = shared or SharedRuns.of(MemoryStore())
        self.reports = RunReports(self.shared)
        self.cancelled_elsewhere: Callable[[str], object] = _nothing
        self._lock = threading.Lock()  # Protects everything below.
        self._slots: dict[tuple[str, Slot], Run] = {}
        self._runs: dict[str, Run] = {}
        self._threads: set[Run] = set()  # Also the cancelled ones whose thread still runs.
        begins_anew(self)

    def after_fork(self) -> None:
        """Forget every run: their threads are in the process from which this one was forked."""
        self.reports.after_fork()
        self._lock = threading.Lock()
        self._slots.clear()
        self._runs.clear()
        self._threads.clear()

    def claim(self, sync_run_id: str, source_id: str, slot: Slot, *, is_resume: bool = False) -> Run | None:
        """Take the slot for a run; None when there is nothing to start.

        That is so when this very run is in progress already, in any process, and when it has ended: a first dispatch is
        repeated when its answer was lost, and by then a short run may be over (PROTOCOL, section 3).

        While the store is away, the run is known here only; ``await_lease`` before anything is done in it.

        Raises:
            SyncConflictError: another run holds the slot.
        """
        with self._lock:
            has_ended = not is_resume and self.reports.has_ended_here(sync_run_id)
            if sync_run_id in self._runs or has_ended:
                return None
            run = self._added(sync_run_id, source_id, slot)
        try:
            if self._take_lease(run) and (is_resume or not self.reports.has_ended_elsewhere(sync_run_id)):
                self.reports.publish(run)  # From now on others know that it has begun.
                return run
        except RunStoreError as error:
            log.warning("Run %s waits for the run store: %s", sync_run_id, error, extra=run.extra)
            return run
        except BaseException:
            self._withdraw(run)
            raise
        self._withdraw(run)
        return None

    def claim_unnamed(self, source_id: str, slot: Slot) -> Run:
        """Take the slot for a run whose id is not known yet; ``name`` it, or ``release`` it.

        Raises:
            SyncConflictError: another run holds the slot.
        """
        with self._lock:
            run = self._added(f"unnamed-{uuid.uuid4().hex}", source_id, slot)
        try:
            self._take_lease(run)
        except BaseException:
            self._withdraw(run)
            raise
        return run

    def name(self, unnamed: Run, sync_run_id: str) -> Run:
        """Return the run by its id, in place of one that had none: from now on it is reported as running.

        Raises:
            RunStoreError: the store is away; the run is in progress in no process.
        """
        with self._lock:
            self._drop(unnamed)
            self._threads.discard(unnamed)
            run = self._added(sync_run_id, unnamed.source_id, unnamed.slot)
        if unnamed.lease is not None:
            self._hold(run, unnamed.lease)
            try:
                self.shared.name(unnamed.lease, unnamed.key, run.key, partial(self._lost, run))
            except BaseException:
                self._withdraw(run)
                raise
        self.reports.publish(run)
        return run

    def await_lease(self, run: Run) -> None:
        """Return when the run and its slot are held in the store, or the run was stopped; as a rule that is at once."""
        while not self.try_lease(run):
            run.state.stopped.wait(CLAIM_SECONDS)

    def try_lease(self, run: Run) -> bool:
        """Return True when the run and its slot are held in the store, or the run was stopped."""
        if run.lease is not None or run.state.stopped.is_set():
            return True
        try:
            if self.shared.is_cancelled(run.sync_run_id):
                self._lost(run, CANCELLED)
            elif self._take_lease(run):
                self.reports.publish(run)
            else:
                self._lost(run, TAKEN)
        except (RunStoreError, SyncConflictError):
            # The slot may be that of a process that is dead, or of a run that is about to end.
            return False
        return True

    def leave(self, run: Run, dispatch: dict[str, Any], seconds: float) -> QueuedRun:
        """Leave a run that is held to the process that adopts it within ``seconds``; this process forgets it.

        Args:
            run: the run; not begun.
            dispatch: what that process needs to know.
            seconds: how long the run is known as running if no process adopts it.

        Raises:
            RunStoreError: the store cannot be used now; nothing is changed.
        """
        lease = run.lease
        if lease is None:
            raise RunStoreError(f"Run {run.sync_run_id} is not held")
        self.shared.keep_dispatch(lease.claim.token, dispatch, seconds)
        self.shared.keeper.leave(lease, seconds)
        with self._lock:
            self._drop(run)
            self._threads.discard(run)
        return QueuedRun(run.key, lease.claim.token)

    def adopt(self, queued: QueuedRun) -> tuple[Run, dict[str, Any]] | None:
        """Take over a run that another process has left, with the dispatch that it has kept.

        None when the run was adopted before, was cancelled, or was given back.
        """
        key = queued.key
        with self._lock:
            if key.sync_run_id in self._runs or (key.source_id, key.slot) in self._slots:
                return None
            run = self._added(key.sync_run_id, key.source_id, key.slot)
        try:
            dispatch = self.shared.dispatch(queued.token)
            lease = (
                None if dispatch is None else self.shared.adopt(key, queued.token, partial(self._lost, run))
            )
        except BaseException:
            self._withdraw(run)
            raise
        if lease is None or dispatch is None:
            self._withdraw(run)
            return None
        self._hold(run, lease)
        self.reports.publish(run)  # From now on the report is this process's.
        return run, dispatch

    def free_slot(self, run: Run) -> None:
        """Let the source's next run start; this one is still reported as running."""
        with self._lock:
            self._drop_slot(run)
        if run.lease is not None:
            self.shared.free_slot(run.lease, run.key)

    def cancel(self, sync_run_id: str) -> bool:
        """Stop and fence a run of this process and free its slot; False when it is not in progress here."""
        with self._lock:
            run = self._runs.get(sync_run_id)
        if run is None:
            return False
        if run.is_waiting and self.shared.is_shared:
            self.shared.cancel(sync_run_id)  # Another process may be taking it over.
        run.state.cancel()  # Calls back, see _stopped.
        return True

    def cancel_elsewhere(self, sync_run_id: str) -> bool:
        """Have another process stop a run, and free its slot now; False when it is not in progress."""
        return self.shared.is_shared and self.shared.cancel(sync_run_id)

    def release(self, run: Run, outcome: str) -> None:
        """Forget a run whose thread ends; keep its report."""
        try:
            # Before the run is free, so that no process takes a repeat of it for a new run.
            self.reports.end(run, outcome)
        finally:
            with self._lock:
                self._drop(run)
            try:
                self._give_up_lease(run)
            finally:
                # Last, because a process that ends waits for those, and then closes the store.
                with self._lock:
                    self._threads.discard(run)
                run.over.set()

    def is_running(self, sync_run_id: str) -> bool:
        """Say whether the run is in progress: from its claim until its final call was answered.

        Raises:
            RunStoreError: not in this process, and what others do cannot be known now.
        """
        with self._lock:
            is_here = sync_run_id in self._runs
        if not self.shared.is_shared:
            return is_here
        return self._is_going_on(sync_run_id) if is_here else self.shared.is_running(sync_run_id)

    def report(self, sync_run_id: str) -> RunReport | None:
        """Return the figures of a run in progress, or of one that ended a while ago at most."""
        with self._lock:
            run = self._runs.get(sync_run_id)
        return self.reports.of(sync_run_id) if run is None else run.report(RUNNING)

    def waiting(self) -> Run | None:
        """Return the run that has waited longest for its turn, of those that another process could execute."""
        with self._lock:
            found = [
                run
                for run in self._threads
                if run.is_waiting and run.dispatch is not None and not run.state.stopped.is_set()
            ]
        return min(found, key=attrgetter("started"), default=None)

    def alive(self) -> list[Run]:
        """Return every run whose thread has not ended, cancelled ones included."""
        with self._lock:
            return list(self._threads)

    def _take_lease(self, run: Run) -> bool:
        """Claim the run in the store; False when another process has it.

        Raises:
            SyncConflictError: another run holds the slot.
        """
        lease = self.shared.claim(run.key, partial(self._lost, run))
        if lease is None:
            return False
        self._hold(run, lease)
        if run.state.fence.is_set():  # Cancelled meanwhile.
            self._give_up_lease(run)
        return True

    def _hold(self, run: Run, lease: Lease) -> None:
        run.lease = lease
        if self.shared.is_shared:
            run.state.fence.is_assured = lease.is_assured

    def _give_up_lease(self, run: Run) -> None:
        if run.lease is not None:
            self.shared.keeper.release(run.lease)

    def _withdraw(self, run: Run) -> None:
        with self._lock:
            self._drop(run)
            self._threads.discard(run)
        self._give_up_lease(run)

    def _is_going_on(self, sync_run_id: str) -> bool:
        """Say whether a run of this process was not cancelled in another, which this one learns within a second."""
        try:
            return self.shared.keeper.is_away or not self.shared.is_cancelled(sync_run_id)
        except RunStoreError:
            return True

    def _lost(self, run: Run, reason: str) -> None:
        """Stop a run that was cancelled in another process, or is executed by another process."""
        run.is_taken_over = reason != CANCELLED
        run.state.cancel(reason)
        if reason == CANCELLED:
            self.cancelled_elsewhere(run.sync_run_id)

    def _stopped(self, run: Run) -> None:
        """A run that was cancelled here, or is over at the manager, holds no slot, however long its thread goes on."""
        if not run.state.fence.is_set():
            return
        with self._lock:
            self._drop(run)
        self._give_up_lease(run)

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


def _nothing(_: str) -> None:
    """Do nothing."""
