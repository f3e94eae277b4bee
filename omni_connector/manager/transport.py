"""Sends one call to the manager, repeats it as its policy says, and translates what comes back.

What a run sends and may send twice (contents, events, checkpoints, heartbeats, its end) travels over the bulk lane, where a
call has a deadline of its own and can be broken off; everything else, and everything where the lane would
not honour what the session is configured with, through the requests session.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from urllib.parse import urlsplit

import requests
from attrs import define, field, frozen
from requests.adapters import HTTPAdapter
from requests.utils import get_netrc_auth
from urllib3.exceptions import NewConnectionError

from omni_connector._version import __version__
from omni_connector.exceptions import ManagerUnreachableError, SdkClientError, ServiceOverloadedError
from omni_connector.manager.answer import LaneError, LaneResponse
from omni_connector.manager.lane import Body, Busy, Lane
from omni_connector.manager.multipart import MultipartForm
from omni_connector.manager.multiplexer import Job, Multiplexer
from omni_connector.manager.refusals import LASTING, meaning_of
from omni_connector.manager.retry import (
    RETRIED_STATUSES,
    UNHANDLED_STATUSES,
    Policies,
    RetryPolicy,
    retry_after_seconds,
)
from omni_connector.models.codec import decode
from omni_connector.models.plain import JsonValue

log = logging.getLogger(__name__)

OVERLOADED = frozenset({429, 503})
SHOWN_BODY_LENGTH = 500
HTTP_OK = 200
HTTP_REDIRECT = 300
_HEADERS = {"Content-Type": "application/json", "User-Agent": f"omni-connector-python/{__version__}"}


def as_it_is(error: SdkClientError) -> SdkClientError:
    """Return the error: the usual way to tell a refusal."""
    return error


@frozen
class Call:
    """What to send.

    Attributes:
        method: HTTP method.
        path: after the manager's address.
        data: JSON, perhaps in parts, or None.
        policy: when it is repeated.
        bulk: it may travel over the lane, where it may be sent twice.
        tell: makes the error that tells what a refusal of this call means.
    """

    method: str
    path: str
    data: Body | None
    policy: RetryPolicy
    bulk: bool = False
    tell: Callable[[SdkClientError], SdkClientError] = as_it_is

    @property
    def operation(self) -> str:
        """For messages."""
        return f"{self.method} {self.path}"


@define(eq=False)
class Interrupt:
    """Ends the calls of one run.

    Attributes:
        stop: no call is sent once it is set, and waits between attempts end.
        busy: connections of the lane with a call under way, which can be aborted.
    """

    stop: threading.Event = field(factory=threading.Event)
    busy: Busy = field(factory=Busy)


Answered = Callable[[JsonValue, Callable[[], JsonValue] | None], None]
"""Takes an answer, or a function that still has to be called to get one."""


class Transport:
    """The way to one manager, safe to use from many threads. ``close`` it.

    Args:
        manager_url: base address, without a trailing slash.
        session: a session to use, or None for one of its own.
        connections: how many connections an own session keeps open.
        policies: how long answers are waited for.
    """

    def __init__(
        self, manager_url: str, session: requests.Session | None, connections: int, policies: Policies
    ) -> None:
        self.manager_url = manager_url
        self._policies = policies
        self.session = session or _new_session(manager_url, connections)
        self._owns_session = session is None
        self.lane = Lane.for_session(
            manager_url,
            self.session,
            connect_seconds=policies.connect_seconds,
            read_seconds=policies.read_seconds,
        )
        self.multiplexer: Multiplexer | None = None
        if self.lane is not None and self.lane.is_plain:
            self.multiplexer = Multiplexer(
                self.lane,
                name="omni-wire",
                connect_seconds=policies.connect_seconds,
                read_seconds=policies.read_seconds,
            )
        self.overload_callbacks: list[Callable[[], None]] = []

    def close(self) -> None:
        """Release the connections, if this object opened them."""
        if self.multiplexer is not None:
            self.multiplexer.close()
        if self.lane is not None:
            self.lane.close()
        if self._owns_session:
            _close_pools(self.session)
            self.session.close()

    def call(self, call: Call, interrupt: Interrupt) -> JsonValue:
        """Send, repeat as the policy says, and return the decoded answer.

        Raises:
            SdkClientError: of the kind that tells what to do; its message says what was tried and what came back.
        """
        return self.repeat(call, interrupt, lambda deadline: self._once(call, interrupt, deadline))

    def repeat(
        self, call: Call, interrupt: Interrupt, attempt_once: Callable[[float], LaneResponse]
    ) -> JsonValue:
        """As ``call``, with another way to make one attempt; it is given the deadline."""
        operation, policy = call.operation, call.policy
        started = time.monotonic()
        deadline = started + policy.total_seconds
        if not policy.is_deadline:
            deadline += self._policies.read_seconds
        for attempt in range(1, policy.attempts + 1):
            if interrupt.stop.is_set():
                raise SdkClientError(
                    f"{operation}: not sent, because the run was stopped", operation=operation
                )
            try:
                return self._checked(call, attempt_once(deadline))
            except SdkClientError as error:
                delay = _delay(error, attempt, policy)
                left = policy.total_seconds - (time.monotonic() - started)
                if delay is None or attempt == policy.attempts or delay > left or interrupt.stop.wait(delay):
                    raise _told(error, attempt, time.monotonic() - started) from error.__cause__
                log.info(
                    "%s failed, attempt %d follows: %s",
                    operation,
                    attempt + 1,
                    error,
                    extra={"operation": operation},
                )
        raise AssertionError("unreachable: the last attempt returns or raises")

    def call_soon(self, call: Call, interrupt: Interrupt, done: "Answered") -> bool:
        """Make the first attempt of a bulk call without a thread that waits for it; False where that cannot be.

        Args:
            call: with a body.
            interrupt: of the run.
            done: called from a thread that carries everybody's calls: with the decoded answer, or with what is left to
                do, which blocks, repeats as the policy says, and returns or raises as ``call`` does.
        """
        if self.multiplexer is None or call.data is None:
            return False

        def answered(outcome: LaneResponse | LaneError) -> None:
            first = [outcome]

            def attempt(deadline: float) -> LaneResponse:
                if not first:
                    return self._once(call, interrupt, deadline)
                made = first.pop()
                if isinstance(made, LaneError):
                    raise _unreachable(call.operation, self.manager_url, made, repeat=True) from made
                return made

            if isinstance(outcome, LaneResponse) and outcome.status == HTTP_OK:
                with suppress(SdkClientError):
                    done(_json(outcome, call.operation), None)
                    return
            done(None, lambda: self.repeat(call, interrupt, attempt))

        parts = call.data if isinstance(call.data, tuple) else (call.data,)
        seconds = call.policy.total_seconds + self._policies.read_seconds
        try:
            self.multiplexer.submit(Job(call.path, parts, interrupt.stop, answered, seconds))
        except RuntimeError:  # Closed; the call itself will say so.
            return False
        return True

    def upload(self, call: Call, form: Callable[[], MultipartForm], interrupt: Interrupt) -> JsonValue:
        """As ``call``, with a form that is made anew for each attempt."""

        def attempt(_deadline: float) -> LaneResponse:
            body = form()
            headers = {"Content-Type": body.content_type}
            seconds = self._policies.extraction_read_seconds
            return self.through_session(call, data=body, headers=headers, read_seconds=seconds)

        return self.repeat(call, interrupt, attempt)

    def first_event(self, call: Call, interrupt: Interrupt) -> JsonValue:
        """Return the first event of a stream of server-sent events, or None when it ends without one.

        Raises:
            SdkClientError: as for ``call``.
        """

        def attempt(deadline: float) -> LaneResponse:
            left = max(0.1, min(self._policies.read_seconds, deadline - time.monotonic()))
            with self._exchange(call, data=None, headers={}, read_seconds=left) as response:
                if response.status_code != HTTP_OK:
                    return _whole(response)
                for line in response.iter_lines(chunk_size=1):
                    if line.startswith(b"data:"):
                        return LaneResponse(HTTP_OK, {}, line[5:].strip())
                    # A manager in trouble may go on sending comments, which keep the connection alive, for ever.
                    if time.monotonic() > deadline or interrupt.stop.is_set():
                        raise requests.ReadTimeout("no event in time")
                return LaneResponse(HTTP_OK, {}, b"")

        return self.repeat(call, interrupt, attempt)

    def through_session(
        self, call: Call, *, data: object, headers: dict[str, str], read_seconds: float
    ) -> LaneResponse:
        """Make one attempt through the session; ``data`` is anything that requests sends.

        Raises:
            SdkClientError: no answer came.
        """
        with self._exchange(call, data=data, headers=headers, read_seconds=read_seconds) as response:
            return _whole(response)

    @contextmanager
    def _exchange(
        self, call: Call, *, data: object, headers: dict[str, str], read_seconds: float
    ) -> Iterator[requests.Response]:
        """Send, and hand the answer over while it is still being read; translate what breaks on the way."""
        try:
            with self.session.request(
                call.method,
                self.manager_url + call.path,
                data=data,  # type: ignore[arg-type]  # Anything with read(), too.
                headers=headers,
                timeout=(self._policies.connect_seconds, read_seconds),
                allow_redirects=False,
                stream=True,
            ) as response:
                yield response
        except requests.RequestException as error:
            passing = isinstance(
                error, requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError
            )
            repeat = passing and not (call.policy.unless_sent and _may_have_arrived(error))
            raise _unreachable(call.operation, self.manager_url, error, repeat=repeat) from error

    def _once(self, call: Call, interrupt: Interrupt, deadline: float) -> LaneResponse:
        if self.lane is None or not call.bulk:
            left = max(0.1, min(self._policies.read_seconds, deadline - time.monotonic()))
            data = b"".join(call.data) if isinstance(call.data, tuple) else call.data
            return self.through_session(call, data=data, headers=_HEADERS, read_seconds=left)
        try:
            return self.lane.send(
                call.path, call.data or b"", method=call.method, deadline=deadline, busy=interrupt.busy
            )
        except LaneError as error:
            raise _unreachable(call.operation, self.manager_url, error, repeat=True) from error

    def _checked(self, call: Call, answer: LaneResponse) -> JsonValue:
        if answer.status in OVERLOADED and call.bulk:
            for callback in self.overload_callbacks:
                callback()
        if HTTP_OK <= answer.status < HTTP_REDIRECT:
            return _json(answer, call.operation)
        raise call.tell(_refused(call.operation, answer))


def _new_session(manager_url: str, connections: int) -> requests.Session:
    """Return a session that looks at the environment (proxies, CA bundle, netrc) now and never again."""
    session = requests.Session()
    session.headers["User-Agent"] = _HEADERS[
        "User-Agent"
    ]  # Of the lane as well, which sends the session's headers.
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


def _close_pools(session: requests.Session) -> None:
    """Close every connection now: a session only drops its pools, and an error that somebody keeps holds on to them."""
    for adapter in session.adapters.values():
        pools = adapter.poolmanager.pools if isinstance(adapter, HTTPAdapter) else {}
        for key in list(pools.keys()):
            pool = pools.get(key)
            if pool is not None:
                pool.close()


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _whole(response: requests.Response) -> LaneResponse:
    found = {name.lower(): value for name, value in response.headers.items()}
    return LaneResponse(response.status_code, found, response.content)


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
    refused = SdkClientError(message, operation=operation, status=answer.status, body=body)
    return meaning_of(refused, is_empty=not answer.body and "content-type" not in answer.headers)


def _shown(answer: LaneResponse) -> str:
    return answer.body[: 4 * SHOWN_BODY_LENGTH].decode(errors="replace")[:SHOWN_BODY_LENGTH]


def _unreachable(operation: str, manager_url: str, error: OSError, *, repeat: bool) -> SdkClientError:
    reason = str(error) if isinstance(error, LaneError) else type(error).__name__
    message = f"{operation}: no answer from the manager at {without_secrets(manager_url)} ({reason})"
    if repeat:
        return ManagerUnreachableError(message, operation=operation)
    return SdkClientError(f"{message}; not repeated, because it may have arrived", operation=operation)


def _may_have_arrived(error: BaseException) -> bool:
    """Say whether a connection was made, so that the request can have been carried out."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return not isinstance(error, requests.ConnectTimeout) and not isinstance(reason, NewConnectionError)


def _delay(error: SdkClientError, attempt: int, policy: RetryPolicy) -> float | None:
    """Return the seconds until the next attempt, or None where none makes sense."""
    if isinstance(error, LASTING):
        return None
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


def without_secrets(url: str) -> str:
    """Return an address without the user and the password in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
