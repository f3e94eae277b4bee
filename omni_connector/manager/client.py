"""The manager's endpoints, each in a few lines; how they are called is in ``transport``."""

import copy
import threading
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, Self
from urllib.parse import quote

import requests

from omni_connector.config import is_http_address
from omni_connector.exceptions import ConfigurationError, ExtractionError, SdkClientError, SyncRunEndedError
from omni_connector.manager.api import Rest
from omni_connector.manager.multipart import MultipartForm
from omni_connector.manager.retry import DEFAULT_POLICIES, Policies, RetryPolicy
from omni_connector.manager.transport import HTTP_OK, Call, Interrupt, Transport
from omni_connector.models import RunProgress, SyncConfig
from omni_connector.models.codec import decode, encode, encode_text, structure
from omni_connector.models.plain import JsonValue

EXTRACTION_FAILED = "Content extraction failed"
"""How the manager says that the file is damaged (manager.openapi.yaml, ExtractFailed)."""


class SdkClient:
    """Calls to one connector-manager.

    Safe to use from many threads. It owns a ``requests.Session`` unless one is handed in; ``close`` it, or use it
    as a context manager.

    Args:
        manager_url: base address, such as ``http://localhost:8090``.
        session: a session to use instead of an own one (headers, CA bundle, proxies are honoured).
        connections: how many connections are kept open.
        policies: when calls are repeated, and how long answers are waited for.

    Raises:
        ConfigurationError: ``manager_url`` is not an http or https address.
    """

    def __init__(
        self,
        manager_url: str,
        *,
        session: requests.Session | None = None,
        connections: int = 32,
        policies: Policies = DEFAULT_POLICIES,
    ) -> None:
        self.manager_url = manager_url.rstrip("/")
        if not is_http_address(self.manager_url):
            raise ConfigurationError(
                "The address of the manager is not an http or https address; give one such as http://localhost:8090."
            )
        self._transport = Transport(self.manager_url, session, connections, policies)
        self._policies = policies
        self._interrupt = Interrupt()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the connections, if this client opened them."""
        self._transport.close()

    def interruptible(self, stop: threading.Event) -> "SdkClient":
        """Return a client of the same connections whose calls end when ``stop`` is set and ``abort`` is called."""
        client = copy.copy(self)
        client._interrupt = Interrupt(stop)  # noqa: SLF001 - of this class.
        return client

    def abort(self) -> None:
        """Break the bulk calls of this client that are under way; to be used after its ``stop`` was set."""
        self._interrupt.busy.abort()
        if self._transport.multiplexer is not None:
            self._transport.multiplexer.abort(self._interrupt.stop)

    def when_overloaded(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` whenever contents or events are answered with 429 or 503."""
        self._transport.overload_callbacks.append(callback)

    def register(self, manifest: dict[str, JsonValue]) -> None:
        """``POST /sdk/register``."""
        self._call("POST", "/sdk/register", manifest, policy=self._policies.once)

    def sync_config(self, source_id: str) -> SyncConfig:
        """``GET /sdk/source/{id}/sync-config``."""
        operation = f"/sdk/source/{_segment(source_id)}/sync-config"
        answer = self._call("GET", operation, policy=self._policies.answering, bulk=True)
        return structure(SyncConfig, answer)

    def user_email(self, source_id: str) -> str:
        """``GET /sdk/source/{id}/user-email``."""
        path = f"/sdk/source/{_segment(source_id)}/user-email"
        answer = self._call("GET", path, policy=self._policies.answering)
        return _text(answer, "email", f"GET {path}")

    def send_events(
        self, sync_run_id: str, source_id: str, events: Sequence[bytes], *, patient: bool = True
    ) -> None:
        """``POST /sdk/events/batch``. Without ``patient`` a refusal is reported after the first attempt."""
        envelope = b'{"sync_run_id":%b,"source_id":%b,"events":[%b]}'
        body = envelope % (encode(sync_run_id), encode(source_id), b",".join(events))
        try:
            policy = self._policies.bulk if patient else self._policies.once
            self._call("POST", "/sdk/events/batch", body, policy=policy, bulk=True)
        except SdkClientError as error:
            if error.status == requests.codes.bad_request and _is_context_check(error.body):
                raise SyncRunEndedError(
                    str(error),
                    operation=error.operation,
                    status=error.status,
                    body=error.body,
                    attempts=error.attempts,
                ) from error
            raise

    def store_content(self, sync_run_id: str, content: str, content_type: str | None = None) -> str:
        """``POST /sdk/content``."""
        return self.store_encoded(sync_run_id, encode_text(content), content_type)

    def store_encoded(self, sync_run_id: str, content: bytes, content_type: str | None = None) -> str:
        """``POST /sdk/content`` with a text that is a JSON string already."""
        head = b'{"sync_run_id":%b,"content_type":%b,"content":' % (encode(sync_run_id), encode(content_type))
        body = (head, content, b"}")
        answer = self._call("POST", "/sdk/content", body, policy=self._policies.bulk, bulk=True)
        return _text(answer, "content_id", "POST /sdk/content")

    def store_soon(self, sync_run_id: str, content: bytes, done: Callable[[str, Rest | None], None]) -> bool:
        """``POST /sdk/content`` as ``store_encoded``, without a thread that waits for the answer."""
        head = b'{"sync_run_id":%b,"content_type":"text/plain","content":' % encode(sync_run_id)
        call = Call("POST", "/sdk/content", (head, content, b"}"), self._policies.bulk, bulk=True)

        def answered(answer: JsonValue, rest: Callable[[], JsonValue] | None) -> None:
            if rest is not None:
                done("", lambda: _text(rest(), "content_id", call.operation))
            elif type(answer) is dict and type(answer.get("content_id")) is str:
                done(answer["content_id"], None)
            else:
                done("", lambda: _text(answer, "content_id", call.operation))

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
        """``POST /sdk/extract-content``; ``file`` is streamed, and read again for another attempt."""
        answer = self._extract("/sdk/extract-content", sync_run_id, file, mime_type, filename)
        return _text(answer, "content_id", "POST /sdk/extract-content")

    def extract_text(
        self, sync_run_id: str, file: BinaryIO, *, mime_type: str, filename: str | None = None
    ) -> str:
        """``POST /sdk/extract-text``; the text is not stored."""
        answer = self._extract("/sdk/extract-text", sync_run_id, file, mime_type, filename)
        return _text(answer, "text", "POST /sdk/extract-text")

    def heartbeat(self, sync_run_id: str) -> None:
        """``POST /sdk/sync/{id}/heartbeat``."""
        self._call("POST", f"/sdk/sync/{_segment(sync_run_id)}/heartbeat", {}, policy=self._policies.once)

    def add_scanned(self, sync_run_id: str, count: int) -> None:
        """``POST /sdk/sync/{id}/scanned``."""
        self._call(
            "POST",
            f"/sdk/sync/{_segment(sync_run_id)}/scanned",
            {"count": count},
            policy=self._policies.counters,
        )

    def add_updated(self, sync_run_id: str, count: int) -> None:
        """``POST /sdk/sync/{id}/updated``."""
        self._call(
            "POST",
            f"/sdk/sync/{_segment(sync_run_id)}/updated",
            {"count": count},
            policy=self._policies.counters,
        )

    def progress(self, sync_run_id: str) -> RunProgress | None:
        """``GET /sync/{id}/progress``: the first of its server-sent events."""
        call = Call("GET", f"/sync/{_segment(sync_run_id)}/progress", None, self._policies.answering)
        event = self._transport.first_event(call, self._interrupt)
        return None if event is None else structure(RunProgress, event)

    def save_checkpoint(self, sync_run_id: str, checkpoint: JsonValue) -> None:
        """``PUT /sdk/sync/{id}/checkpoint``."""
        path = f"/sdk/sync/{_segment(sync_run_id)}/checkpoint"
        self._call("PUT", path, encode(checkpoint), policy=self._policies.bulk, bulk=True)

    def save_connector_state(self, source_id: str, state: JsonValue) -> None:
        """``PUT /sdk/source/{id}/connector-state``."""
        path = f"/sdk/source/{_segment(source_id)}/connector-state"
        self._call("PUT", path, encode(state), policy=self._policies.bulk, bulk=True)

    def complete(self, sync_run_id: str, *, scanned: int, updated: int, new_state: JsonValue) -> None:
        """``POST /sdk/sync/{id}/complete``; the body is for managers before 26 April 2026."""
        body = {"documents_scanned": scanned, "documents_updated": updated, "new_state": new_state}
        self._call("POST", f"/sdk/sync/{_segment(sync_run_id)}/complete", body, policy=self._policies.bulk)

    def fail(self, sync_run_id: str, error: str) -> None:
        """``POST /sdk/sync/{id}/fail``."""
        self._call(
            "POST", f"/sdk/sync/{_segment(sync_run_id)}/fail", {"error": error}, policy=self._policies.bulk
        )

    def _extract(
        self, path: str, sync_run_id: str, file: BinaryIO, mime_type: str, filename: str | None
    ) -> JsonValue:
        fields = {"sync_run_id": sync_run_id, "mime_type": mime_type}
        if filename is not None:
            fields["filename"] = filename
        call = Call("POST", path, None, self._policies.extraction, tell=_extraction_error)
        return self._transport.upload(call, lambda: MultipartForm(fields, file), self._interrupt)

    def _call(
        self, method: str, path: str, body: Any = None, *, policy: RetryPolicy, bulk: bool = False
    ) -> JsonValue:
        data = body if isinstance(body, (bytes, tuple)) or method == "GET" else encode(body)
        return self._transport.call(Call(method, path, data, policy, bulk), self._interrupt)


def _segment(text: str) -> str:
    return quote(text, safe="")


def _is_context_check(body: str) -> bool:
    """A refusal of the run is JSON; a refusal of the text is not (PROTOCOL, section 9)."""
    try:
        return isinstance(decode(body), dict)
    except ValueError:
        return False


def _extraction_error(error: SdkClientError) -> SdkClientError:
    """Tell a file that will never be extracted, however often it is sent, from a manager in trouble."""
    too_large = error.status == requests.codes.request_entity_too_large
    if not too_large and not (
        error.status == requests.codes.server_error and EXTRACTION_FAILED in error.body
    ):
        return error
    return ExtractionError(str(error), operation=error.operation, status=error.status, body=error.body)


def _text(answer: JsonValue, key: str, operation: str) -> str:
    """Return the text that the answer has under ``key``."""
    text = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(text, str):
        raise SdkClientError(
            f"{operation}: the manager's answer has no {key}", operation=operation, status=HTTP_OK
        )
    return text
