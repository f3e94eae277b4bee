"""Each trap of libcurl, against a server that springs it. What every wire does is in test_wires.py."""

from __future__ import annotations

import gzip
import re
import socket
import struct
import subprocess
import sys
import textwrap
import threading
from collections import defaultdict
from pathlib import Path

import pytest
import requests
from attrs import evolve
from requests.adapters import HTTPAdapter
from support.certificates import Authority
from support.forward_proxy import ForwardProxy
from support.ports import free_port
from support.raw_server import RESET, ParallelServer, RawServer, answering, ok, read_request
from support.waiting import eventually

from omni_connector.manager.wire import WireAbortedError, WireError, WireRequest

pycurl = pytest.importorskip("pycurl", exc_type=ImportError)
from omni_connector.manager import curl_wire  # noqa: E402 - only where there is pycurl.
from omni_connector.manager.curl_wire import CurlWire  # noqa: E402

REQUEST = WireRequest(method="POST", path="/sdk/content", body=(b"{}",), seconds=10.0)
PATIENCE = 60


@pytest.fixture
def make_wire():
    made = []

    def make(url, session=None):
        session = session or requests.Session()
        wire = CurlWire.for_session(url, session, connect_seconds=5.0)
        made.append((wire, session))
        return wire

    yield make
    for wire, session in made:
        session.close()
        if wire is not None:
            wire.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def send(wire, **changes):
    return wire.submit(evolve(REQUEST, **changes)).result(PATIENCE)


def send_all(wire, bodies):
    pending = [wire.submit(evolve(REQUEST, body=(body,))) for body in bodies]
    return [one.result(PATIENCE).body for one in pending]


def failure(wire, **changes):
    error = wire.submit(evolve(REQUEST, **changes)).exception(PATIENCE)
    assert isinstance(error, WireError), error
    return error


def failure_when_sent(wire, *, seconds, **changes):
    """Return the error of a request without an answer; on a machine so busy that it was not sent in time, try for longer."""
    while not (error := failure(wire, seconds=seconds, **changes)).was_sent and seconds < PATIENCE:
        seconds *= 4
    return error


def echo(connection, _number=0):
    while (request := read_request(connection)) is not None:
        connection.sendall(ok(request[1]))


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("omni-wire")]


# -- a request is repeated, or waits, behind our back ---------------------------------------------------------------


