"""Takes what a connector emits: documents with their contents, people, counts and errors."""

import logging
import os
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from omni_connector.exceptions import InvalidDocumentError, InvalidValueError
from omni_connector.inventory.finishing import finish
from omni_connector.inventory.listing import Listing
from omni_connector.manager.pending import Pending
from omni_connector.masking import error_text
from omni_connector.models.document import Document, require_one_content
from omni_connector.models.events import EncodedEvent, encode_delete, encode_upsert
from omni_connector.sync.ledger import (
    CONNECTOR_STAGE,
    DECODED_STAGE,
    TRUNCATED_STAGE,
    WITHHELD_STAGE,
    DocumentError,
)
from omni_connector.sync.payloads import Payload, PendingContent, WithdrawnError, payload_of
from omni_connector.sync.run_parts import RunParts

log = logging.getLogger(__name__)

TRUNCATED = "its text is longer than the manager takes (5 MiB; 2 MiB before 3 June 2026) and was cut"
DECODED = "its text is not UTF-8 and was taken as windows-1252"

DELETIONS_AT_ONCE = 50
"""Found by a listing: so many are taken before it waits for room. Meanwhile no inventory is written."""

PRIVATE = "a document that no user can find"


class Intake:
    """Takes what the connector of a run emits; blocks only where a method says so.

    Attributes:
        emitted: documents that were emitted, those before a resume left out.
        deleted: deletions that were emitted.
    """

    def __init__(self, run: RunParts) -> None:
        self._run = run
        self._delivery = run.delivery
        self._order = threading.Lock()  # Held while an event is marked and gets its place among the others.
        self.emitted = 0
        self.deleted = 0

    def emit(self, kind: str, document: Document) -> Callable[[], None] | None:
        """Take a document; memory only. Return what remains to be done and may block, or None.

        The document has its place among the events as soon as this returns.

        Raises:
            InvalidDocumentError: it cannot be sent.
        """
        if not isinstance(document, Document):
            raise InvalidValueError(
                model="SyncContext", field="emit", value=document, remedy="give a Document(...)"
            )
        run = self._run
        run.pulse.touch("emit", document.external_id)
        content = document.content
        if (content is None) is (document.content_id is None):
            require_one_content(document)
        info = run.info
        event = encode_upsert(kind, document, sync_run_id=info.sync_run_id, source_id=info.source_id)
        if PRIVATE not in run.said and _is_private(document):
            self._mention_private(document)
        if content is None:
            has_room = self._take(event)
        elif _is_in_memory(document):
            self._delivery.check()  # Before anything is uploaded.
            payload = payload_of(document)
            has_room = self._take(event, self._upload(payload, document), payload.buffered_bytes)
        else:
            pending = PendingContent()
            pending.is_begun = pending.is_read = False
            self._take(event, pending)
            return partial(self._read_content, document, pending)
        self.emitted += 1
        run.ledger.read()
        return None if has_room else self.wait_for_room

    def put(self, operation: str, event: EncodedEvent) -> Callable[[], None] | None:
        """Take an event that has no content; otherwise as ``emit``."""
        self._run.require_open(operation, event.document_id)
        return None if self._delivery.put(event) else self.wait_for_room

    def delete(self, document_id: str, listing: Listing | None = None) -> Callable[[], None] | None:
        """Take a deletion that a listing has found, or the connector itself; otherwise as ``put``."""
        run, info = self._run, self._run.info
        event = encode_delete(document_id, sync_run_id=info.sync_run_id, source_id=info.source_id)
        with self._order:
            if run.inventories:
                event.mark = run.inventories.deleting(document_id, listing)
                if event.mark is None:
                    return None
            rest = self.put("emit_deleted", event)
        self.deleted += 1
        return rest

    def delete_known(self, listing: Listing, document_id: str) -> None:
        """Delete a document that the manager may have, and no other."""
        inventories = self._run.inventories
        if inventories.is_gone(listing, document_id):
            self._delete_all(listing, [document_id])

    def finish(self, listing: Listing) -> None:
        """Delete what a complete listing has not found."""
        run = self._run
        run.require_open("inventory.finish")
        with run.waiting("inventory.finish"):
            withheld = finish(run.inventories, listing, partial(self._delete_all, listing))
        if withheld:
            name = listing.scope or run.info.source_id
            extra = run.log_extra | {"event": "deletions_withheld", "scope": name}
            log.warning("Source %s: %s", run.info.identity.source, withheld, extra=extra)
            run.ledger.note(
                DocumentError(document_id=name, kind="deletions", stage=WITHHELD_STAGE, reason=withheld)
            )

    def wait_for_room(self) -> None:
        """Wait until the buffer is below its limits."""
        if not self._delivery.has_room():
            with self._run.waiting("emit, waiting for the manager"):
                self._delivery.wait_for_room()

    def count_scanned(self, count: int) -> None:
        """Count documents looked at; memory only."""
        self._run.pulse.touch("increment_scanned")
        self._delivery.count_scanned(count)
        self._run.ledger.looked_at(count)

    def note_error(self, external_id: str, error: str | BaseException) -> None:
        """Note a document that the connector could not read; memory only.

        Raises:
            TooManyErrorsError: more failed than allowed.
        """
        self._run.require_open("emit_error", external_id)
        self._run.note(external_id, CONNECTOR_STAGE, error_text(error))
        self._run.inventories.note_error(external_id)
        self._run.ledger.check()

    def flush(self) -> list[DocumentError]:
        """Deliver everything taken so far; return what was refused since the last flush."""
        self._run.require_open("flush")
        with self._run.waiting("flush"):
            self._delivery.barrier()
            self._run.inventories.commit()
        return self._run.ledger.take_refused()

    def _delete_all(self, listing: Listing, document_ids: list[str]) -> None:
        for first in range(0, len(document_ids), DELETIONS_AT_ONCE):
            chunk = document_ids[first : first + DELETIONS_AT_ONCE]
            with self._run.inventories.releasing(listing, chunk) as going:
                for document_id in going:
                    self.delete(document_id, listing)
            self.wait_for_room()

    def _take(self, event: EncodedEvent, upload: Pending[str] | None = None, content_bytes: int = 0) -> bool:
        """Take an upsert; what the inventories expect is in the order of the events, whichever threads emit."""
        inventories = self._run.inventories
        if not inventories:
            return self._delivery.put(event, upload, content_bytes)
        with self._order:
            event.mark = inventories.emitting(event.document_id)
            return self._delivery.put(event, upload, content_bytes)

    def _read_content(self, document: Document, pending: PendingContent) -> None:
        """Read a file that was given as content, and begin to send it."""
        pending.is_begun = True
        try:
            payload = payload_of(document)
        except BaseException as error:
            # A file that has just gone is noted in its order, like one that the manager refuses.
            is_noted = isinstance(error, (OSError, InvalidDocumentError)) and isinstance(
                document.content, os.PathLike
            )
            pending.set_exception(error if is_noted else WithdrawnError())
            if not is_noted:
                raise
        else:
            try:
                self._delivery.add_bytes(pending, payload.buffered_bytes)
                pending.follow(self._upload(payload, document))
            except BaseException as error:
                payload.close()
                pending.set_exception(error)
                raise
        finally:
            pending.is_read = True
            self._delivery.wake()
        self.emitted += 1
        self._run.ledger.read()
        self.wait_for_room()

    def _upload(self, payload: Payload, document: Document) -> Pending[str]:
        note_cut: Callable[[], None] = partial(
            self._run.note, document.external_id, TRUNCATED_STAGE, TRUNCATED
        )
        if payload.is_guessed:
            self._run.note(document.external_id, DECODED_STAGE, DECODED)
        if payload.is_too_long:
            note_cut()
            note_cut = _nothing
        return payload.upload(self._run.manager, self._run.info.sync_run_id, note_cut)

    def _mention_private(self, document: Document) -> None:
        self._run.said.add(PRIVATE)
        log.warning(
            "Document %r has %s and is sent as private: no user can find it. Give it "
            "DocumentPermissions(users=[...]), groups=[...] or public=True. Said once a run.",
            document.external_id[:200],
            "no permissions" if document.permissions is None else "permissions without users and groups",
            extra=self._run.log_extra,
        )


def _is_private(document: Document) -> bool:
    """Say whether no user can find the document."""
    allowed = document.permissions
    return allowed is None or not (allowed.public or allowed.users or allowed.groups)


def _nothing() -> None:
    """Do nothing: it is in the ledger already."""


def _is_in_memory(document: Document) -> bool:
    """Say whether the content need not be read from anywhere, nor copied to a file."""
    content: Any = document.content
    if isinstance(content, str):
        return True
    return (
        document.mime_type is None and document.filename is None and isinstance(content, (bytes, bytearray))
    )
