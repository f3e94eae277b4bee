"""The manager over HTTP: one method sends, checks and translates; each operation is a few lines."""

import copy
import logging
import threading
import time
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any, Self
from urllib.parse import quote, urlsplit

import requests
from attrs import frozen
from requests.adapters import HTTPAdapter
from requests.utils import get_netrc_auth
from urllib3.exceptions import NewConnectionError

from omni_connector._version import __version__
from omni_connector.config import is_http_address
from omni_connector.exceptions import (
    ConfigurationError,
    ManagerUnreachableError,
    SdkClientError,
    ServiceOverloadedError,
    SyncRunEndedError,
)
from omni_connector.manager.lane import Lane, LaneError, LaneResponse
from omni_connector.manager.retry import (
    ANSWERING,
    BULK,
    COUNTERS,
    ONCE,
    RETRIED_STATUSES,
    UNHANDLED_STATUSES,
    RetryPolicy,
    retry_after_seconds,
)
from omni_connector.models import SyncConfig
from omni_connector.models.codec import decode, encode, structure
from omni_connector.models.plain import JsonValue

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_SECONDS = 5.0
READ_TIMEOUT_SECONDS = 30.0
BULK_PATHS = frozenset({"/sdk/content", "/sdk/events/batch"})
OVERLOADED = frozenset({429, 503})
SHOWN_BODY_LENGTH = 500
HTTP_OK = 200
HTTP_REDIRECT = 300


