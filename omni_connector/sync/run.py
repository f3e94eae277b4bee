"""One run: takes what its connector emits, delivers it, saves checkpoints, and ends once.

Everything here blocks and belongs to the thread of the run; ``SyncContext`` is the face that connectors see.
"""

import copy
import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from typing import Any

from attrs import evolve

from omni_connector.exceptions import (
    ConnectorError,
    InvalidDocumentError,
    InvalidValueError,
    ManagerUnreachableError,
    NotFoundError,
    SdkClientError,
)
from omni_connector.manager.api import ManagerApi
from omni_connector.manager.pending import Pending
from omni_connector.masking import SecretScope, error_text, protect_process, secrets_in, secrets_in_settings
from omni_connector.models.codec import encode, too_large
from omni_connector.models.document import Document, require_one_content
from omni_connector.models.events import EncodedEvent, encode_upsert
from omni_connector.models.json_values import JsonValue
from omni_connector.sync.covered import CoveredCounts
from omni_connector.sync.delivery import Delivery, DeliveryLimits
from omni_connector.sync.ledger import (
    CONNECTOR_STAGE,
    DECODED_STAGE,
    ENDED_STAGE,
    TRUNCATED_STAGE,
    DocumentError,
    ErrorLedger,
    ErrorLimits,
)
from omni_connector.sync.payloads import Payload, PendingContent, WithdrawnError, payload_of
from omni_connector.sync.pulse import Pulse
from omni_connector.sync.run_info import RunInfo
from omni_connector.sync.state import RunState
from omni_connector.telemetry.figures import Figures, RunFigures, Stage
from omni_connector.telemetry.meter import RunMeter, looked_at

log = logging.getLogger(__name__)

FLUSH_SECONDS = 30.0
"""How long a failing run tries to deliver what it has taken."""

LARGE_STATE_BYTES = 10_000_000
"""A checkpoint beyond this is warned of."""

TRUNCATED = "its text is longer than the manager takes (5 MiB; 2 MiB before 3 June 2026) and was cut"
DECODED = "its text is not UTF-8 and was taken as windows-1252"

PRIVATE = "a document without permissions"


