"""The wire that is always there: the connections of a ``requests`` session, used by threads.

A plain session is configured once and its requests go to urllib3 directly, which costs half of what ``requests`` does. A
session with hooks, parameters, cookies or an authentication of its own carries each request itself, over the same kind of
connections. Only a session with an adapter or a class of its own uses its own connections.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from attrs import define
from requests.adapters import HTTPAdapter
from requests.utils import select_proxy

from omni_connector.forking import begins_anew
from omni_connector.manager.pending import Pending
from omni_connector.manager.pooled import PooledAdapter, Sending, sent_here
from omni_connector.manager.sessions import user_agent
from omni_connector.manager.wire import Body, WireAbortedError, WireAnswer, WireError, WireRequest
from omni_connector.pool import WorkerPool

MOST_THREADS = 128
WATCH_SECONDS = 0.2
"""How exactly deadlines are kept."""
PIECE_BYTES = 64 * 1024
JOINED_BYTES = 256 * 1024
"""Up to here the parts of a body are joined: copying is cheaper than more packets."""

_TIME_OUTS = (TimeoutError, urllib3.exceptions.TimeoutError, requests.Timeout)


@define(eq=False, kw_only=True)
class _Job(Sending):
    """A request that has no answer yet."""

    request: WireRequest
    deadline: float


class SessionWire:
    """Carries requests to one manager in threads; see ``wire.Wire``.

    Args:
        base_url: address of the manager, without a trailing slash.
        session: whose configuration is used; it stays its owner's.
        connect_seconds: longest wait for a new connection.

    Raises:
        OSError: a file with certificates cannot be read.
    """

    def __init__(self, base_url: str, session: requests.Session, *, connect_seconds: float = 5.0) -> None:
        self._base_url = base_url
        self._session = session
        self._connect_seconds = connect_seconds
        self._closed = False
        self._is_idle = False  # The watchdog waits for a job.
        self._threads: WorkerPool
        self._carrier: PoolCarrier | SessionCarrier | None
        self.after_fork()
        self._carrier = carrier_of(base_url, session, connect_seconds)
        begins_anew(self)

    def submit(self, request: WireRequest) -> Pending[WireAnswer]:
        """Send a request; see ``Wire.submit``."""
        return self._begin(request, in_a_thread=True).outcome

    def carry(self, request: WireRequest) -> WireAnswer:
        """Send a request from the calling thread; see ``Wire.carry``."""
        job = self._begin(request, in_a_thread=False)
        self._carry(job)
        return job.outcome.result()

    def abort(self, owner: object) -> None:
        """End the requests of ``owner``; see ``Wire.abort``."""
        self._break(lambda job: job.request.owner is owner, "aborted")

    def close(self) -> None:
        """End every request and release threads and connections."""
        with self._changed:
            self._closed = True
            self._changed.notify()
            watchdog = self._watchdog
        self._break(lambda _: True, "the wire is closed")
        self._threads.close()
        if watchdog is not None:
            watchdog.join()
        if self._carrier is not None:
            self._carrier.close()

    # -- inside -------------------------------------------------------------------------------------------------

    def after_fork(self) -> None:
        """Make everything that belongs to one process: in a child, what the parent had is left alone."""
        self._changed = threading.Condition()  # Protects the following.
        self._jobs: set[_Job] = set()
        self._is_idle = False
        self._watchdog: threading.Thread | None = None
        self._threads = WorkerPool("omni-wire", MOST_THREADS)
        self._carrier = None  # Of a child: made with its first request.

    def _begin(self, request: WireRequest, *, in_a_thread: bool) -> _Job:
        job = _Job(request=request, deadline=time.monotonic() + request.seconds)
        with self._changed:
            self._jobs.add(job)
            if self._is_idle and not self._closed:
                self._is_idle = False
                self._changed.notify()
        try:
            if self._closed or (request.stop is not None and request.stop.is_set()):
                raise WireAbortedError(
                    f"not sent: {'the wire is closed' if self._closed else 'aborted'}", was_sent=False
                )
            self._watch()
            if in_a_thread:
                self._threads.submit(self._carry, job)
        except (RuntimeError, WireError) as error:  # The former: no thread can be started.
            self._end(job, error if isinstance(error, WireError) else WireError(str(error), was_sent=False))
        return job

    def _carry(self, job: _Job) -> None:
        """Send one request, in the thread of its caller or in one of ours."""
        if job not in self._jobs:
            return  # Ended while it waited.
        try:
            carrier = self._way()
            left = max(0.01, job.deadline - time.monotonic())
            with sent_here(job):
                answer = carrier.carry(job.request, left)
        except WireError as error:
            self._end(job, error)
        except (urllib3.exceptions.HTTPError, requests.RequestException, OSError, ValueError) as error:
            was_sent = job.was_sent or self._way().may_have_sent(error)
            self._end(job, WireError(reason_of(error, self._base_url), was_sent=was_sent))
        except BaseException as error:
            self._end(job, WireError(f"{type(error).__name__}: {error}", was_sent=True))
            if not isinstance(error, Exception):
                raise
        else:
            self._end(job, answer)

    def _way(self) -> "PoolCarrier | SessionCarrier":
        with self._changed:
            if self._carrier is None:
                self._carrier = carrier_of(self._base_url, self._session, self._connect_seconds)
            return self._carrier

    def _end(self, job: _Job, outcome: WireAnswer | WireError) -> None:
        with self._changed:
            if job not in self._jobs:
                return
            self._jobs.discard(job)
        if isinstance(outcome, WireError):
            job.outcome.set_exception(outcome)
        else:
            job.outcome.set_result(outcome)

    def _break(self, is_meant: Callable[[_Job], bool], reason: str) -> None:
        with self._changed:
            broken = [job for job in self._jobs if is_meant(job)]
        for job in broken:
            self._end(job, WireAbortedError(reason, was_sent=True))
            job.break_off()

    def _watch(self) -> None:
        if self._watchdog is None:
            with self._changed:
                if self._watchdog is None:
                    watchdog = threading.Thread(
                        target=self._keep_deadlines, name="omni-wire-watch", daemon=True
                    )
                    watchdog.start()
                    self._watchdog = watchdog

    def _keep_deadlines(self) -> None:
        """End what is overdue: a time-out of a socket does not help against a byte now and then."""
        while True:
            with self._changed:
                self._is_idle = not self._jobs
                if not self._closed:
                    self._changed.wait(None if self._is_idle else WATCH_SECONDS)
                self._is_idle = False
                if self._closed:
                    return
                now = time.monotonic()
                overdue = [job for job in self._jobs if job.deadline < now]
            for job in overdue:
                self._end(
                    job, WireError(f"no whole answer within {job.request.seconds:.1f} s", was_sent=True)
                )
                job.break_off()


class PoolCarrier:
    """Carries the requests of a plain session over urllib3."""

    def __init__(self, base_url: str, session: requests.Session, connect_seconds: float) -> None:
        self._connect_seconds = connect_seconds
        self._adapter = PooledAdapter(pool_connections=1, pool_maxsize=MOST_THREADS)
        prepared = session.prepare_request(requests.Request("POST", base_url + "/"))
        found = session.merge_environment_settings(base_url, {}, None, None, None)
        self._pool: Any = self._adapter.get_connection_with_tls_context(
            prepared, found["verify"], proxies=found["proxies"], cert=found["cert"]
        )
        self._adapter.cert_verify(self._pool, base_url, found["verify"], found["cert"])  # type: ignore[no-untyped-call]
        self._has_proxy = bool(proxy_of(base_url, session))
        self._path = self._adapter.request_url(prepared, found["proxies"]).rstrip("/")
        skipped = {"accept-encoding", "connection", "content-length", "content-type"}
        self._headers = {
            name: value for name, value in prepared.headers.items() if name.lower() not in skipped
        } | user_agent(session)

    def carry(self, request: WireRequest, seconds: float) -> WireAnswer:
        """Send a request, and read its answer."""
        body: object = None if request.body is None else _joined(request.body)
        headers = {**self._headers, "Content-Type": request.content_type, **dict(request.headers)}
        if request.body is not None:
            headers["Content-Length"] = str(_length(request.body))
        elif request.method != "GET":
            headers["Content-Length"] = "0"
        response = self._pool.urlopen(
            request.method,
            self._path + request.path,
            body=body,
            headers=headers,
            retries=False,
            redirect=False,
            assert_same_host=False,
            timeout=urllib3.Timeout(connect=min(self._connect_seconds, seconds), read=seconds),
        )
        if self._has_proxy:
            _check_proxy(response.status, response.reason)
        return _answer(response.status, response.headers, response.data)

    def may_have_sent(self, error: BaseException) -> bool:
        """The connection has noted it with the job."""
        del error
        return False

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()
        self._adapter.close()


class SessionCarrier:
    """Lets a session carry each request as it is; the session closes itself."""

    def __init__(self, base_url: str, session: requests.Session, connect_seconds: float) -> None:
        self._base_url = base_url
        self._session = session
        self._connect_seconds = connect_seconds
        self._has_proxy = bool(proxy_of(base_url, session))
        is_usual = has_usual_connections(base_url, session)
        self._adapter = PooledAdapter(pool_maxsize=MOST_THREADS) if is_usual else None

    def carry(self, request: WireRequest, seconds: float) -> WireAnswer:
        """Send a request, and read its answer."""
        deadline = time.monotonic() + seconds
        with self._with_connections().request(
            request.method,
            self._base_url + request.path,
            data=None if request.body is None else _joined(request.body, all_of_it=True),  # type: ignore[arg-type]
            headers={
                "Content-Type": request.content_type,
                **user_agent(self._session),
                **dict(request.headers),
            },
            timeout=(min(self._connect_seconds, seconds), seconds),
            allow_redirects=False,
            stream=True,
        ) as response:
            if self._has_proxy:
                _check_proxy(response.status_code, response.reason)
            # The answer itself is still to come: not on this connection.
            if response.status_code < HTTPStatus.OK:
                return _answer(response.status_code, response.headers, b"")
            pieces = []
            for piece in response.iter_content(PIECE_BYTES):
                pieces.append(piece)
                if time.monotonic() > deadline:
                    raise WireError("no whole answer in time", was_sent=True)
            return _answer(response.status_code, response.headers, b"".join(pieces))

    def _with_connections(self) -> requests.Session:
        """Return the session, or what it is now with our connections in place of its own."""
        if self._adapter is None:
            return self._session
        session = requests.Session.__new__(requests.Session)
        vars(session).update(vars(self._session), adapters={"": self._adapter})
        return session

    def may_have_sent(self, error: BaseException) -> bool:
        """Say whether a connection was made, so that the request can have been carried out."""
        reason = getattr(error.args[0], "reason", None) if error.args else None
        not_connected = (
            requests.ConnectTimeout,
            requests.exceptions.ProxyError,
            requests.exceptions.SSLError,
        )
        return not isinstance(error, not_connected) and not isinstance(
            reason, urllib3.exceptions.NewConnectionError
        )

    def close(self) -> None:
        """Close our connections; the session is its owner's."""
        if self._adapter is not None:
            self._adapter.close()


