"""One table of cases for every wire: whatever carries a request, the same comes of it."""

from __future__ import annotations

import gzip
import io
import os
import socket
import threading
from collections.abc import Callable

import pytest
import requests
from attrs import evolve
from support.certificates import Authority
from support.forward_proxy import ForwardProxy
from support.ports import free_port
from support.raw_server import ParallelServer, RawServer, answering, ok, read_request
from support.waiting import eventually

from omni_connector import SdkClient
from omni_connector.manager import wires
from omni_connector.manager.pending import Pending
from omni_connector.manager.session_wire import SessionWire
from omni_connector.manager.wire import WireAbortedError, WireError, WireRequest

WIRES = {
    "curl": ("omni_connector.manager.curl_wire", "CurlWire"),
    "session": ("omni_connector.manager.session_wire", "SessionWire"),
    "session with a hook": ("omni_connector.manager.session_wire", "SessionWire"),
}
SUBMITTED = list(WIRES)
CARRIED = [f"{name}, in the caller's thread" for name in SUBMITTED]
BOTH_WIRES = pytest.mark.parametrize(
    "make_wire",
    ["curl", "session", *(pytest.param(name, marks=pytest.mark.slow) for name in [SUBMITTED[2], *CARRIED])],
    indirect=True,
)
"""For tests with many cases; who calls a wire, and a hook that only looks, make no difference to what they show."""

REQUEST = WireRequest(method="POST", path="/sdk/content", body=(b"{}",), seconds=10.0)
PATIENCE = 60


def unchanged(response, **_):
    """Return nothing, as a hook that only looks; a session that has one carries its requests itself."""
    del response


class Carrying:
    """A wire all of whose requests are carried in a thread of their own caller."""

    def __init__(self, wire):
        self._wire = wire
        self._threads = []

    def submit(self, request):
        pending = Pending()

        def carry():
            try:
                pending.set_result(self._wire.carry(request))
            except BaseException as error:  # noqa: BLE001 - handed to the caller.
                pending.set_exception(error)

        thread = threading.Thread(target=carry, name="caller")
        self._threads.append(thread)
        thread.start()
        return pending

    def abort(self, owner):
        self._wire.abort(owner)

    def close(self):
        self._wire.close()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(PATIENCE)


@pytest.fixture(
    params=[*SUBMITTED, CARRIED[0], *(pytest.param(name, marks=pytest.mark.slow) for name in CARRIED[1:])]
)
def make_wire(request):
    """Make a wire to an address, configured by a session; all are closed at the end."""
    param, comma, _ = request.param.partition(",")
    module, name = WIRES[param]
    wire_class = getattr(pytest.importorskip(module, exc_type=ImportError), name)
    made = []

    def make(url, session=None, *, connect_seconds=5.0):
        session = session or requests.Session()
        if param == "session with a hook":
            session.hooks["response"].append(unchanged)
        factory = getattr(wire_class, "for_session", wire_class)
        wire = factory(url, session, connect_seconds=connect_seconds)
        wire = Carrying(wire) if comma else wire
        made.append((wire, session))
        return wire

    yield make
    for wire, session in made:
        wire.close()
        session.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def send(wire, **changes):
    return wire.submit(evolve(REQUEST, **changes)).result(PATIENCE)


def failure(wire, **changes) -> WireError:
    error = wire.submit(evolve(REQUEST, **changes)).exception(PATIENCE)
    assert isinstance(error, WireError), error
    return error


def failure_when_sent(wire, *, seconds, **changes):
    """Return the error of a request without an answer; on a machine so busy that it was not sent in time, try for longer."""
    while not (error := failure(wire, seconds=seconds, **changes)).was_sent and seconds < PATIENCE:
        seconds *= 4
    return error


def echo(connection: socket.socket, _number: int = 0) -> None:
    while (request := read_request(connection)) is not None:
        connection.sendall(ok(request[1]))