@pytest.mark.parametrize("ending", ["close", "reset", "one byte", "a 103"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_a_post_on_a_kept_connection_that_dies_is_not_repeated(make_wire, authority, ending, tls):
    together, received = threading.Barrier(8), []

    def script(connection, _number):
        read_request(connection)
        together.wait(PATIENCE)
        connection.sendall(ok())
        request = read_request(connection)
        if request is None:
            return
        received.append(request[1])
        if ending == "one byte":
            connection.sendall(b"H")
        elif ending == "a 103":
            connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        elif ending == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    session = requests.Session()
    session.verify = str(authority.file)
    with ParallelServer(script, tls=authority.server() if tls else None) as server:
        wire = make_wire(server.url, session)
        send_all(wire, [b"0"] * 8)
        error = failure(wire, body=(b"1",))
        assert error.was_sent
        assert received == [b"1"]


def test_waiting_for_a_place_costs_no_time_and_keeps_the_order(make_wire, monkeypatch):
    """Twelve requests through two places take longer than the deadline of each."""
    monkeypatch.setattr(curl_wire, "MOST_AT_ONCE", 2)
    pause, arrived = threading.Event(), defaultdict(list)

    def script(connection, number):
        while (request := read_request(connection)) is not None:
            arrived[number].append(int(request[1]))
            pause.wait(0.3)
            connection.sendall(ok(request[1]))

    with ParallelServer(script) as server:
        wire = make_wire(server.url)
        requests_ = [evolve(REQUEST, body=(b"%d" % number,), seconds=1.5) for number in range(12)]
        pending = [wire.submit(one) for one in requests_]
        assert [int(one.result(PATIENCE).body) for one in pending] == list(range(12))
        assert server.accepted == 2
        assert all(numbers == sorted(numbers) for numbers in arrived.values())


# -- connections ----------------------------------------------------------------------------------------------------


def test_after_the_manager_closed_all_connections_no_request_is_lost(make_wire):
    together, received = threading.Barrier(8), []

    def script(connection, number):
        while (request := read_request(connection)) is not None:
            received.append(request[1])
            if number <= 8:
                together.wait(PATIENCE)
            connection.sendall(ok(request[1]))
            if number <= 8:
                return

    with ParallelServer(script) as server:
        wire = make_wire(server.url)
        send_all(wire, [b"first"] * 8)
        eventually(lambda: server.ended == 8)
        assert send_all(wire, [b"%d" % number for number in range(8)]) == [b"%d" % n for n in range(8)]
        assert sorted(received[8:]) == [b"%d" % number for number in range(8)]


def test_a_wire_without_traffic_has_no_connections_and_no_thread(make_wire, monkeypatch):
    monkeypatch.setattr(curl_wire, "LONGEST_IDLE_SECONDS", 0.05)
    with ParallelServer(echo) as server:
        wire = make_wire(server.url)
        assert send(wire, body=(b"1",)).body == b"1"
        eventually(lambda: server.ended == 1 and not threads())
        assert send(wire, body=(b"2",)).body == b"2"


def test_connections_are_kept_when_few_are_needed(make_wire):
    """libcurl keeps four times the handles that are under way, by default."""
    together = threading.Barrier(64)

    def script(connection, _number):
        while (request := read_request(connection)) is not None:
            if request[1] == b"all":
                together.wait(PATIENCE)
            connection.sendall(ok(request[1]))

    with ParallelServer(script) as server:
        wire = make_wire(server.url)
        send_all(wire, [b"all"] * 64)
        for _ in range(20):
            send(wire)
        send_all(wire, [b"all"] * 64)
        assert server.accepted == 64


def test_http_2_is_not_spoken(make_wire, authority):
    context, spoken = authority.server(), []
    context.set_alpn_protocols(["h2", "http/1.1"])

    def script(connection):
        spoken.append(connection.selected_alpn_protocol())
        answering(ok())(connection)

    session = requests.Session()
    session.verify = str(authority.file)
    with RawServer(script, tls=context) as server:
        wire = make_wire(server.url, session)
        send(wire)
        wire.close()
    assert spoken == ["http/1.1"]


# -- the environment ------------------------------------------------------------------------------------------------


def test_the_environment_is_not_read_by_libcurl(make_wire, monkeypatch):
    """Neither a proxy that is set later, nor one that requests would not use, nor a bypass that it does not know."""
    with ParallelServer(echo) as server, ForwardProxy() as proxy, requests.Session() as session:
        direct = make_wire(server.url)
        session.proxies = {"http": proxy.url}
        by_proxy = make_wire(server.url, session)
        for name in ("http_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert send(direct).status == 200
        assert send(by_proxy).status == 200
        assert len(proxy.lines) == 1


# -- requests -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["X-Note\r\nX-Evil", " X-Note", "X:Note"])
def test_a_header_with_a_name_that_cannot_be_is_left_to_requests(name):
    session = requests.Session()
    session.headers[name] = "1"
    assert CurlWire.for_session("http://127.0.0.1:9", session, connect_seconds=1.0) is None


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\0", "\u20ac"])
def test_a_header_with_a_value_that_cannot_be_is_left_to_requests(value):
    session = requests.Session()
    session.headers["X-Note"] = value
    assert CurlWire.for_session("http://127.0.0.1:9", session, connect_seconds=1.0) is None


def test_headers_are_sent_as_requests_does(make_wire):
    heads = []

    def script(connection):
        heads.append(read_request(connection)[0])
        connection.sendall(ok())

    session = requests.Session()
    session.headers.update({"X-Umlaut": "caf\u00e9", "X-Empty": "", "User-Agent": "me/1", "Accept": None})
    with RawServer(script) as server:
        send(make_wire(server.url, session))
    lines = heads[0].split(b"\r\n")
    assert b"X-Umlaut: caf\xe9" in lines
    assert b"X-Empty:" in lines
    assert b"User-Agent: me/1" in lines
    assert not [line for line in lines if line.lower().startswith((b"accept:", b"expect:", b"connection:"))]


@pytest.mark.parametrize("size", [10, 1_500_000])
def test_no_body_waits_for_a_continue(make_wire, size):
    heads = []

    def script(connection):
        heads.append(read_request(connection)[0])
        connection.sendall(ok())

    with RawServer(script) as server:
        send(make_wire(server.url), body=(b"x" * size,))
    assert b"expect" not in heads[0].lower()


@pytest.mark.parametrize("path", ["/a/../b", "/./a", "/user@host/x", "/a%20b%2F", "/?q=a:b@c", "//a"])
def test_a_path_is_sent_as_it_is(make_wire, path):
    heads = []

    def script(connection):
        heads.append(read_request(connection)[0])
        connection.sendall(ok())

    with RawServer(script) as server:
        send(make_wire(server.url), path=path)
    assert heads[0].startswith(b"POST %b HTTP/1.1\r\n" % path.encode())
    assert b"Authorization" not in heads[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"path": "/a b"},
        {"path": "/caf\u00e9"},
        {"path": "/a\r\nX-Evil: 1"},
        {"path": "@evil.example/"},
        {"method": "GET / HTTP/1.1\r\n\r\nPOST"},
        {"content_type": "text/plain\r\nX-Evil: 1"},
        {"body": (bytearray(b"1"),)},
        {"body": (memoryview(b"1"),)},
        {"body": ("caf\u00e9",)},
    ],
    ids=lambda changes: re.sub("<memory at .*>", "memoryview", str(changes)),
)
def test_what_cannot_be_sent_is_an_error_of_that_call(make_wire, changes):
    with ParallelServer(echo) as server:
        wire = make_wire(server.url)
        assert not failure(wire, **changes).was_sent
        assert send(wire, body=(b"next",)).body == b"next"
        assert server.accepted == 1


class Broken:
    """A body that says it has ten bytes."""

    def __init__(self, *reads):
        self._reads = list(reads)

    def __len__(self):
        return 10

    def read(self, _size=-1):
        found = self._reads.pop(0) if self._reads else b""
        if isinstance(found, Exception):
            raise found
        return found


@pytest.mark.parametrize(
    "body",
    [Broken(OSError("the disk is gone")), Broken(b"12", OSError("the disk is gone")), Broken(b"12")],
    ids=["at once", "in the middle", "too short"],
)
def test_a_body_that_cannot_be_read_is_an_error_of_that_call(make_wire, body, capfd):
    with ParallelServer(echo) as server:
        wire = make_wire(server.url)
        error = failure(wire, body=body, seconds=1.0)
        assert send(wire, body=(b"next",)).body == b"next"
    assert "Traceback" not in capfd.readouterr().err
    assert len(str(error)) > 10


# -- answers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [b"X-Long: " + b"x" * 120_000, b"X-Long: " + b"x" * 400_000, b"\r\n".join([b"X-Many: 1"] * 6000)],
    ids=["a line of 120 KB", "400 KB", "6,000 headers"],
)
def test_headers_without_measure_are_an_error_of_that_call(make_wire, head):
    with RawServer(answering(ok(head=head + b"\r\n")), answering(ok(b"next"))) as server:
        wire = make_wire(server.url)
        assert failure(wire).was_sent
        assert send(wire).body == b"next"


