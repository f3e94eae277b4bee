"""What a connector sees of an inventory: a thin face in two colours."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeAlias

from omni_connector.awaitables import DONE, AwaitableBool, AwaitableNone
from omni_connector.exceptions import InvalidValueError
from omni_connector.inventory.cursor import NO_OVERLAP, Cursor
from omni_connector.inventory.fingerprint import fingerprint_of
from omni_connector.inventory.listing import Listing
from omni_connector.models.document import document_id
from omni_connector.models.json_values import JsonValue
from omni_connector.sync.colours import Colour
from omni_connector.sync.run import SyncRun

Fingerprint: TypeAlias = JsonValue | bytes | datetime
"""What stands for a version: an ETag, a moment, a hash, or a list or dict of such."""


def _as_it_is(cursor: Cursor) -> Cursor:
    return cursor


class Inventory:
    """Which documents of a scope the manager has, and in which version; by ``ctx.inventory()``.

        inventory = ctx.inventory()
        for page in source.pages():
            for note in page:
                if inventory.changed(note.id, note.etag):
                    ctx.emit(to_document(note))
            ctx.save_state({"page": page.number})
        inventory.finish()

    What the manager rejects counts as not sent. What is found is kept through interruptions of the run (docs/reference/inventory.md). In
    an ``async def sync`` every method is awaited. All methods may be called from several threads, and raise
    ``RunStoreError`` when the place where inventories are kept cannot be used.
    """

    def __init__(self, run: SyncRun, colour: Colour, listing: Listing) -> None:
        self._run = run
        self._colour = colour
        self._listing = listing

    def changed(self, external_id: str, fingerprint: Fingerprint) -> AwaitableBool:
        """Note that a document is in the source, and say whether it has to be emitted.

        True for one that is new, whose fingerprint is another, or that was rejected; in a full run for each document that
        this run has not sent yet. If the document is not emitted after all, the answer stays True.

        Args:
            external_id: of the document, as in ``Document.external_id``.
            fingerprint: changes when the document does: an ETag, a moment, a hash, or a list or dict of such. With None it
                always counts as changed.

        Raises:
            InvalidValueError: the id is not a text of 1 to 500 characters, or the fingerprint has no JSON form.
        """
        name = document_id(external_id)
        version = fingerprint_of(fingerprint, self._listing.key)
        self._run.require_open("inventory.changed", name)
        return self._colour.call(
            AwaitableBool, self._run.inventories.is_changed, self._listing, name, version
        )

    def seen(self, external_id: str) -> AwaitableNone:
        """Note that a document is in the source, for a listing that says nothing about versions."""
        name = document_id(external_id)
        self._run.require_open("inventory.seen", name)
        inventories = self._run.inventories
        if self._listing.known is None:  # The storage is asked for this scope.
            return self._colour.call(AwaitableNone, inventories.see, self._listing, name)
        if inventories.see(self._listing, name):
            return self._colour.call(AwaitableNone, inventories.commit)
        return DONE

    def gone(self, external_id: str) -> AwaitableNone:
        """Say that there is no such document, or none any more: it is deleted now where the manager may have it.

        For what the source reports as deleted, and for what is in the source and is no document, such as a binary file.
        """
        name = document_id(external_id)
        self._run.require_open("inventory.gone", name)
        return self._colour.call(AwaitableNone, self._run.intake.delete_known, self._listing, name)

    def unread(self, beginning: str = "") -> AwaitableNone:
        """Say that a part of the source could not be read: ``finish`` deletes nothing in it.

        Args:
            beginning: of the ids in that part, such as ``"reports/"``; left out, the whole scope.

        Raises:
            InvalidValueError: it is no text.
        """
        if not isinstance(beginning, str):
            raise InvalidValueError(
                model="Inventory",
                field="unread",
                value=beginning,
                remedy='give the beginning of the ids, such as "reports/", or nothing for all',
            )
        self._run.require_open("inventory.unread", beginning)
        return self._colour.call(AwaitableNone, self._run.inventories.leave_unread, self._listing, beginning)

    def start_over(self) -> AwaitableNone:
        """Say that the scope is listed from its beginning now: what this run has seen before does not count.

        For a source that is listed as a whole again after an interruption, wherever ``state`` says that the run was.
        """
        self._run.require_open("inventory.start_over")
        return self._colour.call(AwaitableNone, self._run.inventories.start_over, self._listing)

    def finish(self, *, complete: bool = True) -> AwaitableNone:
        """Delete the documents that this run has not seen, interruptions included.

        Many deletions need approval (``Connector.deletion_limits``). Without it nothing is deleted, and the run goes on: the
        log and the run's report say how many there are, and how to approve them.

        Args:
            complete: False where the listing was not complete, so that it proves nothing: then nothing is deleted.
        """
        if not complete:
            return self.unread()
        return self._colour.call(AwaitableNone, self._run.intake.finish, self._listing)

    @property
    def is_reconciled(self) -> bool:
        """Whether ``finish`` has ended a listing of the whole scope, with nothing unread and no deletion that needs approval."""
        return self._listing.is_reconciled

    def cursor(
        self,
        field: str,
        state: JsonValue = None,
        *,
        overlap: timedelta | float = NO_OVERLAP,
        start: Any = None,
    ) -> Cursor:
        """Return where to go on in a source that can be asked for what has changed since.

        Where ``reconciliation_due()`` is true it lists everything, from ``start`` on, and goes on in the middle after an interruption.

        Args:
            field: as for ``Cursor``.
            state: the state that ``sync()`` was given.
            overlap: as for ``Cursor``.
            start: what asks for everything.

        Raises:
            InvalidValueError: as for ``Cursor``.
        """
        self._run.require_open("inventory.cursor")
        make = partial(Cursor, field, state, overlap=overlap, start=start)
        return self._colour.call(_as_it_is, self._listing_cursor, make)

    def _listing_cursor(self, make: Callable[..., Cursor]) -> Cursor:
        is_due = self._run.inventories.is_due(self._listing)
        return make(listing=self._run.info.sync_run_id if is_due else "")

    def reconciliation_due(self) -> AwaitableBool:
        """Say whether this run should list everything, to find what is gone and to send again what was rejected.

        True in a full run; in others where the last listing that ``finish`` has ended is ``Connector.reconcile_every`` ago,
        or there was none. The answer stays the same when the run is interrupted and resumed.
        """
        self._run.require_open("inventory.reconciliation_due")
        return self._colour.call(AwaitableBool, self._run.inventories.is_due, self._listing)