# -- requests and answers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "body", "sent"),
    [
        ("POST", (b"{", b"}"), b"{}"),
        ("PUT", (b"1",), b"1"),
        ("POST", (), b""),
        ("POST", None, b""),
        ("GET", None, b""),
        ("DELETE", None, b""),
    ],
)
def test_a_request_is_one_that_any_server_understands(make_wire, method, body, sent):
    seen = []

    def script(connection):
        seen.append(read_request(connection))
        connection.sendall(ok(b"{}", b"X-Kind: a\r\n"))

    with RawServer(script) as server, requests.Session() as session:
        session.headers["X-Tenant"] = "acme"
        wire = make_wire(f"{server.url}/base", session)
        answer = send(wire, method=method, path="/sdk/a%2Fb?c=d", body=body, content_type="text/x")
        assert (answer.status, answer.body, answer.headers["x-kind"]) == (200, b"{}", "a")
    head, got = seen[0]
    line, *headers = head.split(b"\r\n")
    assert (line, got) == (b"%b /base/sdk/a%%2Fb?c=d HTTP/1.1" % method.encode(), sent)
    names = [one.split(b":")[0].lower() for one in headers]
    assert len(set(names)) == len(names)
    assert b"expect" not in names
    assert b"X-Tenant: acme" in headers
    assert b"Host: 127.0.0.1:%d" % server.port in headers
    if method in {"POST", "PUT"}:
        assert b"Content-Length: %d" % len(sent) in headers
        assert b"Content-Type: text/x" in headers


class Form(io.BytesIO):
    """A body that is streamed."""

    def __len__(self) -> int:
        return len(self.getbuffer())


def test_a_body_is_streamed(make_wire):
    data = os.urandom(1_500_000)
    with ParallelServer(echo) as server:
        wire = make_wire(server.url)
        for body in (Form(data), (b"1",), Form(data[:10]), Form(b"")):
            expected = body.getvalue() if isinstance(body, Form) else b"1"
            assert send(wire, body=body).body == expected


def test_a_connection_is_used_again(make_wire):
    with ParallelServer(echo) as server:
        wire = make_wire(server.url)
        assert [send(wire, body=(b"%d" % number,)).body for number in range(5)] == [
            b"0",
            b"1",
            b"2",
            b"3",
            b"4",
        ]
        assert server.accepted == 1


@pytest.mark.parametrize("status", [204, 301, 404, 413, 429, 503])
def test_every_status_is_an_answer(make_wire, status):
    head = b"HTTP/1.1 %d Whatever\r\nContent-Length: 0\r\nLocation: http://127.0.0.1:9/\r\nRetry-After: 7\r\n\r\n"
    with RawServer(answering(head % status)) as server:
        answer = send(make_wire(server.url))
    assert (answer.status, answer.headers["retry-after"]) == (status, "7")


# -- no answer is taken for another's (each with 1xx, strays and odd forms) -----------------------------------------


def chunked(body: bytes) -> bytes:
    pieces = b"".join(b"1;kind=odd\r\n%b\r\n" % body[at : at + 1] for at in range(len(body)))
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
    return head + pieces + b"0\r\nX-Sum: 1\r\nRetry-After: 9\r\n\r\n"


def zipped(body: bytes) -> bytes:
    return ok(gzip.compress(body), b"Content-Encoding: gzip\r\n")


STRAY = ok(b"somebody else's")
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nRetry-After: 9\r\n\r\n"
PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CLOSED = b""
ODD_ANSWERS: dict[str, Callable[[bytes], list[bytes]]] = {
    "103 before": lambda body: [HINTS + ok(body)],
    "103 in a packet of its own": lambda body: [HINTS, ok(body)],
    "102 before": lambda body: [PROCESSING + ok(body)],
    "100, 102 and 103 before": lambda body: [CONTINUE, PROCESSING + HINTS, ok(body)],
    "a stray answer in the same packet": lambda body: [ok(body) + STRAY],
    "half a stray answer in the same packet": lambda body: [ok(body) + STRAY[:9]],
    "single bytes": lambda body: [ok(body)[at : at + 1] for at in range(len(ok(body)))],
    "chunked with extensions and trailers": lambda body: [chunked(body)],
    "HTTP/1.0": lambda body: [b"HTTP/1.0 200 OK\r\n\r\n" + body, CLOSED],
    "Connection: close": lambda body: [ok(body, b"Connection: close\r\n"), CLOSED],
    "gzip": lambda body: [zipped(body)],
    "mixed-case names": lambda body: [
        b"HTTP/1.1 200 OK\r\ncOnTeNt-LeNgTh: %d\r\nReTrY-aFtEr: 3\r\n\r\n%b" % (len(body), body)
    ],
    "a header of 9 KB": lambda body: [ok(body, b"X-Long: " + b"x" * 9000 + b"\r\n")],
}