@pytest.mark.parametrize("answer", [413, 200])
def test_an_answer_before_all_was_sent_is_an_answer(make_wire, answer):
    """The manager answers from the headers alone and hangs up; libcurl calls that an error of sending."""

    def script(connection):
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 %d Whatever\r\nContent-Length: 2\r\n\r\n{}" % answer)
        connection.shutdown(socket.SHUT_WR)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 200_000))
        while connection.recv(65536):
            pass

    with RawServer(script) as server:
        found = send(make_wire(server.url), body=(b"x" * 8_000_000,))
    assert (found.status, found.body) == (answer, b"{}")


def test_an_error_status_is_an_answer_though_its_body_is_broken(make_wire):
    broken = (
        b"HTTP/1.1 503 Busy\r\nContent-Encoding: gzip\r\nRetry-After: 7\r\nContent-Length: 9\r\n\r\nnot gzip!"
    )
    with RawServer(answering(broken)) as server:
        answer = send(make_wire(server.url))
    assert (answer.status, answer.headers["retry-after"]) == (503, "7")


def test_compressed_answers_are_decompressed_to_their_end(make_wire):
    text = b"a b c " * 200_000
    with RawServer(answering(ok(gzip.compress(text), b"Content-Encoding: gzip\r\n"))) as server:
        assert send(make_wire(server.url)).body == text


def test_headers_of_an_informational_answer_are_not_those_of_the_answer(make_wire):
    answer = b"HTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\nX-Hint: 1\r\n\r\n" + ok(b"1", b"X-Real: 1\r\n")
    with RawServer(answering(answer)) as server:
        headers = send(make_wire(server.url)).headers
    assert dict(headers) == {"content-length": "1", "x-real": "1"}


