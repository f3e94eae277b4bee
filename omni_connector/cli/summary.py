"""What a run came to, as a table for people and as an object for machines."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import frozen
from rich.text import Text

from omni_connector.cli import exit_codes
from omni_connector.cli.command_name import command_name
from omni_connector.cli.options import DEFAULT_DATA_DIR
from omni_connector.cli.output import counted, one_line
from omni_connector.cli.progress import average_rate, elapsed
from omni_connector.inventory.approvals import APPROVE_DELETIONS
from omni_connector.local import EventRow, SourceRow, SyncRunRow
from omni_connector.run_reports import OF_NO_DOCUMENT
from omni_connector.runstore.inventory_lookup import knows_what_was_sent, without_checkpoint
from omni_connector.runtime.run import RunReport
from omni_connector.sync.ledger import LONGEST_REASON, WITHHELD_STAGE, DocumentError

ERRORS_SHOWN = 5
ERRORS_IN_JSON = 100

_STYLES = {
    "completed": "bold green",
    "failed": "bold red",
    "cancelled": "bold yellow",
    "interrupted": "bold yellow",
}


@frozen(kw_only=True)
class RunSummary:
    """Everything worth saying about a run that has ended.

    Attributes:
        connector_name: the connector.
        connector_version: of the connector.
        source: its source, with the checkpoint for the next run.
        requested_mode: as asked for.
        resumed: the run was one that an earlier process had left behind.
        run: the run as the manager knows it.
        report: the connector's figures.
        dead_letters: events that the manager took but could not index.
        documents_in_index: of this source, from this run or earlier ones.
        data_dir: where they are.
        timeout_seconds: set if the run was cancelled because that time was over.
        last_warning: what was said last about requests to the source.
        signal: number of the signal that stopped it, or None.
        seconds: how long it took, until it was given up if the connector did not stop.
    """

    connector_name: str
    connector_version: str
    source: SourceRow
    requested_mode: str
    resumed: bool
    run: SyncRunRow
    report: RunReport
    dead_letters: list[EventRow]
    documents_in_index: int
    data_dir: Path
    timeout_seconds: float | None = None
    last_warning: str = ""
    signal: int | None = None
    seconds: float

    @property
    def status(self) -> str:
        """How the run ended: ``interrupted`` where the connector left it, and the next run resumes it."""
        return "interrupted" if self.run.is_running else self.run.status

    @property
    def exit_code(self) -> int:
        """See ``exit_codes``. A run that completed has, whatever signal came in its last moment."""
        if self.run.status == "completed":
            return exit_codes.COMPLETED_WITH_ERRORS if self.missing else exit_codes.OK
        if self.signal is not None:
            return exit_codes.SIGNALLED + self.signal
        return exit_codes.RUN_FAILED

    @property
    def missing(self) -> int:
        """Documents that did not arrive, events that arrived but cannot be found, and deletions that await approval."""
        return self.report.error_count + len(self.dead_letters)

    @property
    def errors(self) -> list[DocumentError]:
        """What the connector reported; first what is about an inventory, which names a remedy."""
        return sorted(self.report.errors, key=_is_document)

    @property
    def withheld(self) -> int:
        """Sets of deletions that await approval."""
        return sum(error.stage == WITHHELD_STAGE for error in self.report.errors)

    @property
    def upgraded_to_full(self) -> bool:
        """The first incremental run of a source is a full one (PROTOCOL, section 5)."""
        return self.requested_mode == "incremental" and self.run.sync_type == "full" and not self.resumed

    @property
    def reason(self) -> str | None:
        """Why the run did not complete, or None."""
        if self.run.status == "completed":
            return None
        if self.timeout_seconds is not None:
            last = f". The last error: {self.last_warning}" if self.last_warning else ""
            return f"not done after {self.timeout_seconds:g} s (--timeout){last}"
        if self.run.is_running:
            return "the connector ended it without reporting to the manager, see the log; the next run resumes it"
        return self.run.error_message

    def to_json(self) -> dict[str, Any]:
        """Return the summary as an object."""
        return {
            "status": self.status,
            "reason": self.reason,
            "exit_code": self.exit_code,
            "connector": {"name": self.connector_name, "version": self.connector_version},
            "source": {
                "id": self.source.id,
                "name": self.source.name,
                "source_type": self.source.source_type,
            },
            "sync_run_id": self.run.id,
            "requested_mode": self.requested_mode,
            "sync_mode": self.run.sync_type,
            "upgraded_to_full": self.upgraded_to_full,
            "resumed": self.resumed,
            "scanned": self.report.scanned,
            "emitted": self.report.emitted,
            "deleted": self.report.deleted,
            "indexed": self.run.documents_processed,
            "error_count": self.report.error_count,
            "errors": [
                {"document_id": error.document_id, "stage": error.stage, "reason": error.reason}
                for error in self.errors[:ERRORS_IN_JSON]
            ],
            "dead_letter_count": len(self.dead_letters),
            "dead_letters": [
                {"document_id": _subject(event), "event_type": event.type, "reason": event.error}
                for event in self.dead_letters[:ERRORS_IN_JSON]
            ],
            "seconds": round(self.seconds, 3),
            "documents_per_second": round(average_rate(self.report), 1),
            "documents_in_index": self.documents_in_index,
            "has_checkpoint": self.source.has_checkpoint,
            "data_dir": str(self.data_dir),
        }

    def rows(self) -> Iterator[tuple[str, Text]]:
        """Yield the labels and values of the table."""
        source = self.source
        connector = f"{self.connector_name} {self.connector_version}"
        yield (
            "Source",
            Text(f"{one_line(source.name)} ({one_line(source.source_type)}), read by {one_line(connector)}"),
        )
        yield "Sync", Text(self._mode())
        yield "Result", self._result()
        yield "Documents", Text(self._figures())
        yield from self._errors()
        yield from self._dead_letters()
        yield (
            "Index",
            Text(f"{counted(self.documents_in_index, 'document')} of this source in {self.data_dir}"),
        )
        if self.run.status in {"failed", "cancelled"}:
            kept = self.run.documents_processed
            text = (
                f"{counted(kept, 'document')} of this run arrived and can be found"
                if kept
                else "nothing of this run"
            )
            yield "Kept", Text(text)
        yield "Checkpoint", Text(self._checkpoint())
        if self.documents_in_index:
            data = (
                "" if str(self.data_dir) == DEFAULT_DATA_DIR else f" --data {shlex.quote(str(self.data_dir))}"
            )
            yield "Search", Text(f"{command_name()} search{data} WORD", "bold")

    def _mode(self) -> str:
        if self.resumed:
            return f"{self.run.sync_type}, an interrupted run, resumed"
        if self.upgraded_to_full:
            return "full: a source's first incremental sync is always a full one"
        return self.run.sync_type

    def _result(self) -> Text:
        status = self.status
        reason = "" if self.reason is None else f": {one_line(self.reason, longest=1000)}"
        style = _STYLES.get(status, "")
        if self.run.status == "completed" and self.missing == self.withheld and self.withheld:
            status, style = "completed, but deletions await approval,", "bold yellow"
        elif self.run.status == "completed" and self.missing:
            status, style = f"completed with {counted(self.missing, 'error')}", "bold yellow"
        return Text.assemble((status, style), f" after {elapsed(self.seconds)}{reason}")

    def _figures(self) -> str:
        report = self.report
        figures = f"{report.scanned:,} scanned, {report.emitted:,} emitted, {report.deleted:,} deleted"
        return f"{figures}, {counted(report.error_count, 'error')}; {average_rate(report):,.0f} documents/s"

    def _errors(self) -> Iterator[tuple[str, Text]]:
        label = "Errors"
        for error in self.errors[:ERRORS_SHOWN]:
            yield (
                label,
                _of_no_document(error)
                if error.stage in OF_NO_DOCUMENT
                else _entry(error.document_id, error.reason),
            )
            label = ""
        if self.report.error_count > ERRORS_SHOWN:
            yield (
                "",
                Text(f"and {self.report.error_count - ERRORS_SHOWN:,} more; --json lists {ERRORS_IN_JSON}"),
            )

    def _dead_letters(self) -> Iterator[tuple[str, Text]]:
        if not self.dead_letters:
            return
        yield (
            "Not indexed",
            Text(f"{counted(len(self.dead_letters), 'event')} that the manager accepted:", "red"),
        )
        for event in self.dead_letters[:ERRORS_SHOWN]:
            yield "", _entry(_subject(event), event.error or "")

    def _checkpoint(self) -> str:
        """Say what the next run starts from (PROTOCOL, section 6)."""
        if self.run.status == "completed":
            if self.source.has_checkpoint:
                return "saved; the next run continues from it"
            return without_checkpoint(self.data_dir, self.source.id)
        if self.run.is_running:
            return "the interrupted run's own" if self.run.has_checkpoint else "none saved"
        if self.source.has_checkpoint:
            return "not moved; the next run starts from the last completed run's"
        # An incremental run has a completed one before it: what that sent counts, and what this one did.
        if self.run.sync_type == "incremental" and knows_what_was_sent(self.data_dir, self.source.id):
            return "not moved; the next run sends what is missing"
        return "not moved; the next run starts from the beginning"


def _is_document(error: DocumentError) -> bool:
    return error.stage not in OF_NO_DOCUMENT


def _of_no_document(error: DocumentError) -> Text:
    """Return what is said of an inventory, whole: its end is the remedy. Approvals are settings, hence ``--set``."""
    text = re.sub(
        rf"set {APPROVE_DELETIONS} to '(\S+)' in the source's settings(, or run .*?\}})?",
        rf"run again with --set {APPROVE_DELETIONS}=\1",
        error.reason,
    )
    return Text(one_line(text, longest=LONGEST_REASON))


def _entry(document_id: str, reason: str) -> Text:
    return Text.assemble((one_line(document_id, longest=100), "bold"), ": ", one_line(reason))


def _subject(event: EventRow) -> str:
    payload = event.payload
    person = payload.get("person") or payload
    return str(payload.get("document_id") or payload.get("group_email") or person.get("email") or event.id)
