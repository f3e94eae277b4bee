"""Request bodies that break off, and hooks that would end the process, with real servers on real sockets."""

from __future__ import annotations

import contextlib
import json
import socket
import threading

import pytest
import requests
from support.ending import Ending
from support.processes import ListeningSocket, start_gunicorn
from werkzeug.serving import make_server

from omni_connector.local import HttpServer

CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
BODY = b'{"action":"ping","params":{}}'
BROKEN = {
    "negative chunk size": CHUNKED + b"-1\r\nabc\r\n0\r\n\r\n",
    "chunk size in words": CHUNKED + b"zz\r\nabc\r\n0\r\n\r\n",
    "chunk cut short": CHUNKED + b"5\r\nabc",
    "chunk without its end": CHUNKED + b"3\r\nabcXX\r\n0\r\n\r\n",
    "no last chunk": CHUNKED + b"%x\r\n%b\r\n" % (len(BODY), BODY),
    "body cut short": b"Content-Length: 50\r\n\r\nabc",
    "absurd length": b"Content-Length: 99999999999999999999999\r\n\r\nabc",
    "length beyond the limit": b"Content-Length: 999999999999\r\n\r\nabc",
    "negative length": b"Content-Length: -5\r\n\r\nabc",
}
TOO_LARGE = {"absurd length", "length beyond the limit"}
UNFINISHED = {"chunk cut short", "no last chunk", "body cut short"}
"""Where the client has gone in the middle: a server may close without an answer."""


@pytest.fixture(scope="module", autouse=True)  # Before the guards of a test look at threads and sockets.
def gunicorn():
    with (
        ListeningSocket() as address,
        start_gunicorn(
            address, "support.impatient:Ending", env={"CONNECTOR_MANAGER_URL": "http://127.0.0.1:9"}
        ) as process,
    ):
        process.wait_for("Booting worker")
        yield address.port, lambda: "\n".join(process.lines)


@pytest.fixture
def development(make_app, caplog):
    server = make_server("127.0.0.1", 0, make_app(Ending()), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.port, lambda: caplog.text
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def embedded(make_app, caplog):
    with HttpServer(make_app(Ending()), name="test-connector") as server:
        yield server.port, lambda: caplog.text


@pytest.fixture(params=["gunicorn", "development", "embedded"])
def served(request):
    """The port of a server, and what has been logged."""
    return request.getfixturevalue(request.param)


@contextlib.contextmanager
def sent(port, data):
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(b"POST /action HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + data)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as answer:
            yield answer


@pytest.mark.parametrize("name", BROKEN)
def test_a_body_that_breaks_off_or_is_wrongly_encoded_is_4xx(served, name):
    port, log = served
    with sent(port, BROKEN[name]) as answer:
        line, rest = answer.readline(), answer.read()
    if line or name not in UNFINISHED:
        assert int(line.split()[1]) in ({400, 413} if name in TOO_LARGE else {400})
    assert b"Traceback" not in rest
    assert "Traceback" not in log()
    assert requests.get(f"http://127.0.0.1:{port}/health", timeout=60).status_code == 200


def test_bodies_that_never_end_do_not_silence_gunicorn(gunicorn):
    """Each holds one of its sixteen threads, but not for ever."""
    port, _ = gunicorn
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
            head = b"POST /sync HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"
            client.sendall(head)
        assert requests.get(f"http://127.0.0.1:{port}/health", timeout=60).status_code == 200
        assert client.recv(1000).startswith(b"HTTP/1.1 400")


def test_the_answer_names_the_body(gunicorn):
    for name in ("negative chunk size", *UNFINISHED):
        with sent(gunicorn[0], BROKEN[name]) as answer:
            body = json.loads(answer.read().split(b"\r\n\r\n")[1])
        assert body["field"] == "body"
        assert body["error"].startswith("body: it broke off or is wrongly encoded (")


def test_a_hook_that_would_end_the_process_is_an_error_of_that_call(served):
    port, _ = served
    url = f"http://127.0.0.1:{port}"
    answer = requests.post(f"{url}/skill", json={"skill_id": "stop", "credentials": {}}, timeout=60)
    assert answer.status_code == 500
    assert answer.json()["error"] == "load_skill failed: it was interrupted (KeyboardInterrupt)"
    for name, reason in (("interrupt", "it was interrupted"), ("leave", "it tried to end the process")):
        answer = requests.post(f"{url}/action", json={"action": name, "params": {}}, timeout=60)
        assert (answer.status_code, answer.json()["status"]) == (500, "error")
        assert answer.json()["error"].startswith(reason)
    assert requests.post(f"{url}/cancel", json={"sync_run_id": "r"}, timeout=60).status_code == 404
    assert requests.get(f"{url}/health", timeout=60).status_code == 200


@pytest.mark.slow
def test_gunicorns_time_out_is_an_error_of_that_call_in_words():
    """A worker of the kind `sync` is ended by a signal when a request takes too long."""
    options = ("--worker-class", "sync", "--threads", "1", "--timeout", "1")
    environ = {"CONNECTOR_MANAGER_URL": "http://127.0.0.1:9"}
    with (
        ListeningSocket() as address,
        start_gunicorn(address, "support.ending:Ending", *options, env=environ, bare=True) as process,
    ):
        process.wait_for("Booting worker")
        late = {"skill_id": "late", "credentials": {}}
        answer = requests.post(f"{address.url}/skill", json=late, timeout=60)
        assert answer.status_code == 500
        assert answer.json()["error"].startswith("load_skill failed: it took longer than gunicorn's time-out")
        answer = requests.post(f"{address.url}/action", json={"action": "late"}, timeout=60)
        assert answer.status_code == 504
        assert answer.json()["error"].startswith("The action 'late' did not end within 0.8 s")