def plain_or_tls(authority, tls):
    """Return the context of a server, and a session that trusts it."""
    return authority.server() if tls else None, trusted(authority)


def trusted(authority):
    session = requests.Session()
    session.verify = str(authority.file)
    return session


@BOTH_WIRES
@pytest.mark.parametrize(
    ("tls", "at_once"),
    [
        pytest.param(False, 1, id="plain, in sequence"),
        pytest.param(False, 8, id="plain, 8 at once", marks=pytest.mark.slow),
        pytest.param(True, 1, id="TLS, in sequence", marks=pytest.mark.slow),
        pytest.param(True, 8, id="TLS, 8 at once"),
    ],
)
@pytest.mark.parametrize("form", list(ODD_ANSWERS))
def test_no_answer_is_taken_for_anothers(make_wire, authority, form, tls, at_once):
    """Every third answer of the server has an odd form."""

    def script(connection, _number):
        while (request := read_request(connection)) is not None:
            body = request[1]
            if int(body) % 3:
                connection.sendall(ok(body))
                continue
            for piece in ODD_ANSWERS[form](body):
                if piece == CLOSED:
                    return
                connection.sendall(piece)

    context, session = plain_or_tls(authority, tls)
    with ParallelServer(script, tls=context) as server:
        wire = make_wire(server.url, session)
        for start in range(0, 24, at_once):
            bodies = [b"%d" % number for number in range(start, start + at_once)]
            futures = [wire.submit(evolve(REQUEST, body=(body,))) for body in bodies]
            answers = [future.result(PATIENCE) for future in futures]
            assert [answer.body for answer in answers] == bodies
            assert {answer.status for answer in answers} == {200}
            assert not any(answer.headers.get("retry-after") == "9" for answer in answers)


@BOTH_WIRES
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize(
    "stray",
    [STRAY, b"\n", b"HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n"],
    ids=["answer", "byte", "408"],
)
def test_a_stray_answer_on_an_idle_connection_is_nobodys(make_wire, authority, stray, tls):
    """Eight idle connections are used again at once, as soon as the stray bytes are there."""
    all_open, answered, strayed = threading.Barrier(8), threading.Event(), threading.Semaphore(0)

    def script(connection, number):
        first = number <= 8
        while (request := read_request(connection)) is not None:
            if first:
                all_open.wait(PATIENCE)
            connection.sendall(ok(request[1]))
            if first:
                assert answered.wait(PATIENCE)
                connection.sendall(stray)
                strayed.release()
                first = False

    context, session = plain_or_tls(authority, tls)
    with ParallelServer(script, tls=context) as server:
        wire = make_wire(server.url, session)
        for start in (0, 8, 16):
            bodies = [b"%d" % number for number in range(start, start + 8)]
            futures = [wire.submit(evolve(REQUEST, body=(body,))) for body in bodies]
            assert [future.result(PATIENCE).body for future in futures] == bodies
            if not answered.is_set():
                answered.set()
                for _ in bodies:
                    assert strayed.acquire(timeout=PATIENCE)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_a_connection_that_was_closed_while_idle_is_replaced(make_wire, authority, tls):
    """No request is sent into it, so that none has to be repeated."""
    received = []

    def script(connection, number):
        while (request := read_request(connection)) is not None:
            received.append(request[1])
            connection.sendall(ok(request[1]))
            if number == 1:
                return

    context, session = plain_or_tls(authority, tls)
    with ParallelServer(script, tls=context) as server:
        wire = make_wire(server.url, session)
        assert send(wire, body=(b"0",)).body == b"0"
        eventually(lambda: server.ended == 1)
        assert [send(wire, body=(b"%d" % n,)).body for n in (1, 2, 3)] == [b"1", b"2", b"3"]
        assert received == [b"0", b"1", b"2", b"3"]


