"""Where inventories are kept: the interface of its implementations (memory, SQLite, Redis).

A storage has *notes* (a JSON object with a name) and *shelves* (the documents of one scope). Names and values outlive a
release: ``VERSION`` is part of every name, and unknown fields of a note are kept as they are. A change that older releases
would misunderstand needs another ``VERSION``.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from attrs import define, field, frozen

VERSION = 1

T = TypeVar("T")

Note = dict[str, Any]


@frozen
class Shelf:
    """Where the documents of one scope are kept.

    Attributes:
        source: id of the source, with the key of a partition where it is read in partitions.
        scope: as the connector names it.
    """

    source: str
    scope: str = ""


class Entry(NamedTuple):
    """One document.

    Attributes:
        fingerprint: of the version that the manager has, or ``UNKNOWN``.
        sent: number of the run in which the manager accepted it.
        seen: number of the last run that found it in the source.
    """

    fingerprint: bytes
    sent: int
    seen: int


@define
class Changes:
    """What one run changes on a shelf; each document is in at most one of the first three.

    Attributes:
        run: number of the run.
        kept: fingerprints of documents that are, or may be, at the manager now; seen by this run.
        doubted: known documents whose version is not known any more.
        deleted: documents that are not at the manager any more.
        seen: documents that are marked as seen where they are known.
    """

    run: int
    kept: dict[str, bytes] = field(factory=dict)
    doubted: set[str] = field(factory=set)
    deleted: set[str] = field(factory=set)
    seen: set[str] = field(factory=set)

    def __len__(self) -> int:
        return len(self.kept) + len(self.doubted) + len(self.deleted) + len(self.seen)

    def keep(self, document_id: str, fingerprint: bytes) -> None:
        """The manager has this version, or may have it."""
        self.doubted.discard(document_id)
        self.deleted.discard(document_id)
        self.kept[document_id] = fingerprint

    def doubt(self, document_id: str) -> None:
        """The version that the manager has is not known."""
        if document_id in self.kept:
            self.kept[document_id] = b""
        elif document_id not in self.deleted:
            self.doubted.add(document_id)

    def delete(self, document_id: str) -> None:
        """The manager does not have it any more."""
        self.kept.pop(document_id, None)
        self.doubted.discard(document_id)
        self.deleted.add(document_id)


class ShelfReader(Protocol):
    """Finds documents of one shelf for one run."""

    def find(self, document_id: str) -> Entry | None:
        """Return a document, None when it is not known."""

    def written(self, changes: Changes) -> None:
        """Learn what this run has written."""

    def altered(self, document_ids: Iterable[str]) -> None:
        """Learn that another shelf may have doubted these documents."""


class InventoryStorage(Protocol):
    """Keeps the inventories of one connector. ``close`` it. Safe to use from many threads, and after a fork.

    Every method raises ``RunStoreError`` when the storage cannot be used now.

    Attributes:
        remark: what an operator should know about this place; empty for one that lasts.
    """

    remark: str

    @property
    def label(self) -> str:
        """For messages; without credentials."""
        ...

    def note(self, name: str) -> Note:
        """Return a note; an empty one where there is none."""
        ...

    def update(self, name: str, change: Callable[[Note], T]) -> T:
        """Let ``change`` alter a note in place, in one step with reading it; it may be called again. Return its value."""
        ...

    def names(self) -> list[str]:
        """Return the names of all notes, but those that releases without this method have written last."""
        ...

    def remove(self, name: str, shelves: Sequence[Shelf]) -> None:
        """Forget a note, and all documents of some shelves."""

    def reader(self, shelf: Shelf) -> ShelfReader:
        """Return what finds documents of a shelf for one run; it may keep what it has read."""
        ...

    def write(self, batch: Sequence[tuple[Shelf, Changes]]) -> None:
        """Make changes; they outlive the process when this returns."""

    def write_noting(
        self, batch: Sequence[tuple[Shelf, Changes]], name: str, change: Callable[[Note], None]
    ) -> None:
        """``write``, then ``update``: a note never says more than what was written before it. One wait for the disk."""

    def count(self, shelf: Shelf) -> int:
        """Return how many documents are known."""
        ...

    def release(self, shelf: Shelf, document_ids: Sequence[str], others: Sequence[Shelf]) -> set[str]:
        """Forget those of the documents that are on any of the other shelves, too; return them.

        In one step for each document: of two shelves that release it at the same time, the second one does not. Where this shelf
        has sent the document later than another, or both in one run, the other's version is doubted: the manager may not have
        it. Runs of another source, which a partition is, have numbers of their own: there it always is.
        """
        ...

    def unseen(self, shelf: Shelf, run: int, after: str, limit: int) -> list[str]:
        """Return documents that no run from number ``run`` on has seen: the next ones after the id ``after``, empty at the end.

        Called page by page, with the last id of the page before.
        """
        ...

    def close(self) -> None:
        """Release connections. Repeatable."""
