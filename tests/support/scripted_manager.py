"""A manager that answers what a test tells it, on a real socket, also by not answering at all."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

OK = {"status": "ok"}
CLOSE = "close the connection without an answer"
RESET = "reset the connection"
HANG = "never answer"


class Answer(NamedTuple):
    """What is answered: JSON, or bytes as they stand."""

    status: int = 200
    body: Any = OK
    headers: dict[str, str] = {}


class Request(NamedTuple):
    """What came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class ScriptedManager:
    """Answers ``answers`` one after the other, then ``otherwise``. A context manager."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answers: deque[Answer | str | Callable[[Request], Answer]] = deque()
        self.otherwise: Answer | str = Answer()
        self.released = threading.Event()
        self._changed = threading.Condition()
        self._connections: set[socket.socket] = set()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), name="scripted-manager"
        )

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:  # Gone already.
                continue
        self._server.server_close()

    def script(self, *answers: Answer | str | Callable[[Request], Answer]) -> None:
        """Answer these next."""
        self.answers.extend(answers)

    def wait_for(self, count: int) -> None:
        """Wait until so many requests have come."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.requests) >= count, 10), self.requests

    def _received(self, request: Request) -> Answer | str:
        with self._changed:
            self.requests.append(request)
            answer = self.answers.popleft() if self.answers else self.otherwise
            self._changed.notify_all()
        return answer(request) if callable(answer) else answer

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        manager = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def setup(self) -> None:
                super().setup()
                manager._connections.add(self.connection)

            def finish(self) -> None:
                manager._connections.discard(self.connection)
                super().finish()

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = manager._received(Request(self.command, self.path, headers, body))
                if isinstance(answer, Answer):
                    self._send(answer)
                    return
                self.close_connection = True
                if answer == HANG:
                    manager.released.wait(30)
                if answer == RESET:
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

            do_GET = do_POST = do_PUT = handle_any

            def _send(self, answer: Answer) -> None:
                body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                self.send_response(answer.status)
                if "Transfer-Encoding" not in answer.headers and "Connection" not in answer.headers:
                    self.send_header("Content-Length", str(len(body)))
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        """A client that goes away is part of the test."""

    def shutdown_request(self, request: Any) -> None:
        """Close at once where the test wants a reset: a shutdown first would end the connection in order."""
        self.close_request(request)


def refused_port() -> int:
    """Return a port on which nobody listens: one that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
