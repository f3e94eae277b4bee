import contextlib
import gc
import http.client
import logging
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from support.waiting import QUICKLY

from omni_connector.local import HttpServer


def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]


def test_serves_at_its_url_as_soon_as_it_is_started():
    with HttpServer(hello, name="greeter") as server:
        assert server.url == f"http://127.0.0.1:{server.port}"
        assert requests.get(server.url, timeout=60).text == "hello"


def test_is_reached_by_loopback_when_bound_to_every_address():
    with HttpServer(hello, host="0.0.0.0") as server:
        assert requests.get(server.url, timeout=60).text == "hello"


def test_serves_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 here")
    with HttpServer(hello, host="::1") as server:
        assert server.url.startswith("http://[::1]:")
        assert requests.get(server.url, timeout=60).text == "hello"


def test_closes_quickly_with_idle_connections_open_and_leaves_no_thread():
    before = set(threading.enumerate())
    server = HttpServer(hello).start()
    with requests.Session() as session:
        session.get(server.url, timeout=60)
        started = time.monotonic()
        server.close()
        assert time.monotonic() - started < QUICKLY
        assert set(threading.enumerate()) == before
        with pytest.raises(requests.ConnectionError):
            session.get(server.url, timeout=60)


def test_closes_although_a_client_never_sends_its_request():
    server = HttpServer(hello).start()
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"POST / HTTP/1.1\r\n")
        started = time.monotonic()
        server.close()
        assert time.monotonic() - started < QUICKLY


def test_a_client_that_leaves_in_the_middle_of_an_answer_is_not_complained_about():
    left = threading.Event()

    def endless(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        yield b"first"
        assert left.wait(60)
        while True:
            yield b"more"

    with HttpServer(endless) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
            assert client.recv(1000)
        left.set()
    gc.collect()  # What was not sent is freed here, at the latest; pytest would hear a complaint.


def test_closing_twice_or_before_the_start_is_harmless():
    server = HttpServer(hello)
    server.close()
    server.start()
    assert requests.get(server.url, timeout=60).text == "hello"
    server.close()
    server.close()
    with pytest.raises(requests.ConnectionError):
        requests.get(server.url, timeout=60)


def test_start_raises_when_the_port_is_taken():
    with HttpServer(hello) as server, pytest.raises(OSError, match="in use"):
        HttpServer(hello, port=server.port).start()


def test_complains_when_it_is_forgotten():
    holder = [HttpServer(hello, name="forgotten").start()]
    with pytest.warns(ResourceWarning, match="HttpServer forgotten was never closed"):
        holder.clear()


def echo(environ, start_response):
    """Answer the path and the size of the body."""
    size = 0
    while piece := environ["wsgi.input"].read(100_000):
        size += len(piece)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ['PATH_INFO']} {size}".encode("latin-1")]


def test_unfinished_bodies_hold_no_thread_and_are_gone_at_the_end():
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(HttpServer(echo, threads=4))
        for number in range(60):
            half = b"Content-Length: 50" if number % 2 else b"Transfer-Encoding: chunked"
            client = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            client.sendall(b"POST / HTTP/1.1\r\nHost: here\r\n%b\r\n\r\n2\r\nab" % half)
        assert requests.get(f"{server.url}/health", timeout=60).text == "/health 0"
        server.close()


@pytest.mark.parametrize("length", ["99999999999999999999999", "5000000000", "-1", "five", "1e3"])
def test_an_absurd_content_length_is_4xx_at_once(length, caplog):
    with (
        HttpServer(echo) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=60) as client,
    ):
        client.sendall(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: %b\r\n\r\nabc" % length.encode())
        status = client.makefile("rb").readline().split()[1]
        assert status in {b"400", b"413"}
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("chunked", [False, True])
def test_an_upload_of_50_mb_arrives_whole(chunked):
    body = b"x" * 50_000_000
    with HttpServer(echo) as server:
        data = iter([body[:20_000_000], body[20_000_000:]]) if chunked else body
        assert requests.post(server.url, data=data, timeout=60).text == "/ 50000000"


def test_each_piece_of_a_streamed_answer_is_sent_at_once():
    go_on = threading.Event()

    def events(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        yield b"data: 1\n\n"
        assert go_on.wait(60)
        yield b"data: 2\n\n"

    with HttpServer(events) as server, requests.get(server.url, stream=True, timeout=60) as answer:
        pieces = answer.iter_content(None)
        assert next(pieces) == b"data: 1\n\n"
        go_on.set()
        assert next(pieces) == b"data: 2\n\n"


def test_a_connection_is_kept_for_the_next_request():
    with HttpServer(echo) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.connect()
        socket_of_the_first = connection.sock
        for _ in range(3):
            connection.request("POST", "/a", body=b"12345")
            assert connection.getresponse().read() == b"/a 5"
        assert connection.sock is socket_of_the_first
        connection.close()


@pytest.mark.parametrize(
    ("sent", "path"),
    [("/a%2Fb/%C3%A4", "/a%2Fb/\u00e4"), ("//health", "//health"), ("/a%2fb?x=%2F", "/a%2Fb")],
)
def test_the_app_gets_the_path_as_it_was_sent(sent, path):
    with HttpServer(echo) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.request("GET", sent)
        assert connection.getresponse().read().decode() == f"{path} 0"
        connection.close()


def test_a_request_in_progress_is_answered_before_the_end():
    entered, release = threading.Event(), threading.Event()

    def slow(environ, start_response):
        entered.set()
        assert release.wait(60)
        return hello(environ, start_response)

    server = HttpServer(slow).start()
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(requests.get, server.url, timeout=30)
        assert entered.wait(60)
        closing = pool.submit(server.close)
        release.set()
        assert answer.result(5).text == "hello"
        closing.result(5)


def test_an_app_that_raises_is_logged_and_answered_with_500(caplog):
    def broken(environ, start_response):
        raise ValueError("broken app")

    with HttpServer(broken) as server, caplog.at_level(logging.ERROR):
        assert requests.get(server.url, timeout=60).status_code == 500
    assert "broken app" in caplog.text
