"""The bulk lane: contents and event batches, which are nearly all of the traffic, over bare keep-alive sockets.

``requests`` costs about a millisecond of CPU a call, most of it outside of the wire. Here head and body go out in one
``sendall`` and the answer is parsed by httptools (llhttp, the parser of Node.js and uvicorn). The figures of the choice,
with http.client and requests beside it, are in ``benchmarks/RESULTS.md``.

The lane honours what the session is configured with where that is a matter of the connection: base address, TLS
verification, CA bundle and client certificate, headers, basic authentication. Where a session has more (a proxy, an
adapter or an authentication of its own), ``Lane.for_session`` returns None and the session itself carries the traffic.
"""

import base64
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_auth_from_url, select_proxy

from omni_connector.manager.answer import Answer, LaneError, LaneResponse

RECEIVE_BYTES = 64 * 1024
ONE_SEND_BYTES = 64 * 1024
"""Up to here the parts of a request are joined: copying is cheaper than more system calls and packets."""

Body = bytes | tuple[bytes, ...]

LONGEST_IDLE_SECONDS = 55.0
"""A connection that has been idle for longer is not used again; the other side may just be closing it."""


class Lane:
    """Keep-alive connections to one address, one for each thread that sends at the same time.

    Args:
        base_url: ``http://host:port`` or ``https://host:port``, perhaps with a path before the endpoints.
        headers: sent with every request.
        tls: for https.
        connect_seconds: for a new connection.
        read_seconds: for each wait for the manager.
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: dict[str, str],
        tls: ssl.SSLContext | None,
        connect_seconds: float,
        read_seconds: float,
    ) -> None:
        parts = urlsplit(base_url)
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._path = parts.path.rstrip("/")
        self._tls = tls
        self._connect_seconds = connect_seconds
        self._read_seconds = read_seconds
        host = f"[{self._host}]" if ":" in self._host else self._host
        lines = {"Host": f"{host}:{parts.port}" if parts.port else host, **headers}
        self._head = "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode("latin-1")
        self._idle: deque[tuple[_Connection, float]] = deque()  # Appending and popping are atomic.
        self._closed = threading.Event()

    @classmethod
    def for_session(
        cls, base_url: str, session: requests.Session, *, connect_seconds: float, read_seconds: float
    ) -> Self | None:
        """Return a lane configured like ``session``, or None where only the session itself will do."""
        if type(session.get_adapter(base_url)) is not HTTPAdapter:
            return None
        found = session.merge_environment_settings(base_url, {}, None, None, None)
        if select_proxy(base_url, found["proxies"]) or session.params or session.hooks.get("response"):
            return None
        if not isinstance(session.auth, tuple | None) or (session.trust_env and session.auth is None):
            return None  # Its own kind of authentication, or netrc, looked up at each call.
        skipped = {"accept-encoding", "connection", "content-length", "content-type", "host"}
        headers = {
            str(name): str(value) for name, value in session.headers.items() if name.lower() not in skipped
        }
        user, password = session.auth or get_auth_from_url(base_url)
        if user or password:
            headers["Authorization"] = _basic(user, password)
        tls = _tls(found["verify"], found["cert"]) if base_url.startswith("https:") else None
        return cls(
            base_url, headers=headers, tls=tls, connect_seconds=connect_seconds, read_seconds=read_seconds
        )

    def send(
        self,
        path: str,
        body: Body,
        *,
        deadline: float,
        method: str = "POST",
        busy: "Busy | None" = None,
    ) -> LaneResponse:
        """Send ``body`` as JSON and return the answer.

        A connection that the manager closed while it was idle is replaced without a word; what the lane carries may
        be sent twice (PROTOCOL, section 11).

        Args:
            path: of the endpoint.
            body: JSON, perhaps in parts.
            method: POST or PUT.
            busy: holds the connection while it is in use, so that somebody else can ``abort`` it.
            deadline: by ``time.monotonic()``; the answer is complete by then.

        Raises:
            LaneError: no answer, or none in time.
        """
        parts = (body,) if isinstance(body, bytes) else body
        head = self.head(path, sum(map(len, parts)), method=method)
        while True:
            connection, used = self._connection(deadline)
            try:
                with busy.using(connection) if busy is not None else nullcontext():
                    response = connection.exchange((head, *parts), deadline, self._read_seconds)
            except _StaleError as error:
                connection.close()
                if used and not connection.aborted:
                    continue
                raise LaneError("aborted" if connection.aborted else str(error), sent=True) from error
            except BlockingIOError as error:  # What the kernel says when its time is over.
                connection.close()
                raise LaneError("TimeoutError: timed out", sent=True) from error
            except OSError as error:
                connection.close()
                raise LaneError(f"{type(error).__name__}: {error}", sent=True) from error
            except BaseException:
                connection.close()
                raise
            if connection.reusable and not self._closed.is_set():
                self._idle.append((connection, time.monotonic()))
            else:
                connection.close()
            return response

    @property
    def is_plain(self) -> bool:
        """Requests travel as they are, without TLS."""
        return self._tls is None

    def head(self, path: str, length: int, *, method: str = "POST") -> bytes:
        """Return the head of a request whose JSON body has so many bytes."""
        return b"%b %b HTTP/1.1\r\n%bContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (
            method.encode("ascii"),
            (self._path + path).encode("latin-1"),
            self._head,
            length,
        )

    def connect(self, deadline: float) -> socket.socket:
        """Return a new connection, which blocks; by ``deadline`` of ``time.monotonic()``.

        Raises:
            LaneError: the manager is not there.
        """
        try:
            plain = socket.create_connection(
                (self._host, self._port),
                max(0.001, min(self._connect_seconds, deadline - time.monotonic())),
            )
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wrapped = self._tls.wrap_socket(plain, server_hostname=self._host) if self._tls else plain
            wrapped.settimeout(None)
        except (OSError, UnicodeError) as error:  # The latter for what can be no host name.
            raise LaneError(f"{type(error).__name__}: {error}", sent=False) from error
        return wrapped

    def close(self) -> None:
        """Close the idle connections; the busy ones close after their answer."""
        self._closed.set()
        while self._idle:
            self._idle.pop()[0].close()

    def _connection(self, deadline: float) -> tuple["_Connection", bool]:
        """Return the connection that was used last, so that the others grow old and go, or a new one."""
        now = time.monotonic()
        while True:
            try:
                connection, since = self._idle.pop()
            except IndexError:
                break
            if now - since < LONGEST_IDLE_SECONDS:
                return connection, True
            connection.close()
        return _Connection(self.connect(deadline)), False


class Busy:
    """The connections on which calls of one run are under way."""

    def __init__(self) -> None:
        self._connections: set[_Connection] = set()  # Adding and discarding are atomic.
        self._aborted = False

    @contextmanager
    def using(self, connection: "_Connection") -> Iterator[None]:
        """Hold a connection during a call."""
        self._connections.add(connection)
        try:
            if self._aborted:  # Looked at after adding, so that nobody slips through.
                connection.abort()
            yield
        finally:
            self._connections.discard(connection)

    def abort(self) -> None:
        """Break every call that is under way, and those to come."""
        self._aborted = True
        for connection in list(self._connections):
            connection.abort()


class _StaleError(OSError):
    """The connection was closed before a single byte of the answer came."""


class _Connection:
    """One connection, used by one thread at a time."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._timeout: float | None = None
        self.reusable = False
        self.aborted = False

    def abort(self) -> None:
        """Break the call that is under way, from another thread."""
        self.aborted = True
        with suppress(OSError):  # It has just been closed.
            self._socket.shutdown(socket.SHUT_RDWR)

    def exchange(self, parts: tuple[bytes, ...], deadline: float, read_seconds: float) -> LaneResponse:
        """Send a request and read its answer."""
        self.reusable = False
        answer = Answer()
        self._wait_at_most(read_seconds, deadline)
        try:
            self._send(parts)
        except (BrokenPipeError, ConnectionResetError) as error:
            # The manager may have answered before it had read everything (413, 429): see what it said.
            if not self._read(answer, deadline, read_seconds, after=error):
                raise _StaleError(f"{type(error).__name__} while sending") from error
            return answer.response()
        self._read(answer, deadline, read_seconds)
        self.reusable = answer.keep_alive
        return answer.response()

    def _send(self, parts: tuple[bytes, ...]) -> None:
        total = sum(len(part) for part in parts)
        if total <= ONE_SEND_BYTES:
            self._socket.sendall(b"".join(parts))
            return
        sent = 0 if isinstance(self._socket, ssl.SSLSocket) else self._socket.sendmsg(parts)
        for part in parts:
            if sent < len(part):
                self._socket.sendall(memoryview(part)[sent:])
            sent = max(0, sent - len(part))

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _read(
        self, answer: "Answer", deadline: float, read_seconds: float, after: OSError | None = None
    ) -> bool:
        while not answer.complete:
            self._wait_at_most(read_seconds, deadline)
            try:
                data = self._socket.recv(RECEIVE_BYTES)
            except ConnectionResetError as error:
                if after is not None:
                    return False
                if not answer.begun:
                    raise _StaleError("connection reset") from error
                raise
            if not data:
                if answer.ends_with_connection:
                    return True
                if after is not None:
                    return False
                if not answer.begun:
                    raise _StaleError("connection closed without an answer")
                raise ConnectionError("connection closed in the middle of the answer")
            answer.feed(data)
        return True

    def _wait_at_most(self, seconds: float, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("out of time")
        seconds = min(seconds, left)
        if self._timeout == seconds:
            return
        self._timeout = seconds
        if isinstance(self._socket, ssl.SSLSocket):
            self._socket.settimeout(seconds)
            return
        # The kernel keeps the time: settimeout() would cost a poll() before each send and each receive.
        wait = struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000) or int(seconds < 1))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, wait)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, wait)


def _basic(user: str | bytes, password: str | bytes) -> str:
    pair = b":".join(part.encode("latin-1") if isinstance(part, str) else part for part in (user, password))
    return f"Basic {base64.b64encode(pair).decode('ascii')}"


def _tls(verify: Any, certificate: Any) -> ssl.SSLContext:
    """Return what requests would use: its own CA bundle, another one, or no verification at all."""
    if verify is False:
        context = ssl._create_unverified_context()  # noqa: S323, SLF001 - asked for by the session.
    else:
        bundle = DEFAULT_CA_BUNDLE_PATH if verify is True else str(verify)
        directory = Path(bundle).is_dir()  # Given a bundle, the context loads no other.
        context = ssl.create_default_context(
            capath=bundle if directory else None, cafile=None if directory else bundle
        )
    if certificate is not None:
        pair = (certificate,) if isinstance(certificate, str) else certificate
        context.load_cert_chain(*pair)
    return context
