"""Reports of runs: of those that ended here lately, and of all processes in the run store."""

import threading
from collections import OrderedDict
from typing import Any

from attrs import evolve

from omni_connector.exceptions import ConnectorError, RunStoreError
from omni_connector.models.codec import structure, unstructure
from omni_connector.runstore.runs import CANCELLED, SharedRuns
from omni_connector.runtime.run import ENDED, RUNNING, Run, RunReport

KEPT_REPORTS = 100
KEPT_ERRORS = 20
"""Errors in the report of a run that has ended; the count includes all."""


class RunReports:
    """Keeps the reports of the last runs of this process, and shares them with the others."""

    def __init__(self, shared: SharedRuns) -> None:
        self._shared = shared
        self._lock = threading.Lock()  # Protects _last.
        self._last: OrderedDict[str, RunReport] = OrderedDict()

    def after_fork(self) -> None:
        """Renew the lock, which may have been held."""
        self._lock = threading.Lock()

    def publish(self, run: Run) -> None:
        """Let other processes know the figures of a run."""
        if self._shared.is_shared and not self._shared.keeper.is_away:
            self._share(run, run.report(RUNNING))

    def end(self, run: Run, outcome: str) -> None:
        """Keep and share the last report of a run.

        Raises:
            RunStoreError: it is kept, but the store is away.
        """
        report = run.report(outcome)
        report = evolve(report, errors=report.errors[-KEPT_ERRORS:])
        with self._lock:
            self._last[run.sync_run_id] = report
            self._last.move_to_end(run.sync_run_id)
            while len(self._last) > KEPT_REPORTS:
                self._last.popitem(last=False)
        self._share(run, report)

    def of(self, sync_run_id: str) -> RunReport | None:
        """Return the last report of a run that is not in progress here."""
        return self._elsewhere(sync_run_id) or self._here(sync_run_id)

    def has_ended_here(self, sync_run_id: str) -> bool:
        """Say whether a run came to its end in this process."""
        report = self._here(sync_run_id)
        return report is not None and report.outcome in ENDED

    def has_ended_elsewhere(self, sync_run_id: str) -> bool:
        """Look, while a run is held here, whether it has ended in another process."""
        if not self._shared.is_shared:
            return False
        report = self._elsewhere(sync_run_id)
        has_ended = report is not None and report.outcome in ENDED
        return has_ended or self._shared.is_cancelled(sync_run_id)

    def may_have_begun(self, sync_run_id: str) -> bool:
        """Say whether another process may have worked on a run that begins here."""
        if not self._shared.is_shared:
            return False
        try:
            return self._shared.report(sync_run_id) is not None
        except RunStoreError:
            return True

    def _here(self, sync_run_id: str) -> RunReport | None:
        with self._lock:
            return self._last.get(sync_run_id)

    def _elsewhere(self, sync_run_id: str) -> RunReport | None:
        if not self._shared.is_shared or self._shared.keeper.is_away:
            return None
        try:
            found: dict[str, Any] | None = self._shared.report(sync_run_id)
            return None if found is None else structure(RunReport, found)
        except ConnectorError:  # The store is away, or another release has written something else.
            return None

    def _share(self, run: Run, report: RunReport) -> None:
        if not self._shared.is_shared or run.lease is None:
            return
        # Where another process has the run, its report must stand.
        is_own = run.lease.is_assured() or run.lease.lost_reason == CANCELLED
        with run.reporting:
            if is_own and not run.is_offered and not run.is_reported:
                run.is_reported = report.outcome != RUNNING
                self._shared.keep_report(run.lease, run.sync_run_id, unstructure(report))
