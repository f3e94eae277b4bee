"""What went wrong with single documents of a run, without ending it."""

import logging
import threading
from collections import deque

from attrs import frozen

from omni_connector.exceptions import TooManyErrorsError

log = logging.getLogger(__name__)

CONNECTOR_STAGE = "connector"
TRUNCATED_STAGE = "truncated"
KEPT = 1000
"""Entries that a ledger keeps; its count goes on beyond."""


@frozen(kw_only=True)
class DocumentError:
    """One document that did not arrive as it should.

    Attributes:
        document_id: the document's id in its source.
        stage: ``connector`` (reported by ``emit_error``), ``content`` or ``event`` (unusable, or refused by the
            manager), ``truncated`` (arrived, but the manager has cut its text).
        reason: what happened.
        status: HTTP status of the manager's refusal, or None.
    """

    document_id: str
    stage: str
    reason: str
    status: int | None = None


@frozen(kw_only=True)
class ErrorLimits:
    """How many documents may fail before the run does; None switches a limit off.

    A document costs one document; but when nearly all fail, something is wrong with all of them (expired
    credentials, a changed format), and a run that "completes" without them would hide it. Documents that the connector
    reports with ``emit_error`` and documents that the manager refuses are looked at apart, each in their order.

    Attributes:
        total: in the whole run.
        consecutive: one after the other.
        share: of the last ``recent`` documents, from 0 to 1.
        recent: how many documents ``share`` looks at; it is not judged before so many were seen.
    """

    total: int | None = None
    consecutive: int | None = 100
    share: float | None = 0.5
    recent: int = 500


class ErrorLedger:
    """Errors of single documents: counted exactly, the last thousand kept; knows when there are too many."""

    def __init__(self, sync_run_id: str, limits: ErrorLimits | None = None) -> None:
        self._sync_run_id = sync_run_id
        self._limits = limits or ErrorLimits()
        self._lock = threading.Lock()  # Protects everything below.
        self._entries: deque[DocumentError] = deque(maxlen=KEPT)
        self._count = 0
        self._read = _Stream(self._limits)
        self._sent = _Stream(self._limits)
        self._exceeded: str | None = None

    def __len__(self) -> int:
        return self._count

    def add(self, error: DocumentError) -> None:
        """Note one error and say it in the log."""
        with self._lock:
            self._entries.append(error)
            self._count += 1
            too_many = None
            if error.stage != TRUNCATED_STAGE:  # It arrived.
                too_many = (self._read if error.stage == CONNECTOR_STAGE else self._sent).failed()
            if self._limits.total is not None and self._count > self._limits.total:
                too_many = f"{self._count} in this run"
            self._exceeded = self._exceeded or too_many
        log.warning(
            "Document %r did not arrive as it should (%s): %s",
            error.document_id[:200],
            error.stage,
            error.reason,
            extra={"sync_run_id": self._sync_run_id, "document_id": error.document_id},
        )

    def read(self) -> None:
        """Note a document that the connector has read well."""
        self._read.succeeded()

    def accepted(self, count: int) -> None:
        """Note documents that the manager has accepted, in their order among those that it refused."""
        with self._lock:
            self._sent.succeeded(count)

    def check(self) -> None:
        """End the run when too many documents failed.

        Raises:
            TooManyErrorsError: one of the limits is exceeded.
        """
        if self._exceeded is not None:
            raise TooManyErrorsError(self._count, self._exceeded)

    def entries(self) -> list[DocumentError]:
        """Return the last errors, oldest first."""
        with self._lock:
            return list(self._entries)


class _Stream:
    """Documents in their order, each well or not. Successes, the ordinary case, are only counted."""

    def __init__(self, limits: ErrorLimits) -> None:
        self._limits = limits
        self._succeeded = 0  # Since the last failure.
        self._consecutive = 0
        self._recent: deque[bool] = deque(maxlen=limits.recent)

    def succeeded(self, count: int = 1) -> None:
        self._succeeded += count

    def failed(self) -> str | None:
        """Note a failure; return which limit is exceeded by it."""
        limits = self._limits
        if self._succeeded:
            self._consecutive = 0
            self._recent.extend([False] * min(self._succeeded, limits.recent))
            self._succeeded = 0
        self._consecutive += 1
        self._recent.append(True)
        if limits.consecutive is not None and self._consecutive > limits.consecutive:
            return f"{self._consecutive} one after the other"
        failed = sum(self._recent)
        if (
            limits.share is not None
            and len(self._recent) == limits.recent
            and failed > limits.share * limits.recent
        ):
            return f"{failed} of the last {limits.recent}"
        return None
