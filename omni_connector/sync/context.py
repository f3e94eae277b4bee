"""What a connector's ``sync()`` is given: the run, and how to report to it."""

import logging
import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from omni_connector.awaitables import DONE, AwaitableBool, AwaitableList, AwaitableNone, AwaitableStr
from omni_connector.exceptions import (
    ConnectorError,
    InvalidDocumentError,
    InvalidValueError,
    SdkClientError,
)
from omni_connector.manager.api import ManagerApi
from omni_connector.models.codec import checkpoint_of, encode, too_large
from omni_connector.models.document import Document, document_id, require_one_content
from omni_connector.models.events import (
    CREATED,
    UPDATED,
    EncodedEvent,
    encode_delete,
    encode_upsert,
)
from omni_connector.models.plain import JsonValue
from omni_connector.sync.cancellation import StopSignal
from omni_connector.sync.content import ContentStorage
from omni_connector.sync.delivery import ContentId, Delivery, DeliveryLimits
from omni_connector.sync.ending import Ending
from omni_connector.sync.ledger import (
    CONNECTOR_STAGE,
    DECODED_STAGE,
    ENDED_STAGE,
    TRUNCATED_STAGE,
    DocumentError,
    ErrorLedger,
    ErrorLimits,
)
from omni_connector.sync.payloads import FilePayload, LongText, fits_every_manager, payload_of
from omni_connector.sync.people import PeopleEvents
from omni_connector.sync.pulse import Pulse
from omni_connector.sync.redaction import error_text, redact
from omni_connector.sync.run_info import RunInfo

log = logging.getLogger(__name__)

LARGE_STATE_BYTES = 10_000_000
"""A checkpoint beyond this is warned of."""

LARGEST_COUNT = 2**31 - 1
"""The manager's counters have 32 bits (PROTOCOL, section 10)."""


