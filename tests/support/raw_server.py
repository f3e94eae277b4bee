"""A server on bare sockets: a test scripts each of its connections, byte for byte."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable

RESET = b"\x01\x00\x00\x00\x00\x00\x00\x00"
"""As a value of SO_LINGER: closing resets the connection."""


class RawServer:
    """Hands each connection, in order, to the next of ``scripts``, in a thread; then closes it."""

    def __init__(
        self, *scripts: Callable[[socket.socket], object], tls: ssl.SSLContext | None = None
    ) -> None:
        self._scripts = list(scripts)
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, name="raw-server")
        self.accepted = 0
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _serve(self):
        for script in self._scripts:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            with connection, contextlib.suppress(OSError):
                if self._tls is None:
                    script(connection)
                    continue
                with self._tls.wrap_socket(connection, server_side=True) as secured:
                    script(secured)


def read_request(connection):
    """Return head and body of one request, or None when the other side has gone."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length")), 0
    )
    while len(body) < length:
        more = connection.recv(65536)
        if not more:
            return None
        body += more
    return head, body


def answering(*answers: bytes):
    """Read a request and send an answer, for each of them."""

    def script(connection):
        for answer in answers:
            if read_request(connection) is None:
                return
            connection.sendall(answer)

    return script


def ok(body=b"{}", head=b""):
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%b\r\n%b" % (len(body), head, body)


@contextlib.contextmanager
def held_port():
    """A port at which nothing listens, but for a ``ParallelServer`` with this port."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


class ParallelServer:
    """Serves every connection with ``script(connection, number)``, each in a thread of its own.

    Attributes:
        accepted: how many connections were made.
        ended: how many were closed by this side.
    """

    def __init__(
        self,
        script: Callable[[socket.socket, int], object],
        *,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._script = script
        self._tls = tls
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=256, reuse_port=port != 0)
        self._thread = threading.Thread(target=self._serve, name="parallel-server")
        self._threads: list[threading.Thread] = []
        self._connections: list[socket.socket] = []
        self.accepted = 0
        self.ended = 0
        self.port = self._listener.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"{'https' if tls else 'http'}://{shown}:{self.port}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def _serve(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            # What was sent has arrived, as far as a test is concerned: nothing waits for an acknowledgement.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections.append(connection)
            thread = threading.Thread(
                target=self._one, args=(connection, self.accepted), name="raw-connection"
            )
            self._threads.append(thread)
            thread.start()

    def _one(self, connection, number):
        try:
            self._serve_one(connection, number)
        finally:
            self.ended += 1

    def _serve_one(self, connection, number):
        with connection, contextlib.suppress(OSError, ValueError):
            if self._tls is None:
                self._script(connection, number)
                return
            with self._tls.wrap_socket(connection, server_side=True) as secured:
                self._connections.append(secured)
                self._script(secured, number)
                # Announce the end, as servers do: without that it is taken for a cut. Wait for nothing.
                secured.setblocking(False)
                secured.unwrap()
