"""Sends batches, and finds the offenders in one that the manager refuses as a whole."""

import http

from omni_connector.exceptions import ExtractionError, SdkClientError, SyncRunEndedError
from omni_connector.manager.api import ManagerApi
from omni_connector.models.events import UPSERTS, EncodedEvent
from omni_connector.sync.counters import Counters
from omni_connector.sync.ledger import DocumentError, ErrorLedger
from omni_connector.sync.run_info import RunInfo

CONTENT_REFUSALS = frozenset(
    {
        http.HTTPStatus.BAD_REQUEST,
        http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        http.HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
"""Answers that tell that what was sent will never be taken, however often it is repeated."""

EVENT_REFUSALS = CONTENT_REFUSALS | {http.HTTPStatus.INTERNAL_SERVER_ERROR}
"""For events also 500, when it comes again and again: oversized index entries (PROTOCOL, section 19)."""

SEVERAL = 2
"""Events in a row refused with a 500, and none accepted since: then the manager is in trouble, not each event wrong."""


class Sender:
    """Sends the events of one run, in order; refused ones go into the ledger, the others arrive."""

    def __init__(self, run: RunInfo, manager: ManagerApi, ledger: ErrorLedger) -> None:
        self._run = run
        self._manager = manager
        self._ledger = ledger
        self._failing = 0  # Events refused with a 500 since one was last accepted.
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
        try:
            self._post(events, patient=True)
        except SyncRunEndedError:
            raise
        except SdkClientError as error:
            if not is_refusal(error):
                raise
            refused = self._search(events, error)
            self._require_a_manager_that_works(events, refused)
            events = self._note(events, refused)
        else:
            self._failing = 0
            self._ledger.accepted(len(events))
        counters.updated(sum(event.kind in UPSERTS for event in events))

    def _require_a_manager_that_works(
        self, events: list[EncodedEvent], refused: list[tuple[EncodedEvent, SdkClientError]]
    ) -> None:
        failing = [cause for _, cause in refused if cause.status not in CONTENT_REFUSALS]
        if len(refused) < len(events):
            self._failing = 0
            return
        self._failing += len(failing)
        if failing and self._failing >= SEVERAL:
            raise failing[-1]

    def _search(
        self, events: list[EncodedEvent], cause: SdkClientError
    ) -> list[tuple[EncodedEvent, SdkClientError]]:
        """Return the events that are refused each for itself.

        When each of them is answered 500, the manager may be in trouble: the whole is sent again with all patience.
        """
        self._accepted.clear()
        refused = self._split(events, cause)
        if len(refused) == len(events) and not any(cause.status in CONTENT_REFUSALS for _, cause in refused):
            try:
                self._post(events, patient=True, insistent=True)
            except SyncRunEndedError:
                raise
            except SdkClientError as error:
                if not is_refusal(error):
                    raise
                return self._split(events, error) if error.status in CONTENT_REFUSALS else refused
            return []
        return [found for found in refused if not self._was_passing_trouble(*found)]

    def _was_passing_trouble(self, event: EncodedEvent, cause: SdkClientError) -> bool:
        """Try an event once more that was answered 500: a manager in trouble may have come back during the search."""
        if cause.status in CONTENT_REFUSALS or event.document_id in self._accepted:
            return False  # In the latter case a newer event of this document has arrived.
        try:
            self._post([event], patient=False)
        except SyncRunEndedError:
            raise
        except SdkClientError as error:
            if not is_refusal(error):
                raise
            return False
        return True

    def _split(
        self, events: list[EncodedEvent], cause: SdkClientError
    ) -> list[tuple[EncodedEvent, SdkClientError]]:
        """Send the halves, and the halves of refused halves, in order; return what stands alone and is refused."""
        if len(events) == 1:
            return [(events[0], cause)]
        middle = len(events) // 2
        refused = []
        for half in (events[:middle], events[middle:]):
            try:
                self._post(half, patient=False)
            except SyncRunEndedError:
                raise
            except SdkClientError as error:
                if not is_refusal(error):
                    # Passing trouble in the middle of the search: be patient with this half, then go on.
                    refused += self._patient(half)
                else:
                    refused += self._split(half, error)
            else:
                self._accepted.update(event.document_id for event in half)
        return refused

    def _patient(self, events: list[EncodedEvent]) -> list[tuple[EncodedEvent, SdkClientError]]:
        try:
            self._post(events, patient=True)
        except SyncRunEndedError:
            raise
        except SdkClientError as error:
            if not is_refusal(error):
                raise
            return self._split(events, error)
        return []

    def _post(self, events: list[EncodedEvent], *, patient: bool, insistent: bool = False) -> None:
        bodies = [event.body for event in events]
        left_out = self._manager.send_events(
            self._run.sync_run_id, self._run.source_id, bodies, patient=patient, insistent=insistent
        )
        for position in left_out:
            self._ledger.left_out(events[position].subject)

    def _note(
        self, events: list[EncodedEvent], refused: list[tuple[EncodedEvent, SdkClientError]]
    ) -> list[EncodedEvent]:
        """Put the refused events into the ledger, in their order among the others; return the others."""
        causes = {id(event): cause for event, cause in refused}
        accepted = []
        for event in events:
            cause = causes.get(id(event))
            if cause is None:
                accepted.append(event)
                self._ledger.accepted(1)
                continue
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
