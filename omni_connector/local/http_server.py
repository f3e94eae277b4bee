"""Serve a WSGI app from threads of this process, on a real socket, and stop quickly.

Used for the embedded manager and, where a connector is served in the same process, for the connector's own Flask app.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote_to_bytes, urlsplit

from waitress import wasyncore
from waitress.server import create_server
from waitress.task import ThreadedTaskDispatcher

from omni_connector.local.grouping import Channel, Grouping, Together

WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

BACKLOG = 128
"""Connections the kernel may hold for us while all are busy: parallel uploads open many at once."""
CONNECTIONS = 1000
"""Connections at a time; the kernel holds the rest. A request takes a thread only once it is there as a whole."""
LARGEST_BODY_BYTES = 4 * 1024**3
"""A longer body is answered 413 without being read. The real manager has no limit (PROTOCOL, section 18)."""
BODY_BYTES_IN_MEMORY = 8 * 1024**2
"""A longer body waits for its end in a temporary file."""
READ_BYTES = 256 * 1024
GRACE_SECONDS = 0.5
"""How long answers may take to be sent once close() was called."""
IDLE_TIMEOUT_SECONDS = 75
"""How long a kept-alive connection, or an unfinished request, may be silent."""
LOOK_SECONDS = 5
"""How often such connections are looked for."""


class HttpServer:
    """One WSGI app on one socket.

    Args:
        app: the WSGI callable.
        host: address to bind.
        port: port to bind; 0 takes a free one.
        threads: requests served at the same time. Long answers (progress streams) hold one each.
        name: what the threads are called.
        together: answers some of the requests in the app's place, many at a time.

    Raises (from ``start``): ``OSError`` when the address cannot be bound.
    """

    def __init__(
        self,
        app: WSGI,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        threads: int = 16,
        name: str = "http",
        together: Together | None = None,
    ) -> None:
        self._app = app
        self._together = together
        self._host = host
        self._port = port
        self._threads = threads
        self._name = name
        # The threads know that object but not this one, so that a forgotten server can complain.
        self._serving: _Serving | None = None

    def start(self) -> Self:
        """Bind, listen and serve; the socket accepts when this returns."""
        listener = _listen(self._host, self._port)
        self._port = listener.getsockname()[1]
        workers = _Workers(self._name, self._together)
        self._serving = _Serving(self._app, listener, workers, name=self._name)
        workers.set_thread_count(self._threads)
        return self

    def close(self) -> None:
        """Stop accepting and end every thread. Repeatable.

        Idle connections and unfinished requests are closed at once. A request that the app is working on is waited
        for, since no thread can be ended from outside.
        """
        serving, self._serving = self._serving, None
        if serving is not None:
            serving.close()

    @property
    def port(self) -> int:
        """The port that is really bound."""
        return self._port

    @property
    def url(self) -> str:
        """Base address without a trailing slash."""
        host = "127.0.0.1" if self._host in {"", "0.0.0.0", "::"} else self._host  # noqa: S104 - compared, not bound.
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def __enter__(self) -> Self:
        return self if self._serving is not None else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_serving", None) is not None:
            warnings.warn(
                f"HttpServer {self._name} was never closed", ResourceWarning, stacklevel=1, source=self
            )
            with contextlib.suppress(Exception):  # The interpreter may be half gone.
                self.close()


class _Serving:
    """A waitress server at work: one thread reads and writes all sockets, the others call the app."""

    def __init__(self, app: WSGI, listener: socket.socket, workers: _Workers, *, name: str) -> None:
        self._sockets: dict[int, Any] = {}  # By file descriptor; the thread of the loop changes it.
        self._workers = workers
        self._server: Any = create_server(
            _PathAsSent(app),
            map=self._sockets,
            _dispatcher=self._workers,
            sockets=[listener],
            backlog=BACKLOG,
            connection_limit=CONNECTIONS,
            max_request_body_size=LARGEST_BODY_BYTES,
            inbuf_overflow=BODY_BYTES_IN_MEMORY,
            recv_bytes=READ_BYTES,
            channel_timeout=IDLE_TIMEOUT_SECONDS,
            cleanup_interval=LOOK_SECONDS,
            log_socket_errors=False,
            ident=None,
        )
        self._server.channel_class = Channel
        self._server.pull_trigger = self._wake
        self._is_woken = False
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Accept nothing more, let the app finish what it is working on, then end the loop."""
        self._server.trigger.pull_trigger(self._stop_accepting)
        self._workers.end()
        self._ending.set()
        self._server.pull_trigger()
        self._thread.join()
        # Here, so that what the loop is woken by stays open until it was used.
        wasyncore.close_all(self._sockets)

    def _loop(self) -> None:
        """Life of the thread that reads and writes."""
        while not self._ending.is_set():
            # Before looking at the requests and connections: who changes one after that wakes us again.
            self._is_woken = False
            self._workers.answer_together()
            wasyncore.loop(timeout=LOOK_SECONDS, use_poll=True, map=self._sockets, count=1)
        self._workers.answer_together()
        channels = list(self._server.active_channels.values())
        deadline = time.monotonic() + GRACE_SECONDS
        while any(channel.total_outbufs_len for channel in channels) and time.monotonic() < deadline:
            wasyncore.loop(timeout=GRACE_SECONDS / 10, use_poll=True, map=self._sockets, count=1)

    def _wake(self) -> None:
        """Have the thread that reads and writes look at the connections again: once, for all that have changed."""
        if not self._is_woken and threading.current_thread() is not self._thread:
            self._is_woken = True
            self._server.trigger.pull_trigger()

    def _stop_accepting(self) -> None:
        self._server.accepting = False
        self._server.del_channel()
        self._server.socket.close()