# -- what goes wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\n",
        ok(b"this is not gzip", b"Content-Encoding: gzip\r\n"),
    ],
    ids=["nothing", "half a body", "half a chunk", "half a head", "no HTTP", "101", "103 alone", "no gzip"],
)
def test_half_an_answer_is_none_and_the_wire_lives_on(make_wire, answer):
    with RawServer(answering(answer), answering(ok(b"next"))) as server:
        wire = make_wire(server.url)
        error = failure(wire)
        assert error.was_sent
        assert len(str(error)) > 10
        assert send(wire).body == b"next"


def test_a_request_is_sent_once(make_wire):
    """A server that reads a request and closes gets it once, however many idle connections there are."""
    received = []
    barrier = threading.Barrier(8)

    def script(connection, _number):
        if read_request(connection) is None:
            return  # Opened for another attempt, which was not made.
        barrier.wait(PATIENCE)
        connection.sendall(ok())
        if read_request(connection) is not None:
            received.append(1)

    with ParallelServer(script) as server:
        wire = make_wire(server.url)
        first = [wire.submit(REQUEST) for _ in range(8)]
        assert [future.result(PATIENCE).status for future in first] == [200] * 8
        assert failure(wire).was_sent
        assert received == [1]


def test_a_refused_connection_was_not_sent(make_wire):
    error = failure(make_wire(f"http://127.0.0.1:{free_port()}"))
    assert not error.was_sent
    assert "refused" in str(error).lower() or "could not connect" in str(error).lower()


def test_an_unknown_host_was_not_sent(make_wire):
    error = failure(make_wire("http://manager.invalid:8090"))
    assert not error.was_sent
    assert "manager.invalid" in str(error)


@pytest.mark.parametrize(
    "sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"], ids=["mute", "half"]
)
def test_the_deadline_holds_for_the_whole_request(make_wire, sent):
    ended = threading.Event()

    def script(connection, _number):
        if read_request(connection) is not None and sent:
            connection.sendall(sent)
        ended.wait(PATIENCE)

    with ParallelServer(script) as server:
        wire = make_wire(server.url)
        error = failure_when_sent(wire, seconds=0.2)
        assert error.was_sent
        ended.set()


def test_an_answer_that_drips_does_not_outlast_the_deadline(make_wire):
    ended = threading.Event()

    def script(connection, _number):
        read_request(connection)
        for byte in ok(b"x" * 10_000):
            connection.sendall(bytes([byte]))
            if ended.wait(0.02):
                return

    with ParallelServer(script) as server:
        wire = make_wire(server.url)
        assert failure_when_sent(wire, seconds=0.5).was_sent
        ended.set()


def test_abort_ends_what_belongs_to_an_owner(make_wire):
    arrived, ended = threading.Semaphore(0), threading.Event()

    def script(connection, _number):
        while (request := read_request(connection)) is not None:
            arrived.release()
            if request[1] == b"mine":
                ended.wait(PATIENCE)
                return
            connection.sendall(ok(request[1]))

    with ParallelServer(script) as server:
        wire = make_wire(server.url)
        mine, others = object(), object()
        futures = [wire.submit(evolve(REQUEST, body=(b"mine",), owner=mine, seconds=60.0)) for _ in range(3)]
        for _ in futures:
            assert arrived.acquire(timeout=PATIENCE)
        wire.abort(mine)
        for future in futures:
            error = future.exception(PATIENCE)
            assert isinstance(error, WireAbortedError)
            assert error.was_sent
        assert send(wire, body=(b"other",), owner=others).body == b"other"
        ended.set()


def test_a_request_whose_run_was_aborted_before_the_wire_knew_of_it_is_not_sent(make_wire):
    with ParallelServer(echo) as server:
        wire, stop = make_wire(server.url), threading.Event()
        assert send(wire, stop=stop).status == 200
        stop.set()
        error = failure(wire, stop=stop)
        assert isinstance(error, WireAbortedError)
        assert not error.was_sent
        assert send(wire).status == 200


def test_close_ends_everything_and_is_repeatable(make_wire):
    arrived, ended = threading.Event(), threading.Event()

    def script(connection, _number):
        read_request(connection)
        arrived.set()
        ended.wait(PATIENCE)

    with ParallelServer(script) as server:
        wire = make_wire(server.url)
        future = wire.submit(REQUEST)
        assert arrived.wait(PATIENCE)
        wire.close()
        wire.close()
        assert isinstance(future.exception(PATIENCE), WireAbortedError)
        late = failure(wire)
        assert isinstance(late, WireAbortedError)
        assert not late.was_sent
        ended.set()


