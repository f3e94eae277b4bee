"""One document, run or source, with everything that is known of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import frozen
from rich.text import Text

from omni_connector.cli.command_name import command_name
from omni_connector.cli.errors import CommandError
from omni_connector.cli.looking import LAST, Looking
from omni_connector.cli.output import one_line, printable
from omni_connector.cli.records import (
    document_record,
    event_record,
    run_record,
    shown_moment,
    shown_next_run,
    source_record,
    whole_document_record,
)
from omni_connector.cli.run_errors import ErrorScope, find_errors
from omni_connector.cli.stored import unknown
from omni_connector.cli.tables import did, readers, status
from omni_connector.local.browse import (
    Document,
    DocumentItem,
    EventItem,
    RunSummary,
    SourceSummary,
    Verdict,
    document_text,
    explain,
    find_by_own_id,
    find_document,
    find_document_ids,
    find_documents,
    find_run,
    find_run_ids,
    list_history,
)
from omni_connector.run_reports import read_report, withheld

TEXT_SHOWN = 2000
HISTORY_SHOWN = 20
ERRORS_LOOKED_AT = 1000
EVERYTHING = ErrorScope(source=None, run=None, is_history=False)
Rows = Iterator[tuple[str, Text]]

STARTED = {"manual": "by hand", "scheduled": "by the schedule", "webhook": "by a webhook"}


@frozen(kw_only=True)
class Wanted:
    """What was typed."""

    id: str
    source_name: str | None
    person: str | None
    only_content: bool
    data_dir: Path


def show_one(look: Looking, wanted: Wanted) -> None:
    """Show what an id names.

    Raises:
        CommandError: it names nothing, or several documents.
    """
    document = _document(look, wanted)
    if document is not None:
        _show_document(look, wanted, document)
        return
    if wanted.only_content or wanted.person is not None:
        option = "--content" if wanted.only_content else "--as"
        raise CommandError(
            f"{one_line(wanted.id)} is no document: {option} is about documents. Check the id."
        )
    run = _run(look, wanted.id)
    if run is not None:
        _show(look, "run", run_record(run, look.status(run.run)), _run_rows(look, run))
        return
    summaries = [
        each for each in look.sources(deleted=True) if wanted.id in {each.source.id, each.source.name}
    ]
    if summaries:
        source = look.source(wanted.id)
        _show(look, "source", source_record(source, look.last_status(source)), _source_rows(look, source))
        return
    missed = find_errors(look, wanted.data_dir, EVERYTHING, limit=ERRORS_LOOKED_AT, after=None)
    ids = {each.document_id for each in missed.reported} | {each.document_id for each in missed.refused}
    if wanted.id in ids:
        raise CommandError(
            f"{one_line(wanted.id)}: this document never arrived. See why with {command_name()} errors."
        )
    near = find_document_ids(look.db, wanted.id[:3]) + [each.source.name for each in look.sources()]
    raise unknown(f"{one_line(wanted.id)}: there is no document, run or source with this id", wanted.id, near)


def _document(look: Looking, wanted: Wanted) -> DocumentItem | None:
    source_id = look.source_id(wanted.source_name)
    found = [each for each in find_documents(look.db, wanted.id) if source_id in {None, each.source_id}]
    if len(found) > 1:
        names = ", ".join(one_line(each.source_name) for each in found)
        raise CommandError(
            f"{one_line(wanted.id)}: several sources have such a document. Add --source: {names}."
        )
    return found[0] if found else find_by_own_id(look.db, wanted.id)


def _run(look: Looking, typed: str) -> RunSummary | None:
    if typed == LAST:
        newest = find_run_ids(look.db, limit=1)
        return find_run(look.db, newest[0]) if newest else None
    return find_run(look.db, typed)


def _show(look: Looking, kind: str, record: dict[str, Any], rows: Rows) -> None:
    if look.output.as_json:
        look.output.json({"kind": kind, kind: record})
    else:
        look.output.rows(rows)


def _show_document(look: Looking, wanted: Wanted, item: DocumentItem) -> None:
    output = look.output
    place = item.source_id, item.external_id
    whole = find_document(look.db, *place, characters=TEXT_SHOWN)
    if wanted.only_content:
        text = document_text(look.db, *place)
        if text is None:
            raise CommandError(f"{one_line(wanted.id)} has no content: it is not indexed.")
        output.result.print(Text(printable(text)), soft_wrap=True)
        return
    history = list_history(look.db, *place, limit=HISTORY_SHOWN).items
    verdict = None if wanted.person is None else explain(look.db, *place, wanted.person)
    if output.as_json:
        record = document_record(item)
        if whole is not None:
            record = whole_document_record(whole, document_text(look.db, *place) or "")
        found: dict[str, Any] = {"kind": "document", "document": record}
        found["history"] = [event_record(each) for each in history]
        if verdict is not None:
            found["as"] = {
                "person": verdict.person,
                "finds_it": verdict.finds_it,
                "reasons": list(verdict.reasons),
                "obstacles": list(verdict.obstacles),
            }
        output.json(found)
        return
    output.rows(_document_rows(item, whole))
    if verdict is not None:
        output.rows(_verdict_rows(verdict))
    output.text()
    output.rows(_history_rows(history))
    if whole is not None:
        output.text()
        output.text(Text(printable(whole.content)))
        if whole.is_cut:
            output.say(
                f"These are the first {len(whole.content):,} of {whole.content_length:,} characters; see --content."
            )


def _document_rows(item: DocumentItem, whole: Document | None) -> Rows:
    yield "Document", Text(one_line(item.external_id, longest=2000), "bold")
    yield "Title", Text(one_line(item.title))
    yield "Source", Text(one_line(item.source_name))
    if item.url:
        yield "Address", Text(one_line(item.url, longest=2000), "cyan")
    if not item.is_indexed:
        yield "Indexed", Text("no: it cannot be found", "yellow")
    if item.error:
        yield "Refused", Text(one_line(item.error, longest=1000), "red")
    yield "Granted to", Text(readers(item))
    for kind in ("users", "groups"):
        names = (item.permissions or {}).get(kind)
        if names:
            yield kind.capitalize(), Text(one_line(", ".join(map(str, names)), longest=1000))
    if whole is None:
        return
    for label, values in (("Attributes", whole.attributes), ("Metadata", whole.metadata)):
        yield from _field_rows(label, values)
    yield "Updated", Text(f"{shown_moment(item.updated_at)} by run {whole.updated_run_id}")
    yield "Content", Text(f"{whole.content_length:,} characters, {whole.item.content_type or 'text'}")


def _field_rows(label: str, values: Any) -> Rows:
    """Yield one row a field, without those that are null."""
    for name, value in (values or {}).items():
        if value is not None:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield label, Text(one_line(f"{name}: {text}", longest=1000))
            label = ""


def _verdict_rows(verdict: Verdict) -> Rows:
    answer = "finds it" if verdict.finds_it else "does not find it"
    yield "As", Text(one_line(f"{verdict.person} {answer}"), "green" if verdict.finds_it else "yellow")
    for sentence in (*verdict.reasons, *verdict.obstacles):
        yield "", Text(one_line(sentence, longest=1000))


def _history_rows(history: tuple[EventItem, ...]) -> Rows:
    label = "History"
    for event in history:
        why = f": {one_line(event.error)}" if event.error else ""
        yield (
            label,
            Text(f"{shown_moment(event.created_at)} ")
            .append_text(status(event.outcome))
            .append(f" by run {event.run_id}{why}"),
        )
        label = ""


def _run_rows(look: Looking, summary: RunSummary) -> Rows:
    run = summary.run
    yield "Run", Text(run.id, "bold")
    yield "Source", Text(one_line(summary.source_name))
    trigger = STARTED.get(run.trigger_type, f"by {one_line(run.trigger_type)}")
    yield "Sync", Text(f"{run.sync_type}, started {trigger}")
    shown = look.status(run)
    yield (
        "Status",
        status(shown).append("; the next run resumes it" if shown != run.status else "", "default"),
    )
    if run.error_message:
        yield "Error", Text(one_line(run.error_message, longest=1000), "red")
    yield "Did", Text(did(summary.counts))
    if withheld(read_report(look.data_dir, run.id)):
        yield "Withheld", Text(f"deletions; {command_name()} errors --run {run.id} says why", "yellow")
    yield "Scanned", Text(f"{run.documents_scanned:,}")
    yield "Started", Text(shown_moment(run.started_at))
    yield "Ended", Text(shown_moment(run.completed_at))
    if summary.duration_seconds is not None:
        yield "Took", Text(f"{summary.duration_seconds:,.1f} s")


def _source_rows(look: Looking, summary: SourceSummary) -> Rows:
    source = summary.source
    yield "Source", Text(one_line(source.name), "bold")
    yield "Id", Text(source.id)
    yield "Type", Text(one_line(source.source_type))
    yield "Settings", Text(one_line(json.dumps(source.config, ensure_ascii=False), longest=1000))
    yield "Documents", Text(f"{summary.documents:,}")
    if summary.last_run is not None:
        last = summary.last_run
        yield (
            "Last run",
            status(look.status(last.run)).append(f" {shown_moment(last.run.created_at)}, {last.id}"),
        )
    yield "Next run", Text(shown_next_run(summary))
    yield "Checkpoint", Text("saved" if source.has_checkpoint else "none")
