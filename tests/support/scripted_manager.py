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
        self._server = _Server(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), name="scripted-manager"
        )

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._server.connections)

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
        for connection in list(self._server.connections):
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
            assert self._changed.wait_for(lambda: len(self.requests) >= count, 60), self.requests

    def received(self, request: Request) -> Answer | str:
        """Note a request; return what to answer."""
        with self._changed:
            self.requests.append(request)
            answer = self.answers.popleft() if self.answers else self.otherwise
            self._changed.notify_all()
        return answer(request) if callable(answer) else answer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body leave at once: a client delays its acknowledgement of the head by 40 ms.
    disable_nagle_algorithm = True
    timeout = 30
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.manager.received(Request(self.command, self.path, headers, body))
        if isinstance(answer, Answer):
            self._send(answer)
            return
        self.close_connection = True
        if answer == HANG:
            self.server.manager.released.wait(60)
        if answer == RESET:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def do_GET(self) -> None:
        self.do_POST()

    def do_PUT(self) -> None:
        self.do_POST()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _send(self, answer: Answer) -> None:
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 64

    def __init__(self, manager: ScriptedManager) -> None:
        self.manager = manager
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, *_: object) -> None:
        """A client that goes away is part of the test."""

    def shutdown_request(self, request: Any) -> None:
        """Close at once where the test wants a reset: a shutdown first would end the connection in order."""
        self.close_request(request)
