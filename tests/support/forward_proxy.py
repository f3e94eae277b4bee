"""An HTTP proxy for tests: forwards plain requests, tunnels the others, and may ask for a password."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
from urllib.parse import urlsplit

from support.raw_server import ParallelServer

DENIED = (
    b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=x\r\n"
    b"Content-Length: 0\r\nConnection: close\r\n\r\n"
)
BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class ForwardProxy:
    """A context manager; ``lines`` has the first line of every request that came."""

    def __init__(self, *, user: str = "", password: str = "", tls: ssl.SSLContext | None = None) -> None:
        self._expected = base64.b64encode(f"{user}:{password}".encode()) if user else None
        self._server = ParallelServer(self._serve, tls=tls)
        self.lines: list[str] = []
        self.url = self._server.url

    def with_credentials(self, credentials: str) -> str:
        """Return the address with ``user:password`` in it."""
        return self.url.replace("://", f"://{credentials}@")

    def __enter__(self):
        self._server.__enter__()
        return self

    def __exit__(self, *_):
        self._server.__exit__()

    def _serve(self, client: socket.socket, _number: int) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            more = client.recv(65536)
            if not more:
                return
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        line, *headers = head.split(b"\r\n")
        self.lines.append(line.decode())
        authorization = [one.split(b" ")[-1] for one in headers if one.lower().startswith(b"proxy-auth")]
        if self._expected is not None and authorization != [self._expected]:
            client.sendall(DENIED)
            return
        method, target, _version = line.split(b" ")
        if method == b"CONNECT":
            host, _, port = target.decode().rpartition(":")
            first = b""
        else:
            parts = urlsplit(target.decode())
            host, port = parts.hostname, parts.port
            kept = [one for one in headers if not one.lower().startswith((b"proxy-", b"connection"))]
            path = target.decode().split(str(port), 1)[1].encode()
            first = b"\r\n".join([b"%b %b HTTP/1.1" % (method, path), *kept, b"Connection: close", b"", body])
        try:
            manager = socket.create_connection((host.strip("[]"), int(port)), 10)
        except OSError:
            client.sendall(BAD_GATEWAY)
            return
        with manager:
            if method == b"CONNECT":
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                manager.sendall(first)
            back = threading.Thread(target=_copy, args=(manager, client), name="proxy-back")
            back.start()
            _copy(client, manager)
            back.join(60)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for one in (source, target):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