# -- time -----------------------------------------------------------------------------------------------------------


def test_deadlines_hold_one_after_the_other_and_beside_each_other(make_wire):
    """libcurl sets its timer from within the call that the timer caused; losing that one, it waits for ever."""
    with ParallelServer(lambda connection, _: read_request(connection) and connection.recv(1)) as server:
        wire = make_wire(server.url)
        for _ in range(3):
            assert isinstance(failure(wire, seconds=0.05), WireError)
        pending = [wire.submit(evolve(REQUEST, seconds=0.05 * number)) for number in range(1, 9)]
        assert all(isinstance(one.exception(PATIENCE), WireError) for one in pending)


def test_a_server_that_stops_reading_does_not_outlast_the_deadline(make_wire):
    ended = threading.Event()

    def script(connection, _number):
        connection.recv(1000)
        ended.wait(PATIENCE)

    with ParallelServer(script) as server:
        wire = make_wire(server.url)
        error = failure_when_sent(wire, body=(b"x" * 30_000_000,), seconds=0.5)
        ended.set()
    assert error.was_sent
    assert "timed out" in str(error)


# -- whose request it is --------------------------------------------------------------------------------------------


class OwnAdapter(HTTPAdapter):
    """An adapter of one's own."""


class OwnSession(requests.Session):
    """A session of one's own."""


def changed(**attributes):
    session = requests.Session()
    for name, value in attributes.items():
        setattr(session, name, value)
    return session


def with_adapter():
    session = requests.Session()
    session.mount("http://", OwnAdapter())
    return session


def with_cookie():
    session = requests.Session()
    session.cookies.set("a", "b")
    return session


@pytest.mark.parametrize(
    "session",
    [
        with_adapter(),
        with_cookie(),
        OwnSession(),
        changed(params={"a": "b"}),
        changed(hooks={"response": [print]}),
        changed(auth=requests.auth.HTTPDigestAuth("a", "b")),
        changed(proxies={"http": "socks5://127.0.0.1:1080"}),
    ],
    ids=["adapter", "cookie", "subclass", "params", "hook", "auth", "SOCKS"],
)
def test_what_only_requests_can_honour_is_left_to_it(session):
    assert CurlWire.for_session("http://127.0.0.1:9", session, connect_seconds=1.0) is None
    session.close()


def test_an_older_pycurl_is_not_used(monkeypatch):
    monkeypatch.setattr(pycurl, "version", "PycURL/7.45.7 libcurl/8.9.1 OpenSSL/3.0")
    assert CurlWire.for_session("http://127.0.0.1:9", requests.Session(), connect_seconds=1.0) is None


# -- threads and processes ------------------------------------------------------------------------------------------


def test_every_request_is_answered_exactly_once_in_a_storm(make_wire):
    """Four threads submit while owners are aborted and the wire is closed in the end."""
    outcomes, owners = {}, [object() for _ in range(8)]
    lock = threading.Lock()

    def note(key):
        def done(_pending):
            with lock:
                outcomes[key] = outcomes.get(key, 0) + 1

        return done

    def submit(thread):
        for number in range(150):
            request = evolve(REQUEST, body=(b"%d" % number,), owner=owners[number % 8])
            wire.submit(request).add_done_callback(note((thread, number)))
            if number % 40 == 39:
                wire.abort(owners[number % 8])

    with ParallelServer(echo) as server:
        wire = make_wire(server.url)
        workers = [threading.Thread(target=submit, args=(number,)) for number in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers[:2]:
            worker.join()
        wire.close()
        for worker in workers[2:]:
            worker.join()
    assert len(outcomes) == 600
    assert set(outcomes.values()) == {1}


def test_a_wire_that_breaks_down_answers_everyone_and_begins_anew(make_wire, monkeypatch, caplog):
    arrived = threading.Event()

    def script(connection, number):
        while (request := read_request(connection)) is not None:
            arrived.set()
            if number > 1:
                connection.sendall(ok(request[1]))

    def break_down(*_):
        raise RuntimeError("out of order")

    with ParallelServer(script) as server:
        wire = make_wire(server.url)
        pending = wire.submit(REQUEST)
        assert arrived.wait(PATIENCE)
        with monkeypatch.context() as patch:
            patch.setattr(curl_wire.Sockets, "wait", break_down)
            other = wire.submit(REQUEST)
            assert isinstance(pending.exception(PATIENCE), WireAbortedError)
            assert isinstance(other.exception(PATIENCE), WireAbortedError)
            eventually(lambda: not threads())
        assert send(wire, body=(b"next",)).body == b"next"
    assert "broke down" in caplog.text


def test_a_callback_may_close_the_wire(make_wire):
    with ParallelServer(echo) as server:
        wire = make_wire(server.url)
        wire.submit(REQUEST).add_done_callback(lambda _: wire.close())
        eventually(lambda: not threads())
        assert isinstance(failure(wire), WireAbortedError)


def in_a_process(script: str, url: str) -> subprocess.CompletedProcess[str]:
    head = """
        import os, sys, threading, requests
        from omni_connector.manager.curl_wire import CurlWire
        from omni_connector.manager.wire import WireRequest
        wire = CurlWire.for_session(sys.argv[1], requests.Session(), connect_seconds=5.0)
        def ask(body):
            return wire.submit(WireRequest(method="POST", path="/", body=(body,)))
    """
    root = Path(__file__).resolve().parents[2]
    text = textwrap.dedent(head) + textwrap.dedent(script)
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", text, url], capture_output=True, text=True, timeout=60, cwd=root, check=False
    )  # fmt: skip


