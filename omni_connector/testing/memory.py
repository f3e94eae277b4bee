"""A manager in memory, for unit tests of single calls; no HTTP, no files.

It keeps what it is sent and answers as the real one does where a connector could notice: a run that has ended takes
no more events, equal contents share an id, a completed run publishes its checkpoint (or erases the source's, if it
saved none). It is not strict about what is in the events: that is the embedded manager's part (``omni_connector.local``).
"""

import threading
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, BinaryIO, cast

import attrs
from attrs import define, field

from omni_connector.exceptions import SyncRunEndedError
from omni_connector.manager import ManagerApi
from omni_connector.manager.pending import Pending
from omni_connector.models import RunProgress
from omni_connector.models.codec import decode, encode
from omni_connector.models.json_values import JsonValue
from omni_connector.testing.memory_of_run import Interruptible
from omni_connector.testing.memory_sources import MemorySources

RUNNING = "running"
COMPLETED = "completed"
FAILED = "failed"
CANCELLED = "cancelled"
ENDED_BODY = '{"error":"Events may only be emitted for a running sync run"}'
"""As the real manager answers (PROTOCOL, section 9)."""


@define(eq=False)
class MemoryManager(MemorySources):
    """Implements ``ManagerApi`` in memory. All of it may be used from several threads.

    Attributes:
        events: the accepted events, decoded, in order.
        contents: the stored texts by content id.
        checkpoints: the last checkpoint of each run that saved one.
        statuses: how runs ended: ``completed``, ``failed``, or what ``end_run`` was given.
        error: the text of the last ``fail``, or None.
        scanned: sum of ``add_scanned``.
        updated: sum of ``add_updated``.
        registrations: the manifests that were registered.
        closed: ``close`` was called.
    """

    events: list[dict[str, Any]] = field(factory=list, init=False)
    contents: dict[str, str] = field(factory=dict, init=False)
    checkpoints: dict[str, JsonValue] = field(factory=dict, init=False)
    statuses: dict[str, str] = field(factory=dict, init=False)
    error: str | None = field(default=None, init=False)
    scanned: int = field(default=0, init=False)
    updated: int = field(default=0, init=False)
    registrations: list[dict[str, JsonValue]] = field(factory=list, init=False)
    closed: bool = field(default=False, init=False)
    _content_ids: dict[str, str] = field(factory=dict, init=False)
    _extractions: threading.Semaphore = field(factory=lambda: threading.Semaphore(2), init=False)

    # -- for the test -------------------------------------------------------------------------------------------

    @property
    def checkpoint(self) -> JsonValue:
        """The checkpoint that was saved last, by whichever run; None when there is none."""
        return next(reversed(self.checkpoints.values()), None)

    @property
    def status(self) -> str:
        """How the last run that ended did end; ``running`` while none has."""
        return next(reversed(self.statuses.values()), RUNNING)

    def end_run(self, sync_run_id: str, status: str = "cancelled") -> None:
        """End a run behind its connector's back: its further events are refused.

        Args:
            sync_run_id: the run.
            status: ``cancelled``, ``failed`` or ``completed``.
        """
        with self._changing():
            self.statuses[sync_run_id] = status

    # -- ManagerApi ---------------------------------------------------------------------------------------------

    def for_run(self, stop: threading.Event) -> ManagerApi:
        """Return this manager as a run sees it: once ``stop`` is set its calls are refused and not noted."""
        return cast("ManagerApi", Interruptible(self, stop))

    parallel_uploads = 0
    """A text is stored at once."""

    def abort(self) -> None:
        """Nothing is ever under way for long."""

    def ping(self) -> None:
        """Be healthy."""
        self._receive("ping")

    def register(self, manifest: dict[str, JsonValue]) -> None:
        """Keep the manifest."""
        self._receive("register", manifest=manifest)
        with self._changing():
            self.registrations.append(decode(encode(manifest)))

    def cancel_run(self, sync_run_id: str) -> None:
        """End the run as cancelled."""
        self._receive("cancel_run", sync_run_id=sync_run_id)
        with self._changing():
            self.statuses.setdefault(sync_run_id, CANCELLED)

    def send_event(
        self, sync_run_id: str, source_id: str, event: bytes, *, patient: bool = True
    ) -> Sequence[int]:
        """As ``send_events`` with one, and noted as such."""
        return self.send_events(sync_run_id, source_id, [event], patient=patient)

    def send_events(
        self,
        sync_run_id: str,
        source_id: str,
        events: Sequence[bytes],
        *,
        patient: bool = True,
        insistent: bool = False,
    ) -> Sequence[int]:
        """Keep the events.

        Raises:
            SyncRunEndedError: the run has ended.
        """
        self._receive(
            "send_events",
            sync_run_id=sync_run_id,
            source_id=source_id,
            events=events,
            patient=patient,
            insistent=insistent,
        )
        decoded = [decode(event) for event in events]
        with self._changing():
            if sync_run_id in self.statuses:
                raise SyncRunEndedError(
                    f"POST /sdk/events/batch: {HTTPStatus.BAD_REQUEST} {ENDED_BODY}",
                    operation="POST /sdk/events/batch",
                    status=HTTPStatus.BAD_REQUEST,
                    body=ENDED_BODY,
                )
            self.events += decoded
        return ()

    def store_content(self, sync_run_id: str, content: str, content_type: str | None = None) -> str:
        """Keep the text; equal texts share an id (PROTOCOL, section 12)."""
        self._receive("store_content", sync_run_id=sync_run_id, content=content, content_type=content_type)
        return self._stored(content)

    def store_text(self, sync_run_id: str, encoded: bytes, content_type: str | None = None) -> str:
        """As ``store_content``, and noted as such."""
        return self.store_content(sync_run_id, decode(encoded), content_type)

    def upload_text(self, sync_run_id: str, encoded: bytes, content_type: str | None = None) -> Pending[str]:
        """As ``store_content``, and noted as such; in a thread, which ends with it."""
        return _in_thread(lambda: self.store_content(sync_run_id, decode(encoded), content_type))

    def upload_file(
        self, sync_run_id: str, open_file: Callable[[], BinaryIO], mime_type: str, filename: str | None
    ) -> Pending[str]:
        """As ``extract_content``, and noted as such; in a thread, which ends with it."""

        def extract() -> str:
            with self._extractions:
                file = open_file()
                try:
                    return self.extract_content(sync_run_id, file, mime_type=mime_type, filename=filename)
                finally:
                    file.close()

        return _in_thread(extract)

    def extract_content(
        self, sync_run_id: str, file: BinaryIO, *, mime_type: str, filename: str | None = None
    ) -> str:
        """Keep the file as UTF-8 text; nothing is really extracted."""
        self._receive("extract_content", sync_run_id=sync_run_id, mime_type=mime_type, filename=filename)
        return self._stored(_whole(file))

    def extract_text(
        self, sync_run_id: str, file: BinaryIO, *, mime_type: str, filename: str | None = None
    ) -> str:
        """Return the file as UTF-8 text; nothing is really extracted."""
        self._receive("extract_text", sync_run_id=sync_run_id, mime_type=mime_type, filename=filename)
        return _whole(file)

    def heartbeat(self, sync_run_id: str) -> None:
        """Note the call."""
        self._receive("heartbeat", sync_run_id=sync_run_id)

    def add_scanned(self, sync_run_id: str, count: int) -> None:
        """Add to ``scanned``."""
        self._receive("add_scanned", sync_run_id=sync_run_id, count=count)
        with self._changing():
            self.scanned += count

    def add_updated(self, sync_run_id: str, count: int) -> None:
        """Add to ``updated``."""
        self._receive("add_updated", sync_run_id=sync_run_id, count=count)
        with self._changing():
            self.updated += count

    def progress(self, sync_run_id: str) -> RunProgress:
        """Return the figures; they are not kept apart by run."""
        self._receive("progress", sync_run_id=sync_run_id)
        with self._changed:
            status = self.statuses.get(sync_run_id, RUNNING)
            return RunProgress(status=status, documents_scanned=self.scanned, documents_updated=self.updated)

    def save_checkpoint(self, sync_run_id: str, checkpoint: JsonValue, *, source_id: str) -> None:
        """Keep the checkpoint; nothing happens when the run has ended (PROTOCOL, section 9)."""
        self._receive("save_checkpoint", sync_run_id=sync_run_id, checkpoint=checkpoint, source_id=source_id)
        with self._changing():
            if sync_run_id not in self.statuses:
                self.checkpoints.pop(sync_run_id, None)  # The last one saved stands last.
                self.checkpoints[sync_run_id] = decode(encode(checkpoint))

    def complete(self, sync_run_id: str, *, scanned: int, updated: int, new_state: JsonValue) -> None:
        """End the run and publish its checkpoint, or erase the source's (PROTOCOL, section 6)."""
        self._receive(
            "complete", sync_run_id=sync_run_id, scanned=scanned, updated=updated, new_state=new_state
        )
        with self._changing():
            if sync_run_id not in self.statuses:
                self.statuses[sync_run_id] = COMPLETED
                self.config = attrs.evolve(self.config, checkpoint=self.checkpoints.get(sync_run_id))

    def fail(self, sync_run_id: str, error: str) -> None:
        """End the run as failed; nothing is published."""
        self._receive("fail", sync_run_id=sync_run_id, error=error)
        with self._changing():
            if sync_run_id not in self.statuses:
                self.statuses[sync_run_id] = FAILED
                self.error = error

    def close(self) -> None:
        """Note that it was closed."""
        with self._changing():
            self.closed = True

    def _stored(self, text: str) -> str:
        with self._changing():
            content_id = self._content_ids.setdefault(text, f"content-{len(self.contents) + 1}")
            self.contents[content_id] = text
            return content_id


def _in_thread(call: Callable[[], str]) -> Pending[str]:
    pending: Pending[str] = Pending()

    def run() -> None:
        try:
            pending.set_result(call())
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits.
            pending.set_exception(error)

    threading.Thread(target=run, name="memory-upload", daemon=True).start()
    return pending


def _whole(file: BinaryIO) -> str:
    """Read a file as it is sent: from its beginning, wherever it stands."""
    file.seek(0)
    return file.read().decode(errors="replace")
