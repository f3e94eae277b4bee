"""What is reported about runs, each endpoint in a few lines."""

from collections.abc import Callable, Sequence
from typing import BinaryIO

from omni_connector.manager import refusals
from omni_connector.manager.api import Rest
from omni_connector.manager.calling import Caller, segment, structured, text_of
from omni_connector.manager.multipart import MultipartForm
from omni_connector.manager.transport import Call
from omni_connector.models import RunProgress
from omni_connector.models.codec import encode, encode_text
from omni_connector.models.plain import JsonValue


class RunCalls(Caller):
    """The endpoints of a run: its events, contents, counts, checkpoint and end; opening and cancelling one."""

    def send_events(
        self, sync_run_id: str, source_id: str, events: Sequence[bytes], *, patient: bool = True
    ) -> Sequence[int]:
        """``POST /sdk/events/batch``: all or none. Without ``patient`` a refusal is reported after the first attempt.

        Args:
            sync_run_id: the run.
            source_id: its source.
            events: encoded ones, as of ``models.events``; each names the same run and source.
            patient: repeat the call while the manager is in trouble.

        Returns:
            The positions of events that were left out, because the manager does not know their kind.

        Raises:
            SyncRunEndedError: the run is not running, or the source is gone.
        """
        envelope = b'{"sync_run_id":%b,"source_id":%b,"events":[%b]}'
        body = envelope % (encode(sync_run_id), encode(source_id), b",".join(events))
        self._send("/sdk/events/batch", body, patient=patient)
        return ()

    def send_event(
        self, sync_run_id: str, source_id: str, event: bytes, *, patient: bool = True
    ) -> Sequence[int]:
        """``POST /sdk/events``: as ``send_events`` with one."""
        envelope = b'{"sync_run_id":%b,"source_id":%b,"event":%b}'
        body = envelope % (encode(sync_run_id), encode(source_id), event)
        self._send("/sdk/events", body, patient=patient)
        return ()

    def store_content(self, sync_run_id: str, content: str, content_type: str | None = None) -> str:
        """``POST /sdk/content``: store text, return its content id.

        Raises:
            ContentTooLargeError: this manager takes no text of that size.
        """
        return self.store_encoded(sync_run_id, encode_text(content), content_type)

    def store_encoded(self, sync_run_id: str, content: bytes, content_type: str | None = None) -> str:
        """``POST /sdk/content`` with a text that is a JSON string already."""
        head = b'{"sync_run_id":%b,"content_type":%b,"content":' % (encode(sync_run_id), encode(content_type))
        body = (head, content, b"}")
        answer = self._call(
            "POST",
            "/sdk/content",
            body,
            policy=self._policies.bulk,
            bulk=True,
            tell=refusals.of_content,
        )
        return text_of(answer, "content_id", "POST /sdk/content")

    def store_soon(self, sync_run_id: str, content: bytes, done: Callable[[str, Rest | None], None]) -> bool:
        """``POST /sdk/content`` as ``store_encoded``, without a thread that waits for the answer."""
        head = b'{"sync_run_id":%b,"content_type":"text/plain","content":' % encode(sync_run_id)
        call = Call(
            "POST",
            "/sdk/content",
            (head, content, b"}"),
            self._policies.bulk,
            bulk=True,
            tell=refusals.of_content,
        )

        def answered(answer: JsonValue, rest: Callable[[], JsonValue] | None) -> None:
            if rest is not None:
                done("", lambda: text_of(rest(), "content_id", call.operation))
            elif type(answer) is dict and type(answer.get("content_id")) is str:
                done(answer["content_id"], None)
            else:
                done("", lambda: text_of(answer, "content_id", call.operation))

        return self._transport.call_soon(call, self._interrupt, answered)

    def limit_contents(self, limit: int) -> None:
        """Carry so many contents of ``store_soon`` at once."""
        if self._transport.multiplexer is not None:
            self._transport.multiplexer.limit = limit

    @property
    def waiting_contents(self) -> int:
        """Contents of ``store_soon`` that are not under way yet; a snapshot."""
        multiplexer = self._transport.multiplexer
        return 0 if multiplexer is None else multiplexer.waiting

    def extract_content(
        self, sync_run_id: str, file: BinaryIO, *, mime_type: str, filename: str | None = None
    ) -> str:
        """``POST /sdk/extract-content``: store the text of a file, return its content id.

        Args:
            sync_run_id: the run.
            file: seekable; it is streamed, and read again for another attempt.
            mime_type: its media type, without parameters.
            filename: its name, whose extension decides with ``application/octet-stream``.

        Raises:
            ExtractionError: the file is damaged or too large, or the manager extracts nothing.
        """
        answer = self._extract("/sdk/extract-content", sync_run_id, file, mime_type, filename)
        return text_of(answer, "content_id", "POST /sdk/extract-content")

    def extract_text(
        self, sync_run_id: str, file: BinaryIO, *, mime_type: str, filename: str | None = None
    ) -> str:
        """``POST /sdk/extract-text``: return the text of a file; all else as for ``extract_content``."""
        answer = self._extract("/sdk/extract-text", sync_run_id, file, mime_type, filename)
        return text_of(answer, "text", "POST /sdk/extract-text")

    def heartbeat(self, sync_run_id: str) -> None:
        """``POST /sdk/sync/{id}/heartbeat``: the run is alive; tried once."""
        path = f"/sdk/sync/{segment(sync_run_id)}/heartbeat"
        self._call("POST", path, {}, policy=self._policies.once, bulk=True)

    def add_scanned(self, sync_run_id: str, count: int) -> None:
        """``POST /sdk/sync/{id}/scanned``; not repeated when it may have arrived."""
        self._count("scanned", sync_run_id, count)

    def add_updated(self, sync_run_id: str, count: int) -> None:
        """``POST /sdk/sync/{id}/updated``; not repeated when it may have arrived."""
        self._count("updated", sync_run_id, count)

    def progress(self, sync_run_id: str) -> RunProgress | None:
        """``GET /sync/{id}/progress``: the first of its server-sent events; None for an unknown run."""
        call = Call("GET", f"/sync/{segment(sync_run_id)}/progress", None, self._policies.answering)
        event = self._transport.first_event(call, self._interrupt)
        return None if event is None else structured(RunProgress, event, call.operation)

    def save_checkpoint(self, sync_run_id: str, checkpoint: JsonValue, *, source_id: str) -> None:
        """``PUT /sdk/sync/{id}/checkpoint``; ``source_id`` is for managers that keep it with the source."""
        del source_id
        path = f"/sdk/sync/{segment(sync_run_id)}/checkpoint"
        self._call("PUT", path, encode(checkpoint), policy=self._policies.bulk, bulk=True)

    def complete(self, sync_run_id: str, *, scanned: int, updated: int, new_state: JsonValue) -> None:
        """``POST /sdk/sync/{id}/complete``; the body is for managers before 26 April 2026."""
        body = {"documents_scanned": scanned, "documents_updated": updated, "new_state": new_state}
        path = f"/sdk/sync/{segment(sync_run_id)}/complete"
        self._call("POST", path, body, policy=self._policies.bulk, bulk=True)

    def fail(self, sync_run_id: str, error: str) -> None:
        """``POST /sdk/sync/{id}/fail``."""
        path = f"/sdk/sync/{segment(sync_run_id)}/fail"
        self._call("POST", path, {"error": error}, policy=self._policies.bulk, bulk=True)

    def create_run(self, source_id: str, sync_mode: str = "incremental") -> str:
        """``POST /sdk/sync/create``: open a run that the connector drives by itself; return its id.

        The manager asks the connector about it like about any other run, and takes it for lost when ``GET /sync/{id}``
        does not say that it is running: ``ConnectorService.own_run`` sees to that.

        Raises:
            NotFoundError: there is no such source.
            RunConflictError: its slot is taken, or a limit is reached.
        """
        body = {"source_id": source_id, "sync_type": sync_mode}
        answer = self._call("POST", "/sdk/sync/create", body, policy=self._policies.once)
        return text_of(answer, "sync_run_id", "POST /sdk/sync/create")

    def cancel_run(self, sync_run_id: str) -> None:
        """``POST /sdk/sync/cancel``: mark a run cancelled; the connector is not told."""
        self._call("POST", "/sdk/sync/cancel", {"sync_run_id": sync_run_id}, policy=self._policies.bulk)

    def _send(self, path: str, body: bytes, *, patient: bool) -> None:
        policy = self._policies.bulk if patient else self._policies.once
        self._call("POST", path, body, policy=policy, bulk=True, tell=refusals.of_events)

    def _count(self, counter: str, sync_run_id: str, count: int) -> None:
        path = f"/sdk/sync/{segment(sync_run_id)}/{counter}"
        self._call("POST", path, {"count": count}, policy=self._policies.counters)

    def _extract(
        self, path: str, sync_run_id: str, file: BinaryIO, mime_type: str, filename: str | None
    ) -> JsonValue:
        fields = {"sync_run_id": sync_run_id, "mime_type": mime_type}
        if filename is not None:
            fields["filename"] = filename
        call = Call("POST", path, None, self._policies.extraction, tell=refusals.of_extraction)
        return self._transport.upload(call, lambda: MultipartForm(fields, file), self._interrupt)
