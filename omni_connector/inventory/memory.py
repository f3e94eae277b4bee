"""Inventories in the memory of this process: for tests, and where no file can be had."""

import copy
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from attrs import frozen

from omni_connector.forking import begins_anew
from omni_connector.inventory.storage import Changes, Entry, Note, Shelf

T = TypeVar("T")


class MemoryInventories:
    """Keeps everything in this process; implements ``InventoryStorage``.

    Args:
        remark: what an operator should know.
    """

    label = "memory"

    def __init__(self, remark: str = "") -> None:
        self.remark = remark
        self._lock = threading.Lock()  # Protects the following.
        self._notes: dict[str, Note] = {}
        self._shelves: dict[Shelf, dict[str, Entry]] = {}
        begins_anew(self)

    def after_fork(self) -> None:
        """Go on with a lock of its own."""
        self._lock = threading.Lock()

    def note(self, name: str) -> Note:
        """Return a note."""
        with self._lock:
            return copy.deepcopy(self._notes.get(name, {}))

    def update(self, name: str, change: Callable[[Note], T]) -> T:
        """Alter a note."""
        with self._lock:
            note = copy.deepcopy(self._notes.get(name, {}))
            value = change(note)
            self._notes[name] = note
            return value

    def names(self) -> list[str]:
        """Return the names of all notes."""
        with self._lock:
            return sorted(self._notes)

    def remove(self, name: str, shelves: Sequence[Shelf]) -> None:
        """Forget a note and shelves."""
        with self._lock:
            self._notes.pop(name, None)
            for shelf in shelves:
                self._shelves.pop(shelf, None)

    def reader(self, shelf: Shelf) -> "MemoryReader":
        """Return what finds documents of a shelf."""
        return MemoryReader(self, shelf)

    def find(self, shelf: Shelf, document_id: str) -> Entry | None:
        """Return a document."""
        with self._lock:
            return self._shelves.get(shelf, {}).get(document_id)

    def write(self, batch: Sequence[tuple[Shelf, Changes]]) -> None:
        """Make changes."""
        with self._lock:
            for shelf, changes in batch:
                self._write(self._shelves.setdefault(shelf, {}), changes)

    def write_noting(
        self, batch: Sequence[tuple[Shelf, Changes]], name: str, change: Callable[[Note], None]
    ) -> None:
        """Make changes, and alter a note."""
        self.write(batch)
        self.update(name, change)

    def count(self, shelf: Shelf) -> int:
        """Count documents."""
        with self._lock:
            return len(self._shelves.get(shelf, {}))

    def release(self, shelf: Shelf, document_ids: Sequence[str], others: Sequence[Shelf]) -> set[str]:
        """Forget what other shelves have."""
        with self._lock:
            held = set()
            for name in document_ids:
                holding = [each for each in others if name in self._shelves.get(each, {})]
                if holding:
                    held.add(name)
                    own = self._shelves.get(shelf, {}).pop(name, None)
                    if own is None:
                        continue
                    for each in holding:
                        entry = self._shelves[each][name]
                        if not (own.sent and own.sent < entry.sent and each.source == shelf.source):
                            self._shelves[each][name] = Entry(b"", 0, entry.seen)
        return held

    def unseen(self, shelf: Shelf, run: int, after: str, limit: int) -> list[str]:
        """Return documents that were not seen."""
        with self._lock:
            entries = self._shelves.get(shelf, {}).items()
            found = sorted(name for name, entry in entries if entry.seen < run and name > after)
            return found[:limit]

    def close(self) -> None:
        """Keep everything: another service of the process may use it."""

    def _write(self, entries: dict[str, Entry], changes: Changes) -> None:
        run = changes.run
        for name, fingerprint in changes.kept.items():
            entries[name] = Entry(fingerprint, run if fingerprint else 0, run)
        for name in changes.doubted & entries.keys():
            entries[name] = Entry(b"", 0, entries[name].seen)
        for name in changes.deleted:
            entries.pop(name, None)
        for name in changes.seen & entries.keys():
            entry = entries[name]
            entries[name] = Entry(entry.fingerprint, entry.sent, max(entry.seen, run))


@frozen
class MemoryReader:
    """Finds documents of one shelf; implements ``ShelfReader``."""

    storage: MemoryInventories
    shelf: Shelf

    def find(self, document_id: str) -> Entry | None:
        """Return a document."""
        return self.storage.find(self.shelf, document_id)

    def written(self, changes: Changes) -> None:
        """Nothing is kept that could be out of date."""

    def altered(self, document_ids: Iterable[str]) -> None:
        """Nothing is kept that could be out of date."""
