"""The tables of the commands that look into the data directory."""

from collections.abc import Sequence

from attrs import frozen
from rich.text import Text

from omni_connector.cli.columns import Column
from omni_connector.cli.output import Output, one_line
from omni_connector.cli.records import shown_moment, shown_next_run
from omni_connector.local.browse import DocumentItem, EventItem, RunCounts, RunSummary, SourceSummary

STYLES = {
    "completed": "green",
    "failed": "red",
    "refused": "red",
    "cancelled": "yellow",
    "running": "cyan",
    "interrupted": "yellow",
    "deleted": "yellow",
}
NOTHING = "nothing"
_STATUS_WIDTH = 11
_MOMENT_WIDTH = 16
_ROOMY = 64
"""Columns of a terminal from which on less important columns of a table are shown."""


def source_table(output: Output, sources: Sequence[tuple[SourceSummary, str]]) -> None:
    """Write sources, each with the status of its last run in words."""
    columns = [
        Column(title="NAME", is_id=True),
        Column(title="TYPE", from_columns=_ROOMY),
        Column(title="DOCUMENTS", is_number=True),
        Column(title="LAST RUN", width=_STATUS_WIDTH),
        Column(title="AT", width=_MOMENT_WIDTH, from_columns=_ROOMY),
        Column(title="NEXT RUN", width=_MOMENT_WIDTH, from_columns=_ROOMY),
    ]
    rows: list[list[Text | str]] = [
        [
            one_line(each.source.name) + (" (deleted)" if each.source.is_deleted else ""),
            one_line(each.source.source_type),
            f"{each.documents:,}",
            status(last_status),
            shown_moment(None if each.last_run is None else each.last_run.run.created_at),
            shown_next_run(each),
        ]
        for each, last_status in sources
    ]
    _write(output, columns, rows, "sources")


@frozen(kw_only=True)
class RunRow:
    """A run, its status and what it did, in words."""

    run: RunSummary
    status: str
    outcome: str


def run_table(output: Output, runs: Sequence[RunRow]) -> None:
    """Write runs."""
    columns = [
        Column(title="ID", is_id=True),
        Column(title="SOURCE", from_columns=_ROOMY),
        Column(title="MODE", width=11, from_columns=_ROOMY),
        Column(title="STATUS", width=_STATUS_WIDTH),
        Column(title="DID", is_whole=True, from_columns=_ROOMY),
    ]
    rows: list[list[Text | str]] = [
        [
            each.run.id,
            one_line(each.run.source_name),
            each.run.run.sync_type,
            status(each.status),
            each.outcome,
        ]
        for each in runs
    ]
    _write(output, columns, rows, "runs")


def document_table(output: Output, documents: Sequence[DocumentItem], *, is_filtered: bool) -> None:
    """Write documents."""
    if is_filtered and not documents:
        output.text("No document matches.")
        return
    columns = [
        Column(title="ID", is_id=True),
        Column(title="TITLE"),
        Column(title="SOURCE", from_columns=_ROOMY),
        Column(title="GRANTED TO", width=10, from_columns=_ROOMY),
        Column(title="LAST", width=9),
    ]
    rows: list[list[Text | str]] = [
        [
            one_line(each.external_id, longest=2000),
            one_line(each.title, longest=2000),
            one_line(each.source_name),
            readers(each),
            status(each.outcome or "-"),
        ]
        for each in documents
    ]
    _write(output, columns, rows, "documents")


def error_table(output: Output, errors: Sequence[EventItem]) -> None:
    """Write refused events, each with its reason below it."""
    for each in errors:
        head = f"{shown_moment(each.created_at)}  {one_line(each.source_name)}  "
        output.text(Text(head).append(one_line(each.subject, longest=1000), "bold").append(mark(each.since)))
        output.indented(Text(one_line(each.error or "", longest=1000), "red"), 4)


def mark(since: str) -> str:
    """Return what is put after an error that does not hold any more."""
    return f"  ({since})" if since else ""


def did(counts: RunCounts) -> str:
    """Return what a run did, without what it did not do."""
    shown = {
        "new": counts.new,
        "changed": counts.changed,
        "unchanged": counts.unchanged,
        "deleted": counts.deleted,
        "refused": counts.refused,
    }
    return ", ".join(f"{number:,} {name}" for name, number in shown.items() if number) or NOTHING


def readers(item: DocumentItem) -> str:
    """Return to whom a document is granted: a group counts as one, however many members it has."""
    if item.permissions is None:
        return "-"
    if item.is_public:
        return "everyone"
    number = sum(len(item.permissions.get(kind) or ()) for kind in ("users", "groups"))
    return f"{number:,}" if number else "nobody"


def status(text: str) -> Text:
    """Return a status in its colour."""
    return Text(text, STYLES.get(text, ""))


def _write(
    output: Output, columns: Sequence[Column], rows: Sequence[Sequence[Text | str]], things: str
) -> None:
    if rows:
        output.table(columns, rows)
    else:
        output.text(f"There are no {things}.")
