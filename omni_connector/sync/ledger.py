"""What went wrong with single documents of a run, without ending it."""

import logging
import threading
from collections import deque
from collections.abc import Iterable

from attrs import evolve, frozen

from omni_connector.exceptions import TooManyErrorsError
from omni_connector.masking import mask
from omni_connector.run_reports import INVENTORY, WITHHELD
from omni_connector.telemetry.figures import Figures

log = logging.getLogger(__name__)

CONNECTOR_STAGE = "connector"
TRUNCATED_STAGE = "truncated"
DECODED_STAGE = "decoded"
UNSUPPORTED_STAGE = "unsupported"
PARTITION_STAGE = "partition"
ENDED_STAGE = "ended"
WITHHELD_STAGE = WITHHELD
INVENTORY_STAGE = INVENTORY
ARRIVED_STAGES = frozenset({TRUNCATED_STAGE, DECODED_STAGE})
"""Notes on documents that did arrive."""

LONGEST_REASON = 1000
"""Characters of a reason that are kept."""

KEPT = 1000
"""Entries that a ledger keeps; its count goes on beyond."""

KEPT_FOR_FLUSH = 10_000
"""Refused documents that are kept for the next ``ctx.flush()``, which has to name all of them."""

LEAST_JUDGED = 10
"""Documents from which on the share of failures is judged before a checkpoint and at the end of a run."""


@frozen(kw_only=True)
class DocumentError:
    """One document, group or person that did not arrive as it should; or what a run met after its end.

    Attributes:
        document_id: the document's id in its source; the address of a group or a person.
        stage: ``connector`` (reported by ``emit_error``), ``content`` or ``event`` (unusable, or refused by the
            manager), ``truncated`` (arrived, but its text was cut), ``decoded`` (arrived; its text is not UTF-8 and was
            taken as windows-1252), ``unsupported`` (of a kind that an older manager does not know; one entry stands for
            all of them), ``partition`` (a partition of the source that failed, in a run that completed without it),
            ``ended`` (what ``sync()`` raised after it had ended its run; it belongs to no single document), ``withheld``
            (documents that an inventory did not find, and that are deleted only with approval; one entry for all of them),
            ``inventory`` (the source was synced before, but its inventory is empty: some deletions cannot be found).
        reason: what happened.
        status: HTTP status of the manager's refusal, or None.
        kind: ``document``, ``group``, ``person``, ``partition``, ``deletions`` or ``run``.
    """

    document_id: str
    stage: str
    reason: str
    status: int | None = None
    kind: str = "document"


@frozen(kw_only=True)
class ErrorLimits:
    """How many documents may fail before the run does; None switches a limit off.

    A document that fails is skipped and the run goes on. When most of them fail, something is wrong with all of them
    (expired credentials, a changed format), and a run that "completes" without them would hide it. Documents that the
    connector reports with ``emit_error`` and documents that the manager refuses are judged apart, each in their order;
    the share of the whole run is also judged for both together.

    Attributes:
        total: in the whole run.
        consecutive: one after the other, with no other document between them.
        share: from 0 to 1. Judged over the last ``recent`` documents while the run goes on, and over the whole run
            before each checkpoint and at the end, where it saw at least ten documents. Smaller runs complete with errors.
        recent: how many documents ``share`` looks at while the run goes on; not judged before so many were seen. Seen
            are, on the connector's side, as many as it counted with ``increment_scanned``, or emitted and reported if
            that is more.
        partitions: of a source that is read in partitions. With none allowed, the default, a run in which one fails reads the
            others and then fails. A run in which all of them fail does so in any case.
    """

    total: int | None = None
    consecutive: int | None = None
    share: float | None = 0.5
    recent: int = 500
    partitions: int | None = 0


