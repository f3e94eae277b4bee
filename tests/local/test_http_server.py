import _pyio
import gc
import logging
import socket
import threading
import time

import pytest
import requests

from omni_connector.local import HttpServer


def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]


def test_serves_at_its_url_as_soon_as_it_is_started():
    with HttpServer(hello, name="greeter") as server:
        assert server.url == f"http://127.0.0.1:{server.port}"
        assert requests.get(server.url, timeout=5).text == "hello"


def test_is_reached_by_loopback_when_bound_to_every_address():
    with HttpServer(hello, host="0.0.0.0") as server:
        assert requests.get(server.url, timeout=5).text == "hello"


def test_serves_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 here")
    with HttpServer(hello, host="::1") as server:
        assert server.url.startswith("http://[::1]:")
        assert requests.get(server.url, timeout=5).text == "hello"


def test_closes_quickly_with_idle_connections_open_and_leaves_no_thread():
    before = set(threading.enumerate())
    server = HttpServer(hello).start()
    with requests.Session() as session:
        session.get(server.url, timeout=5)
        started = time.monotonic()
        server.close()
        assert time.monotonic() - started < 1
        assert set(threading.enumerate()) == before
        with pytest.raises(requests.ConnectionError):
            session.get(server.url, timeout=5)


def test_closes_although_a_client_never_sends_its_request():
    server = HttpServer(hello).start()
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"POST / HTTP/1.1\r\n")
        started = time.monotonic()
        server.close()
        assert time.monotonic() - started < 3


def test_a_client_that_leaves_in_the_middle_of_an_answer_is_not_complained_about(monkeypatch):
    monkeypatch.setattr(_pyio, "_IOBASE_EMITS_UNRAISABLE", True, raising=False)  # As Python 3.13 always does.
    left = threading.Event()

    def endless(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        yield b"first"
        assert left.wait(5)
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
    server.close()
    server.close()


def test_start_raises_when_the_port_is_taken():
    with HttpServer(hello) as server, pytest.raises(OSError, match="in use"):
        HttpServer(hello, port=server.port).start()


def test_complains_when_it_is_forgotten():
    holder = [HttpServer(hello, name="forgotten").start()]
    with pytest.warns(ResourceWarning, match="HttpServer forgotten was never closed"):
        holder.clear()


def test_an_app_that_raises_is_logged_and_answered_with_500(caplog):
    def broken(environ, start_response):
        raise ValueError("broken app")

    with HttpServer(broken) as server, caplog.at_level(logging.ERROR):
        assert requests.get(server.url, timeout=5).status_code == 500
    assert "broken app" in caplog.text
