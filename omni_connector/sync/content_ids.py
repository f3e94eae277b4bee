"""Gives events the ids of their contents, once these are stored."""

from concurrent.futures import CancelledError

from attrs import frozen

from omni_connector.exceptions import InvalidValueError, SdkClientError
from omni_connector.manager.pending import Pending
from omni_connector.models.events import EncodedEvent
from omni_connector.sync.event_buffer import Waiting
from omni_connector.sync.ledger import DocumentError, ErrorLedger
from omni_connector.sync.payloads import WithdrawnError
from omni_connector.sync.refusal import Sender, skips_its_document
from omni_connector.sync.state import RunState
from omni_connector.telemetry.figures import Stage
from omni_connector.telemetry.meter import RunMeter


@frozen
class ContentIds:
    """Waits for the contents of a run's events.

    Attributes:
        state: the run's state.
        ledger: where documents are noted whose content the manager refuses.
        sender: has to know the events that are not sent.
        meter: learns how long the wait was.
    """

    state: RunState
    ledger: ErrorLedger
    sender: Sender
    meter: RunMeter

    def events(self, batch: list[Waiting]) -> list[EncodedEvent]:
        """Return the events of a batch with their content ids; a document whose content is refused is skipped.

        Raises:
            SyncCancelledError: the run was cancelled meanwhile.
            SdkClientError: a content could not be stored, and it is not the content that is to blame.
        """
        last = next((upload for _, _, upload, _ in reversed(batch) if upload is not None), None)
        if last is not None and not last.done():
            with self.meter.stage(Stage.STORING_CONTENTS):
                last.exception()  # First, because then most others are there: one change of threads instead of hundreds.
        events = []
        for event, _, upload, _ in batch:
            whole = event if upload is None else self._with_id(event, upload)
            if whole is not None:
                events.append(whole)
        return events

    def _with_id(self, event: EncodedEvent, upload: Pending[str]) -> EncodedEvent | None:
        try:
            return event.with_content_id(upload.result())
        except CancelledError:
            self.state.raise_if_stopped()
            raise
        except WithdrawnError:
            self.sender.refused(event)
        except (SdkClientError, InvalidValueError, OSError) as error:
            if isinstance(error, SdkClientError) and not skips_its_document(error):
                raise
            self.sender.refused(event)
            status = error.status if isinstance(error, SdkClientError) else None
            self.ledger.add(
                DocumentError(
                    document_id=event.document_id, stage="content", reason=str(error), status=status
                )
            )
        return None