class ErrorLedger:
    """Errors of single documents: counted exactly, the last thousand kept; knows when there are too many."""

    def __init__(self, sync_run_id: str, limits: ErrorLimits | None = None) -> None:
        self._sync_run_id = sync_run_id
        self._limits = limits or ErrorLimits()
        self._lock = threading.Lock()  # Protects everything below.
        self._entries: deque[DocumentError] = deque(maxlen=KEPT)
        self._news: deque[DocumentError] = deque(maxlen=KEPT)  # Since they were last taken.
        self._count = 0
        self._read = _Stream(self._limits)
        self._sent = _Stream(self._limits)
        self._lost = 0  # Without those that arrived truncated.
        self._unsupported: dict[str, int] = {}
        self._refused: list[DocumentError] = []  # Since they were last taken.
        self._forgotten = 0  # Refused since then, and no longer kept.

    def __len__(self) -> int:
        return self._count + sum(self._unsupported.values())

    def add(self, error: DocumentError) -> None:
        """Note one error and say it in the log."""
        error = self.note(error)
        with self._lock:
            if error.stage not in ARRIVED_STAGES:
                stream = self._read if error.stage == CONNECTOR_STAGE else self._sent
                stream.failed()
                if stream is self._sent and len(self._refused) < KEPT_FOR_FLUSH:
                    self._refused.append(error)
                elif stream is self._sent:
                    self._forgotten += 1
                self._lost += 1
                self._look_at_total(stream)
        log.warning(
            "%s %r did not arrive as it should (%s): %s",
            error.kind.capitalize(),
            mask(error.document_id)[:200],
            error.stage,
            error.reason,
            extra={"sync_run_id": self._sync_run_id, "document_id": error.document_id},
        )

    def note(self, error: DocumentError) -> DocumentError:
        """Keep and count an entry; alone for one that no limit is about, and that is in the log already."""
        error = evolve(error, reason=mask(error.reason)[:LONGEST_REASON])
        with self._lock:
            self._entries.append(error)
            self._news.append(error)
            self._count += 1
        return error

    @property
    def figures(self) -> Figures:
        """What became of the documents so far; the other figures are zero."""
        with self._lock:
            return Figures(
                unread=self._read.failures,
                accepted=self._sent.succeeded,
                refused=self._sent.failures,
                errors=self._count,
            )

    def take_news(self) -> list[DocumentError]:
        """Return what was added since the last call, at most the last thousand entries."""
        with self._lock:
            news = list(self._news)
            self._news.clear()
            return news

    def add_part(self, more: Figures, entries: Iterable[DocumentError]) -> None:
        """Add what a part of the run has noted, which is in the log already."""
        with self._lock:
            self._entries.extend(entries)
            self._count += more.errors
            self._read.counted += more.scanned
            self._read.add(succeeded=more.emitted, failed=more.unread)
            self._sent.add(succeeded=more.accepted, failed=more.refused)
            self._lost += more.unread + more.refused
            self._look_at_total(self._read)

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
        """Raise TooManyErrorsError when the connector could not read too many documents."""
        if self._read.exceeded is not None:
            raise TooManyErrorsError(self._count, self._read.exceeded)

    def check_refused(self) -> None:
        """Raise TooManyErrorsError when the manager refused too many documents."""
        if self._sent.exceeded is not None:
            raise TooManyErrorsError(self._count, self._sent.exceeded)

    def judge(self) -> None:
        """Raise TooManyErrorsError when a limit is exceeded, or the share over the whole run so far is.

        Called before a checkpoint and at the end.
        """
        self.check()
        self.check_refused()
        share = self._limits.share
        if share is None:
            return
        with self._lock:
            read, sent = self._read, self._sent
            seen = max(read.seen, read.failures + sent.seen)
            for failed, of in (
                (read.failures, read.seen),
                (sent.failures, sent.seen),
                (read.failures + sent.failures, seen),
            ):
                if of >= min(LEAST_JUDGED, self._limits.recent) and failed > share * of:
                    raise TooManyErrorsError(self._count, f"{failed} of {of}")

    def take_refused(self) -> list[DocumentError]:
        """Return the documents, groups and people that were refused since the last call.

        Raises:
            TooManyErrorsError: there are more than are kept, so that they cannot all be named.
        """
        with self._lock:
            refused, self._refused = self._refused, []
            forgotten, self._forgotten = self._forgotten, 0
        if forgotten:
            raise TooManyErrorsError(
                self._count,
                f"{len(refused) + forgotten} since the last flush(), which can name {KEPT_FOR_FLUSH}: call it more often",
            )
        return refused

    def entries(self) -> list[DocumentError]:
        """Return the last errors, oldest first; what the manager is too old for stands last."""
        with self._lock:
            return [*self._entries, *(_unsupported(kind, n) for kind, n in self._unsupported.items())]

    def _look_at_total(self, stream: "_Stream") -> None:
        """Note that more failed than may in the whole run; the lock is held."""
        if self._limits.total is not None and self._lost > self._limits.total:
            stream.exceeded = stream.exceeded or f"{self._lost} in this run"


def _unsupported(kind: str, count: int) -> DocumentError:
    reason = f"{count} {kind} events were left out: this manager is too old to know any"
    return DocumentError(document_id="", kind=kind, stage=UNSUPPORTED_STAGE, reason=reason)


class _Stream:
    """Documents in their order, each well or not. Only the failures are remembered, by their place among all."""

    def __init__(self, limits: ErrorLimits) -> None:
        self._limits = limits
        self._consecutive = 0
        self._last_place = 0
        self._recent: deque[int] = deque()
        self.failures = 0
        self.succeeded = 0
        self.counted = 0
        self.exceeded: str | None = None

    @property
    def seen(self) -> int:
        """Documents that came by."""
        return max(self.counted, self.succeeded + self.failures)

    def add(self, *, succeeded: int, failed: int) -> None:
        """Note documents of a part of the run: their order among the others means nothing."""
        self.succeeded += succeeded
        self.failures += failed

    def failed(self) -> None:
        """Note a failure, and which limit is exceeded by it."""
        limits = self._limits
        self.failures += 1
        place = max(self.seen, self._last_place + 1)
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
