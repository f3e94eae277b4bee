"""What is known of one run: by the manager, by its connector's log, by what was seen while it ran."""

import sqlite3
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from attrs import field, frozen

from omni_connector.console.connector_process import ConnectorPhase, ConnectorState
from omni_connector.console.page import Console
from omni_connector.console.run_logs import LogLine, RunLog
from omni_connector.console.run_rates import Rate, recent_rate
from omni_connector.console.tracebacks import Cause, causes
from omni_connector.local import LocalManagerError, SourceRow, SyncRunRow, browse
from omni_connector.run_reports import INVENTORY, OF_NO_DOCUMENT, WITHHELD, no_longer_withheld, withheld
from omni_connector.telemetry.figures import Stage, documents_per_second
from omni_connector.telemetry.run_log import SHORTEST_SHOWN_SECONDS, STAGE_NAMES

SILENT_SECONDS = 90.0
"""After so long without a sign of life something may be wrong: connectors give one every 20 s."""

SHOWN_REFUSED = 50

LISTED = ("new", "changed", "deleted", "refused")
SHOWN_DOCUMENTS = 8

COMPARED = ("new", "changed", "unchanged", "deleted", "refused")
_OWN_TIME = (Stage.READING, Stage.WAITING_MANAGER, Stage.WAITING_RATE_LIMIT)
"""These add up to the time of the run; the others pass at the same time."""


@frozen
class StageTime:
    """Where a run's time went.

    Attributes:
        name: in words.
        seconds: spent there.
        share: of the run's time, from 0 to 1.
        is_background: passes while the connector goes on.
    """

    name: str
    seconds: float
    share: float
    is_background: bool


@frozen
class DocumentProblem:
    """What went wrong with one document.

    Attributes:
        document_id: None where it is about a group or a person.
        subject: what to call it.
        text: what happened.
        since: what became of the document after that; empty where it still holds.
    """

    document_id: str | None
    subject: str
    text: str
    since: str = ""