class SyncContext(PeopleEvents):
    """One run, as its connector sees it.

    In a blocking connector every method does its work and returns its value. In an ``async def sync`` the same
    methods are awaited and never block the event loop (see ``async_context``). ``is_cancelled``,
    ``raise_if_cancelled`` and the properties are plain in both. All methods may be called from several threads.

    Unless a method says otherwise it raises:

    - ``SyncCancelledError`` once the run is cancelled or over at the manager (let it pass: it ends the run);
    - ``SyncFinishedError`` after ``complete`` or ``fail``;
    - ``SdkClientError`` when the manager cannot be reached or refuses for good, also for earlier calls whose work was
      done in the background.

    Attributes:
        content_storage: stores texts and returns their content ids.
        pulse: when the connector last called the context, and for what.
    """

    content_storage: ContentStorage

    def __init__(
        self,
        run: RunInfo,
        manager: ManagerApi,
        stop: StopSignal,
        *,
        ending: Ending,
        limits: DeliveryLimits | None = None,
        error_limits: ErrorLimits | None = None,
    ) -> None:
        self._run = run
        self._manager = manager.for_run(stop.fence)
        self._stop = stop
        self._ending = ending
        self._ledger = ErrorLedger(run.sync_run_id, error_limits)
        limits = limits or DeliveryLimits.for_mode(run.mode)
        self._delivery = Delivery(run, self._manager, stop, self._ledger, limits)
        self._forget_abort = stop.on_set(self._abort_if_fenced)
        self.pulse = Pulse()
        self.content_storage = ContentStorage(run, self._manager, self._check, pulse=self.pulse)
        self._state: Any = run.state
        self._checkpoint: Any = run.checkpoint
        self._connector_state: Any = run.connector_state
        self._saved = False
        self._wanted_state: JsonValue = None
        self._emitted = 0
        self._deleted = 0
        self._said_private = False
        self._user_email: str | None = None
        self._asking = threading.Lock()  # Held while the address is asked for, so that it is asked for once.

    # -- the run ------------------------------------------------------------------------------------------------

    @property
    def state(self) -> Any:
        """Where to go on: the last checkpoint of this run, else what ``sync()`` was given as ``state``, or None.

        A fresh full run of a connector that also lists ``incremental`` starts from nothing: it is None until this run
        saves one. ``checkpoint`` still shows the source's.
        """
        return self._state

    @property
    def checkpoint(self) -> Any:
        """The last checkpoint that this run saved, else the source's, or None; also in a full run."""
        return self._checkpoint

    @property
    def connector_state(self) -> Any:
        """Durable notes of the source outside the checkpoint: what this run saved, else what it was given, or None."""
        return self._connector_state

    @property
    def documents_scanned(self) -> int:
        """Documents counted with ``increment_scanned`` so far; a resumed run goes on from the manager's figure."""
        return self._delivery.counters.total_scanned

    @property
    def documents_emitted(self) -> int:
        """Documents given to ``emit`` and ``emit_updated`` so far.

        A resumed run goes on from the manager's figure of those that were accepted before.
        """
        return self._delivery.counters.updated_before + self._emitted

    @property
    def documents_deleted(self) -> int:
        """Documents given to ``emit_deleted`` so far."""
        return self._deleted

    @property
    def errors(self) -> list[DocumentError]:
        """Documents that did not arrive: the last thousand, oldest first."""
        return self._ledger.entries()

    @property
    def error_count(self) -> int:
        """How many documents did not arrive."""
        return len(self._ledger)

    # -- documents ----------------------------------------------------------------------------------------------

    def emit(self, document: Document) -> AwaitableNone:
        """Send a document, new or changed: the manager adds it or replaces what it has.

        Returns at once while there is room in the buffer; the document travels in the background.

        Raises:
            InvalidDocumentError: the document holds a value that has no JSON form, or its bytes are not UTF-8 text.
        """
        return DONE if self._take(CREATED, document) else self._wait_for_room()

    def emit_updated(self, document: Document) -> AwaitableNone:
        """Send a changed document; as ``emit``, for connectors that know the difference."""
        return DONE if self._take(UPDATED, document) else self._wait_for_room()

    def emit_deleted(self, external_id: str) -> AwaitableNone:
        """Say that a document is gone. One that the manager does not know is no error.

        Raises:
            InvalidValueError: ``external_id`` is not a text of 1 to 500 characters.
        """
        self._take_deletion(external_id)
        self._wait_for_room()
        return DONE

    # -- counts, errors, the owner -------------------------------------------------------------------------------

    def user_email(self) -> AwaitableStr:
        """Return the e-mail address of the user who made the source. Asked for once a run.

        Raises:
            SdkClientError: the manager does not say.
        """
        with self._asking:
            if self._user_email is None:
                self._check("user_email")
                with self._stop.telling():
                    self._user_email = self._manager.user_email(self.source_id)
            return AwaitableStr(self._user_email)

    def emit_error(self, external_id: str, error: str | BaseException) -> AwaitableNone:
        """Note that a document could not be read; the run goes on. Counted, logged and shown with the run.

        Raises:
            TooManyErrorsError: more documents failed than the connector's ``error_limits`` allow; let it pass.
        """
        self._check("emit_error", str(external_id))
        reason = redact(error_text(error), self._run.secrets)
        self._ledger.add(DocumentError(document_id=str(external_id), stage=CONNECTOR_STAGE, reason=reason))
        self._ledger.check()
        return DONE

    def increment_scanned(self, count: int = 1) -> AwaitableNone:
        """Count documents looked at, changed or not. Reported in sums, in the background.

        Raises:
            InvalidValueError: ``count`` is not a whole number of at most 32 bits.
        """
        if type(count) is not int or abs(count) > LARGEST_COUNT:
            raise InvalidValueError(
                model="SyncContext",
                field="increment_scanned",
                value=count,
                remedy="give a whole number of at most 32 bits",
            )
        self.pulse.touch("increment_scanned")
        self._ending.check()
        self._delivery.count_scanned(count)
        self._ledger.looked_at(count)
        return DONE

    def flush(self) -> AwaitableList[DocumentError]:
        """Wait until everything emitted so far was accepted or refused; return what was refused since the last flush.

        After it a checkpoint that leaves those documents out is safe (docs/refused-documents.md). Documents that the
        connector itself reported with ``emit_error`` are not among them.

        Raises:
            TooManyErrorsError: more documents were refused than the connector's ``error_limits`` allow, or more than
                10,000 since the last flush, which cannot all be named.
        """
        self._check("flush")
        with self.pulse.inside("flush"):
            self._delivery.barrier()
        return AwaitableList(self._ledger.take_refused())

    # -- the end, and the way there -----------------------------------------------------------------------------

    def save_state(self, state: JsonValue) -> AwaitableNone:
        """Save a checkpoint: where a resumed run goes on.

        Everything emitted before is accepted by the manager before the checkpoint is saved. It becomes the
        source's checkpoint, which the next run is given, when the run completes.

        Args:
            state: a dict of JSON values. It is saved as it is at the call, whatever happens to it afterwards.

        Raises:
            InvalidValueError: it is no dict, holds something without a JSON form or that would come back as something
                else (a datetime without offset, a key that is a number), or is larger than the manager takes.
            TooManyErrorsError: of ten or more documents so far, more failed than the connector's ``error_limits`` allow.
        """
        return self._save(checkpoint_of(state))

    def _save(self, state: dict[str, Any]) -> AwaitableNone:
        self._check("save_state")
        with self.pulse.inside("save_state"), self._stop.telling():
            self._delivery.barrier()
            self._ledger.judge()
            self._save_checkpoint(state)
        self._state = self._checkpoint = state
        self._saved = True
        return DONE

    def _save_checkpoint(self, state: JsonValue) -> None:
        with self._naming_what_is_too_large("checkpoint", state):
            self._manager.save_checkpoint(self.sync_run_id, state, source_id=self.source_id)

    @contextmanager
    def _naming_what_is_too_large(self, name: str, state: JsonValue) -> Iterator[None]:
        size = len(encode(state))
        if size > LARGE_STATE_BYTES:
            log.warning(
                "The %s has %d bytes: it travels with every save and every dispatch of a run. Keep a cursor in it, and "
                "data of the connector elsewhere.",
                name,
                size,
                extra={"sync_run_id": self.sync_run_id},
            )
        try:
            yield
        except SdkClientError as error:
            if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                raise too_large(name, size) from error
            raise

    def save_checkpoint(self, checkpoint: JsonValue) -> AwaitableNone:
        """The same as ``save_state``, by its name in the current protocol."""
        return self.save_state(checkpoint)

    def save_connector_state(self, state: JsonValue) -> AwaitableNone:
        """Replace the durable notes of the source, such as the id of a webhook; also after the end of the run.

        They are no place to go on from: unlike a checkpoint they are kept whatever becomes of the run, and documents
        emitted before may not have arrived yet. Managers before 8 June 2026 have one place for both; there they are kept
        for the rest of the run only, and the log says so.

        Args:
            state: a dict of JSON values. It is saved as it is at the call, whatever happens to it afterwards.

        Raises:
            InvalidValueError: it is no dict, holds something without a JSON form or that would come back as something
                else (a datetime without offset, a key that is a number), or is larger than the manager takes.
        """
        return self._save_connector_state(checkpoint_of(state, name="connector state"))

    def _save_connector_state(self, state: dict[str, Any]) -> AwaitableNone:
        self.pulse.touch("save_connector_state")
        self._stop.raise_if_set()
        with self._stop.telling(), self._naming_what_is_too_large("connector state", state):
            self._manager.save_connector_state(self.source_id, state)
        self._connector_state = state
        return DONE

    def complete(self, new_state: JsonValue = None, *, checkpoint: JsonValue = None) -> AwaitableNone:
        """End the run as completed, when everything emitted was accepted.

        Nothing happens when the run is cancelled or has ended already.

        Args:
            new_state: the checkpoint for the next run, a dict; left out, the last one stays.
            checkpoint: the same, by its name in the current protocol.

        Raises:
            InvalidValueError: it is no dict, holds something without a JSON form or that would come back as something
                else (a datetime without offset, a key that is a number), or is larger than the manager takes.
        """
        return self._complete(new_state if new_state is not None else checkpoint)

    def _complete(self, state: JsonValue) -> AwaitableNone:
        if self._stop.event.is_set() or self._ending.ended:
            return DONE
        self._wanted_state = self._wanted_state if state is None else checkpoint_of(state)
        with self.pulse.inside("complete"):
            self._delivery.barrier(final=True)
        self._ledger.judge()  # Also for a connector that went on after TooManyErrorsError.
        state = self._wanted_state
        if state is None and not self._saved:
            # A run that saves none erases the source's checkpoint (PROTOCOL, section 6).
            state = self._run.checkpoint
        if state is not None:
            with self._stop.telling():
                self._save_checkpoint(state)
            self._state = self._checkpoint = state
            self._saved = True
        counters = self._delivery.counters
        with self._ending.claim("completed") as claimed:
            if claimed:
                self._manager.complete(
                    self.sync_run_id,
                    scanned=counters.total_scanned,
                    updated=counters.total_updated,
                    new_state=self._checkpoint,
                )
        return DONE

    def fail(self, error: str | BaseException) -> AwaitableNone:
        """End the run as failed; its checkpoint is not published. Nothing happens when it is cancelled or has ended."""
        if not self._stop.event.is_set() and not self._ending.ended:
            self._ending.fail(error, self._delivery, self._manager)
        return DONE

    def heartbeat(self) -> AwaitableNone:
        """Tell the manager that the run is alive; one that fails changes nothing."""
        self._check("heartbeat")
        try:
            self._manager.heartbeat(self.sync_run_id)
        except SdkClientError as error:
            log.warning("A heartbeat failed: %s", error, extra={"sync_run_id": self.sync_run_id})
        return DONE

    # -- cancellation -------------------------------------------------------------------------------------------

    def is_cancelled(self) -> bool:
        """Say whether the run shall stop: cancelled, over at the manager, or the process shuts down."""
        self.pulse.touch("is_cancelled")
        return self._stop.event.is_set()

    def raise_if_cancelled(self) -> None:
        """Raise SyncCancelledError when the run shall stop. Let it pass: the run ends in order."""
        self.pulse.touch("raise_if_cancelled")
        self._stop.raise_if_set()

    def sleep(self, seconds: float) -> AwaitableBool:
        """Wait, but no longer than until the run shall stop; true when the time is over."""
        with self.pulse.inside("sleep"):
            return AwaitableBool(not self._stop.event.wait(seconds))

    # -- for the runtime ----------------------------------------------------------------------------------------

    def rewind(self) -> None:
        """Take the run's checkpoint back to where this start begins, if an earlier process has got further.

        The manager repeats a first dispatch whose answer it missed, without ``is_resume``. Meanwhile it may have resumed
        the run elsewhere, and a checkpoint may have been saved there. Were this start interrupted, a resume from that
        checkpoint would leave old versions in place that are emitted again from here on.

        Raises:
            SdkClientError: the manager takes no checkpoint.
        """
        try:
            progress = self._manager.progress(self.sync_run_id)
            reason = "was begun by an earlier process" if progress and progress.has_begun else ""
        except SdkClientError as error:
            reason = f"may have been begun by an earlier process ({error})"
        if reason:
            log.warning(
                "The run %s and is dispatched anew: it begins again",
                reason,
                extra={"sync_run_id": self.sync_run_id},
            )
            self._manager.save_checkpoint(self.sync_run_id, self._run.checkpoint, source_id=self.source_id)

    def take_up(self) -> None:
        """Go on from the manager's figures, in a resumed run; to be called before its connector is."""
        self._delivery.counters.carry_over()

    def drain(self, *, timeout_seconds: float) -> None:
        """Deliver what is buffered while the process shuts down; what cannot be delivered is emitted again later."""
        try:
            self._delivery.barrier(timeout_seconds=timeout_seconds)
        except ConnectorError as error:
            log.info("Not drained: %s", error, extra={"sync_run_id": self.sync_run_id})

    def beat(self) -> None:
        """Report the run alive, from the watch's thread.

        Raises:
            SdkClientError: the manager did not take it.
        """
        if not self._ending.ended:
            self._manager.heartbeat(self.sync_run_id)

    def note_after_the_end(self, error: BaseException) -> None:
        """Note what ``sync()`` raised after the run had ended; the run's report shows it."""
        reason = redact(error_text(error), self._run.secrets)
        self._ledger.note(
            DocumentError(document_id=self.sync_run_id, kind="run", stage=ENDED_STAGE, reason=reason)
        )

    def close(self) -> None:
        """End the run's own threads, after its end."""
        self._forget_abort()
        self._delivery.close()

    # -- inside -------------------------------------------------------------------------------------------------

    def _abort_if_fenced(self) -> None:
        """A cancelled run waits for nothing, not even for a call that is under way."""
        if self._stop.fence.is_set():
            self._manager.abort()

    def _check(self, what: str = "save", about: str = "") -> None:
        self.pulse.touch(what, about)
        self._ending.check()
        self._delivery.check()

    def _take(self, kind: str, document: Document) -> bool:
        """Encode the document, start the upload of its content and queue its event; memory only. Say whether there is room."""
        self._ending.check()
        if not isinstance(document, Document):
            raise InvalidValueError(
                model="SyncContext", field="emit", value=document, remedy="give a Document(...)"
            )
        self.pulse.touch("emit", document.external_id)
        if (document.content is None) is (document.content_id is None):
            require_one_content(document)
        run = self._run
        event = encode_upsert(kind, document, sync_run_id=run.sync_run_id, source_id=run.source_id)
        if document.permissions is None:
            self._mention_missing_permissions(document)
        if document.content is None:
            has_room = self._delivery.put(event)
        else:
            self._delivery.check()  # Before anything is uploaded.
            upload, size = self._begin_upload(document)
            has_room = self._delivery.put(event, upload, size)
        self._ledger.read()
        self._emitted += 1
        return has_room

    def _wait_for_room(self) -> AwaitableNone:
        if not self._delivery.has_room():
            with self.pulse.inside("emit, waiting for the manager"):
                self._delivery.wait_for_room()
        return DONE

    def _begin_upload(self, document: Document) -> tuple[ContentId, int]:
        """Read the content and begin to send it; return its id to come, and what it takes in the buffer."""
        try:
            payload = payload_of(document)
        except (OSError, InvalidDocumentError) as error:
            if not isinstance(document.content, os.PathLike):
                raise
            unread: Future[str] = (
                Future()
            )  # A file that has just gone is noted in its order, like one that is refused.
            unread.set_exception(error)
            return unread, 0
        if payload.is_guessed:
            self._note_content(
                document.external_id, DECODED_STAGE, "its text is not UTF-8 and was taken as windows-1252"
            )
        upload = payload.begin(self._manager, self.sync_run_id)
        if isinstance(payload, FilePayload):
            upload.add_done_callback(lambda _: payload.close())
        elif payload.is_too_long or not fits_every_manager(payload.encoded):
            return LongText(
                payload, upload, self._manager, self.sync_run_id, lambda: self._note_cut(document.external_id)
            ), payload.buffered_bytes
        return upload, payload.buffered_bytes

    def _note_content(self, document_id: str, stage: str, reason: str) -> None:
        self._ledger.add(DocumentError(document_id=document_id, stage=stage, reason=reason))

    def _note_cut(self, document_id: str) -> None:
        self._note_content(
            document_id,
            TRUNCATED_STAGE,
            "its text is longer than the manager takes (5 MiB; 2 MiB before 3 June 2026) and was cut",
        )

    def _take_deletion(self, external_id: str) -> None:
        event = encode_delete(
            document_id(external_id), sync_run_id=self.sync_run_id, source_id=self.source_id
        )
        self._put("emit_deleted", event)
        self._deleted += 1

    def _put(self, what: str, event: EncodedEvent) -> None:
        """Queue an event that has no content; memory only."""
        self._check(what, event.document_id)
        self._delivery.put(event)

    def _mention_missing_permissions(self, document: Document) -> None:
        if self._said_private:
            return
        self._said_private = True
        log.warning(
            "Document %r has no permissions and is sent as private: nobody finds it. Give it "
            "DocumentPermissions(...). Said once a run.",
            document.external_id[:200],
            extra={"sync_run_id": self.sync_run_id},
        )
