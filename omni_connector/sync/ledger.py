"""What went wrong with single documents of a run, without ending it."""

import logging
import threading
from collections import deque

from attrs import frozen

log = logging.getLogger(__name__)

KEPT = 1000
"""Entries that a ledger keeps; its count goes on beyond."""


@frozen(kw_only=True)
class DocumentError:
    """One document that did not arrive as it should.

    Attributes:
        document_id: the document's id in its source.
        stage: ``connector`` (reported by ``emit_error``), ``content`` or ``event`` (refused by the manager).
        reason: what happened.
        status: HTTP status of the manager's refusal, or None.
    """

    document_id: str
    stage: str
    reason: str
    status: int | None = None


class ErrorLedger:
    """Errors of single documents: counted exactly, the last thousand kept."""

    def __init__(self, sync_run_id: str) -> None:
        self._sync_run_id = sync_run_id
        self._lock = threading.Lock()  # Protects _entries and _count.
        self._entries: deque[DocumentError] = deque(maxlen=KEPT)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, error: DocumentError) -> None:
        """Note one error and say it in the log."""
        with self._lock:
            self._entries.append(error)
            self._count += 1
        log.warning(
            "Document %r did not arrive (%s): %s",
            error.document_id[:200],
            error.stage,
            error.reason,
            extra={"sync_run_id": self._sync_run_id, "document_id": error.document_id},
        )

    def entries(self) -> list[DocumentError]:
        """Return the last errors, oldest first."""
        with self._lock:
            return list(self._entries)
