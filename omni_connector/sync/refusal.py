"""Sends batches, and finds the offenders in one that the manager refuses as a whole."""

from http import HTTPStatus

from omni_connector.exceptions import ExtractionError, SdkClientError, SyncRunEndedError
from omni_connector.inventory.of_run import RunInventories
from omni_connector.manager.api import ManagerApi
from omni_connector.models.events import UPSERTS, EncodedEvent
from omni_connector.sync.counters import Counters
from omni_connector.sync.ledger import DocumentError, ErrorLedger
from omni_connector.sync.run_info import RunInfo

CONTENT_REFUSALS = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}
)
"""Answers that say that what was sent will never be taken, however often it is repeated."""

EVENT_REFUSALS = CONTENT_REFUSALS | {HTTPStatus.INTERNAL_SERVER_ERROR}
"""For events also 500, when it comes again and again: oversized index entries (PROTOCOL, section 19)."""

SEVERAL = 2
"""Events in a row refused with a 500, and none accepted since: then the manager is in trouble, not each event wrong."""

_Refused = list[tuple[EncodedEvent, SdkClientError]]


class Sender:
    """Sends the events of one run, in order; refused ones go into the ledger, the others arrive.

    Attributes:
        inventories: have to know what is sent, accepted and refused.
    """

    def __init__(self, run: RunInfo, manager: ManagerApi, ledger: ErrorLedger) -> None:
        self.inventories: RunInventories | None = None
        self._run = run
        self._manager = manager
        self._ledger = ledger
        self._failing = 0  # Events refused with a 500 since one was last accepted.
        self._last: EncodedEvent | None = None  # The last one that was accepted.
        self._accepted: set[str] = set()  # Documents of which an event was accepted in the search under way.

    def send(self, events: list[EncodedEvent], counters: Counters) -> None:
        """Deliver ``events``; count the documents that were accepted.

        Raises:
            SyncRunEndedError: the manager takes no more events for this run.
            SdkClientError: the manager cannot be reached, or has refused several events with a 500 and accepted none.
                That it accepts an empty batch says nothing: it has nothing to store then.
        """
        if not events:
            return
        if self.inventories:
            self.inventories.sending(events)
        error = self._refusal_of(events, patient=True)
        refused = [] if error is None else self._search(events, error)
        self._require_a_manager_that_works(events, refused)
        accepted = self._note(events, refused)
        if self.inventories:
            self.inventories.accepted(accepted)
        if accepted:
            self._last = accepted[-1]
        counters.updated(sum(event.kind in UPSERTS for event in accepted))

    def refused(self, event: EncodedEvent) -> None:
        """Note an event that does not arrive."""
        if self.inventories:
            self.inventories.refused(event)

    def _require_a_manager_that_works(self, events: list[EncodedEvent], refused: _Refused) -> None:
        if len(refused) < len(events):
            self._failing = 0
            return
        failing = [cause for _, cause in refused if cause.status not in CONTENT_REFUSALS]
        self._failing += len(failing)
        if failing and self._failing >= SEVERAL:
            raise failing[-1]

    def _search(self, events: list[EncodedEvent], cause: SdkClientError) -> _Refused:
        """Return the events that are refused each for itself.

        When each of them is answered 500, the manager may be in trouble: the whole is sent again with all patience.
        """
        self._accepted.clear()
        refused = self._split(events, cause)
        is_in_trouble = len(refused) == len(events) and all(
            cause.status not in CONTENT_REFUSALS for _, cause in refused
        )
        if not is_in_trouble or (len(events) == 1 and self._takes_the_last_one_again()):
            return [found for found in refused if not self._was_passing_trouble(*found)]
        error = self._refusal_of(events, patient=True, insistent=True)
        if error is None:
            return []
        return self._split(events, error) if error.status in CONTENT_REFUSALS else refused

    def _takes_the_last_one_again(self) -> bool:
        """Repeat the event before a single refused one: a manager that accepts it works, and the refusal is the event's.

        Only the last one may be repeated, because a newer one of the same document may follow any other.
        """
        if self._failing or self._last is None or self._last.subject != "document":
            return False
        try:
            self._post([self._last], patient=False)
        except SyncRunEndedError:
            raise
        except SdkClientError:
            return False
        return True

    def _was_passing_trouble(self, event: EncodedEvent, cause: SdkClientError) -> bool:
        """Try an event once more that was answered 500: a manager in trouble may have come back during the search."""
        if cause.status in CONTENT_REFUSALS or event.document_id in self._accepted:
            return False  # In the latter case a newer event of this document has arrived.
        return self._refusal_of([event], patient=False) is None

    def _split(self, events: list[EncodedEvent], cause: SdkClientError) -> _Refused:
        """Send the halves, and the halves of refused halves, in order; return what stands alone and is refused."""
        if len(events) == 1:
            return [(events[0], cause)]
        middle = len(events) // 2
        refused = []
        for half in (events[:middle], events[middle:]):
            try:
                error = self._refusal_of(half, patient=False)
            except SyncRunEndedError:
                raise
            except (
                SdkClientError
            ):  # Passing trouble in the middle of the search: be patient with this half, then go on.
                error = self._refusal_of(half, patient=True)
            if error is None:
                self._accepted.update(event.document_id for event in half)
            else:
                refused += self._split(half, error)
        return refused

    def _refusal_of(
        self, events: list[EncodedEvent], *, patient: bool, insistent: bool = False
    ) -> SdkClientError | None:
        """Send events; return why the manager refuses them, or None when they are accepted. Other errors are raised."""
        try:
            self._post(events, patient=patient, insistent=insistent)
        except SdkClientError as error:
            if isinstance(error, SyncRunEndedError) or not is_refusal(error):
                raise
            return error
        return None

    def _post(self, events: list[EncodedEvent], *, patient: bool, insistent: bool = False) -> None:
        bodies = [event.body for event in events]
        left_out = self._manager.send_events(
            self._run.sync_run_id, self._run.source_id, bodies, patient=patient, insistent=insistent
        )
        for position in left_out:
            self._ledger.left_out(events[position].subject)

    def _note(self, events: list[EncodedEvent], refused: _Refused) -> list[EncodedEvent]:
        """Put the refused events into the ledger, in their order among the others; return the others."""
        if not refused:
            self._ledger.accepted(len(events))
            return events
        causes = {id(event): cause for event, cause in refused}
        accepted = []
        for event in events:
            cause = causes.get(id(event))
            if cause is None:
                accepted.append(event)
                self._ledger.accepted(1)
                continue
            self.refused(event)
            self._ledger.add(
                DocumentError(
                    document_id=event.document_id,
                    kind=event.subject,
                    stage="event",
                    reason=str(cause),
                    status=cause.status,
                )
            )
        return accepted


def skips_its_document(error: SdkClientError) -> bool:
    """Return whether only the document is skipped whose content could not be uploaded."""
    return isinstance(error, ExtractionError) or error.status in CONTENT_REFUSALS


def is_refusal(error: SdkClientError) -> bool:
    """Return whether the manager refused what was sent, rather than being in trouble itself."""
    return error.status in EVENT_REFUSALS
