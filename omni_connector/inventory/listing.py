"""One scope of a source while one run reads it."""

from attrs import define, field

from omni_connector.inventory.storage import Changes, Note, Shelf, ShelfReader

MOST_UNREAD = 10_000
"""Unread parts that are kept apart; with more, the whole scope counts as unread."""


def _nothing() -> Changes:
    return Changes(0)


@define(eq=False)
class Listing:
    """What a run has found in one scope. Not safe to use from many threads: its owner has a lock.

    Attributes:
        shelf: where its documents are kept.
        key: what its fingerprints are made with.
        changes: not written yet.
        reader: finds its documents; None before the run first looked.
        known: documents that were known when the run first looked; None before that.
        unread: beginnings of the ids that it could not read.
        has_listed: something was seen.
        is_whole: it was begun anew in this run.
        is_due: the decision whether all ids are to be listed, once it was asked for.
        is_reconciled: everything was listed, and what was not seen is deleted.
    """

    shelf: Shelf
    key: bytes
    changes: Changes = field(factory=_nothing)
    reader: ShelfReader | None = None
    known: int | None = None
    unread: set[str] = field(factory=set)
    has_listed: bool = False
    is_whole: bool = False
    is_due: bool | None = None
    is_reconciled: bool = False

    @property
    def scope(self) -> str:
        """As the connector names it."""
        return self.shelf.scope

    def start_over(self, marks: int) -> None:
        """Forget what was seen, and mark what is seen from now on with this number."""
        self.unread.clear()
        self.has_listed = False
        self.is_whole = True
        self.changes.run = marks

    def add_unread(self, beginning: str) -> None:
        """Keep what begins so."""
        self.unread.add(beginning)
        if len(self.unread) > MOST_UNREAD:
            self.unread = {""}

    def recall(self, note: Note) -> None:
        """Go on from what an earlier process has noted of this run."""
        self.known = note.get("known", self.known)
        self.changes.run = note.get("marks", self.changes.run)
        self.unread.update(note.get("unread", ()))
        self.has_listed = self.has_listed or bool(note.get("listed"))
        self.is_whole = self.is_whole or bool(note.get("whole"))
        self.is_due = note.get("due", self.is_due)

    def keep(self, note: Note) -> None:
        """Note it for a process that resumes the run."""
        note["known"] = self.known
        note["unread"] = sorted(self.unread)
        note["listed"] = self.has_listed
        note["whole"] = self.is_whole
        if self.is_due is not None:
            note["due"] = self.is_due


@define(eq=False)
class Mark:
    """Goes with an event, and says what its acceptance means for the inventory.

    Attributes:
        document_id: of the event.
        fingerprint: of what is sent; None for a deletion.
        listings: to which it matters.
        is_everywhere: it is deleted whatever the scope.
    """

    document_id: str
    fingerprint: bytes | None
    listings: tuple[Listing, ...]
    is_everywhere: bool = False