@frozen(kw_only=True)
class RunView:
    """One run, as it stands.

    Attributes:
        run: as the manager has it.
        checkpoint: what it has saved last, without secrets.
        now: when this was asked.
        counts: how many events did what.
        log: what the connector's log says; None where that is not read here, or no longer kept.
        report: the errors that the connector has reported (``run_reports``); empty where they are not known.
        later_words: what later runs did with these documents.
        withheld: what became of the deletions that were withheld, by the name of the scope.
        rates: how fast it was.
        refused: the last events that could not be indexed.
        connector: the connector's process, where it is a child of this one.
        before: the run before it, once this one has ended.
        listed: the first documents that it has added, changed, deleted, or that were refused, once it has ended.
    """

    run: SyncRunRow
    checkpoint: Any
    source: SourceRow
    now: datetime
    counts: browse.RunCounts
    log: RunLog | None = None
    report: Mapping[str, Any] = field(factory=dict)
    later_words: Mapping[str, str] = field(factory=dict)
    withheld: Mapping[str, str] = field(factory=dict)
    rates: list[Rate] = field(factory=list)
    refused: tuple[browse.EventItem, ...] = ()
    connector: ConnectorState | None = None
    before: browse.RunSummary | None = None
    listed: Mapping[str, tuple[browse.DocumentItem, ...]] = field(factory=dict)

    @classmethod
    def of(cls, console: Console, run_id: str) -> "RunView":
        """Look at a run; raises ``LocalManagerError`` (404) for an unknown one."""
        with browse.reading(console.manager.data_dir) as db:
            found = browse.find_run(db, run_id)
            if found is None:
                raise LocalManagerError(404, f"Sync run not found: {run_id}")
            run = found.run
            checkpoint = browse.shown_checkpoint(db, run)
            before = None if run.is_running else browse.run_before(db, run)
            listed = {} if run.is_running else dict(_listed(db, found))
            refused = (
                browse.list_errors(db, run_id=run_id, limit=SHOWN_REFUSED) if found.counts.refused else None
            )
            report = console.report(run_id)
            later_words = {
                each["document_id"]: browse.later_word(db, run.source_id, each["document_id"], run_id)
                for each in report.get("errors", ())
                if each["stage"] not in OF_NO_DOCUMENT
            }
            later = browse.completed_since(db, run)
            overdue = {
                name: no_longer_withheld(console.manager.data_dir, name, later) for name in withheld(report)
            }
        return cls(
            run=run,
            checkpoint=checkpoint,
            source=console.manager.source(run.source_id),
            now=datetime.now(UTC),
            counts=found.counts,
            log=None if console.logs is None else console.logs.of(run_id),
            report=report,
            later_words=later_words,
            withheld=overdue,
            rates=console.rates.of(run),
            refused=() if refused is None else refused.items,
            connector=None if console.connector is None else console.connector.state,
            before=before,
            listed=listed,
        )

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return (
            (self.run.completed_at or self.now) - (self.run.started_at or self.run.created_at)
        ).total_seconds()

    @property
    def figures(self) -> Mapping[str, Any]:
        """What the connector has said last; empty where it says nothing."""
        return {} if self.log is None else self.log.figures

    @property
    def resumed(self) -> int:
        """How often it was resumed, as far as that was seen."""
        return 0 if self.log is None else max(0, self.log.starts - 1)

    @property
    def scanned(self) -> int:
        """How many documents the connector has looked at: as it says itself, which is ahead of what it has reported."""
        return max(self.run.documents_scanned, int(self.figures.get("scanned", 0)))

    @property
    def rate(self) -> float:
        """Documents per second: of the last moments while it is running, then of the whole run, as its log says where it is known."""
        if self.run.is_running and self.rates:
            return recent_rate(self.rates)
        if self.log is not None and self.log.outcome:
            return float(self.figures.get("documents_per_second", 0.0))
        return documents_per_second(self.run.documents_processed, 0, self.seconds)

    @property
    def silent_seconds(self) -> float | None:
        """For how long there was no sign of life, if that is longer than usual."""
        if not self.run.is_running or self.run.last_activity_at is None:
            return None
        seconds = (self.now - self.run.last_activity_at).total_seconds()
        return seconds if seconds > SILENT_SECONDS else None

    @property
    def waits_for_connector(self) -> bool:
        """Whether it is in progress, and its connector is not."""
        return (
            self.run.is_running
            and self.connector is not None
            and self.connector.phase is not ConnectorPhase.SERVING
        )

    @property
    def stages(self) -> list[StageTime]:
        """Where its time went, as the connector says."""
        spent: Mapping[str, float] = self.figures.get("stage_seconds", {})
        total = max(float(self.figures.get("seconds", 0.0)), *spent.values(), 0.001) if spent else 0.0
        order = [*_OWN_TIME, *(stage for stage in STAGE_NAMES if stage not in _OWN_TIME)]
        return [
            StageTime(
                STAGE_NAMES[stage], spent[stage], min(1.0, spent[stage] / total), stage not in _OWN_TIME
            )
            for stage in order
            if spent.get(stage, 0.0) >= SHORTEST_SHOWN_SECONDS
        ]

    @property
    def comparison(self) -> Iterator[tuple[str, int, int | None]]:
        """Yield each outcome with its number in this run and in the one before."""
        for name in COMPARED:
            former = None if self.before is None else getattr(self.before.counts, name)
            yield name, getattr(self.counts, name), former

    @property
    def document_errors(self) -> list[DocumentProblem]:
        """What went wrong with documents, the last first: what the manager refused, then what the connector has noted."""
        found = [
            DocumentProblem(
                each.document_id, each.subject, f"The manager refused it: {each.error}", each.since
            )
            for each in self.refused
        ]
        return found + [self._reported(each) for each in self.report.get("errors", ())]

    def _reported(self, error: Mapping[str, str]) -> DocumentProblem:
        name = error["document_id"]
        if error["stage"] == WITHHELD:
            return DocumentProblem(None, "Deletions withheld", error["reason"], self.withheld.get(name, ""))
        if error["stage"] == INVENTORY:
            return DocumentProblem(None, "Empty inventory", error["reason"], "")
        return DocumentProblem(name, name, error["reason"], self.later_words.get(name, ""))

    @property
    def error_count(self) -> int:
        """How many there are, as far as it is known."""
        return self.counts.refused + (self.reported_count or 0)

    @property
    def reported_count(self) -> int | None:
        """How many the connector has reported; None where that is not known."""
        return self.report.get("error_count")

    @property
    def failure(self) -> LogLine | None:
        """The line of the log that says why it failed."""
        if self.log is None or self.run.status != "failed":
            return None
        lines = [line for line in self.log.lines if line.level == "ERROR" and not line.document_id]
        return lines[-1] if lines else None

    @property
    def causes(self) -> list[Cause]:
        """The errors that led to its failure, the last one first; nothing where the traceback is not known."""
        failure = self.failure
        return [] if failure is None else causes(f"{failure.text}\n{failure.traceback}")


def _listed(
    db: sqlite3.Connection, found: browse.RunSummary
) -> Iterator[tuple[str, tuple[browse.DocumentItem, ...]]]:
    for outcome in LISTED:
        if getattr(found.counts, outcome):
            wanted = browse.DocumentFilter(run_id=found.id, change=outcome)
            documents = browse.list_documents(db, wanted, limit=SHOWN_DOCUMENTS).items
            if documents:
                yield outcome, documents