class _Workers(ThreadedTaskDispatcher):  # type: ignore[misc]  # waitress has no types.
    """Waitress's threads, with our name, and kept so that they can be joined."""

    queue_logger = logging.getLogger(f"{__name__}.queue")

    def __init__(self, name: str, together: Together | None) -> None:
        super().__init__()
        self._name = name
        self._started: list[threading.Thread] = []
        self._grouping = None if together is None else Grouping(together, self.run, f"{name}-together")

    def add_task(self, task: Any) -> None:
        """Have the next request of a connection answered."""
        if self._grouping is None or not self._grouping.takes(task):
            self.run(task)

    def answer_together(self) -> None:
        """Answer the requests of one kind that were read together."""
        if self._grouping is not None:
            self._grouping.answer()

    def run(self, task: Any) -> None:
        """Have it answered by a thread of its own."""
        super().add_task(task)

    def start_new_thread(  # pyright: ignore[reportIncompatibleMethodOverride]  # Its third argument is an int, not a tuple.
        self, target: Callable[[int], None], thread_no: int
    ) -> None:
        """Start a worker."""
        thread = threading.Thread(
            target=target, args=(thread_no,), name=f"{self._name}-{thread_no}", daemon=True
        )
        self._started.append(thread)
        thread.start()

    def end(self) -> None:
        """End every thread after the request that it works on."""
        if self._grouping is not None:
            self._grouping.end()
        self.set_thread_count(0)
        for thread in self._started:
            thread.join()


# Waitress warns when more requests come than there are threads.
_Workers.queue_logger.setLevel(logging.ERROR)


class _PathAsSent:
    """Gives the app the path as it was sent, decoded except for ``%2F``, which stands for a slash within a segment.

    Waitress decodes all of it and drops slashes at its beginning; for the real manager ``//health`` is another path than
    ``/health``.
    """

    def __init__(self, app: WSGI) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        target: str = environ["REQUEST_URI"]
        path = target.partition("?")[0] if target.startswith("/") else urlsplit(target).path
        segments = path.replace("%2f", "%2F").split("%2F")
        environ["PATH_INFO"] = "%2F".join(unquote_to_bytes(each).decode("latin-1") for each in segments)
        return self._app(environ, start_response)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)