class SdkClient:
    """Calls to one connector-manager.

    Safe to use from many threads. It owns a ``requests.Session`` unless one is handed in; ``close`` it, or use it
    as a context manager.

    Args:
        manager_url: base address, such as ``http://localhost:8090``.
        session: a session to use instead of an own one (headers, CA bundle, proxies are honoured).
        connections: how many connections are kept open.

    Raises:
        ConfigurationError: ``manager_url`` is not an http or https address.
    """

    def __init__(
        self,
        manager_url: str,
        *,
        session: requests.Session | None = None,
        connections: int = 32,
    ) -> None:
        self.manager_url = manager_url.rstrip("/")
        if not is_http_address(self.manager_url):
            raise ConfigurationError(
                "The address of the manager is not an http or https address; give one such as http://localhost:8090."
            )
        self._session = session or _new_session(self.manager_url, connections)
        self._owns_session = session is None
        self._lane = Lane.for_session(
            self.manager_url,
            self._session,
            connect_seconds=CONNECT_TIMEOUT_SECONDS,
            read_seconds=READ_TIMEOUT_SECONDS,
        )
        self._stop = threading.Event()
        self._overload_callbacks: list[Callable[[], None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the connections, if this client opened them."""
        if self._lane is not None:
            self._lane.close()
        if self._owns_session:
            self._session.close()

    def interruptible(self, stop: threading.Event) -> "SdkClient":
        """Return a client of the same session whose waits between attempts end when ``stop`` is set."""
        client = copy.copy(self)
        client._stop = stop  # noqa: SLF001 - of this class.
        return client

    def when_overloaded(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` whenever contents or events are answered with 429 or 503."""
        self._overload_callbacks.append(callback)

    def register(self, manifest: dict[str, JsonValue]) -> None:
        """``POST /sdk/register``."""
        self._call("POST", "/sdk/register", manifest, policy=ONCE)

    def sync_config(self, source_id: str) -> SyncConfig:
        """``GET /sdk/source/{id}/sync-config``."""
        operation = f"/sdk/source/{_segment(source_id)}/sync-config"
        return structure(SyncConfig, self._call("GET", operation, policy=ANSWERING))

    def send_events(
        self, sync_run_id: str, source_id: str, events: Sequence[bytes], *, patient: bool = True
    ) -> None:
        """``POST /sdk/events/batch``. Without ``patient`` a refusal is reported after the first attempt."""
        envelope = b'{"sync_run_id":%b,"source_id":%b,"events":[%b]}'
        body = envelope % (encode(sync_run_id), encode(source_id), b",".join(events))
        try:
            self._call("POST", "/sdk/events/batch", body, policy=BULK if patient else ONCE)
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
        body = {"sync_run_id": sync_run_id, "content": content, "content_type": content_type}
        answer = self._call("POST", "/sdk/content", body, policy=BULK)
        content_id = answer.get("content_id") if isinstance(answer, dict) else None
        if not isinstance(content_id, str):
            raise SdkClientError(
                "POST /sdk/content: the manager's answer has no content_id",
                operation="POST /sdk/content",
                status=HTTP_OK,
            )
        return content_id

    def heartbeat(self, sync_run_id: str) -> None:
        """``POST /sdk/sync/{id}/heartbeat``."""
        self._call("POST", f"/sdk/sync/{_segment(sync_run_id)}/heartbeat", {}, policy=ONCE)

    def add_scanned(self, sync_run_id: str, count: int) -> None:
        """``POST /sdk/sync/{id}/scanned``."""
        self._call("POST", f"/sdk/sync/{_segment(sync_run_id)}/scanned", {"count": count}, policy=COUNTERS)

    def add_updated(self, sync_run_id: str, count: int) -> None:
        """``POST /sdk/sync/{id}/updated``."""
        self._call("POST", f"/sdk/sync/{_segment(sync_run_id)}/updated", {"count": count}, policy=COUNTERS)

    def save_checkpoint(self, sync_run_id: str, checkpoint: JsonValue) -> None:
        """``PUT /sdk/sync/{id}/checkpoint``."""
        path = f"/sdk/sync/{_segment(sync_run_id)}/checkpoint"
        self._call("PUT", path, encode(checkpoint), policy=BULK)

    def save_connector_state(self, source_id: str, state: JsonValue) -> None:
        """``PUT /sdk/source/{id}/connector-state``."""
        path = f"/sdk/source/{_segment(source_id)}/connector-state"
        self._call("PUT", path, encode(state), policy=BULK)

    def complete(self, sync_run_id: str, *, scanned: int, updated: int, new_state: JsonValue) -> None:
        """``POST /sdk/sync/{id}/complete``; the body is for managers before 26 April 2026."""
        body = {"documents_scanned": scanned, "documents_updated": updated, "new_state": new_state}
        self._call("POST", f"/sdk/sync/{_segment(sync_run_id)}/complete", body, policy=BULK)

    def fail(self, sync_run_id: str, error: str) -> None:
        """``POST /sdk/sync/{id}/fail``."""
        self._call("POST", f"/sdk/sync/{_segment(sync_run_id)}/fail", {"error": error}, policy=BULK)

    def _call(self, method: str, path: str, body: Any = None, *, policy: RetryPolicy) -> JsonValue:
        """Send, repeat as ``policy`` says, and return the decoded answer.

        Raises:
            SdkClientError: of the kind that tells what to do; its message says what was tried and what came back.
        """
        data = body if isinstance(body, bytes) or method == "GET" else encode(body)
        call = _Call(method, path, data, policy)
        operation = call.operation
        if self._stop.is_set():
            raise SdkClientError(f"{operation}: not sent, because the run was stopped", operation=operation)
        started = time.monotonic()
        for attempt in range(1, policy.attempts + 1):
            try:
                return self._attempt(call, started)
            except SdkClientError as error:
                delay = _delay(error, attempt, policy)
                left = policy.total_seconds - (time.monotonic() - started)
                if delay is None or attempt == policy.attempts or delay > left or self._stop.wait(delay):
                    raise _told(error, attempt, time.monotonic() - started) from error.__cause__
                log.info(
                    "%s failed, attempt %d follows: %s",
                    operation,
                    attempt + 1,
                    error,
                    extra={"operation": operation},
                )
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _attempt(self, call: "_Call", started: float) -> JsonValue:
        if self._lane is not None and call.data is not None and call.path in BULK_PATHS:
            deadline = started + call.policy.total_seconds + READ_TIMEOUT_SECONDS
            try:
                answer = self._lane.post(call.path, call.data, deadline=deadline)
            except LaneError as error:
                raise _unreachable(call.operation, self.manager_url, error, repeat=True) from error
        else:
            answer = self._through_session(call)
        if answer.status in OVERLOADED and call.path in BULK_PATHS:
            for callback in self._overload_callbacks:
                callback()
        if HTTP_OK <= answer.status < HTTP_REDIRECT:
            return _json(answer, call.operation)
        raise _refused(call.operation, answer)

    def _through_session(self, call: "_Call") -> LaneResponse:
        try:
            response = self._session.request(
                call.method,
                self.manager_url + call.path,
                data=call.data,
                headers=_HEADERS,
                timeout=(CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            passing = isinstance(
                error, requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError
            )
            repeat = passing and not (call.policy.unless_sent and _may_have_arrived(error))
            raise _unreachable(call.operation, self.manager_url, error, repeat=repeat) from error
        headers = {name.lower(): value for name, value in response.headers.items()}
        return LaneResponse(response.status_code, headers, response.content)


@frozen
class _Call:
    method: str
    path: str
    data: bytes | None
    policy: RetryPolicy

    @property
    def operation(self) -> str:
        return f"{self.method} {self.path}"


_HEADERS = {"Content-Type": "application/json", "User-Agent": f"omni-connector-python/{__version__}"}


def _new_session(manager_url: str, connections: int) -> requests.Session:
    """Return a session that looks at the environment (proxies, CA bundle, netrc) now and never again."""
    session = requests.Session()
    found = session.merge_environment_settings(manager_url, {}, None, None, None)
    # A proxy cannot reach this machine's own loopback addresses; requests only knows that from NO_PROXY.
    session.proxies = {} if _is_loopback(manager_url) else found["proxies"]
    session.verify = found["verify"]
    session.auth = get_netrc_auth(manager_url)
    session.trust_env = False
    adapter = HTTPAdapter(pool_connections=4, pool_maxsize=connections)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _segment(text: str) -> str:
    return quote(text, safe="")


def _json(answer: LaneResponse, operation: str) -> JsonValue:
    if not answer.body:
        return None
    try:
        return decode(answer.body)
    except ValueError as error:
        raise SdkClientError(
            f"{operation}: the manager answered {answer.status} with something that is not JSON; "
            "is CONNECTOR_MANAGER_URL the connector-manager?",
            operation=operation,
            status=answer.status,
            body=_shown(answer),
        ) from error


def _refused(operation: str, answer: LaneResponse) -> SdkClientError:
    body = _shown(answer)
    message = f"{operation}: the manager answered {answer.status}: {body or '(empty body)'}"
    if answer.status in OVERLOADED:
        after = retry_after_seconds(answer.headers.get("retry-after"), now=time.time())
        return ServiceOverloadedError(
            message, retry_after=after, operation=operation, status=answer.status, body=body
        )
    return SdkClientError(message, operation=operation, status=answer.status, body=body)


def _shown(answer: LaneResponse) -> str:
    return answer.body[: 4 * SHOWN_BODY_LENGTH].decode(errors="replace")[:SHOWN_BODY_LENGTH]


def _unreachable(operation: str, manager_url: str, error: OSError, *, repeat: bool) -> SdkClientError:
    reason = str(error) if isinstance(error, LaneError) else type(error).__name__
    message = f"{operation}: no answer from the manager at {_without_secrets(manager_url)} ({reason})"
    if repeat:
        return ManagerUnreachableError(message, operation=operation)
    return SdkClientError(f"{message}; not repeated, because it may have arrived", operation=operation)


def _may_have_arrived(error: BaseException) -> bool:
    """Say whether a connection was made, so that the request can have been carried out."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return not isinstance(error, requests.ConnectTimeout) and not isinstance(reason, NewConnectionError)


def _delay(error: SdkClientError, attempt: int, policy: RetryPolicy) -> float | None:
    """Return the seconds until the next attempt, or None where none makes sense."""
    if isinstance(error, ServiceOverloadedError):
        return policy.delay_seconds(attempt, error.retry_after)
    repeated = UNHANDLED_STATUSES if policy.unless_sent else RETRIED_STATUSES
    if isinstance(error, ManagerUnreachableError) or error.status in repeated:
        return policy.delay_seconds(attempt, None)
    return None


def _told(error: SdkClientError, attempts: int, seconds: float) -> SdkClientError:
    """Say how often it was tried."""
    error.attempts = attempts
    if attempts > 1:
        error.args = (f"{error} (tried {attempts} times in {seconds:.1f} s)",)
    return error


def _is_context_check(body: str) -> bool:
    """A refusal of the run is JSON; a refusal of the text is not (PROTOCOL, section 9)."""
    try:
        return isinstance(decode(body), dict)
    except ValueError:
        return False


def _without_secrets(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
