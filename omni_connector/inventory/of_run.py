"""The inventories of one run: what it finds, what it sends, and what the manager has accepted.

Before an event leaves, its document's fingerprint is taken away; when the manager has accepted it, the new one is written.
So a process that is killed in between leaves a document of which it is known that its version is not known: it is sent
again, and it is deleted when it is gone. What a batch has brought is written together with what the next one begins with;
the rest is written before each checkpoint and at the end.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from omni_connector.exceptions import ConfigurationError, ConnectorError
from omni_connector.inventory.fingerprint import UNKNOWN
from omni_connector.inventory.in_flight import InFlight
from omni_connector.inventory.listing import Listing, Mark
from omni_connector.inventory.scopes import RunScopes
from omni_connector.inventory.standing import RunFacts
from omni_connector.inventory.storage import Changes, Note, Shelf
from omni_connector.inventory.terms import InventoryTerms
from omni_connector.models.events import EncodedEvent
from omni_connector.models.json_values import JsonValue

log = logging.getLogger(__name__)

STAGED = 5_000
"""Changes that are written when so many wait."""

PAGE = 1_000


class RunInventories:
    """All inventories of one run, by scope. Safe to use from many threads.

    Args:
        facts: what is known of the run.
        terms: what all runs have in common.
        report: as for ``RunScopes``.

    Attributes:
        scopes: that the run has opened.
        refusal: why there can be none here.
    """

    refusal = ""

    def __init__(
        self, facts: RunFacts, terms: InventoryTerms, report: Callable[[str], None] | None = None
    ) -> None:
        self.facts = facts
        self.terms = terms
        self.scopes = RunScopes(facts, terms.storage, report)
        self._storage = terms.storage
        self._lock = threading.Lock()  # Protects the following, and the listings.
        self._in_flight = InFlight()
        # Changes are lost: nothing may be concluded from what is missing.
        self._error: ConnectorError | None = None
        self._committing = threading.Lock()  # Held during writes, so that they stay in order.

    def __bool__(self) -> bool:
        return bool(self.scopes)

    def listing(self, scope: str, key: bytes) -> Listing:
        """Return the listing of a scope; memory only.

        Raises:
            ConfigurationError: there can be none here.
        """
        if self.refusal:
            raise ConfigurationError(self.refusal)
        return self.scopes.listing(scope, key)

    # -- what the connector finds ---------------------------------------------------------------------------------

    def is_changed(self, listing: Listing, document_id: str, fingerprint: bytes) -> bool:
        """Note that a document is there, and say whether it has to be sent."""
        standing = self.scopes.open(listing)
        with self._lock:
            listing.has_listed = True
            mark = self._in_flight.mark_of(document_id, listing)
            if mark is not None:
                if mark.fingerprint == fingerprint != UNKNOWN:
                    return False
                self._in_flight.want(document_id, listing, fingerprint)
                return True
            wanted = self._in_flight.wanted.get(document_id)
            if wanted is not None and wanted[0] is listing:
                self._in_flight.wanted[document_id] = (listing, fingerprint)
                return True
        entry = self.scopes.reader(listing).find(document_id)
        oldest = standing.number if self.facts.is_full else standing.valid_from
        is_changed = entry is None or entry.sent < oldest or not entry.fingerprint == fingerprint != UNKNOWN
        with self._lock:
            if entry is not None and entry.seen < listing.changes.run:
                listing.changes.seen.add(document_id)
            if is_changed:
                self._in_flight.want(document_id, listing, fingerprint)
            is_much = len(listing.changes) >= STAGED
        if is_much:
            self.commit()
        return is_changed

    def see(self, listing: Listing, document_id: str) -> bool:
        """Note that a document is there; return whether ``commit`` is due. Memory only once the scope was used."""
        self.scopes.open(listing)
        with self._lock:
            listing.has_listed = True
            listing.changes.seen.add(document_id)
            return len(listing.changes) >= STAGED

    def is_gone(self, listing: Listing, document_id: str) -> bool:
        """Note that there is no such document, and say whether the manager may have it, so that it is to be deleted."""
        self.scopes.open(listing)
        with self._lock:
            self._in_flight.want_no_more(document_id, listing)
            mark = self._in_flight.mark_of(document_id, listing)
            if mark is not None:
                return mark.fingerprint is not None
        return self.scopes.reader(listing).find(document_id) is not None

    def leave_unread(self, listing: Listing, beginning: str) -> None:
        """Keep what begins so, whatever the listing says."""
        self.scopes.open(listing)
        with self._lock:
            listing.add_unread(beginning)

    def start_over(self, listing: Listing) -> None:
        """Let what this run has seen in a scope, before an interruption above all, not count."""
        self.scopes.open(listing)
        self.commit()
        marks = self.scopes.start_over(listing)
        with self._lock:
            listing.start_over(marks)

    def is_due(self, listing: Listing) -> bool:
        """Say whether this run should list all ids of the scope; the same after an interruption."""
        self.scopes.open(listing)
        if listing.is_due is None:
            is_late = self.scopes.is_late(listing, self.terms.reconcile_seconds)
            listing.is_due = self.facts.is_full or is_late
            self.scopes.keep()
        return bool(listing.is_due)

    def note_error(self, document_id: str) -> None:
        """A document that could not be read is there nevertheless, and the next run tries again. Memory only."""
        with self._lock:
            for listing in self.scopes.all():
                listing.changes.seen.add(document_id)
                listing.changes.doubt(document_id)

    # -- what becomes of events -----------------------------------------------------------------------------------

    def emitting(self, document_id: str) -> Mark | None:
        """Return what goes with an event that is about to be taken; None where no inventory has asked for it."""
        with self._lock:
            return self._in_flight.emit(document_id)

    def deleting(self, document_id: str, listing: Listing | None = None) -> Mark | None:
        """Return what goes with a deletion that is about to be taken: in one listing, or in all.

        None where another scope has found the document meanwhile: it stays.
        """
        with self._lock:
            if listing is not None and self._leave_to_another(listing, document_id):
                return None
            return self._in_flight.delete(document_id, listing, self.scopes.all())

    def unseen(self, listing: Listing) -> Iterator[list[str]]:
        """Yield what this run has not seen in a scope, page by page, unless it is on its way or could not be read."""
        after = ""
        unread = tuple(listing.unread)
        while page := self._storage.unseen(listing.shelf, listing.changes.run, after, PAGE):
            after = page[-1]
            with self._lock:
                going = [name for name in page if not (name.startswith(unread) or name in self._in_flight)]
            if going:
                yield going

    @contextmanager
    def releasing(self, listing: Listing, document_ids: list[str]) -> Iterator[list[str]]:
        """Forget documents that other scopes have as well; give those that are in no other, and so are to be deleted.

        Another scope may have found such a document in this run, or finds it when it is listed next, or deletes it then.
        Until the deletions were taken nothing is written: a document that another thread sends meanwhile is still known
        to be on its way.
        """
        scopes = self.scopes.open(listing).scopes
        with self._committing:
            with self._lock:
                taken = {name for name in document_ids if self._leave_to_another(listing, name)}
                others = scopes.union(each.scope for each in self.scopes.all()) - {listing.scope}
            rest = [name for name in document_ids if name not in taken]
            shelves = [
                *(Shelf(self.facts.source, scope) for scope in others),
                *self.scopes.other_partitions(),
            ]
            if rest and shelves:
                held = self._storage.release(listing.shelf, rest, shelves)
                self.scopes.reader(listing).written(Changes(listing.changes.run, deleted=held))
                with self._lock:
                    for name in held:
                        listing.changes.delete(name)
                    readers = [each.reader for each in self.scopes.all() if each is not listing]
                for reader in readers:
                    if reader is not None:
                        reader.altered(held)
                rest = [name for name in rest if name not in held]
            yield rest

    def sending(self, events: Iterable[EncodedEvent]) -> None:
        """Write, before a batch leaves, which documents it is about."""
        marks = [event.mark for event in events if event.mark is not None]
        if not marks:
            return
        with self._lock:
            for mark in marks:
                for listing in self.scopes.all() if mark.is_everywhere else mark.listings:
                    if mark.fingerprint is None:
                        listing.changes.doubt(mark.document_id)
                    else:
                        listing.changes.keep(mark.document_id, UNKNOWN)
        self.commit()
        self._doubt_elsewhere({mark.document_id for mark in marks if mark.is_everywhere})

    def accepted(self, events: Iterable[EncodedEvent]) -> None:
        """Note what the manager has accepted; memory only."""
        with self._lock:
            for mark in [event.mark for event in events if event.mark is not None]:
                for listing in mark.listings:
                    if mark.fingerprint is None:
                        listing.changes.delete(mark.document_id)
                    else:
                        listing.changes.keep(mark.document_id, mark.fingerprint)
                self._in_flight.answered(mark)

    def refused(self, event: EncodedEvent) -> None:
        """Note a document that the manager has refused: it is sent again by the next run. Memory only."""
        mark = event.mark
        if mark is not None:
            with self._lock:
                for listing in mark.listings:
                    listing.changes.doubt(mark.document_id)
                self._in_flight.answered(mark)

    # -- when it is written ---------------------------------------------------------------------------------------

    def commit(self, noting: Callable[[Note], None] | None = None) -> None:
        """Write what is certain, and then what is noted of the run; at once where the storage can."""
        for listing in self.scopes.all():
            if len(listing.changes):
                self.scopes.open(listing)
        with self._committing:
            if self._error is not None:
                raise self._error
            with self._lock:
                batch, done = [], self._in_flight.take_answered()
                for listing in self.scopes.all():
                    if len(listing.changes):
                        batch.append((listing, listing.changes))
                        listing.changes = Changes(listing.changes.run)
            if batch or noting is not None:
                self._write([(listing.shelf, changes) for listing, changes in batch], noting)
                for listing, changes in batch:
                    self.scopes.reader(listing).written(changes)
            self._doubt_in_partitions(done)
            with self._lock:
                self._in_flight.written(done)

    def saving(self, checkpoint: JsonValue) -> None:
        """Write everything before a checkpoint is saved from which the run may be resumed."""
        if self.scopes:
            self.commit(self.scopes.saving(checkpoint))

    def completing(self, checkpoint: JsonValue) -> None:
        """Write everything before the run completes with a checkpoint."""
        if self.scopes:
            self.commit(self.scopes.completing(checkpoint))

    def close(self) -> None:
        """Write what is certain, as far as possible; what is not written is sent again."""
        try:
            self.commit()
        except ConnectorError as error:
            log.warning("The inventory misses the end of the run, which is sent again: %s", error)
        for listing in self.scopes.all():
            # One of Redis has up to 64 MiB, and a run is part of cycles that are collected late.
            listing.reader = None

    def _doubt_in_partitions(self, done: list[Mark]) -> None:
        """Have documents sent again that another partition may have sent just before they were deleted here."""
        deleted = {mark.document_id for mark in done if mark.fingerprint is None}
        if deleted and (others := self.scopes.other_partitions()):
            self._write([(shelf, Changes(0, doubted=deleted)) for shelf in others])

    def _doubt_elsewhere(self, document_ids: set[str]) -> None:
        """Have documents sent again that are deleted, if a scope that this run has not opened finds them later."""
        if not document_ids:
            return
        standing = self.scopes.begin()
        doubts = Changes(standing.number, doubted=document_ids)
        scopes = standing.scopes - {listing.scope for listing in self.scopes.all()}
        if scopes:
            with self._committing:
                self._write([(Shelf(self.facts.source, scope), doubts) for scope in scopes])

    def _leave_to_another(self, listing: Listing, document_id: str) -> bool:
        """Let a scope forget a document that another one has found meanwhile, if so; the lock is held."""
        if not self._in_flight.is_taken_elsewhere(document_id, listing):
            return False
        listing.changes.delete(document_id)
        wanted = self._in_flight.wanted.get(document_id)
        if wanted is not None:  # If it is not sent after all, it is known there nevertheless.
            wanted[0].changes.keep(document_id, UNKNOWN)
        return True

    def _write(
        self, batch: list[tuple[Shelf, Changes]], noting: Callable[[Note], None] | None = None
    ) -> None:
        try:
            if noting is None:
                self._storage.write(batch)
            else:
                self._storage.write_noting(batch, self.facts.source, noting)
        except ConnectorError as error:
            self._error = error
            raise
