"""How one request of a ``requests`` session is made: over urllib3 directly, or by the session itself."""

import socket
import ssl
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import select_proxy

from omni_connector.manager.pooled import PooledAdapter
from omni_connector.manager.sessions import user_agent
from omni_connector.manager.wire import Body, WireAnswer, WireError, WireRequest

MOST_THREADS = 128
"""That use a session at once; each may need a connection."""
PIECE_BYTES = 64 * 1024
JOINED_BYTES = 256 * 1024
"""Up to here the parts of a body are joined: copying is cheaper than more packets."""

_TIME_OUTS = (TimeoutError, urllib3.exceptions.TimeoutError, requests.Timeout)


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
