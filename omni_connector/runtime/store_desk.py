"""What a partition reports to a run of another process, through the run store."""

import logging
import threading

from attrs import evolve

from omni_connector.exceptions import RunStoreError
from omni_connector.partitions.messages import Assignment, PartitionReport
from omni_connector.runstore.partitions import Adopted, Sent, SharedPartitions
from omni_connector.sync.ledger import DocumentError
from omni_connector.telemetry.meter import RunMeter

log = logging.getLogger(__name__)

KEPT_ERRORS = 100
"""Errors in a report. The process that has the run looks for reports several times a second."""


class StoreDesk:
    """The ``PartitionDesk`` of one partition, at the other end of the run store.

    A report replaces the one before, whose figures it includes; the last one with a state is kept as well. What cannot
    be kept because the store is away is kept by the next ``flush``. The end is held back until ``close``.

    Args:
        adopted: the partition.
        meter: what is spent on it here.
    """

    def __init__(self, shared: SharedPartitions, adopted: Adopted, meter: RunMeter) -> None:
        self._meter = meter
        self._shared = shared
        self._adopted = adopted
        self._lock = threading.Lock()  # Protects the following, and keeps reports in order.
        begin = adopted.assignment
        report = PartitionReport(key=begin.key, attempt=begin.attempt, figures=begin.before)
        self._last = Sent(number=1, report=report)
        self._saved: Sent | None = None  # Not in the store yet.
        self._end: PartitionReport | None = None
        self._is_kept = False
        self._errors: list[DocumentError] = []

    def assignment(self, key: str) -> Assignment:
        """Return what the partition begins with."""
        del key  # There is one.
        return self._adopted.assignment

    def receive(self, report: PartitionReport) -> None:
        """Report; the run stops a partition by its order, not by the answer."""
        with self._lock:
            self._errors = [*self._errors, *report.errors][-KEPT_ERRORS:]
            last, number = self._last, self._last.number + 1
            if report.outcome and self._end is None:
                self._end = report
            if report.has_saved:
                self._saved = Sent(number=number, report=evolve(report, errors=[]))
            self._last = Sent(
                number=number,
                report=evolve(
                    report,
                    has_saved=False,
                    state=None,
                    outcome="",
                    errors=self._errors,
                    spent=self._meter.spent(),
                ),
                saved=number if report.has_saved else last.saved,
                error_count=last.error_count + len(report.errors),
            )
            self._is_kept = False
        self.flush()

    def beat(self) -> None:
        """Report that the partition makes progress."""
        with self._lock:
            self._last = evolve(self._last, number=self._last.number + 1)
            self._is_kept = False
        self.flush()

    def flush(self) -> bool:
        """Keep what was reported; False while the store is away."""
        with self._lock:
            try:
                if self._saved is not None:
                    self._shared.keep(self._adopted, self._saved)
                    self._saved = None
                if not self._is_kept:
                    self._shared.keep(self._adopted, self._last)
                    self._is_kept = True
            except RunStoreError as error:
                log.debug("A report of a partition waits for the run store: %s", error)
        return self._is_kept

    def close(self) -> None:
        """Report the end."""
        with self._lock:
            end, last = self._end, self._last
            if end is not None:
                report = evolve(
                    last.report,
                    outcome=end.outcome,
                    error=end.error,
                    ends_run=end.ends_run,
                    spent=self._meter.spent(),
                )
                self._last = evolve(last, number=last.number + 1, report=report)
                self._is_kept = False
