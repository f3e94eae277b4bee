"""Documents and deletions of one run that no inventory has written yet."""

from omni_connector.inventory.fingerprint import UNKNOWN
from omni_connector.inventory.listing import Listing, Mark

MOST_WANTED = 100_000
"""Changed documents that are remembered until they are emitted; the oldest beyond are sent again by the next run."""


class InFlight:
    """What was found to be changed, and what was emitted. Not safe to use from many threads: its owner has a lock."""

    def __init__(self) -> None:
        self.wanted: dict[str, tuple[Listing, bytes]] = {}  # Changed, and not emitted yet.
        self._pending: dict[str, Mark] = {}  # Emitted, and not written yet.
        self._answered: list[Mark] = []  # The manager has answered; written with the next changes.

    def __contains__(self, document_id: str) -> bool:
        return document_id in self._pending or document_id in self.wanted

    def want(self, document_id: str, listing: Listing, fingerprint: bytes) -> None:
        """Remember a document that should be emitted."""
        self.wanted.pop(document_id, None)
        self.wanted[document_id] = (listing, fingerprint)
        if len(self.wanted) > MOST_WANTED:
            oldest = next(iter(self.wanted))
            other, _ = self.wanted.pop(oldest)
            other.changes.keep(oldest, UNKNOWN)

    def want_no_more(self, document_id: str, listing: Listing) -> None:
        """Forget that a listing has asked for a document to be emitted."""
        wanted = self.wanted.get(document_id)
        if wanted is not None and wanted[0] is listing:
            del self.wanted[document_id]

    def mark_of(self, document_id: str, listing: Listing) -> Mark | None:
        """Return the mark of an event that was emitted and matters to the listing."""
        mark = self._pending.get(document_id)
        return mark if mark is not None and listing in mark.listings else None

    def emit(self, document_id: str) -> Mark | None:
        """Return the mark of a document that is about to be taken; None where no inventory has asked for it."""
        found = self.wanted.pop(document_id, None)
        if found is not None:
            mark = Mark(document_id, found[1], (found[0],))
        else:
            before = self._pending.get(document_id)
            if before is None or before.fingerprint is None:
                return None
            mark = Mark(document_id, before.fingerprint, before.listings)
        self._pending[document_id] = mark
        return mark

    def delete(self, document_id: str, listing: Listing | None, listings: list[Listing]) -> Mark:
        """Return the mark of a deletion in one listing, or in all of ``listings``."""
        concerned = tuple(listings) if listing is None else (listing,)
        mark = Mark(document_id, None, concerned, is_everywhere=listing is None)
        self._pending[document_id] = mark
        return mark

    def is_taken_elsewhere(self, document_id: str, listing: Listing) -> bool:
        """Say whether another scope has found a document, and nothing is written about it yet."""
        wanted, mark = self.wanted.get(document_id), self._pending.get(document_id)
        is_wanted = wanted is not None and wanted[0] is not listing
        return is_wanted or (
            mark is not None and mark.fingerprint is not None and listing not in mark.listings
        )

    def answered(self, mark: Mark) -> None:
        """The manager has accepted or refused the event."""
        self._answered.append(mark)

    def take_answered(self) -> list[Mark]:
        """Return the marks whose changes are written next."""
        answered, self._answered = self._answered, []
        return answered

    def written(self, marks: list[Mark]) -> None:
        """Forget marks whose changes are written, unless their documents were emitted again."""
        for mark in marks:
            if self._pending.get(mark.document_id) is mark:
                del self._pending[mark.document_id]