def carrier_of(
    base_url: str, session: requests.Session, connect_seconds: float
) -> PoolCarrier | SessionCarrier:
    """Return the quick way where it does everything that the session would, else the session itself."""
    carrier = PoolCarrier if is_plain(base_url, session) else SessionCarrier
    return carrier(base_url, session, connect_seconds)


def proxy_of(base_url: str, session: requests.Session) -> str:
    """Return the address of the proxy that the session uses for the manager, or nothing."""
    proxies = session.merge_environment_settings(base_url, {}, None, None, None)["proxies"]
    return select_proxy(base_url, proxies) or ""


def has_usual_connections(base_url: str, session: requests.Session) -> bool:
    """Say whether the session reaches the manager as every session does: ours can take the place of its connections."""
    return (
        type(session) is requests.Session
        and type(session.get_adapter(base_url)) is HTTPAdapter
        and not proxy_of(base_url, session).startswith("socks")
    )


def is_plain(base_url: str, session: requests.Session) -> bool:
    """Say whether all that the session does for a request follows from its attributes and can be read once."""
    return (
        has_usual_connections(base_url, session)
        and not (session.params or session.cookies or session.hooks.get("response"))
        and isinstance(session.auth, tuple | None)
    )


def reason_of(error: BaseException, base_url: str) -> str:
    """Return what has failed, and who said it, in words."""
    who = ""
    within: BaseException | None = error
    while within is not None:
        error = within
        if isinstance(error, urllib3.exceptions.ProxyError | requests.exceptions.ProxyError):
            who = "the proxy: "
        within = _within(error)
    if isinstance(error, ssl.SSLError) and not who:
        who = "TLS to the manager: "
    if isinstance(error, socket.gaierror) and not who:
        who = f"{urlsplit(base_url).hostname}: "
    return (
        f"{who}no answer in time"
        if isinstance(error, _TIME_OUTS)
        else f"{who}{type(error).__name__}: {error}"
    )


def _within(error: BaseException) -> BaseException | None:
    """Return the error that a library has wrapped."""
    if not isinstance(error, urllib3.exceptions.HTTPError | requests.RequestException):
        return None
    inside = (
        getattr(error, "reason", None),
        getattr(error, "original_error", None),
        *error.args,
        error.__cause__,
    )
    return next((one for one in inside if isinstance(one, BaseException)), None)


def _joined(body: Body, *, all_of_it: bool = False) -> object:
    if not isinstance(body, tuple) or (_length(body) > JOINED_BYTES and not all_of_it):
        return body
    return b"".join(body)


def _length(body: Body) -> int:
    return sum(map(len, body)) if isinstance(body, tuple) else len(body or b"")


def _check_proxy(status: int, reason: str | None) -> None:
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        raise WireError(f"the proxy answered 407: {reason}", was_sent=False)


def _answer(status: int, headers: Mapping[str, str], body: bytes) -> WireAnswer:
    if status < HTTPStatus.OK:
        raise WireError(f"the manager answered {status}, which is no answer to a request", was_sent=True)
    return WireAnswer(status, {name.lower(): value for name, value in headers.items()}, body)
