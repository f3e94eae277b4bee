"""What a thread or process that reads a partition exchanges with the one that merges what all of them have read.

All of it is plain values (``models.codec`` makes JSON of it), so that a partition can be read in another process, which is
given ids alone: it asks the manager for the source's config and credentials, and the desk for the partition.
"""

import datetime as dt
from typing import Any, Protocol

from attrs import field, frozen

from omni_connector.sync.ledger import DocumentError
from omni_connector.telemetry.figures import Figures, Spent

DONE = "done"
FAILED = "failed"
STOPPED = "stopped"


@frozen(kw_only=True)
class PartitionTask:
    """Names one partition of one run."""

    sync_run_id: str
    source_id: str
    key: str


@frozen(kw_only=True)
class Assignment:
    """What a partition begins with.

    Attributes:
        key: of the partition.
        data: as ``partitions`` gave it.
        attempt: how often the partition was begun in this run; what earlier attempts report is ignored.
        checkpoint: the last state that was saved for it, by any run; None when there is none.
        starts_from_nothing: it is to be read as if there were no checkpoint.
        is_own: this run has saved it.
        before: what was counted until that state was saved, by this run.
        sync_mode: of the run.
        is_resume: of the run.
        last_sync_at: of the run.
    """

    key: str
    data: dict[str, Any] = field(factory=dict)
    attempt: int = 1
    checkpoint: Any = None
    starts_from_nothing: bool = False
    is_own: bool = False
    before: Figures = field(factory=Figures)
    sync_mode: str = "full"
    is_resume: bool = False
    last_sync_at: dt.datetime | None = None


@frozen(kw_only=True)
class PartitionReport:
    """How far a partition has got.

    Attributes:
        attempt: as in its assignment.
        figures: what was done so far, what was before its assignment included; so that a report that arrives twice changes
            nothing.
        has_saved: ``state`` was saved, and everything before it was delivered.
        state: the saved state.
        errors: entries of the ledger since the last report.
        outcome: ``done``, ``failed`` or ``stopped`` (with the run) when it has ended, else empty.
        error: why it failed.
        ends_run: what failed is not this partition but the way to the manager.
        spent: what another process has spent on this attempt so far; None where it is read in the process that has the run.
    """

    key: str
    attempt: int = 1
    figures: Figures
    has_saved: bool = False
    state: Any = None
    errors: list[DocumentError] = field(factory=list)
    outcome: str = ""
    error: str = ""
    ends_run: bool = False
    spent: Spent | None = None


class PartitionDesk(Protocol):
    """Hands out the partitions of one run and takes what becomes of them. One for a run; safe to use from many threads."""

    def assignment(self, key: str) -> Assignment:
        """Return what a partition begins with; another attempt begins where the last saved.

        Raises:
            ConnectorError: it has ended.
        """
        ...

    def receive(self, report: PartitionReport) -> None:
        """Take a report.

        Raises:
            ConnectorError: the run cannot go on; the partition should stop.
        """