class SyncRun:
    """One run. ``close`` it. Safe to use from many threads.

    Args:
        info: what is known about the run.
        manager: where to report.
        state: its state.
        limits: when batches are sent, and how much may wait.
        error_limits: how many documents may fail.
        covered: what earlier processes have counted; left out, the manager's figures are believed.

    Attributes:
        checkpoint: the last that this run saved, else what it was given.
        connector_state: the same for the durable notes of the source.
        pulse: when the connector last called, and for what.
        meter: what its time is spent on ...
        run_meter: ... and that of the whole run, where this is one partition of it.
        ledger: the documents that did not arrive.
        delivery: the way of the events.
        secrets: are masked until the run is closed.
        said: what is logged once a run, and was.
        failure: why it was reported as failed.
        documents_deleted: deletions that were emitted.
    """

    def __init__(
        self,
        info: RunInfo,
        manager: ManagerApi,
        state: RunState,
        *,
        limits: DeliveryLimits | None = None,
        error_limits: ErrorLimits | None = None,
        covered: CoveredCounts | None = None,
    ) -> None:
        protect_process()
        self.info = info
        self.secrets = SecretScope(info.secrets)
        self.state = state
        self.manager = manager.for_run(state.fence)
        self.pulse = Pulse()
        self.meter = self.run_meter = RunMeter()
        self.ledger = ErrorLedger(info.sync_run_id, error_limits)
        limits = limits or DeliveryLimits.for_mode(info.mode)
        self.delivery = Delivery(info, self.manager, state, self.ledger, limits, meter=self.meter)
        self._covered = covered or CoveredCounts()
        self.checkpoint: Any = info.checkpoint
        self.connector_state: Any = info.connector_state
        self.failure: str | None = None
        self.documents_deleted = 0
        self._emitted = 0
        self._has_saved = False
        self.is_in_parts = False
        self._covered_events = 0  # Taken before the last checkpoint.
        self._final_checkpoint: JsonValue = None
        self.said: set[str] = set()
        self._credentials: Any = info.credentials
        self._user_email: str | None = None
        self._asking = threading.Lock()  # Held while the address is asked for, so that it is asked for once.
        self._forget_abort = state.on_stop(self._abort_if_fenced)
        self._log_extra = {"sync_run_id": info.sync_run_id}

    # -- figures --------------------------------------------------------------------------------------------------

    @property
    def resume_point(self) -> Any:
        """Where the connector goes on: the last checkpoint of this run, else what ``sync()`` was given."""
        return self.checkpoint if self._has_saved else self.info.state

    @property
    def documents_scanned(self) -> int:
        """Documents looked at, before a resume included."""
        return self.delivery.counters.total_scanned

    @property
    def documents_emitted(self) -> int:
        """Documents emitted, and before a resume accepted."""
        return self.delivery.counters.updated_before + self._emitted

    @property
    def figures(self) -> Figures:
        """All of it, before a resume included where that is known."""
        counters = self.delivery.counters
        return evolve(
            self.ledger.figures,
            scanned=counters.total_scanned,
            updated=counters.total_updated,
            emitted=self._emitted,
            deleted=self.documents_deleted,
        )

    @property
    def run_figures(self) -> RunFigures:
        """The same, and what the run is doing."""
        figures, meter = self.figures, self.meter
        events, size = meter.buffered()
        batches, delivered = meter.traffic()
        return RunFigures(
            documents=figures,
            before=self.delivery.counters.before,
            seconds=meter.seconds,
            stages=meter.stages(),
            buffered_documents=events,
            buffered_bytes=size,
            batches=batches,
            bytes_delivered=delivered,
            parallel_uploads=self.manager.parallel_uploads,
            progress=meter.progress(figures),
        )

    def set_progress(self, total: int | None, phase: str | None) -> None:
        """Note how many documents there are, and what the connector is doing."""
        identity = self.info.identity
        self.run_meter.set_progress(
            looked_at(self.figures), total=total, phase=phase, partition=identity.partition
        )

    @contextmanager
    def waiting(self, what: str, stage: Stage = Stage.WAITING_MANAGER) -> Iterator[None]:
        """Around a call of the connector that waits inside the SDK: meanwhile the run makes progress."""
        with self.pulse.inside(what), self.meter.stage(stage):
            yield

    def add_part(self, more: Figures, errors: Iterable[DocumentError]) -> None:
        """Add what a part of the run, which delivers by itself, has done."""
        counters = self.delivery.counters
        counters.scanned(more.scanned)
        counters.updated(more.updated)
        self._emitted += more.emitted
        self.documents_deleted += more.deleted
        self.ledger.add_part(more, errors)
        self.delivery.wake()

    # -- documents, people, counts --------------------------------------------------------------------------------

    def emit(self, kind: str, document: Document) -> Callable[[], None] | None:
        """Take a document; memory only. Return what remains to be done and may block, or None.

        The document has its place among the events as soon as this returns.

        Raises:
            InvalidDocumentError: it cannot be sent.
        """
        if not isinstance(document, Document):
            raise InvalidValueError(
                model="SyncContext", field="emit", value=document, remedy="give a Document(...)"
            )
        self.pulse.touch("emit", document.external_id)
        content = document.content
        if (content is None) is (document.content_id is None):
            require_one_content(document)
        info = self.info
        event = encode_upsert(kind, document, sync_run_id=info.sync_run_id, source_id=info.source_id)
        if document.permissions is None and PRIVATE not in self.said:
            self._mention_missing_permissions(document)
        if content is None:
            has_room = self.delivery.put(event)
        elif _is_in_memory(document):
            self.delivery.check()  # Before anything is uploaded.
            payload = payload_of(document)
            has_room = self.delivery.put(event, self._upload(payload, document), payload.buffered_bytes)
        else:
            pending = PendingContent()
            self.delivery.put(event, pending)
            return partial(self._read_content, document, pending)
        self._emitted += 1
        self.ledger.read()
        return None if has_room else self.wait_for_room

    def put(self, operation: str, event: EncodedEvent) -> Callable[[], None] | None:
        """Take an event that has no content; otherwise as ``emit``."""
        self.require_open(operation, event.document_id)
        return None if self.delivery.put(event) else self.wait_for_room

    def wait_for_room(self) -> None:
        """Wait until the buffer is below its limits."""
        if not self.delivery.has_room():
            with self.waiting("emit, waiting for the manager"):
                self.delivery.wait_for_room()

    def count_scanned(self, count: int) -> None:
        """Count documents looked at; memory only."""
        self.pulse.touch("increment_scanned")
        self.delivery.count_scanned(count)
        self.ledger.looked_at(count)

    def note_error(self, external_id: str, error: str | BaseException) -> None:
        """Note a document that the connector could not read; memory only.

        Raises:
            TooManyErrorsError: more failed than allowed.
        """
        self.require_open("emit_error", external_id)
        self._note(external_id, CONNECTOR_STAGE, error_text(error))
        self.ledger.check()

    def flush(self) -> list[DocumentError]:
        """Deliver everything taken so far; return what was refused since the last flush."""
        self.require_open("flush")
        with self.waiting("flush"):
            self.delivery.barrier()
        return self.ledger.take_refused()

    def require_open(self, operation: str, about: str = "") -> None:
        """Note a call of the connector, and let it go on; raises as ``Delivery.check``."""
        self.pulse.touch(operation, about)
        self.delivery.check()

    # -- checkpoints, and the end ---------------------------------------------------------------------------------

    def save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save a checkpoint, after everything taken before it was delivered."""
        self.require_open("save_state")
        with self.waiting("save_state"):
            taken = self.delivery.taken
            self.delivery.barrier()
            self.ledger.judge()
            self.store_checkpoint(checkpoint)
            self._covered_events = taken
        self.state.reached_checkpoint()

    def store_checkpoint(self, checkpoint: JsonValue, *, covers_counts: bool = True) -> int:
        """Save a checkpoint, everything before which was delivered; return its bytes.

        Args:
            checkpoint: what is saved.
            covers_counts: what was counted lies before it; False where it says so itself, or is not new.
        """
        with self._naming_what_is_too_large("checkpoint", checkpoint) as size:
            counters = self.delivery.counters
            held, totals = counters.counted()
            if totals is not None and covers_counts:
                self._covered.saving(checkpoint, totals)
            self.manager.save_checkpoint(self.info.sync_run_id, checkpoint, source_id=self.info.source_id)
            self._covered.saved()
        self.checkpoint = checkpoint
        self._has_saved = True
        if covers_counts:
            counters.hold()
            counters.release(held)
            self._report_counts()
        return size

    def _report_counts(self) -> None:
        if self.delivery.counters.age_seconds() is not None:
            self.delivery.barrier()

    def save_connector_state(self, notes: dict[str, Any]) -> None:
        """Replace the durable notes of the source; also after the end."""
        self.state.raise_if_stopped()
        self.secrets.add(secrets_in_settings(notes))
        what = "connector state"
        with self.waiting("save_connector_state"), self._naming_what_is_too_large(what, notes):
            self.manager.save_connector_state(self.info.source_id, notes)
        self.connector_state = notes

    def wish_checkpoint(self, checkpoint: JsonValue) -> None:
        """Note the checkpoint with which the run should complete."""
        if not self.state.has_ended:
            self._final_checkpoint = checkpoint

    def complete(self) -> None:
        """End the run as completed; nothing happens when it is stopped or has ended.

        Raises:
            TooManyErrorsError: more documents failed than allowed.
        """
        if self.state.stopped.is_set() or self.state.has_ended:
            return
        with self.waiting("complete"):
            self.delivery.barrier(final=True)
        self.ledger.judge()  # Also for a connector that went on after TooManyErrorsError.
        checkpoint = self._final_checkpoint
        if checkpoint is None and not self._has_saved:
            # A run that saves none erases the source's checkpoint (PROTOCOL, section 6).
            checkpoint = self.info.checkpoint
        if checkpoint is not None:
            self.store_checkpoint(checkpoint, covers_counts=False)
        counters = self.delivery.counters
        counters.release_all()
        self._report_counts()
        with self.state.final_call("completed") as is_first:
            if is_first:
                self.manager.complete(
                    self.info.sync_run_id,
                    scanned=counters.total_scanned,
                    updated=counters.total_updated,
                    new_state=self.checkpoint,
                )

    def fail(self, error: str | BaseException) -> None:
        """Deliver what was taken as far as possible, then end the run as failed, without secrets in the text."""
        if self.state.stopped.is_set() or self.state.has_ended:
            return
        try:
            self.delivery.counters.release_all()
            self.delivery.barrier(timeout_seconds=FLUSH_SECONDS, final=True)
        except ConnectorError as trouble:
            message = "Not everything that was emitted could be delivered: %s"
            log.warning(message, trouble, extra=self._log_extra)
        self.failure = text = error_text(error)
        with self.state.final_call("failed") as is_first:
            if is_first:
                self.manager.fail(self.info.sync_run_id, text)

    # -- other calls of the connector -----------------------------------------------------------------------------

    def user_email(self) -> str:
        """Return the address of the user who made the source; asked for once."""
        with self._asking:
            if self._user_email is None:
                self.require_open("user_email")
                with self.waiting("user_email"), self.state.naming_cancellation():
                    self._user_email = self.manager.user_email(self.info.source_id)
            return self._user_email

    def credentials(self, fresh: bool) -> dict[str, Any]:  # noqa: FBT001 - from a face where it has a name.
        """Return the source's credentials; ``fresh`` asks the manager for them."""
        if fresh:
            self.require_open("credentials")
            found = self._fetched_credentials()
            self.secrets.add(secrets_in(found))
            self._credentials = found
        return copy.deepcopy(self._credentials)

    def _fetched_credentials(self) -> Any:
        try:
            with self.state.naming_cancellation():
                return self.manager.credentials(self.info.source_id).credentials or {}
        except NotFoundError:
            self.manager.source(self.info.source_id)  # Raises when it is the source that is gone.
            return {}

    def heartbeat(self) -> None:
        """Report the run alive; a failure is logged."""
        self.require_open("heartbeat")
        try:
            self.beat()
        except SdkClientError as error:
            # That the manager is away is said once, by the client.
            level = logging.DEBUG if isinstance(error, ManagerUnreachableError) else logging.WARNING
            log.log(level, "A heartbeat failed: %s", error, extra=self._log_extra)

    def sleep(self, seconds: float) -> bool:
        """Wait, but no longer than until the run is stopped; return True when the time is over."""
        with self.waiting("sleep", Stage.WAITING_RATE_LIMIT):
            return not self.state.stopped.wait(seconds)

    # -- for the runtime ------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Find out what an earlier process has done for this run; to be called before the connector is.

        Raises:
            SdkClientError: the manager takes no checkpoint.
        """
        counters = self.delivery.counters
        if self.info.is_resume:
            counts = self._covered.of(self.info.checkpoint) if self.info.has_own_checkpoint else None
            if counts is not None:
                counters.go_on_from(counts)
            counters.carry_over()
        elif self.info.may_have_begun:
            self._rewind()

    def begin_from(self, checkpoint: JsonValue) -> None:
        """Begin with another checkpoint than the one that was dispatched: made of it."""
        self.info = evolve(self.info, checkpoint=checkpoint)
        self.checkpoint = checkpoint

    @property
    def is_at_checkpoint(self) -> bool:
        """Nothing was taken or counted since the last checkpoint, or at all."""
        return (
            not self.is_in_parts
            and self.delivery.taken == self._covered_events
            and not self.delivery.counters.has_uncovered
        )

    def drain(self, *, timeout_seconds: float) -> None:
        """Deliver what was taken while the process shuts down; what cannot be delivered is emitted again later."""
        try:
            self.delivery.barrier(timeout_seconds=timeout_seconds)
        except ConnectorError as error:
            log.info("Not drained: %s", error, extra=self._log_extra)

    def beat(self) -> None:
        """Report the run alive.

        Raises:
            SdkClientError: the manager did not take it.
        """
        if not self.state.has_ended:
            self.manager.heartbeat(self.info.sync_run_id)

    def note_after_the_end(self, error: BaseException) -> None:
        """Note what ``sync()`` raised after the run had ended; its report shows it."""
        run_id, reason = self.info.sync_run_id, error_text(error)
        self.ledger.note(DocumentError(document_id=run_id, kind="run", stage=ENDED_STAGE, reason=reason))

    def close(self) -> None:
        """End the run's own thread, after its end."""
        self._forget_abort()
        self.delivery.close()
        self.meter.end()
        self.secrets.close()

    # -- inside ---------------------------------------------------------------------------------------------------

    def _abort_if_fenced(self) -> None:
        """A cancelled run waits for nothing, not even for a call that is under way."""
        if self.state.fence.is_set():
            self.manager.abort()

    def _read_content(self, document: Document, pending: PendingContent) -> None:
        """Read a file that was given as content, and begin to send it."""
        try:
            payload = payload_of(document)
        except BaseException as error:
            # A file that has just gone is noted in its order, like one that the manager refuses.
            is_noted = isinstance(error, (OSError, InvalidDocumentError)) and isinstance(
                document.content, os.PathLike
            )
            pending.set_exception(error if is_noted else WithdrawnError())
            if not is_noted:
                raise
        else:
            try:
                self.delivery.add_bytes(pending, payload.buffered_bytes)
                pending.follow(self._upload(payload, document))
            except BaseException as error:
                pending.set_exception(error)
                raise
        self._emitted += 1
        self.ledger.read()
        self.wait_for_room()

    def _upload(self, payload: Payload, document: Document) -> Pending[str]:
        note_cut: Callable[[], None] = partial(self._note, document.external_id, TRUNCATED_STAGE, TRUNCATED)
        if payload.is_guessed:
            self._note(document.external_id, DECODED_STAGE, DECODED)
        if payload.is_too_long:
            note_cut()
            note_cut = _nothing
        return payload.upload(self.manager, self.info.sync_run_id, note_cut)

    def _note(self, document_id: str, stage: str, reason: str) -> None:
        self.ledger.add(DocumentError(document_id=document_id, stage=stage, reason=reason))

    @contextmanager
    def _naming_what_is_too_large(self, name: str, value: JsonValue) -> Iterator[int]:
        size = len(encode(value))
        if size > LARGE_STATE_BYTES:
            log.warning(
                "The %s has %d bytes: it travels with every save and every dispatch of a run. Keep a cursor in it, and "
                "data of the connector elsewhere.",
                name,
                size,
                extra=self._log_extra,
            )
        try:
            with self.state.naming_cancellation():
                yield size
        except SdkClientError as error:
            if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                raise too_large(name, size) from error
            raise

    def _rewind(self) -> None:
        """Take the run's checkpoint back to where this start begins, if an earlier process has got further.

        The manager repeats a first dispatch whose answer it missed, without ``is_resume``. Meanwhile it may have resumed
        the run elsewhere, and a checkpoint may have been saved there. Were this start interrupted, a resume from that
        checkpoint would leave old versions in place that are emitted again from here on.
        """
        try:
            progress = self.manager.progress(self.info.sync_run_id)
            reason = "was begun by an earlier process" if progress and progress.has_begun else ""
            if reason:
                self.delivery.counters.carry_over(progress)
        except SdkClientError as error:
            reason = f"may have been begun by an earlier process ({error})"
        if not reason:
            return
        log.warning("The run %s and is dispatched anew: it begins again", reason, extra=self._log_extra)
        checkpoint = self.info.checkpoint
        self.manager.save_checkpoint(self.info.sync_run_id, checkpoint, source_id=self.info.source_id)

    def _mention_missing_permissions(self, document: Document) -> None:
        self.said.add(PRIVATE)
        log.warning(
            "Document %r has no permissions and is sent as private: no user can find it. Give it "
            "DocumentPermissions(...). Said once a run.",
            document.external_id[:200],
            extra=self._log_extra,
        )


def _nothing() -> None:
    """Do nothing: it is in the ledger already."""


def _is_in_memory(document: Document) -> bool:
    """Say whether the content need not be read from anywhere, nor copied to a file."""
    content: Any = document.content
    if isinstance(content, str):
        return True
    return (
        document.mime_type is None and document.filename is None and isinstance(content, (bytes, bytearray))
    )
