"""Serve a WSGI app from a thread of this process, on a real socket, and stop quickly.

Used for the embedded manager and, by whoever runs a connector in the same process, for the
connector's own Flask app.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self

from cheroot import wsgi
from cheroot.server import HTTPConnection

log = logging.getLogger(__name__)

WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

BACKLOG = 128
"""Connections the kernel may hold for us; cheroot's own 5 is too few for parallel uploads."""
WAKE_INTERVAL_SECONDS = 0.05
"""How long cheroot's selector may sleep; it is also how long close() may have to wait for it."""
GRACE_SECONDS = 0.5
"""How long a client may take to send the rest of its request once close() was called."""
IDLE_TIMEOUT_SECONDS = 75
"""How long a kept-alive connection may be idle; longer than clients usually keep theirs."""


class HttpServer:
    """One WSGI app on one socket.

    Args:
        app: the WSGI callable.
        host: address to bind.
        port: port to bind; 0 takes a free one.
        threads: requests served at the same time. Long answers (progress streams) hold one each.
        name: what the threads are called.

    Raises (from ``start``): ``OSError`` when the address cannot be bound.
    """

    def __init__(
        self, app: WSGI, *, host: str = "127.0.0.1", port: int = 0, threads: int = 16, name: str = "http"
    ) -> None:
        self._server = _Server(
            (host, port),
            app,
            numthreads=threads,
            max=threads,
            server_name=name,
            request_queue_size=BACKLOG,
            timeout=IDLE_TIMEOUT_SECONDS,
            shutdown_timeout=GRACE_SECONDS,
        )
        self._name = name
        self._host = host
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """Bind, listen and serve; the socket accepts when this returns."""
        prepared: Future[None] = Future()
        # The thread knows cheroot's server but not this object, so that a forgotten one can complain.
        self._thread = threading.Thread(
            target=_serve, args=(self._server, prepared), name=self._name, daemon=True
        )
        self._thread.start()
        try:
            prepared.result()
        except BaseException:
            self._thread.join()
            self._thread = None
            raise
        return self

    def close(self) -> None:
        """Stop accepting and end every thread. Repeatable.

        Idle connections are closed at once, half-sent requests after half a second. A request that the
        app is working on is waited for, since no thread can be ended from outside.
        """
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._server.stop()
        thread.join()
        self._server.refusing.result(GRACE_SECONDS).join()

    @property
    def port(self) -> int:
        """The port that is really bound."""
        return int(self._server.bind_addr[1])

    @property
    def url(self) -> str:
        """Base address without a trailing slash."""
        host = "127.0.0.1" if self._host in {"", "0.0.0.0", "::"} else self._host  # noqa: S104 - compared, not bound.
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def __enter__(self) -> Self:
        return self if self._thread is not None else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_thread", None) is not None:
            warnings.warn(
                f"HttpServer {self._name} was never closed", ResourceWarning, stacklevel=1, source=self
            )
            with contextlib.suppress(Exception):  # The interpreter may be half gone.
                self.close()


def _serve(server: wsgi.Server, prepared: Future[None]) -> None:
    """Life of the serving thread. Cheroot's workers are made here so that they inherit ``daemon``."""
    try:
        server.prepare()
    except BaseException as failure:  # noqa: BLE001 - handed to whoever called start().
        prepared.set_exception(failure)
        return
    prepared.set_result(None)
    server.serve()


class _Connection(HTTPConnection):
    """A connection whose end is quiet also when its client has left in the middle of an answer."""

    def close(self) -> None:
        """Close, and forget what could not be sent: from Python 3.13 on the writer would try, and complain, when it is freed."""
        super().close()
        unsent: bytearray = self.wfile._write_buf  # noqa: SLF001 - cheroot leaves it there (its issue 734).
        unsent.clear()


class _Server(wsgi.Server):
    """Cheroot's server with its log in ours and its one unnamed thread kept for joining."""

    ConnectionClass = _Connection
    expiration_interval = WAKE_INTERVAL_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.refusing: Future[threading.Thread] = Future()

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:  # noqa: FBT001, FBT002 - cheroot's signature.
        """Log what cheroot would write to stderr."""
        log.log(level, "%s", msg, exc_info=traceback)

    def put_conn(self, conn: HTTPConnection) -> None:
        """Keep an idle connection; close it when the selector is gone, because close() came in between."""
        try:
            super().put_conn(conn)
        except (OSError, ValueError, RuntimeError):
            conn.close()

    @staticmethod
    def bind_socket(socket_: socket.socket, bind_addr: Any) -> socket.socket:
        """Bind; cheroot forgets to close the socket when that fails."""
        try:
            socket_.bind(bind_addr)
        except OSError:
            socket_.close()
            raise
        return socket_

    def _serve_unservicable(self) -> None:  # The spelling is cheroot's.
        self.refusing.set_result(threading.current_thread())
        super()._serve_unservicable()  # type: ignore[misc]  # Missing in cheroot's stub.
