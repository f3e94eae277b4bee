"""The events of one run that are on their way, and the memory that they take."""

import time
from collections import deque

from omni_connector.manager.pending import Pending
from omni_connector.models.events import EncodedEvent
from omni_connector.sync.delivery_limits import DeliveryLimits
from omni_connector.sync.payloads import PendingContent

Waiting = tuple[EncodedEvent, int, Pending[str] | None, float]
"""An event on its way: itself, its bytes with those of its content, the upload of its content where it has one, and
since when it waits. A bare tuple, because one is made for every event."""


class EventBuffer:
    """Events in the order of emission: those that wait, and the batch that is being sent.

    It has no lock: ``Delivery`` holds its own around every change. Single values may be read without it.

    Args:
        limits: when the buffer is full.

    Attributes:
        batch: those that are being sent.
        put: how many events were taken so far ...
        done: ... and how many of these are accepted, or refused and in the ledger.
    """

    def __init__(self, limits: DeliveryLimits) -> None:
        self._batch_bytes, self._batch_events = limits.batch_bytes, limits.batch_events
        self._most_bytes, self._most_events = limits.buffer_bytes, limits.buffer_events
        # What is enough to be sent: a batch, or half of the buffer, because ``emit`` may be waiting for room.
        self._full_events = min(limits.flush_events, limits.buffer_events // 2 + 1)
        self._full_bytes = min(limits.batch_bytes, limits.buffer_bytes // 2 + 1)
        self._bytes = 0
        self.waiting: deque[Waiting] = deque()
        self.batch: list[Waiting] = []
        self.put = 0
        self.done = 0

    def append(self, item: Waiting) -> bool:
        """Take an event; return whether the buffer is still below its limits."""
        self.waiting.append(item)
        self._bytes += item[1]
        self.put += 1
        return self._bytes <= self._most_bytes and len(self.waiting) <= self._most_events

    def add_bytes(self, content: PendingContent, size: int) -> None:
        """Count what was read for an event that was taken before."""
        content.buffered_bytes = size
        self._bytes += size

    def is_full(self) -> bool:
        """Return whether enough waits to be sent at once; also whenever ``emit`` may be waiting for room."""
        return len(self.waiting) >= self._full_events or self._bytes >= self._full_bytes

    def has_room(self, share: float = 1.0) -> bool:
        """Return whether the buffer is filled to no more than this share of its limits."""
        return self._bytes <= self._most_bytes * share and len(self.waiting) <= self._most_events * share

    def is_stuck(self) -> bool:
        """Return whether all that is left to be sent follows something that no thread has begun to read."""
        upload = self.waiting[0][2] if self.waiting and not self.batch else None
        return isinstance(upload, PendingContent) and not upload.is_begun

    def size(self) -> tuple[int, int]:
        """Return the events that were not answered yet, and their bytes."""
        return len(self.waiting) + len(self.batch), self._bytes

    def age_seconds(self) -> float | None:
        """Return how long the oldest event has waited; None when there is none."""
        return time.monotonic() - self.waiting[0][3] if self.waiting else None

    def take(self) -> list[Waiting]:
        """Make the next batch of what waits."""
        batch = self.batch = []
        size = 0
        for _ in range(min(len(self.waiting), self._batch_events)):
            item = self.waiting[0]
            size += len(item[0].body)
            if (size > self._batch_bytes and batch) or not is_read(item):
                break
            batch.append(self.waiting.popleft())
        return batch

    def finish(self) -> None:
        """Let go of the batch: it was answered."""
        batch, self.batch = self.batch, []
        self.done += len(batch)
        self._bytes = max(0, self._bytes - bytes_of(batch))

    def clear(self) -> None:
        """Drop what waits."""
        self.waiting.clear()
        self._bytes = 0

    def uploads(self) -> list[Pending[str]]:
        """Return the contents that are needed."""
        return [upload for _, _, upload, _ in (*self.batch, *self.waiting) if upload is not None]


def bytes_of(batch: list[Waiting]) -> int:
    """Return what the events of a batch take in the buffer, contents included."""
    late = (upload.buffered_bytes for _, _, upload, _ in batch if isinstance(upload, PendingContent))
    return sum(size for _, size, _, _ in batch) + sum(late)


def is_read(item: Waiting) -> bool:
    """Return whether nothing has to be read any more for an event."""
    upload = item[2]
    return not isinstance(upload, PendingContent) or upload.is_read
