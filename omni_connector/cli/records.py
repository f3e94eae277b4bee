"""What the data directory holds, as the JSON objects of ``--json``; the names of fields are documented in docs/reference."""

import datetime as dt
from typing import Any

import attrs

from omni_connector.local.browse import Document, DocumentItem, EventItem, RunSummary, SourceSummary


def source_record(summary: SourceSummary, last_status: str) -> dict[str, Any]:
    """Return a source, with the status of its last run for people; secrets in its settings are not shown."""
    source = summary.source
    return {
        "id": source.id,
        "name": source.name,
        "source_type": source.source_type,
        "is_active": source.is_active,
        "is_deleted": source.is_deleted,
        "sync_interval_seconds": source.sync_interval_seconds,
        "config": source.config,
        "has_checkpoint": source.has_checkpoint,
        "documents": summary.documents,
        "last_run": None if summary.last_run is None else run_record(summary.last_run, last_status),
        "next_run_at": moment(summary.next_run_at),
        "failures_in_a_row": summary.failures,
        "is_given_up": summary.is_given_up,
        "created_at": moment(source.created_at),
    }


def run_record(summary: RunSummary, status: str) -> dict[str, Any]:
    """Return a run, with its status for people and the number of events by what they did."""
    run = summary.run
    return {
        "id": run.id,
        "source_id": run.source_id,
        "source_name": summary.source_name,
        "sync_mode": run.sync_type,
        "trigger": run.trigger_type,
        "status": status,
        "error": run.error_message,
        "documents_scanned": run.documents_scanned,
        "counts": attrs.asdict(summary.counts),
        "has_checkpoint": run.has_checkpoint,
        "started_at": moment(run.started_at),
        "ended_at": moment(run.completed_at),
        "seconds": None if summary.duration_seconds is None else round(summary.duration_seconds, 3),
    }


def document_record(item: DocumentItem) -> dict[str, Any]:
    """Return a document as lists show it."""
    return {
        "external_id": item.external_id,
        "source_id": item.source_id,
        "source_name": item.source_name,
        "title": item.title,
        "url": item.url,
        "content_type": item.content_type,
        "is_indexed": item.is_indexed,
        "is_public": item.is_public,
        "permissions": item.permissions,
        "last_change": item.outcome,
        "last_run_id": item.run_id,
        "error": item.error,
        "updated_at": moment(item.updated_at),
    }


def whole_document_record(document: Document, content: str) -> dict[str, Any]:
    """Return a document with everything that is known of it."""
    return {
        **document_record(document.item),
        "id": document.id,
        "metadata": document.metadata,
        "attributes": document.attributes,
        "content_length": document.content_length,
        "content": content,
        "file_size": document.file_size,
        "created_run_id": document.created_run_id,
        "updated_run_id": document.updated_run_id,
        "created_at": moment(document.created_at),
    }


def event_record(event: EventItem) -> dict[str, Any]:
    """Return an event: an entry of a history, or an error."""
    return {
        "event_type": event.event_type,
        "subject": event.subject,
        "document_id": event.document_id,
        "source_id": event.source_id,
        "source_name": event.source_name,
        "run_id": event.run_id,
        "sync_mode": event.sync_type,
        "outcome": event.outcome,
        "error": event.error,
        "at": moment(event.created_at),
    }


def moment(value: dt.datetime | None) -> str | None:
    """Return a moment as ISO 8601 in UTC."""
    if value is None:
        return None
    return (value if value.tzinfo else value.replace(tzinfo=dt.UTC)).astimezone(dt.UTC).isoformat()


def shown_next_run(summary: SourceSummary) -> str:
    """Return for people when a source is synced next by itself."""
    due = summary.next_run_at
    if summary.is_given_up:
        return "given up"
    return "due" if due is not None and due <= dt.datetime.now(dt.UTC) else shown_moment(due)


def shown_moment(value: dt.datetime | None) -> str:
    """Return a moment for people, in this machine's zone; ``-`` for none."""
    if value is None:
        return "-"
    return (value if value.tzinfo else value.replace(tzinfo=dt.UTC)).astimezone().strftime("%Y-%m-%d %H:%M")