@pytest.mark.parametrize(
    ("tls", "child_sends"),
    [
        pytest.param(False, True, id="plain, the child sends"),
        pytest.param(False, False, id="plain, the child does nothing", marks=pytest.mark.slow),
        pytest.param(True, True, id="TLS, the child sends", marks=pytest.mark.slow),
        pytest.param(True, False, id="TLS, the child does nothing", marks=pytest.mark.slow),
    ],
)
def test_a_fork_in_the_middle_of_everything(authority, tls, child_sends):
    """Look-ups of names, transfers and idle connections: the child leaves them alone, also at its normal exit."""
    with ParallelServer(echo, tls=authority.server() if tls else None) as server:
        found = in_a_process(
            f"""
            session = requests.Session()
            session.verify = {str(authority.file)!r}
            wire = CurlWire.for_session(sys.argv[1].replace("127.0.0.1", "localhost"), session, connect_seconds=5.0)
            [one.result(20) for one in [ask(b"%d" % n) for n in range(8)]]
            busy = [ask(b"busy %d" % n + b"x" * 500_000) for n in range(8)]
            children = []
            for _ in range(3):
                child = os.fork()
                if child == 0:
                    if {child_sends}:
                        mine = [ask(b"child %d" % n) for n in range(20)]
                        assert [one.result(20).body for one in mine] == [b"child %d" % n for n in range(20)]
                    sys.exit(7)
                children.append(child)
            codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
            assert codes == [7, 7, 7], codes
            assert [one.result(20).body for one in busy] == [b"busy %d" % n + b"x" * 500_000 for n in range(8)]
            more = [ask(b"%d" % n) for n in range(8)]
            assert [one.result(20).body for one in more] == [b"%d" % n for n in range(8)]
            wire.close()
            """,
            server.url,
        )
    assert (found.returncode, found.stderr) == (0, "")


def test_a_process_may_end_in_the_middle_of_a_request():
    def script(connection, _number):
        read_request(connection)
        connection.recv(1)

    with ParallelServer(script) as server:
        found = in_a_process("ask(b'1'); ask(b'2')\n", server.url)
    assert (found.returncode, found.stderr) == (0, "")


def test_no_more_than_one_thread(make_wire):
    with ParallelServer(echo) as server:
        wire = make_wire(server.url)
        send_all(wire, [b"%d" % number for number in range(50)])
        assert len(threads()) == 1


def test_certificates_of_the_machine_are_not_trusted_beside_the_sessions(
    make_wire, authority, tmp_path, monkeypatch
):
    """SSL_CERT_FILE and a directory by default: libcurl would trust them as well."""
    other = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    session = requests.Session()
    session.verify = str(other.file)
    with RawServer(answering(ok()), tls=authority.server()) as server:
        error = failure(make_wire(server.url, session))
    assert "certificate" in str(error)


def test_a_number_of_a_closed_socket_that_another_kind_of_socket_has_now_is_passed_over():
    """A connection that failed is closed by libcurl, and another thread may make a pair of sockets at once."""
    sockets = curl_wire.Sockets()
    first, second = socket.socketpair()
    with first, second:
        sockets.made(first.fileno(), 0)
        assert sockets.is_clean(12345, fresh=True)
        assert not sockets.is_clean(12345, fresh=False)