def test_a_callback_that_raises_ends_nothing(make_wire, caplog):
    with ParallelServer(echo) as server:
        wire = make_wire(server.url)

        def broken(_future):
            raise RuntimeError("in the callback")

        future = wire.submit(REQUEST)
        future.add_done_callback(broken)
        assert future.result(PATIENCE).status == 200
        assert send(wire).status == 200


def test_a_callback_may_submit_the_next_request(make_wire):
    with ParallelServer(echo) as server:
        wire = make_wire(server.url)
        done, bodies = threading.Event(), []

        def next_one(future):
            bodies.append(future.result().body)
            if len(bodies) == 50:
                done.set()
            else:
                wire.submit(evolve(REQUEST, body=(b"%d" % len(bodies),))).add_done_callback(next_one)

        wire.submit(evolve(REQUEST, body=(b"0",))).add_done_callback(next_one)
        assert done.wait(PATIENCE)
        assert bodies == [b"%d" % number for number in range(50)]


@pytest.mark.parametrize("make_wire", SUBMITTED, indirect=True)
def test_a_thread_that_cannot_start_is_an_error_of_that_request(make_wire, monkeypatch):
    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    with ParallelServer(echo) as server:
        wire = make_wire(server.url)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            error = failure(wire)
        assert not error.was_sent
        assert "thread" in str(error)
        assert send(wire).status == 200


# -- forks ----------------------------------------------------------------------------------------------------------


