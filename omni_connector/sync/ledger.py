"""What went wrong with single documents of a run, without ending it."""

import logging
import threading
from collections import deque

from attrs import evolve, frozen

from omni_connector.exceptions import TooManyErrorsError

log = logging.getLogger(__name__)

CONNECTOR_STAGE = "connector"
TRUNCATED_STAGE = "truncated"
UNSUPPORTED_STAGE = "unsupported"
LONGEST_REASON = 1000
"""Characters of a reason that are kept."""

KEPT = 1000
"""Entries that a ledger keeps; its count goes on beyond."""


@frozen(kw_only=True)
class DocumentError:
    """One document, group or person that did not arrive as it should.

    Attributes:
        document_id: the document's id in its source; the address of a group or a person.
        stage: ``connector`` (reported by ``emit_error``), ``content`` or ``event`` (unusable, or refused by the
            manager), ``truncated`` (arrived, but its text was cut), ``unsupported`` (of a kind that an older manager does
            not know; one entry stands for all of them).
        reason: what happened.
        status: HTTP status of the manager's refusal, or None.
        kind: ``document``, ``group`` or ``person``.
    """

    document_id: str
    stage: str
    reason: str
    status: int | None = None
    kind: str = "document"


@frozen(kw_only=True)
class ErrorLimits:
    """How many documents may fail before the run does; None switches a limit off.

    A document costs one document; but when nearly all fail, something is wrong with all of them (expired
    credentials, a changed format), and a run that "completes" without them would hide it. Documents that the connector
    reports with ``emit_error`` and documents that the manager refuses are looked at apart, each in their order.

    Attributes:
        total: in the whole run.
        consecutive: one after the other, with no other document between them.
        share: of the last ``recent`` documents, from 0 to 1.
        recent: how many documents ``share`` looks at; it is not judged before so many were seen. Seen are, on the
            connector's side, as many as it counted with ``increment_scanned``, or emitted and reported if that is more.
    """

    total: int | None = None
    consecutive: int | None = None
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
        self._lost = 0  # Without those that arrived truncated.
        self._unsupported: dict[str, int] = {}

    def __len__(self) -> int:
        return self._count + sum(self._unsupported.values())

    def add(self, error: DocumentError) -> None:
        """Note one error and say it in the log."""
        error = evolve(error, reason=error.reason[:LONGEST_REASON])
        with self._lock:
            self._entries.append(error)
            self._count += 1
            if error.stage != TRUNCATED_STAGE:  # It arrived.
                stream = self._read if error.stage == CONNECTOR_STAGE else self._sent
                stream.failed()
                self._lost += 1
                if self._limits.total is not None and self._lost > self._limits.total:
                    stream.exceeded = stream.exceeded or f"{self._lost} in this run"
        log.warning(
            "%s %r did not arrive as it should (%s): %s",
            error.kind.capitalize(),
            error.document_id[:200],
            error.stage,
            error.reason,
            extra={"sync_run_id": self._sync_run_id, "document_id": error.document_id},
        )

    def left_out(self, kind: str) -> None:
        """Note a group or a person that the manager is too old for; it says nothing about the others."""
        with self._lock:
            self._unsupported[kind] = self._unsupported.get(kind, 0) + 1

    def read(self) -> None:
        """Note a document that the connector has read well."""
        self._read.succeeded += 1

    def looked_at(self, count: int) -> None:
        """Note documents that the connector has counted, whatever became of them."""
        self._read.counted += count

    def accepted(self, count: int) -> None:
        """Note documents that the manager has accepted, in their order among those that it refused."""
        self._sent.succeeded += count

    def check(self) -> None:
        """End the run when the connector could not read too many documents.

        Raises:
            TooManyErrorsError: one of the limits is exceeded.
        """
        if self._read.exceeded is not None:
            raise TooManyErrorsError(self._count, self._read.exceeded)

    def check_refused(self) -> None:
        """The same for the documents that the manager refused.

        Raises:
            TooManyErrorsError: one of the limits is exceeded.
        """
        if self._sent.exceeded is not None:
            raise TooManyErrorsError(self._count, self._sent.exceeded)

    def entries(self) -> list[DocumentError]:
        """Return the last errors, oldest first; what the manager is too old for stands last."""
        with self._lock:
            return [*self._entries, *(_unsupported(kind, n) for kind, n in self._unsupported.items())]


def _unsupported(kind: str, count: int) -> DocumentError:
    reason = f"{count} {kind} events were left out: this manager is too old to know any"
    return DocumentError(document_id="", kind=kind, stage=UNSUPPORTED_STAGE, reason=reason)


class _Stream:
    """Documents in their order, each well or not. Only the failures are remembered, by their place among all."""

    def __init__(self, limits: ErrorLimits) -> None:
        self._limits = limits
        self._failed = 0
        self._consecutive = 0
        self._last_place = 0
        self._recent: deque[int] = deque()
        self.succeeded = 0
        self.counted = 0
        self.exceeded: str | None = None

    def failed(self) -> None:
        """Note a failure, and which limit is exceeded by it."""
        limits = self._limits
        self._failed += 1
        place = max(self.counted, self.succeeded + self._failed, self._last_place + 1)
        self._consecutive = self._consecutive + 1 if place == self._last_place + 1 else 1
        self._last_place = place
        self._recent.append(place)
        while self._recent[0] <= place - limits.recent:
            self._recent.popleft()
        if limits.consecutive is not None and self._consecutive > limits.consecutive:
            self.exceeded = self.exceeded or f"{self._consecutive} one after the other"
        if (
            limits.share is not None
            and place >= limits.recent
            and len(self._recent) > limits.share * limits.recent
        ):
            self.exceeded = self.exceeded or f"{len(self._recent)} of the last {limits.recent}"
