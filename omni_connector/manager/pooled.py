"""Connections of urllib3 that can be broken off, and that mix no answers up.

An informational answer (1xx) is skipped, and a connection on which anything is left behind an answer is not used again.
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Any

from attrs import define, field
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from omni_connector.manager.pending import Pending
from omni_connector.manager.wire import WireAbortedError, WireAnswer

LONGEST_IDLE_SECONDS = 55.0
"""A connection that has been idle for longer is not used again; the other side may just be closing it."""
HELD_BYTES = 256 * 1024
"""Head and body are sent at once up to here: one packet less."""


@define(eq=False)
class Sending:
    """A request that is being sent: by which connection, and whether it has got that far."""

    outcome: Pending[WireAnswer] = field(factory=Pending)
    was_sent: bool = False
    _connection: Any = None
    # A connection is not used for others while it is broken off.
    _lock: threading.Lock = field(factory=threading.Lock)

    def uses(self, connection: Any) -> None:
        """Note that it is sent over ``connection`` now."""
        with self._lock:
            if self.outcome.done():
                raise WireAbortedError("aborted", was_sent=False)
            self.was_sent = True
            self._connection = connection

    def has_answer(self) -> None:
        """Note that the connection is free."""
        with self._lock:
            self._connection = None

    def break_off(self) -> None:
        """Shut the connection down on which it is under way."""
        with self._lock:
            if self._connection is not None and self._connection.sock is not None:
                shut_down(self._connection.sock)


_thread = threading.local()


@contextmanager
def sent_here(sending: Sending) -> Iterator[None]:
    """Around what a thread does to send a request."""
    _thread.sending = sending
    try:
        yield
    finally:
        _thread.sending = None
        sending.has_answer()


class FinalResponse(http.client.HTTPResponse):
    """An answer that is not informational, but for 101, after which nothing else comes."""

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._socket = sock

    def begin(self) -> None:
        """Read the head of the answer, whole: the base class takes its end for the end of the headers."""
        fp: Any = self.fp
        self.fp = _WholeLines(fp)  # type: ignore[assignment]  # As far as a head is read.
        try:
            super().begin()
        finally:
            self.fp = fp

    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc]  # Not in the stubs.
        if HTTPStatus.PROCESSING <= status < HTTPStatus.OK:
            status = HTTPStatus.CONTINUE  # The only one that the base class knows to skip.
        return version, status, reason

    def _close_conn(self) -> None:
        if self.status == HTTPStatus.SWITCHING_PROTOCOLS or self._has_more():
            shut_down(self._socket)  # Which urllib3 notices before it uses the connection again.
        super()._close_conn()  # type: ignore[misc]  # Not in the stubs.

    def _has_more(self) -> bool:
        """Say whether bytes have come behind the answer."""
        fp: Any = self.fp
        timeout = self._socket.gettimeout()
        try:
            self._socket.settimeout(0)
            return bool(fp.peek(1))
        except (OSError, ValueError, ssl.SSLError):  # Nothing to be read now, or closed already.
            return False
        finally:
            with suppress(OSError):
                self._socket.settimeout(timeout)


class _WholeLines:
    """Lines of a head; one that the end of the connection has cut off is an error."""

    def __init__(self, fp: Any) -> None:
        self._fp = fp

    def readline(self, limit: int = -1) -> bytes:
        line: bytes = self._fp.readline(limit)
        if not line.endswith(b"\n") and not 0 < limit <= len(line):
            raise http.client.RemoteDisconnected("the connection was closed within the head of an answer")
        return line

    def peek(self, size: int) -> bytes:
        """Return what has come already."""
        seen: bytes = self._fp.peek(size)
        return seen


class _Connection(HTTPConnection):
    """One connection; it notes for which request it is used."""

    response_class = FinalResponse
    _held: list[bytes] | None = None
    _idle_since: float | None = None

    @property
    def is_connected(self) -> bool:
        """Say whether it may be used again: nothing has come on it, not even its end, and it is not old."""
        is_old = self._idle_since is not None and time.monotonic() - self._idle_since > LONGEST_IDLE_SECONDS
        return not is_old and super().is_connected

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send a request, its head together with its body."""
        if self.sock is None:
            self.connect()
        _thread.sending.uses(self)
        self._held = []
        try:
            super().request(*args, **kwargs)
            held, self._held = self._held, None
            self._send(b"".join(held))
        finally:
            self._held = None

    def send(self, data: Any) -> None:
        """Keep what is small until the request is whole."""
        held = self._held
        if held is None:
            self._send(data)
        elif isinstance(data, bytes) and sum(map(len, held)) + len(data) <= HELD_BYTES:
            held.append(data)
        else:
            self._held = None
            self._send(b"".join(held))
            self._send(data)
            self._held = []

    def _send(self, data: Any) -> None:
        if not data:
            return
        try:
            super().send(data)
        except ConnectionResetError as error:
            raise BrokenPipeError(str(error)) from error  # The manager may have answered: see what it said.

    def getresponse(self) -> Any:
        """Read the answer; after it the connection is free for another request."""
        try:
            return super().getresponse()
        finally:
            self._idle_since = time.monotonic()
            _thread.sending.has_answer()


class _SecureConnection(_Connection, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection  # pyright: ignore[reportAssignmentType]  # The stubs want what urllib3 itself has.


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection  # pyright: ignore[reportAssignmentType]  # As above.

    def _validate_conn(self, conn: Any) -> None:
        if conn.is_closed:
            conn.connect()  # Without a warning for each connection where the session asks for no verification.


class PooledAdapter(HTTPAdapter):
    """An adapter whose connections are those above."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Make the pools of a proxy."""
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
        return manager


def shut_down(connected: Any) -> None:
    """End a connection at once; threads that wait for it are woken."""
    plain = getattr(connected, "socket", connected)  # Of TLS within TLS.
    with suppress(OSError):  # It has just been closed.
        # Not the method of a TLS socket: it would go on in plain text for a moment.
        socket.socket.shutdown(plain, socket.SHUT_RDWR)
