"""The bulk lane over raw sockets: every way in which an answer can come, or not."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest
import requests
from requests.adapters import HTTPAdapter
from support.raw_server import RESET, RawServer, answering, ok, read_request
from support.scripted_manager import refused_port

from omni_connector import SdkClient, SdkClientError
from omni_connector.manager import lane as lane_module
from omni_connector.manager.answer import LaneError
from omni_connector.manager.lane import Busy, Lane

FAR = 3600.0


@pytest.fixture
def make_lane():
    lanes = []

    def make(url, **changes):
        settings = {"headers": {}, "tls": None, "connect_seconds": 5.0, "read_seconds": 5.0}
        lanes.append(Lane(url, **{**settings, **changes}))
        return lanes[-1]

    yield make
    for lane in lanes:
        lane.close()


def post(lane, body=b"[]", seconds=FAR):
    return lane.send("/sdk/content", body, deadline=time.monotonic() + seconds)


def test_a_request_is_one_that_any_server_understands(make_lane):
    seen = []

    def script(connection):
        seen.append(read_request(connection))
        connection.sendall(ok(b'{"content_id":"c"}', b"X-Kind: a\r\nX-Kind: b\r\n"))

    with RawServer(script) as server:
        answer = post(make_lane(f"{server.url}/base", headers={"X-Tenant": "acme"}), b'{"a":1}')
    head, body = seen[0]
    assert head.split(b"\r\n") == [
        b"POST /base/sdk/content HTTP/1.1",
        b"Host: 127.0.0.1:%d" % server.port,
        b"X-Tenant: acme",
        b"Content-Type: application/json",
        b"Content-Length: 7",
    ]
    assert body == b'{"a":1}'
    assert (answer.status, answer.body) == (200, b'{"content_id":"c"}')
    assert (answer.headers["content-length"], answer.headers["x-kind"]) == ("18", "b")


def test_a_connection_is_used_again(make_lane):
    with RawServer(answering(ok(b"1"), ok(b"2"), ok(b"3"))) as server:
        lane = make_lane(server.url)
        assert [post(lane).body for _ in range(3)] == [b"1", b"2", b"3"]
        assert server.accepted == 1
        lane.close()


@pytest.mark.parametrize(
    "pieces",
    [
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"],
        [b"HTTP/1.1 100 Continue\r\n\r\n", ok()],
        [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}"],
        [b"HTTP/1.0 200 OK\r\n\r\n{}"],
        [ok()[:10], ok()[10:30], ok()[30:]],
    ],
    ids=["chunked", "after a continue", "until the end of the connection", "of HTTP/1.0", "in pieces"],
)
def test_an_answer_is_read_in_every_form(make_lane, pieces):
    def script(connection):
        read_request(connection)
        for piece in pieces:
            connection.sendall(piece)

    with RawServer(script) as server:
        answer = post(make_lane(server.url))
    assert (answer.status, answer.body) == (200, b"{}")


def test_an_answer_without_body_is_an_empty_one(make_lane):
    with RawServer(answering(b"HTTP/1.1 204 No Content\r\n\r\n")) as server:
        assert post(make_lane(server.url)).body == b""


def test_a_connection_that_shall_be_closed_is_not_used_again(make_lane):
    closing = ok(head=b"Connection: close\r\n")
    with RawServer(answering(closing), answering(closing)) as server:
        lane = make_lane(server.url)
        post(lane)
        post(lane)
        assert server.accepted == 2


def test_a_connection_that_was_closed_while_idle_is_replaced_without_a_word(make_lane):
    closed = threading.Event()

    def one_answer(connection):
        answering(ok(b"1"))(connection)
        connection.shutdown(socket.SHUT_RDWR)
        closed.set()

    with RawServer(one_answer, answering(ok(b"2"))) as server:
        lane = make_lane(server.url)
        assert post(lane).body == b"1"
        assert closed.wait(10)
        assert post(lane).body == b"2"
        assert server.accepted == 2


def test_a_connection_that_was_idle_for_long_is_not_used_again(make_lane, monkeypatch):
    with RawServer(answering(ok(b"1")), answering(ok(b"2"))) as server:
        lane = make_lane(server.url)
        post(lane)
        monkeypatch.setattr(lane_module, "LONGEST_IDLE_SECONDS", 0.0)
        assert post(lane).body == b"2"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "without an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}", "in the middle of the answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "in the middle of the answer"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "the answer is not HTTP"),
    ],
    ids=["nothing", "half a body", "half a head", "something else"],
)
def test_half_an_answer_is_none(make_lane, answer, reason):
    with RawServer(answering(answer)) as server, pytest.raises(LaneError, match=reason) as caught:
        post(make_lane(server.url))
    assert caught.value.sent


def test_a_reset_is_no_answer(make_lane):
    def script(connection):
        read_request(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")

    with RawServer(script) as server, pytest.raises(LaneError, match="connection reset"):
        post(make_lane(server.url))


def test_a_refused_connection_was_never_sent(make_lane):
    with pytest.raises(LaneError, match="ConnectionRefusedError") as caught:
        post(make_lane(f"http://127.0.0.1:{refused_port()}"))
    assert not caught.value.sent


def test_an_answer_that_does_not_come_is_given_up(make_lane):
    release = threading.Event()

    def script(connection):
        read_request(connection)
        release.wait(10)

    with RawServer(script, script) as server:
        with pytest.raises(LaneError, match="TimeoutError"):
            post(make_lane(server.url, read_seconds=0.05))
        release.set()
        with pytest.raises(LaneError):
            post(make_lane(server.url), seconds=0.0)


def test_an_answer_that_trickles_is_given_up_at_the_deadline(make_lane):
    gone = threading.Event()

    def script(connection):
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not gone.wait(0.01):
            connection.sendall(b"x")

    with RawServer(script) as server:
        with pytest.raises(LaneError, match=r"out of time|timed out"):
            post(make_lane(server.url, read_seconds=5.0), seconds=0.2)
        gone.set()


@pytest.mark.parametrize("size", [lane_module.ONE_SEND_BYTES, lane_module.ONE_SEND_BYTES + 1, 5_000_000])
def test_bodies_of_any_size_arrive_whole(make_lane, size):
    lengths = []

    def script(connection):
        lengths.append(len(read_request(connection)[1]))
        connection.sendall(ok())

    with RawServer(script) as server:
        post(make_lane(server.url), b"x" * size)
    assert lengths == [size]


def test_an_answer_given_before_everything_was_read_is_heard(make_lane):
    def script(connection):
        connection.recv(1000)
        connection.sendall(
            b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):  # Read a little more, so that the answer is not lost by a reset.
            for _ in range(200):
                if not connection.recv(65536):
                    break

    with RawServer(script) as server:
        assert post(make_lane(server.url), b"x" * 30_000_000).status == 413


def test_after_closing_no_connection_is_kept(make_lane):
    with RawServer(answering(ok(b"1")), answering(ok(b"2"))) as server:
        lane = make_lane(server.url)
        post(lane)
        lane.close()
        assert post(lane).body == b"2"
        assert not lane._idle


def test_many_threads_have_a_connection_each(make_lane):
    together = threading.Barrier(4)

    def script(connection):
        read_request(connection)
        connection.sendall(ok())

    with RawServer(*[script] * 4) as server:
        lane = make_lane(server.url)

        def send():
            together.wait(10)
            post(lane)

        threads = [threading.Thread(target=send) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert server.accepted <= 4
        lane.close()


def test_a_reset_in_the_middle_of_an_answer_is_no_answer(make_lane):
    got_half = threading.Event()

    def script(connection):
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}")
        assert got_half.wait(10)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    with RawServer(script) as server:
        lane = make_lane(server.url)
        feed = lane_module.Answer.feed
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lane_module.Answer, "feed", lambda self, data: (feed(self, data), got_half.set()))
            with pytest.raises(LaneError, match="ConnectionResetError"):
                post(lane)


@pytest.mark.parametrize("linger", [True, False], ids=["reset", "closed"])
def test_a_connection_that_goes_away_while_a_large_body_is_sent_is_no_answer(make_lane, linger):
    def script(connection):
        connection.recv(1000)
        if linger:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    with RawServer(script) as server, pytest.raises(LaneError) as caught:
        post(make_lane(server.url), b"x" * 30_000_000)
    assert caught.value.sent


# -- aborting ---------------------------------------------------------------------------------------------------


def test_a_call_under_way_is_broken_from_another_thread(make_lane):
    reached, release = threading.Event(), threading.Event()

    def script(connection):
        read_request(connection)
        reached.set()
        release.wait(10)

    busy = Busy()
    failed = []

    def send(lane):
        try:
            lane.send("/sdk/content", b"[]", deadline=time.monotonic() + FAR, busy=busy)
        except LaneError as error:
            failed.append(str(error))

    with RawServer(script) as server:
        thread = threading.Thread(target=send, args=(make_lane(server.url),))
        thread.start()
        assert reached.wait(10)
        busy.abort()
        thread.join(10)
        assert failed == ["aborted"]
        release.set()
        assert server.accepted == 1  # Not taken for a connection that went stale.


def test_a_call_after_an_abort_is_broken_at_once_also_on_a_connection_that_was_used(make_lane):
    busy = Busy()
    with RawServer(answering(ok(b"1")), answering(ok(b"2"))) as server:
        lane = make_lane(server.url)
        assert post(lane).body == b"1"
        busy.abort()
        with pytest.raises(LaneError, match="aborted"):
            lane.send("/sdk/content", b"[]", deadline=time.monotonic() + FAR, busy=busy)
        assert post(lane).body == b"2"  # Calls of others go on.


def test_a_client_of_a_run_ends_its_call_when_it_is_aborted():
    reached, release = threading.Event(), threading.Event()

    def script(connection):
        read_request(connection)
        reached.set()
        release.wait(10)

    stop = threading.Event()
    failed = []
    with RawServer(script) as server, SdkClient(server.url) as client:
        of_the_run = client.interruptible(stop)

        def send():
            try:
                of_the_run.store_content("r", "x")
            except SdkClientError as error:
                failed.append(error.attempts)

        thread = threading.Thread(target=send)
        thread.start()
        assert reached.wait(10)
        stop.set()
        of_the_run.abort()
        thread.join(10)
        assert failed == [1]
        release.set()


# -- what a session is configured with --------------------------------------------------------------------------


def lane_for(session, url="http://127.0.0.1:1"):
    return Lane.for_session(url, session, connect_seconds=1, read_seconds=1)


@pytest.fixture
def session():
    with requests.Session() as one:
        one.trust_env = False
        yield one


def test_a_plain_session_has_a_lane(session):
    assert lane_for(session) is not None


@pytest.mark.parametrize(
    "change",
    [
        lambda session: setattr(session, "trust_env", True),
        lambda session: setattr(session, "auth", requests.auth.HTTPDigestAuth("a", "b")),
        lambda session: setattr(session, "params", {"tenant": "acme"}),
        lambda session: session.proxies.update(http="http://proxy:3128"),
        lambda session: session.hooks["response"].append(print),
        lambda session: session.mount("http://", type("Own", (HTTPAdapter,), {})()),
    ],
    ids=["netrc at each call", "own authentication", "parameters", "proxy", "hook", "own adapter"],
)
def test_what_a_lane_cannot_do_is_left_to_the_session(session, change):
    change(session)
    assert lane_for(session) is None


@pytest.mark.parametrize(
    ("auth", "url", "sent"),
    [
        (("ada", "secret"), "http://127.0.0.1:1", b"Authorization: Basic YWRhOnNlY3JldA==\r\n"),
        ((b"ada", b"secret"), "http://127.0.0.1:1", b"Authorization: Basic YWRhOnNlY3JldA==\r\n"),
        (("ada", "secret"), "http://x:y@127.0.0.1:1", b"Authorization: Basic YWRhOnNlY3JldA==\r\n"),
        (None, "http://ada:secret@127.0.0.1:1", b"Authorization: Basic YWRhOnNlY3JldA==\r\n"),
    ],
)
def test_basic_authentication_is_sent(session, auth, url, sent):
    session.auth = auth
    assert sent in lane_for(session, url)._head


def test_the_host_header_has_the_port_only_where_one_is_given(session):
    assert b"Host: manager\r\n" in lane_for(session, "http://manager")._head
    assert b"Host: manager:80\r\n" in lane_for(session, "http://manager:80")._head
    assert b"Host: [::1]:8090\r\n" in lane_for(session, "http://[::1]:8090")._head


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1, signed by itself, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl makes the certificate of this test")
    directory = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        [
            *(
                openssl,
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=127.0.0.1",
            ),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"),
        ],
        cwd=directory,
        check=True,
        capture_output=True,
        timeout=60,
    )
    return directory / "cert.pem", directory / "key.pem"


@pytest.fixture
def tls(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


def test_a_bundle_that_knows_the_manager_lets_it_through(session, certificate, tls):
    session.verify = str(certificate[0])
    with RawServer(answering(ok()), tls=tls) as server:
        lane = lane_for(session, server.url)
        assert post(lane).status == 200
        lane.close()


def test_a_manager_with_an_unknown_certificate_is_refused(session, tls):
    with RawServer(answering(ok()), tls=tls) as server:
        lane = lane_for(session, server.url)
        with pytest.raises(LaneError, match="CERTIFICATE_VERIFY_FAILED") as caught:
            post(lane)
    assert not caught.value.sent


def test_verification_can_be_switched_off(session, tls):
    session.verify = False
    with RawServer(answering(ok()), tls=tls) as server:
        lane = lane_for(session, server.url)
        assert post(lane).status == 200
        lane.close()


def test_a_client_certificate_is_shown(session, certificate, tls):
    session.verify, session.cert = str(certificate[0]), tuple(map(str, certificate))
    tls.load_verify_locations(certificate[0])
    tls.verify_mode = ssl.CERT_REQUIRED
    with RawServer(answering(ok()), tls=tls) as server:
        lane = lane_for(session, server.url)
        assert post(lane).status == 200
        lane.close()


def test_a_client_of_https_has_a_lane_of_its_own(certificate, tls, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
    with (
        RawServer(answering(ok(b'{"content_id":"c-1"}')), tls=tls) as server,
        SdkClient(server.url) as client,
    ):
        assert client._transport.lane is not None
        assert client.store_content("r", "x") == "c-1"
