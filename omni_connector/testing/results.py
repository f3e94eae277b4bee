"""What arrived at the manager, and how the run ended."""

from typing import Any

from attrs import field, frozen

from omni_connector.local import DocumentRow, EventRow, LocalManager, Since, SyncRunRow
from omni_connector.models.events import CREATED, DELETED, SUBJECTS, UPDATED
from omni_connector.models.json_values import JsonValue
from omni_connector.partitions.layout import PartitionCheckpoint, is_partitioned
from omni_connector.runtime.run import RunReport
from omni_connector.sync.ledger import DocumentError

DEAD_LETTER = "dead_letter"


@frozen(kw_only=True)
class ArrivedDocument:
    """A document as the manager has it after the run.

    Attributes:
        external_id: its id in its source.
        title: ``Untitled`` where it had none.
        content: its text, as the manager normalises it (PROTOCOL, section 12).
        url: where a person opens it, or None.
        metadata: as it was stored; dates are RFC 3339 text, ``size`` is a number (text where it is not one).
        permissions: ``{"public": ..., "users": [...], "groups": [...]}``.
        attributes: for search operators and filters.
    """

    external_id: str
    title: str
    content: str
    url: str | None
    metadata: dict[str, JsonValue]
    permissions: dict[str, JsonValue]
    attributes: dict[str, JsonValue]


@frozen(kw_only=True)
class SyncResult:
    """One run, after the connector's thread has ended.

    Attributes:
        status: ``completed``, ``failed`` or ``cancelled``; ``running`` when the connector ended without a final call, as
            realtime runs do.
        error: why it failed or was cancelled, or None.
        mode: the mode in which it ran: the first incremental run of a source is made a full one by the manager.
        documents: what this run brought, by external id.
        index: everything the source has now, by external id.
        deletions: external ids that this run said are gone, in order.
        groups: the source's groups now: the members' addresses by the group's.
        people: the records of the source's people now, by address; keys that are None are left out.
        state: the source's checkpoint now: what the next run is given. For a source that is read in partitions it is the
            SDK's own; see ``partition_states``.
        saved_state: the last checkpoint that this run saved, published or not; None when there was none. A manager that
            emulates one before 8 June 2026 does not distinguish it from ``state``.
        scanned: documents that the connector counted.
        emitted: documents given to ``emit`` and ``emit_updated``.
        updated: upserts and deletions that the manager accepted, as the SDK reported them.
        errors: documents that did not arrive: reported by the connector, refused when they were sent, or refused by
            the manager afterwards (stage ``index``).
        events: what the manager queued, decoded, in order.
        sync_run_id: id of the run.
        source_id: id of the source.
    """

    status: str
    error: str | None
    mode: str
    documents: dict[str, ArrivedDocument] = field(repr=False)
    index: dict[str, ArrivedDocument] = field(repr=False)
    deletions: list[str] = field(repr=False)
    groups: dict[str, list[str]] = field(repr=False)
    people: dict[str, dict[str, JsonValue]] = field(repr=False)
    state: JsonValue
    saved_state: JsonValue
    scanned: int
    emitted: int
    updated: int
    errors: list[DocumentError]
    events: list[dict[str, Any]] = field(repr=False)
    sync_run_id: str
    source_id: str

    @property
    def outcome(self) -> str:
        """The status; ``completed with errors`` for a completed run some of whose documents did not arrive."""
        return "completed with errors" if self.status == "completed" and self.errors else self.status

    @property
    def partition_states(self) -> dict[str, JsonValue]:
        """The partitions' states in ``state``, by key; empty for a source that is not read in partitions."""
        return PartitionCheckpoint.of(self.state).states if is_partitioned(self.state) else {}


def collect_result(manager: LocalManager, run: SyncRunRow, report: RunReport) -> SyncResult:
    """Read from the manager what a run brought.

    Args:
        manager: where it arrived.
        run: the run as the manager has it.
        report: the run's figures in the connector's process.
    """
    events = manager.events(run.id)
    has_checkpoints = manager.settings.has(Since.CHECKPOINTS)
    index = {row.external_id: _document(row) for row in manager.documents(run.source_id)}
    upserts = {event.payload["document_id"] for event in events if event.type in {CREATED, UPDATED}}
    return SyncResult(
        status=run.status,
        error=run.error_message,
        mode=run.sync_type,
        documents={name: document for name, document in index.items() if name in upserts},
        index=index,
        deletions=[event.payload["document_id"] for event in events if event.type == DELETED],
        groups={row.email: list(row.members) for row in manager.groups() if row.source_id == run.source_id},
        people={
            row.email: row.entries[run.source_id] for row in manager.people() if run.source_id in row.entries
        },
        state=manager.cursor(run.source_id),
        saved_state=run.checkpoint if has_checkpoints else manager.cursor(run.source_id),
        scanned=run.documents_scanned,
        emitted=report.emitted,
        updated=run.documents_updated,
        errors=report.errors + [_dead_letter(event) for event in events if event.status == DEAD_LETTER],
        events=[event.payload for event in events],
        sync_run_id=run.id,
        source_id=run.source_id,
    )


def _document(row: DocumentRow) -> ArrivedDocument:
    return ArrivedDocument(
        external_id=row.external_id,
        title=row.title,
        content=row.content,
        url=row.url,
        metadata=row.metadata,
        permissions=row.permissions or {},
        attributes=row.attributes,
    )


def _dead_letter(event: EventRow) -> DocumentError:
    payload = event.payload
    person = payload.get("person") or payload
    about = payload.get("document_id") or payload.get("group_email") or person.get("email")
    return DocumentError(
        document_id=str(about),
        kind=SUBJECTS.get(event.type, "document"),
        stage="index",
        reason=event.error or "refused",
    )
