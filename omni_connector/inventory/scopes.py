"""The scopes that one run reads, and what is noted of them in the storage."""

import logging
import threading
import time
from collections.abc import Callable
from functools import partial

from omni_connector.exceptions import ConnectorError
from omni_connector.inventory.listing import Listing
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
from omni_connector.inventory.storage import InventoryStorage, Note, Shelf, ShelfReader
from omni_connector.inventory.unused import remove_unused
from omni_connector.models.codec import digest
from omni_connector.models.json_values import JsonValue
from omni_connector.telemetry.log_context import current_run

log = logging.getLogger(__name__)

MISSING = (
    "Its inventory in {place} is empty, although it was synced before: the inventory is new, or was lost. Every document "
    "counts as changed in this run. What was deleted in the source meanwhile is not found and stays in the index: run a full sync once "
    "with the former inventory (OMNI_INVENTORY), or remove the source in Omni and add it again."
)
NOT_TRUSTED = (
    "The inventory in {place} is not that of the checkpoint which this run was given: it was lost, or a run took place "
    "elsewhere. Every document counts as changed in this run; one that was deleted meanwhile and is not known here is not found."
)


class RunScopes:
    """Opens the scopes of a run, and keeps its note for a process that resumes it. Safe to use from many threads.

    Args:
        facts: what is known of the run.
        storage: where inventories are kept.
        report: is given what the operator of the source has to know, at most once.
    """

    def __init__(
        self, facts: RunFacts, storage: InventoryStorage, report: Callable[[str], None] | None = None
    ) -> None:
        self._facts = facts
        self._storage = storage
        self._report = report
        self._lock = threading.Lock()  # Protects the dict.
        self._listings: dict[str, Listing] = {}
        self._beginning = threading.RLock()  # Held while the storage is asked for the first time.
        self._standing: Standing | None = None
        self._is_entered: set[str] = set()  # Scopes of which other partitions know.
        self._last_saved = digest(facts.checkpoint)

    def __bool__(self) -> bool:
        return bool(self._listings)

    def listing(self, scope: str, key: bytes) -> Listing:
        """Return the listing of a scope; memory only."""
        with self._lock:
            found = self._listings.get(scope)
            if found is None:
                found = self._listings[scope] = Listing(Shelf(self._facts.source, scope), key)
            found.key = key
            return found

    def all(self) -> list[Listing]:
        """Return the listings of all scopes so far."""
        with self._lock:
            return list(self._listings.values())

    # -- the first look -------------------------------------------------------------------------------------------

    def begin(self) -> Standing:
        """Enter the run into the note of its source; once."""
        if self._standing is None:
            with self._beginning:
                if self._standing is None:
                    standing = self._storage.update(self._facts.source, partial(begin, facts=self._facts))
                    self._say(standing)
                    self._standing = standing
                    for name in remove_unused(self._storage, time.time()):
                        log.info("The inventory %r was not used for half a year, and was removed.", name)
        return self._standing

    def open(self, listing: Listing) -> Standing:
        """Find out what is known of a scope; memory only from the second time on."""
        if listing.known is not None and self._standing is not None:
            return self._standing
        with self._beginning:
            standing = self.begin()
            if listing.known is None:
                listing.changes.run = standing.number
                noted = self._storage.note(self._facts.source)
                listing.recall(scope_of(noted, self._facts.sync_run_id, listing.scope))
                if listing.known is None:
                    listing.known = self._storage.count(listing.shelf)
                    self.keep()
            if self._facts.partition_of and listing.scope not in self._is_entered:
                enter = partial(enter_partition, facts=self._facts, scope=listing.scope)
                self._storage.update(self._facts.partition_of, enter)
                self._is_entered.add(listing.scope)
            return standing

    def reader(self, listing: Listing) -> ShelfReader:
        """Return what finds the documents of a scope."""
        if listing.reader is None:
            with self._beginning:
                listing.reader = listing.reader or self._storage.reader(listing.shelf)
        return listing.reader

    def other_partitions(self) -> list[Shelf]:
        """Return the shelves of the source's other partitions."""
        whole = self._facts.partition_of
        return other_partitions(self._storage.note(whole), self._facts) if whole else []

    def is_late(self, listing: Listing, every_seconds: float | None) -> bool:
        """Say whether the scope was last listed completely so long ago, or never."""
        last = self._storage.note(self._facts.source).get("reconciled", {}).get(listing.scope)
        return every_seconds is not None and (last is None or not 0 <= time.time() - last < every_seconds)

    # -- what is noted --------------------------------------------------------------------------------------------

    def keep(self) -> None:
        """Note how far the listings are."""
        self._storage.update(self._facts.source, self._keep_listings)

    def start_over(self, listing: Listing) -> int:
        """Note that a scope is listed anew; return the number that marks what is seen from now on."""
        return self._storage.update(
            self._facts.source,
            partial(start_over, sync_run_id=self._facts.sync_run_id, scope=listing.scope),
        )

    def saving(self, checkpoint: JsonValue) -> Callable[[Note], None]:
        """Return what notes a checkpoint from which the run may be resumed."""
        self.begin()
        return partial(self._keep_checkpoint, digest(checkpoint))

    def saved(self, checkpoint: JsonValue) -> None:
        """The checkpoint was saved."""
        if self:
            self._last_saved = digest(checkpoint)

    def completing(self, checkpoint: JsonValue) -> Callable[[Note], None]:
        """Return what notes the checkpoint with which the run completes."""
        self.begin()
        return partial(self._keep_end, digest(checkpoint))

    def completed(self, checkpoint: JsonValue) -> None:
        """Forget the run: the manager has published its checkpoint. Of a partition that is not known yet."""
        if self and not self._facts.partition_of:
            try:
                self._storage.update(self._facts.source, partial(self._forget_run, digest(checkpoint)))
            except ConnectorError as error:  # The next run recognises the checkpoint nevertheless.
                log.info("The inventory of source %s was not tidied: %s", self._facts.source, error)

    def _keep_listings(self, note: Note) -> None:
        for listing in self.all():
            if listing.known is not None:
                listing.keep(scope_of(note, self._facts.sync_run_id, listing.scope))
                note.setdefault("scopes", {})[listing.scope] = self.begin().number

    def _keep_checkpoint(self, checkpoint: str, note: Note) -> None:
        self._keep_listings(note)
        set_checkpoints(note, self._facts.sync_run_id, [self._last_saved, checkpoint])

    def _keep_end(self, checkpoint: str, note: Note) -> None:
        set_basis(note, self._facts.sync_run_id, checkpoint, is_certain=False)
        if self._facts.is_full:  # What it could not send is sent by the next run.
            note["valid_from"] = max(self.begin().number, note.get("valid_from", 0))
        now = time.time()
        for listing in self.all():
            if listing.is_reconciled:
                note.setdefault("reconciled", {})[listing.scope] = now

    def _forget_run(self, checkpoint: str, note: Note) -> None:
        set_basis(note, self._facts.sync_run_id, checkpoint, is_certain=True)
        note.get("runs", {}).pop(self._facts.sync_run_id, None)

    def _say(self, standing: Standing) -> None:
        run, place = current_run(), self._storage.label
        if self._storage.remark and place not in _remarked:
            _remarked.add(place)
            log.warning("Inventories are kept in %s. %s", place, self._storage.remark)
        is_missing = (self._facts.was_synced or not standing.is_trusted) and self._knows_nothing(standing)
        if is_missing or not standing.is_trusted:
            text = (MISSING if is_missing else NOT_TRUSTED).format(place=place)
            log.warning("Source %s: %s", self._facts.source if run is None else run.source, text)
            if is_missing and self._report is not None:
                self._report(text)

    def _knows_nothing(self, standing: Standing) -> bool:
        """Say whether nothing is known of the source. A new partition of a known source has a new inventory, too."""
        whole = self._facts.partition_of
        return standing.was_empty and not (whole and self._storage.note(whole))


_remarked: set[str] = set()
"""Places of which the log has spoken."""
