"""A source's HTTP interface: a test scripts its answers, and looks at the requests. And connectors that read one."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from attrs import define, field

from omni_connector import Connector
from support.scripted import Scripted


@define
class Seen:
    """A request that has come."""

    method: str
    path: str
    query: dict[str, str]
    headers: Any
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


@define
class Answer:
    """What is answered: JSON unless it is bytes."""

    body: Any = field(factory=dict)
    status: int = 200
    headers: dict[str, str] = field(factory=dict)


BREAK = "break"
"""In the place of an answer: the connection is closed without one."""


class SourceServer:
    """Answers with what ``script`` returns for a request; use it as a context manager."""

    def __init__(self, script: Callable[[Seen], Answer | str] | list[Answer | str]) -> None:
        self._answers = list(script) if isinstance(script, list) else None
        self._script = script
        self._lock = threading.Lock()
        self.seen: list[Seen] = []
        self._connections: list[socket.socket] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                server._connections.append(self.connection)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def handle_one_request(self) -> None:
                self.requestline = self.command = ""
                super().handle_one_request()

            def __getattr__(self, name: str) -> Any:
                if name.startswith("do_"):
                    return lambda: server._serve(self)
                raise AttributeError(name)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        self._server.block_on_close = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="source-server")

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        for connection in self._connections:  # Of sessions that stay open.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.server_close()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        size = int(handler.headers.get("Content-Length") or 0)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        seen = Seen(handler.command, parts.path, query, handler.headers, handler.rfile.read(size))
        with self._lock:
            self.seen.append(seen)
            answer = None if self._answers is None else self._answers.pop(0)
        answer = self._script(seen) if answer is None else answer
        if answer == BREAK:
            handler.close_connection = True
            return
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        with contextlib.suppress(OSError):  # A client that was cancelled has gone.
            handler.send_response(answer.status)
            for name, value in {"Content-Length": str(len(body)), **answer.headers}.items():
                handler.send_header(name, value)
            handler.end_headers()
            if handler.command != "HEAD":
                handler.wfile.write(body)


class AsyncScripted(Connector):
    name = "scripted"
    version = "1"
    source_types = ["web"]

    def __init__(self, script):
        self.script = script

    async def sync(self, source_config, credentials, state, ctx):
        await self.script(ctx)


def reading(colour, url, **options):
    """Return a connector that reads one address."""
    if colour == "blocking":
        return Scripted(lambda ctx: ctx.http(**options).get(url))

    async def read(ctx):
        await ctx.http(**options).get(url)

    return AsyncScripted(read)
