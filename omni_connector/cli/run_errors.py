"""What did not arrive: the errors of runs, from the manager's data and from the reports that ``run`` and ``dev`` leave."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen
from rich.text import Text

from omni_connector.cli.looking import Looking
from omni_connector.cli.output import Output, counted, one_line
from omni_connector.cli.records import event_record, run_record, shown_moment
from omni_connector.cli.tables import error_table, mark
from omni_connector.local.browse import (
    EventItem,
    RunSummary,
    completed_since,
    find_run,
    later_word,
    list_errors,
    list_runs,
)
from omni_connector.run_reports import OF_NO_DOCUMENT, WITHHELD, no_longer_withheld, read_report

RUNS_LOOKED_AT = 50
"""Whose reports are read where no run is named."""


@frozen(kw_only=True)
class Reported:
    """A document that the connector could not read or deliver."""

    run: RunSummary
    document_id: str
    stage: str
    reason: str
    since: str = ""


@frozen(kw_only=True)
class FailedRun:
    """A run that failed; ``since``: a later run of its source completed."""

    run: RunSummary
    since: str = ""


@frozen(kw_only=True)
class ErrorScope:
    """Which errors: of a source, of a run; and also those that do not hold any more."""

    source: str | None
    run: str | None
    is_history: bool


@frozen(kw_only=True)
class Errors:
    """What did not arrive, each list newest first.

    Attributes:
        failed: runs that failed.
        reported: by the connector.
        refused: by the manager, after it had accepted the event.
        following: where the list of what was refused goes on.
    """

    failed: Sequence[FailedRun]
    reported: Sequence[Reported]
    refused: Sequence[EventItem]
    following: int | None

    def to_json(self) -> dict[str, Any]:
        """Return all of it."""
        return {
            "failed_runs": [
                run_record(each.run, "failed") | {"still_holds": not each.since} for each in self.failed
            ],
            "reported": [
                {
                    "document_id": each.document_id,
                    "stage": each.stage,
                    "error": each.reason,
                    "run_id": each.run.id,
                    "source_id": each.run.run.source_id,
                    "source_name": each.run.source_name,
                    "still_holds": not each.since,
                }
                for each in self.reported
            ],
            "refused": [event_record(each) | {"still_holds": not each.since} for each in self.refused],
            "next": self.following,
        }


def find_errors(look: Looking, data_dir: Path, scope: ErrorScope, *, limit: int, after: str | None) -> Errors:
    """Return the errors of a run, of a source or of all; what follows the first page are refused events only."""
    page = list_errors(
        look.db,
        source_id=scope.source,
        run_id=scope.run,
        only_last_words=not scope.is_history,
        before=None if after is None else int(after),
        limit=limit,
    )
    if after is not None:
        return Errors(failed=(), reported=(), refused=page.items, following=page.next)
    if scope.run is None:
        runs = list_runs(look.db, scope.source, limit=RUNS_LOOKED_AT).items
    else:
        runs = tuple(each for each in [find_run(look.db, scope.run)] if each is not None)
    reported = [each for each in _reported(look, data_dir, runs) if scope.is_history or not each.since]
    failed = [each for each in _failed(runs) if scope.is_history or not each.since]
    return Errors(failed=failed[:limit], reported=reported[:limit], refused=page.items, following=page.next)


def _reported(look: Looking, data_dir: Path, runs: Sequence[RunSummary]) -> Iterator[Reported]:
    """Yield what the connector reported; of a document that it reported in several runs, the newest holds."""
    known: set[tuple[str, bool, str]] = set()
    for each in runs:
        source, named = each.run.source_id, set()
        for error in read_report(data_dir, each.id).get("errors", ()):
            document, is_withheld = error["document_id"], error["stage"] == WITHHELD
            named.add((source, is_withheld, document))
            if is_withheld:
                since = no_longer_withheld(data_dir, document, completed_since(look.db, each.run))
            else:
                since = later_word(look.db, source, document, each.id)
            if not since and (source, is_withheld, document) in known:
                since = "reported again in a later run"
            yield Reported(
                run=each, document_id=document, stage=error["stage"], reason=error["reason"], since=since
            )
        known |= named


def _failed(runs: Sequence[RunSummary]) -> Iterator[FailedRun]:
    completed: set[str] = set()
    for each in runs:
        if each.run.status == "completed":
            completed.add(each.run.source_id)
        elif each.run.status == "failed":
            yield FailedRun(
                run=each, since="a later run completed" if each.run.source_id in completed else ""
            )


def show_errors(output: Output, errors: Errors) -> None:
    """Write the errors for people."""
    if not (errors.failed or errors.reported or errors.refused):
        output.text("There are no errors.")
    if errors.failed:
        output.text(Text(f"{counted(len(errors.failed), 'run')} failed:", "bold"))
    for failed in errors.failed:
        run = failed.run
        head = f"{shown_moment(run.run.started_at)}  {one_line(run.source_name)}  {run.id}"
        output.text(f"{head}  ({failed.since})" if failed.since else head)
        output.indented(Text(one_line(run.run.error_message or "", longest=1000), "red"), 4)
    if errors.reported:
        output.text(Text("The connector reported:", "bold"))
    for each in errors.reported:
        head = f"{shown_moment(each.run.run.started_at)}  {one_line(each.run.source_name)}  "
        name = OF_NO_DOCUMENT.get(each.stage) or one_line(each.document_id, longest=1000)
        output.text(Text(head).append(name, "bold").append(mark(each.since)))
        output.indented(Text(one_line(each.reason, longest=1000), "red"), 4)
    if errors.refused:
        output.text(Text("The manager refused:", "bold"))
        error_table(output, errors.refused)
