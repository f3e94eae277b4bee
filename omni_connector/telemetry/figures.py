"""What a run, or a part of one, has done so far, in numbers."""

import enum
import operator
from collections.abc import Callable, Mapping
from typing import Self

from attrs import astuple, field, fields, frozen


def documents_per_second(emitted: int, deleted: int, seconds: float) -> float:
    """Return the average rate of a run: what it has emitted and deleted, over the time since it was started."""
    return (emitted + deleted) / seconds if seconds > 0 else 0.0


@frozen(kw_only=True)
class Figures:
    """Sums since the beginning, which are added and subtracted as a whole.

    Attributes:
        scanned: documents counted by the connector.
        updated: documents that the manager accepted, added or changed.
        emitted: documents given to ``emit`` and ``emit_updated``.
        deleted: documents given to ``emit_deleted``.
        unread: documents that the connector could not read.
        accepted: events that the manager accepted.
        refused: documents, groups and people that were refused when they were sent.
        errors: entries of the ledger, those about documents that arrived all the same included.
    """

    scanned: int = 0
    updated: int = 0
    emitted: int = 0
    deleted: int = 0
    unread: int = 0
    accepted: int = 0
    refused: int = 0
    errors: int = 0

    def __add__(self, other: Self) -> Self:
        return self._joined(operator.add, other)

    def __sub__(self, other: Self) -> Self:
        return self._joined(operator.sub, other)

    def _joined(self, join: Callable[[int, int], int], other: Self) -> Self:
        names = (attribute.name for attribute in fields(type(self)))
        return type(self)(**dict(zip(names, map(join, astuple(self), astuple(other)), strict=True)))


class Stage(enum.StrEnum):
    """What takes a run's time.

    ``reading``, ``waiting_manager`` and ``waiting_rate_limit`` add up to the time of the connector's own thread.
    ``storing_contents`` and ``sending_events`` are the background's, at the same time.
    """

    READING = "reading"
    """The connector's own code: reading its source, making documents."""
    STORING_CONTENTS = "storing_contents"
    """A batch waits for the contents of its documents to be stored."""
    SENDING_EVENTS = "sending_events"
    """A batch, or counts, wait for the manager's answer."""
    WAITING_MANAGER = "waiting_manager"
    """The connector stands still in the SDK, until the manager has taken what was emitted, or has answered."""
    WAITING_RATE_LIMIT = "waiting_rate_limit"
    """The connector waits in ``ctx.sleep``, or a session of its source waits for a rate limit or before a repeat."""


@frozen(kw_only=True)
class Spent:
    """What reading in another process has taken so far.

    Attributes:
        seconds: by the value of the stage.
        batches: requests with events that were answered.
        bytes_delivered: bytes of the events in them.
    """

    seconds: dict[str, float] = field(factory=dict)
    batches: int = 0
    bytes_delivered: int = 0


@frozen(kw_only=True)
class Progress:
    """How far a run, or its current phase, is.

    Attributes:
        phase: what the connector calls it, or nothing.
        total: documents that there are, or None.
        done: documents looked at since the phase began.
        seconds: since the phase began.
    """

    phase: str = ""
    total: int | None = None
    done: int = 0
    seconds: float = 0.0

    @property
    def share(self) -> float | None:
        """From 0 to 1; None without a total."""
        return None if self.total is None else min(1.0, self.done / self.total) if self.total else 1.0

    @property
    def remaining_seconds(self) -> float | None:
        """When it goes on as fast; None where that cannot be said."""
        if self.total is None or self.done <= 0:
            return None
        return max(0, self.total - self.done) * self.seconds / self.done


@frozen(kw_only=True)
class RunFigures:
    """What a run has done so far in this process, and where its time went.

    Attributes:
        documents: counts; before a resume included where that is known.
        before: the part of ``scanned`` and ``updated`` that was counted before a resume.
        seconds: since the run began.
        stages: seconds by stage; of a source in partitions, summed over the partitions.
        buffered_documents: events that the manager has not accepted yet.
        buffered_bytes: their bytes, those of their contents included.
        batches: requests with events that were answered.
        bytes_delivered: bytes of the events in them, those of their contents included.
        parallel_uploads: contents that are being uploaded now, of all runs of the process.
        progress: what the connector says with ``ctx.progress``; None when it says nothing.
    """

    documents: Figures = field(factory=Figures)
    before: Figures = field(factory=Figures)
    seconds: float = 0.0
    stages: Mapping[Stage, float] = field(factory=dict)
    buffered_documents: int = 0
    buffered_bytes: int = 0
    batches: int = 0
    bytes_delivered: int = 0
    parallel_uploads: int = 0
    progress: Progress | None = None


@frozen(kw_only=True)
class RunEnd:
    """How a run ended.

    Attributes:
        outcome: as in ``RunReport``: ``completed``, ``failed``, ``cancelled``, ``interrupted``, ...
        error: the reason of a failure, without secrets; else None.
    """

    outcome: str
    error: str | None = None
