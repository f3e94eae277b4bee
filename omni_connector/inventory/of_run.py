"""The inventories of one run: what it finds, what it sends, and what the manager has accepted.

Before an event leaves, its document's fingerprint is taken away; when the manager has accepted it, the new one is written.
So a process that is killed in between leaves a document of which it is known that its version is not known: it is sent
again, and it is deleted when it is gone. What a batch has brought is written together with what the next one begins with;
the rest is written before each checkpoint and at the end.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from attrs import field, frozen

from omni_connector.exceptions import ConfigurationError, ConnectorError
from omni_connector.inventory.approvals import APPROVE_DELETIONS, ask, is_approved
from omni_connector.inventory.fingerprint import UNKNOWN
from omni_connector.inventory.limits import DeletionLimits
from omni_connector.inventory.listing import Listing, Mark
from omni_connector.inventory.memory import MemoryInventories
from omni_connector.inventory.standing import (
    RunFacts,
    Standing,
    begin,
    enter_partition,
    other_partitions,
    scope_of,
    set_basis,
    set_checkpoints,
    start_over,
)
from omni_connector.inventory.storage import Changes, InventoryStorage, Note, Shelf, ShelfReader
from omni_connector.inventory.unused import remove_unused
from omni_connector.models.codec import digest
from omni_connector.models.events import EncodedEvent
from omni_connector.models.json_values import JsonValue

log = logging.getLogger(__name__)

STAGED = 5_000
"""Changes that are written when so many wait."""

MOST_WANTED = 100_000
"""Changed documents that are remembered until they are emitted; the oldest beyond are sent again by the next run."""

PAGE = 1_000

FEW = 10_000
"""Documents that are gone whose ids are kept between counting and deleting them."""


@frozen(kw_only=True)
class InventoryTerms:
    """What the runs of one connector have in common.

    Attributes:
        storage: where inventories are kept.
        limits: how many documents may be deleted without approval.
        reconcile_seconds: how often a source is listed completely; None: only in full runs.
        has_action: approvals can be given by an action.
    """

    storage: InventoryStorage = field(factory=MemoryInventories)
    limits: DeletionLimits = field(factory=DeletionLimits)
    reconcile_seconds: float | None = None
    has_action: bool = False


class RunInventories:
    """All inventories of one run, by scope. Safe to use from many threads.

    Args:
        facts: what is known of the run.
        terms: what all runs have in common.

    Attributes:
        refusal: why there can be none here.
    """

    refusal = ""

    def __init__(self, facts: RunFacts, terms: InventoryTerms) -> None:
        self._facts = facts
        self._terms = terms
        self._storage = terms.storage
        self._lock = threading.Lock()  # Protects the following.
        self._listings: dict[str, Listing] = {}
        self._wanted: dict[str, tuple[Listing, bytes]] = {}  # Changed, and not emitted yet.
        self._pending: dict[str, Mark] = {}  # Emitted, and not written yet.
        self._done: list[Mark] = []  # The manager has answered; written with the next changes.
        self._standing: Standing | None = None
        self._error: ConnectorError | None = (
            None  # Changes are lost: nothing may be concluded from what is missing.
        )
        self._last_saved = digest(facts.checkpoint)
        self._beginning = threading.RLock()  # Held while the storage is asked for the first time.
        self._committing = threading.Lock()  # Held during writes, so that they stay in order.
        self._is_entered: set[str] = set()  # Scopes of which other partitions know.

    def __bool__(self) -> bool:
        return bool(self._listings)

    def listing(self, scope: str, key: bytes) -> Listing:
        """Return the listing of a scope; memory only.

        Raises:
            ConfigurationError: there can be none here.
        """
        if self.refusal:
            raise ConfigurationError(self.refusal)
        with self._lock:
            found = self._listings.get(scope)
            if found is None:
                found = self._listings[scope] = Listing(Shelf(self._facts.source, scope), key)
            found.key = key
            return found

    # -- what the connector finds ---------------------------------------------------------------------------------

    def is_changed(self, listing: Listing, document_id: str, fingerprint: bytes) -> bool:
        """Note that a document is there, and say whether it has to be sent."""
        standing = self._open(listing)
        with self._lock:
            listing.has_listed = True
            mark = self._pending.get(document_id)
            if mark is not None and listing in mark.listings:
                if mark.fingerprint == fingerprint != UNKNOWN:
                    return False
                self._want(document_id, listing, fingerprint)
                return True
            wanted = self._wanted.get(document_id)
            if wanted is not None and wanted[0] is listing:
                self._wanted[document_id] = (listing, fingerprint)
                return True
        entry = self._reader(listing).find(document_id)
        oldest = standing.number if self._facts.is_full else standing.valid_from
        is_changed = entry is None or entry.sent < oldest or not entry.fingerprint == fingerprint != UNKNOWN
        with self._lock:
            if entry is not None and entry.seen < listing.changes.run:
                listing.changes.seen.add(document_id)
            if is_changed:
                self._want(document_id, listing, fingerprint)
            is_much = len(listing.changes) >= STAGED
        if is_much:
            self.commit()
        return is_changed

    def see(self, listing: Listing, document_id: str) -> bool:
        """Note that a document is there; return whether ``commit`` is due. Memory only once the scope was used."""
        self._open(listing)
        with self._lock:
            listing.has_listed = True
            listing.changes.seen.add(document_id)
            return len(listing.changes) >= STAGED

    def knows(self, listing: Listing, document_id: str) -> bool:
        """Say whether the manager may have a document."""
        self._open(listing)
        with self._lock:
            mark = self._pending.get(document_id)
            if mark is not None and listing in mark.listings:
                return mark.fingerprint is not None
        return self._reader(listing).find(document_id) is not None

    def is_open(self, listing: Listing) -> bool:
        """Say whether the storage was asked for this scope already."""
        return listing.known is not None

    def leave_unread(self, listing: Listing, beginning: str) -> None:
        """Keep what begins so, whatever the listing says."""
        self._open(listing)
        with self._lock:
            listing.add_unread(beginning)

    def start_over(self, listing: Listing) -> None:
        """Let what this run has seen in a scope, before an interruption above all, not count."""
        self._open(listing)
        self.commit()
        marks = self._storage.update(
            self._facts.source,
            partial(start_over, sync_run_id=self._facts.sync_run_id, scope=listing.scope),
        )
        with self._lock:
            listing.start_over(marks)

    def is_due(self, listing: Listing) -> bool:
        """Say whether this run should list all ids of the scope; the same after an interruption."""
        self._open(listing)
        if listing.is_due is None:
            last = self._storage.note(self._facts.source).get("reconciled", {}).get(listing.scope)
            every = self._terms.reconcile_seconds
            passed = None if last is None else time.time() - last
            is_late = every is not None and (passed is None or passed < 0 or passed >= every)
            listing.is_due = self._facts.is_full or is_late
            self._storage.update(self._facts.source, self._keep_listings)
        return bool(listing.is_due)

    def note_error(self, document_id: str) -> None:
        """A document that could not be read is there nevertheless, and the next run tries again. Memory only."""
        with self._lock:
            for listing in self._listings.values():
                listing.changes.seen.add(document_id)
                listing.changes.doubt(document_id)

    # -- what becomes of events -----------------------------------------------------------------------------------

    def emitting(self, document_id: str) -> Mark | None:
        """Return what goes with an event that is about to be taken; None where no inventory has asked for it."""
        with self._lock:
            found = self._wanted.pop(document_id, None)
            if found is not None:
                mark = Mark(document_id, found[1], (found[0],))
            else:
                before = self._pending.get(document_id)
                if before is None or before.fingerprint is None:
                    return None
                mark = Mark(document_id, before.fingerprint, before.listings)
            self._pending[document_id] = mark
            return mark

    def deleting(self, document_id: str, listing: Listing | None = None) -> Mark | None:
        """Return what goes with a deletion that is about to be taken: in one listing, or in all.

        None where another scope has found the document meanwhile: it stays.
        """
        with self._lock:
            if listing is not None and self._is_taken_elsewhere(document_id, listing):
                listing.changes.delete(document_id)
                return None
            wanted = self._wanted.get(document_id)
            if wanted is not None and listing in {None, wanted[0]}:
                del self._wanted[document_id]
            listings = tuple(self._listings.values()) if listing is None else (listing,)
            mark = Mark(document_id, None, listings, is_everywhere=listing is None)
            self._pending[document_id] = mark
            return mark

    @contextmanager
    def releasing(self, listing: Listing, document_ids: list[str]) -> Iterator[list[str]]:
        """Forget documents that other scopes have as well; give those that are in no other, and so are to be deleted.

        Another scope may have found such a document in this run, or finds it when it is listed next, or deletes it then.
        Until the deletions were taken nothing is written: a document that another thread sends meanwhile is still known
        to be on its way.
        """
        scopes = self._open(listing).scopes
        with self._committing:
            with self._lock:
                taken = [name for name in document_ids if self._is_taken_elsewhere(name, listing)]
                for name in taken:
                    listing.changes.delete(name)
                    if name in self._wanted:  # If it is not sent after all, it is known there nevertheless.
                        self._wanted[name][0].changes.keep(name, UNKNOWN)
                others = (scopes | self._listings.keys()) - {listing.scope}
            rest = [name for name in document_ids if name not in taken] if taken else document_ids
            shelves = [*(Shelf(self._facts.source, scope) for scope in others), *self._other_partitions()]
            if rest and shelves:
                held = self._storage.release(listing.shelf, rest, shelves)
                self._reader(listing).written(Changes(listing.changes.run, deleted=held))
                with self._lock:
                    for name in held:
                        listing.changes.delete(name)
                    readers = [each.reader for each in self._listings.values() if each is not listing]
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
        for mark in marks:
            for listing in mark.listings:
                self._open(listing)
        with self._lock:
            for mark in marks:
                for listing in self._listings.values() if mark.is_everywhere else mark.listings:
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
                self._done.append(mark)

    def refused(self, event: EncodedEvent) -> None:
        """Note a document that the manager has refused: it is sent again by the next run. Memory only."""
        mark = event.mark
        if mark is not None:
            with self._lock:
                for listing in mark.listings:
                    listing.changes.doubt(mark.document_id)
                self._done.append(mark)

    # -- when it is written ---------------------------------------------------------------------------------------

    def commit(self) -> None:
        """Write what is certain."""
        for listing in self._all():
            if len(listing.changes):
                self._open(listing)
        with self._committing:
            if self._error is not None:
                raise self._error
            with self._lock:
                batch, done = [], self._done
                for listing in self._listings.values():
                    if len(listing.changes):
                        batch.append((listing, listing.changes))
                        listing.changes = Changes(listing.changes.run)
                self._done = []
            if batch:
                self._write([(listing.shelf, changes) for listing, changes in batch])
                for listing, changes in batch:
                    self._reader(listing).written(changes)
            self._doubt_in_partitions(done)
            with self._lock:
                for mark in done:
                    if self._pending.get(mark.document_id) is mark:
                        del self._pending[mark.document_id]

    def saving(self, checkpoint: JsonValue) -> None:
        """Write everything before a checkpoint is saved from which the run may be resumed."""
        if self._listings:
            self._begin()
            self.commit()
            self._storage.update(self._facts.source, partial(self._keep_checkpoint, digest(checkpoint)))

    def saved(self, checkpoint: JsonValue) -> None:
        """The checkpoint was saved."""
        if self._listings:
            self._last_saved = digest(checkpoint)

    def completing(self, checkpoint: JsonValue) -> None:
        """Write everything before the run completes with a checkpoint."""
        if self._listings:
            self._begin()
            self.commit()
            self._storage.update(self._facts.source, partial(self._keep_end, digest(checkpoint)))

    def completed(self, checkpoint: JsonValue) -> None:
        """Forget the run: the manager has published its checkpoint. Of a partition that is not known yet."""
        if self._listings and not self._facts.partition_of:
            try:
                self._storage.update(self._facts.source, partial(self._forget_run, digest(checkpoint)))
            except ConnectorError as error:  # The next run recognises the checkpoint nevertheless.
                log.info("The inventory of source %s was not tidied: %s", self._facts.source, error)

    def close(self) -> None:
        """Write what is certain, as far as possible; what is not written is sent again."""
        try:
            self.commit()
        except ConnectorError as error:
            log.warning("The inventory misses the end of the run, which is sent again: %s", error)

    # -- the end of a listing -------------------------------------------------------------------------------------

    def finish(self, listing: Listing, delete: Callable[[list[str]], None]) -> str:
        """Delete what was not seen in a listing that is complete; return why nothing was deleted, if so.

        Args:
            listing: the scope.
            delete: is given ids, page by page; those that no other scope has are to be deleted.
        """
        standing = self._open(listing)
        self.commit()
        name = (
            f"scope {listing.scope!r} of source {self._facts.source}"
            if listing.scope
            else f"source {self._facts.source}"
        )
        if not (standing.is_whole or listing.is_whole):
            return (
                f"Nothing was deleted in {name}: the inventory does not know the checkpoint that this run was given, so "
                "this run may not have listed everything. The next run that lists everything deletes what is gone."
            )
        found, pages = 0, self._unseen(listing)
        few: list[list[str]] | None = []
        for page in pages:
            with self.releasing(listing, page) as going:
                found += len(going)
            if few is not None:  # They are not listed twice.
                few = [*few, page] if found <= FEW else None
        # A run that begins again may miss documents that it has sent itself.
        known = max(listing.known or 0, found)
        needs_approval = self._terms.limits.needs_approval(
            deleted=found, known=known, is_empty=not listing.has_listed
        )
        if needs_approval and not is_approved(self._storage, self._facts, listing.scope, found):
            code = ask(self._storage, self._facts, listing.scope, found)
            return self._withheld(name, found, known, code)
        for page in self._unseen(listing) if few is None else few:
            delete(page)
        listing.is_reconciled = not listing.unread
        return ""

    def _withheld(self, name: str, found: int, known: int, code: str) -> str:
        action = (
            f', or run the action {APPROVE_DELETIONS} with {{"approval": "{code}"}}'
            if self._terms.has_action
            else ""
        )
        return (
            f"{found} of {known} documents of {name} were not found any more. So many are deleted only with approval: "
            f"nothing was deleted. If they are gone on purpose, set {APPROVE_DELETIONS} to {code!r} in the source's settings{action}. "
            f"It counts once, for at most {found} documents."
        )

    def _unseen(self, listing: Listing) -> Iterator[list[str]]:
        after = ""
        unread = tuple(listing.unread)
        while page := self._storage.unseen(listing.shelf, listing.changes.run, after, PAGE):
            after = page[-1]
            with self._lock:
                going = [
                    name
                    for name in page
                    if not (name.startswith(unread) or name in self._pending or name in self._wanted)
                ]
            if going:
                yield going

    # -- inside ---------------------------------------------------------------------------------------------------

    def _all(self) -> list[Listing]:
        with self._lock:
            return list(self._listings.values())

    def _is_taken_elsewhere(self, document_id: str, listing: Listing) -> bool:
        """Say whether another scope has found a document, and nothing is written about it yet; the lock is held."""
        wanted, mark = self._wanted.get(document_id), self._pending.get(document_id)
        is_wanted = wanted is not None and wanted[0] is not listing
        return is_wanted or (
            mark is not None and mark.fingerprint is not None and listing not in mark.listings
        )

    def _doubt_in_partitions(self, done: list[Mark]) -> None:
        """Have documents sent again that another partition may have sent just before they were deleted here."""
        deleted = {mark.document_id for mark in done if mark.fingerprint is None}
        if deleted and (others := self._other_partitions()):
            self._write([(shelf, Changes(0, doubted=deleted)) for shelf in others])

    def _doubt_elsewhere(self, document_ids: set[str]) -> None:
        """Have documents sent again that are deleted, if a scope that this run has not opened finds them later."""
        if not document_ids:
            return
        standing = self._begin()
        doubts = Changes(standing.number, doubted=document_ids)
        scopes = standing.scopes - {listing.scope for listing in self._all()}
        if scopes:
            with self._committing:
                self._write([(Shelf(self._facts.source, scope), doubts) for scope in scopes])

    def _want(self, document_id: str, listing: Listing, fingerprint: bytes) -> None:
        """Remember a document that should be emitted; the lock is held."""
        self._wanted.pop(document_id, None)
        self._wanted[document_id] = (listing, fingerprint)
        if len(self._wanted) > MOST_WANTED:
            oldest = next(iter(self._wanted))
            other, _ = self._wanted.pop(oldest)
            other.changes.keep(oldest, UNKNOWN)

    def _other_partitions(self) -> list[Shelf]:
        whole = self._facts.partition_of
        return other_partitions(self._storage.note(whole), self._facts) if whole else []

    def _reader(self, listing: Listing) -> ShelfReader:
        if listing.reader is None:
            with self._beginning:
                listing.reader = listing.reader or self._storage.reader(listing.shelf)
        return listing.reader

    def _write(self, batch: list[tuple[Shelf, Changes]]) -> None:
        try:
            self._storage.write(batch)
        except ConnectorError as error:
            self._error = error
            raise

    def _begin(self) -> Standing:
        if self._standing is None:
            with self._beginning:
                if self._standing is None:
                    standing = self._storage.update(self._facts.source, partial(begin, facts=self._facts))
                    self._say(standing)
                    self._standing = standing
                    for name in remove_unused(self._storage, time.time()):
                        log.info("The inventory %r was not used for half a year, and was removed.", name)
        return self._standing

    def _open(self, listing: Listing) -> Standing:
        if listing.known is not None and self._standing is not None:
            return self._standing
        with self._beginning:
            standing = self._begin()
            if listing.known is None:
                listing.changes.run = standing.marks
                noted = self._storage.note(self._facts.source)
                listing.recall(scope_of(noted, self._facts.sync_run_id, listing.scope))
                if listing.known is None:
                    listing.known = self._storage.count(listing.shelf)
                    self._storage.update(self._facts.source, self._keep_listings)
            if self._facts.partition_of and listing.scope not in self._is_entered:
                enter = partial(enter_partition, facts=self._facts, scope=listing.scope)
                self._storage.update(self._facts.partition_of, enter)
                self._is_entered.add(listing.scope)
            return standing

    def _say(self, standing: Standing) -> None:
        source, place = self._facts.source, self._storage.label
        if self._storage.remark and place not in _remarked:
            _remarked.add(place)
            log.warning("Inventories are kept in %s. %s", place, self._storage.remark)
        if standing.is_trusted:
            return
        what = (
            "knows nothing of it yet, although it was synced before"
            if standing.was_empty
            else "is not that of the checkpoint which this run was given: it was lost, or a run took place elsewhere"
        )
        log.warning(
            "Source %s: the inventory in %s %s. Every document counts as changed in this run; one that was deleted "
            "meanwhile and is not known here is not found.",
            source,
            place,
            what,
        )

    def _keep_listings(self, note: Note) -> None:
        for listing in self._all():
            if listing.known is not None:
                listing.keep(scope_of(note, self._facts.sync_run_id, listing.scope))
                note.setdefault("scopes", {})[listing.scope] = self._begin().number

    def _keep_checkpoint(self, checkpoint: str, note: Note) -> None:
        self._keep_listings(note)
        set_checkpoints(note, self._facts.sync_run_id, [self._last_saved, checkpoint])

    def _keep_end(self, checkpoint: str, note: Note) -> None:
        self._keep_listings(note)
        set_basis(note, self._facts.sync_run_id, checkpoint, is_certain=False)
        if self._facts.is_full:  # What it could not send is sent by the next run.
            note["valid_from"] = max(self._begin().number, note.get("valid_from", 0))
        now = time.time()
        for listing in self._all():
            if listing.is_reconciled:
                note.setdefault("reconciled", {})[listing.scope] = now

    def _forget_run(self, checkpoint: str, note: Note) -> None:
        set_basis(note, self._facts.sync_run_id, checkpoint, is_certain=True)
        note.get("runs", {}).pop(self._facts.sync_run_id, None)


_remarked: set[str] = set()
"""Places of which the log has spoken."""
