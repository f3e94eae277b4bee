"""A real gunicorn, and a manager on bare sockets whose answers are legal but odd: each document arrives with its own text."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import threading
import uuid

import pytest
import requests
from support.bursts import BURSTS, SIZE
from support.processes import ListeningSocket, start_gunicorn
from support.raw_server import ParallelServer, held_port, read_request
from support.waiting import eventually

FILES = 100
WIRES = ["curl", pytest.param("session", marks=pytest.mark.slow)]


def plain(body):
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )


def headed(body, head):
    return b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)


def chunked(body):
    half = len(body) // 2
    parts = b"".join(b"%x;name=value\r\n%b\r\n" % (len(part), part) for part in (body[:half], body[half:]))
    return (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n" + parts + b"0\r\nX: y\r\n\r\n"
    )


def one_point_zero(body):
    return b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def zipped(body):
    packed = gzip.compress(body)
    return headed(packed, b"Content-Encoding: gzip\r\n")


EARLY = b"HTTP/1.1 103 Early Hints\r\n\r\n"
ODD = {
    "103": lambda body: EARLY + plain(body),
    "102 and 103": lambda body: b"HTTP/1.1 102 Processing\r\nRetry-After: 9\r\n\r\n" + EARLY + plain(body),
    "100": lambda body: b"HTTP/1.1 100 Continue\r\n\r\n" + plain(body),
    "a second answer": lambda body: plain(body) + plain(b'{"content_id":"stray"}'),
    "chunks, extensions, trailers": chunked,
    "HTTP/1.0": one_point_zero,
    "Connection: close": lambda body: headed(body, b"Connection: close\r\n"),
    "gzip": zipped,
    "odd names": lambda body: plain(body).replace(b"Content-Length", b"cOnTeNt-lEnGtH"),
    "a header of 9 KB": lambda body: headed(body, b"X-Long: %b\r\n" % (b"x" * 9000)),
    "single bytes": plain,
}
"""Legal forms of an answer, given its body."""


class OddManager:
    """Answers one content in three in an odd form; keeps the events."""

    def __init__(self, root, odd):
        self._root = root
        self._odd = odd
        self._numbers = itertools.count()
        self.events = []
        self.ended = []
        self.done = threading.Event()

    def serve(self, connection, _number):
        while (request := read_request(connection)) is not None:
            head, body = request
            path = head.split(b" ")[1].decode()
            if path == "/sdk/content" and next(self._numbers) % 3 == 0:
                answer = ODD[self._odd](self._answer(path, body))
                if self._odd == "single bytes":
                    for byte in answer:
                        connection.sendall(bytes([byte]))
                    continue
                connection.sendall(answer)
                if self._odd in {"Connection: close", "HTTP/1.0"}:
                    return
                continue
            connection.sendall(plain(self._answer(path, body)))

    def _answer(self, path, body):
        if path == "/sdk/content":
            return json.dumps({"content_id": f"id of {json.loads(body)['content']}"}).encode()
        if path.endswith("/sync-config"):
            config = {"config": {"path": str(self._root)}, "credentials": {}, "source_type": "file_system"}
            config |= {"user_filter_mode": "all", "checkpoint": None, "connector_state": None}
            return json.dumps(config).encode()
        if path.startswith("/sdk/events"):
            self.events += json.loads(body)["events"]
        if path.endswith(("/complete", "/fail")):
            self.ended.append((path.rsplit("/", 1)[1], body))
            self.done.set()
        return b'{"status":"ok"}'


class IdleStrays(OddManager):
    """Answers as usual; asked to let the connector go on, it first sends a stray answer over each idle connection."""

    def __init__(self):
        super().__init__("", "100")
        self._lock = threading.Lock()
        self._idle = set()
        self.strays = 0

    def serve(self, connection, _number):
        try:
            while (request := read_request(connection)) is not None:
                head, body = request
                path = head.split(b" ")[1].decode()
                with self._lock:
                    self._idle.discard(connection)
                    if path == "/go-on":
                        self._send_strays()
                connection.sendall(plain(self._answer(path, body)))
                with self._lock:
                    self._idle.add(connection)
        finally:
            with self._lock:
                self._idle.discard(connection)

    def _send_strays(self):
        for connection in self._idle:
            with contextlib.suppress(OSError):  # The connector has closed it.
                connection.sendall(plain(b'{"content_id":"stray"}'))
                self.strays += 1


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "files"
    root.mkdir()
    for number in range(FILES):
        (root / f"{number}.txt").write_text(f"text of {number}.txt", encoding="utf-8")
    return root


@pytest.fixture(scope="module", params=WIRES)
def environment(request, tmp_path_factory):
    """In which libcurl can be loaded, or cannot."""
    folder = tmp_path_factory.mktemp("environment")
    with pytest.MonkeyPatch.context() as changes:
        changes.setenv("HOME", str(folder))
        if request.param == "curl":
            pytest.importorskip("pycurl")
        else:
            (folder / "pycurl.py").write_text("raise ImportError('not here')\n")
            changes.setenv("PYTHONPATH", str(folder))
        yield


@contextlib.contextmanager
def connector_of(manager_port, target):
    """A connector under gunicorn that does not register. The value is its address."""
    env = {"CONNECTOR_MANAGER_URL": f"http://127.0.0.1:{manager_port}", "CONNECTOR_URL": ""}
    with ListeningSocket() as address, start_gunicorn(address, target, env=env) as connector:
        connector.wait_for("Booting worker")
        yield address.url


@pytest.fixture(scope="module")
def sync_with(environment):
    """The folder example, the same process for all tests of a wire; syncs it with a manager."""
    with held_port() as port, connector_of(port, "filesystem_connector:FilesystemConnector") as url:

        def sync(manager):
            with ParallelServer(manager.serve, port=port):
                run_once(manager, url)

        yield sync


def run_once(manager, url):
    """Run one sync of a connector until it has the answer to its last call."""
    run = {"sync_run_id": str(uuid.uuid4()), "source_id": "source-1", "sync_mode": "full"}
    assert requests.post(f"{url}/sync", json=run, timeout=60).status_code == 200
    assert manager.done.wait(60)
    asked = f"{url}/sync/{run['sync_run_id']}"
    eventually(lambda: requests.get(asked, timeout=60).json() == {"running": False})


@pytest.mark.parametrize("odd", ODD)
def test_every_document_has_its_own_text(sync_with, root, odd):
    manager = OddManager(root, odd)
    sync_with(manager)
    assert [what for what, _ in manager.ended] == ["complete"], manager.ended
    contents = {event["document_id"]: event["content_id"] for event in manager.events}
    assert len(contents) == FILES
    assert {name: text.removeprefix("id of text of ") for name, text in contents.items()} == {
        name: name.rsplit("/", 1)[-1] for name in contents
    }


@pytest.mark.usefixtures("environment")
def test_a_stray_answer_on_an_idle_connection_is_not_taken_for_the_next():
    """The strays have been sent before the next burst begins."""
    manager = IdleStrays()
    with (
        ParallelServer(manager.serve) as server,
        connector_of(server.port, "support.bursts:BurstConnector") as url,
    ):
        run_once(manager, url)
    assert [what for what, _ in manager.ended] == ["complete"], manager.ended
    contents = {event["document_id"]: event["content_id"] for event in manager.events}
    names = [f"{burst}-{number}" for burst in range(BURSTS) for number in range(SIZE)]
    assert contents == {name: f"id of text of {name}" for name in names}
    assert manager.strays >= BURSTS