def test_a_forked_child_has_connections_of_its_own(make_wire):
    """Parent and child send at the same time, after the parent has; each gets its own answers."""
    with ParallelServer(echo) as server:
        wire = make_wire(server.url)
        for future in [wire.submit(REQUEST) for _ in range(8)]:
            assert future.result(PATIENCE).status == 200
        child = os.fork()
        name = b"child" if child == 0 else b"parent"
        bodies = [b"%b %d" % (name, number) for number in range(60)]
        futures = [wire.submit(evolve(REQUEST, body=(body,))) for body in bodies]
        try:
            same = [future.result(PATIENCE).body for future in futures] == bodies
        except BaseException:
            same = False
            if child:
                raise
        finally:
            if child == 0:
                os._exit(0 if same else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert same


# -- TLS ------------------------------------------------------------------------------------------------------------


@BOTH_WIRES
@pytest.mark.parametrize("kind", ["file", "directory", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "none"])
def test_a_ca_of_ones_own(make_wire, authority, monkeypatch, kind):
    session = requests.Session()
    if kind == "file":
        session.verify = str(authority.file)
    elif kind == "directory":
        session.verify = authority.directory()
    elif kind == "none":
        session.verify = False
    else:
        monkeypatch.setenv(kind, str(authority.file))
    with RawServer(answering(ok(b"1"), ok(b"2")), tls=authority.server()) as server:
        wire = make_wire(server.url, session)
        assert [send(wire).body, send(wire).body] == [b"1", b"2"]
        wire.close()


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_an_unknown_authority_is_an_error_in_words(make_wire, authority):
    with RawServer(answering(ok()), tls=authority.server()) as server:
        error = failure(make_wire(server.url))
    assert not error.was_sent
    assert "certificate" in str(error)
    assert "manager" in str(error)


def test_a_certificate_for_another_name_is_an_error_in_words(make_wire, authority):
    with RawServer(answering(ok()), tls=authority.server("elsewhere.example")) as server:
        error = failure(make_wire(server.url, trusted(authority)))
    assert not error.was_sent
    assert "certificate" in str(error) or "match" in str(error)


def test_a_manager_that_speaks_no_tls_is_an_error_in_words(make_wire):
    def script(connection):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with RawServer(script) as server:
        error = failure(make_wire(server.url.replace("http:", "https:")))
    assert not error.was_sent
    assert "ssl" in str(error).lower() or "tls" in str(error).lower()


@pytest.mark.parametrize("kind", ["pair", "one file"])
def test_a_client_certificate(make_wire, authority, kind):
    session = trusted(authority)
    session.cert = authority.client() if kind == "pair" else authority.client_in_one_file()
    with RawServer(answering(ok(b"1")), tls=authority.server(asks_for_client=True)) as server:
        wire = make_wire(server.url, session)
        assert send(wire).body == b"1"
        wire.close()


def test_a_missing_client_certificate_is_an_error(make_wire, authority):
    with RawServer(answering(ok(b"1")), tls=authority.server(asks_for_client=True)) as server:
        # With TLS 1.3 the server refuses after the handshake: its alert, or only the end of the connection, is seen.
        assert len(str(failure(make_wire(server.url, trusted(authority))))) > 10


# -- proxies --------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["http", "https"])
def manager(request, authority):
    with ParallelServer(echo, tls=authority.server() if request.param == "https" else None) as server:
        yield server


@BOTH_WIRES
@pytest.mark.parametrize("kind", ["HTTP proxy", "HTTPS proxy"])
@pytest.mark.parametrize("by", ["session", "environment"])
@pytest.mark.parametrize("password", ["", "p@ss:w%C3%B6rd"], ids=["open", "password"])
def test_a_proxy(make_wire, authority, manager, monkeypatch, kind, by, password):
    tls = authority.server() if kind == "HTTPS proxy" else None
    credentials = {"user": "ada", "password": "pass"} if password else {}
    with ForwardProxy(tls=tls, **credentials) as proxy:
        url = proxy.with_credentials("ada:pa%73s") if password else proxy.url
        session = trusted(authority)
        if by == "session":
            session.proxies = {"http": url, "https": url}
        else:
            monkeypatch.setenv("http_proxy", url)
            monkeypatch.setenv("https_proxy", url)
        wire = make_wire(manager.url, session)
        assert [send(wire, body=(b"1",)).body, send(wire, body=(b"2",)).body] == [b"1", b"2"]
        wire.close()
    kind = "CONNECT" if manager.url.startswith("https") else "POST"
    assert proxy.lines
    assert all(line.startswith(kind) for line in proxy.lines)


@pytest.mark.parametrize("given", ["ada:wrong-secret", ""], ids=["wrong password", "no password"])
def test_a_proxy_that_refuses_is_named(make_wire, authority, manager, given):
    with ForwardProxy(user="ada", password="secret") as proxy:
        session = trusted(authority)
        url = proxy.with_credentials(given) if given else proxy.url
        session.proxies = {"http": url, "https": url}
        error = failure(make_wire(manager.url, session))
    assert not error.was_sent
    assert "proxy" in str(error)
    assert "407" in str(error)
    assert "secret" not in str(error)
    assert manager.accepted == 0


def test_a_proxy_that_is_not_there_is_named(make_wire, authority, manager):
    session = trusted(authority)
    url = f"http://ada:secret@127.0.0.1:{free_port()}"
    session.proxies = {"http": url, "https": url}
    error = failure(make_wire(manager.url, session))
    assert not error.was_sent
    assert "proxy" in str(error)
    assert "secret" not in str(error)


@BOTH_WIRES
@pytest.mark.parametrize("no_proxy", ["127.0.0.1", "127.0.0.0/8", "*", "example.com, 127.0.0.1"])
@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_no_proxy_is_what_requests_makes_of_it(make_wire, authority, manager, monkeypatch, no_proxy, name):
    dead = f"http://127.0.0.1:{free_port()}"
    for variable in ("http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, dead)
    monkeypatch.setenv(name, no_proxy)
    assert send(make_wire(manager.url, trusted(authority))).status == 200


def test_no_proxy_does_not_touch_a_proxy_of_the_session(make_wire, monkeypatch):
    """As with requests: NO_PROXY is about the proxies of the environment."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ParallelServer(echo) as manager, ForwardProxy() as proxy, requests.Session() as session:
        session.proxies = {"http": proxy.url}
        assert send(make_wire(manager.url, session)).status == 200
    assert len(proxy.lines) == 1


def test_the_environment_is_ignored_when_the_session_does(make_wire, monkeypatch):
    for variable in ("http_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, f"http://127.0.0.1:{free_port()}")
    session = requests.Session()
    session.trust_env = False
    with ParallelServer(echo) as manager:
        assert send(make_wire(manager.url, session)).status == 200


# -- who asks, and where --------------------------------------------------------------------------------------------


def authorization(server_head: bytes) -> bytes:
    return next((line for line in server_head.split(b"\r\n") if line.startswith(b"Authorization")), b"")


@pytest.mark.parametrize("by", ["session", "netrc", "address", "none"])
def test_basic_authentication(make_wire, monkeypatch, tmp_path, by):
    heads = []

    def script(connection):
        heads.append(read_request(connection)[0])
        connection.sendall(ok())

    with RawServer(script) as server, requests.Session() as session:
        url = server.url
        if by == "session":
            session.auth = ("ada", "pass")
        elif by == "netrc":
            file = tmp_path / "netrc"
            file.write_text("machine 127.0.0.1 login ada password pass\n")
            monkeypatch.setenv("NETRC", str(file))
        elif by == "address":
            url = url.replace("://", "://ada:p%61ss@")
        send(make_wire(url, session))
    expected = b"" if by == "none" else b"Authorization: Basic YWRhOnBhc3M="
    assert authorization(heads[0]) == expected


def test_a_session_with_cookies_carries_them_itself():
    """They are sent, and an answer may change them; its connections stay unused."""
    heads = []

    def script(connection):
        for _ in range(2):
            heads.append(read_request(connection)[0])
            connection.sendall(HINTS + ok(head=b"Set-Cookie: visit=2\r\n"))

    with RawServer(script) as server, requests.Session() as session:
        session.cookies.set("visit", "1", domain="127.0.0.1", path="/")
        before = dict(session.adapters)
        wire = SessionWire(server.url, session)
        assert [send(wire).status, send(wire).status] == [200, 200]
        wire.close()
        assert (session.cookies.get_dict(), session.adapters) == ({"visit": "2"}, before)
        assert server.accepted == 1
    assert [b"Cookie: visit=%d" % n in head for n, head in enumerate(heads, 1)] == [True, True]


def test_a_session_with_an_adapter_of_its_own_is_left_alone():
    """Its connections do not skip informational answers (docs/explanation/architecture.md); no answer is taken for another's."""

    class Adapter(requests.adapters.HTTPAdapter):
        pass

    def script(connection, number):
        answering(HINTS + ok(b"%d" % number))(connection)

    with ParallelServer(script) as server, requests.Session() as session:
        session.mount("http://", Adapter())
        wire = SessionWire(server.url, session)
        assert [failure(wire).was_sent, failure(wire).was_sent] == [True, True]
        wire.close()


def test_ipv6(make_wire):
    try:
        server = ParallelServer(echo, host="::1")
    except OSError:
        pytest.skip("no IPv6 here")
    with server:
        assert send(make_wire(server.url)).status == 200


def test_a_name_with_several_addresses(make_wire):
    """localhost is ::1 and 127.0.0.1 on many machines; the manager listens on one of them."""
    with ParallelServer(echo) as server:
        wire = make_wire(server.url.replace("127.0.0.1", "localhost"))
        assert [send(wire, body=(b"%d" % n,)).body for n in range(3)] == [b"0", b"1", b"2"]


@pytest.mark.parametrize("with_curl", [True, False], ids=["curl", "session"])
def test_a_plain_session_given_to_the_client(monkeypatch, authority, with_curl):
    """The client's calls go over either wire as the session is configured, and the session stays open."""
    heads = []

    def script(connection, _number):
        while (request := read_request(connection)) is not None:
            heads.append(request[0])
            connection.sendall(ok(b'{"content_id":"c1"}'))

    if with_curl:
        pytest.importorskip("pycurl", exc_type=ImportError)
    else:
        monkeypatch.setattr(wires, "CurlWire", None)
    with ParallelServer(script, tls=authority.server()) as server, trusted(authority) as session:
        session.headers["X-Tenant"] = "acme"
        session.auth = ("ada", "pass")
        with SdkClient(server.url, session=session) as client:
            assert client.store_content("run", "text") == "c1"
        assert session.post(server.url + "/after", data=b"{}").status_code == 200
    for head in heads:
        assert b"X-Tenant: acme" in head
        assert authorization(head) == b"Authorization: Basic YWRhOnBhc3M="


def test_what_is_idle_is_released(make_wire):
    with ParallelServer(echo) as server:
        wire = make_wire(server.url)
        send(wire)
        wire.close()
        assert eventually(lambda: not [t for t in threading.enumerate() if t.name.startswith("omni-wire")])
