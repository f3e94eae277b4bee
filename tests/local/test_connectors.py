"""The manager's own calls to connectors, with connectors that answer oddly."""

import attrs
import pytest
import requests
from support.raw_server import RawServer, answering, ok, read_request

from omni_connector.local import LocalSettings
from omni_connector.local.connectors import ConnectorClient, ConnectorUnreachableError

CLIENT = ConnectorClient(LocalSettings())


def test_status_headers_and_body_are_handed_back_as_they_came():
    raw = b"HTTP/1.1 418 Odd\r\nX-A: 1\r\nX-A: 2\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"
    with RawServer(answering(raw)) as server:
        answer = CLIENT.post(server.url, "/action", {"a": 1})
    assert (answer.status, answer.body) == (418, b"abc")
    assert answer.headers[:2] == (("X-A", "1"), ("X-A", "2"))


@pytest.mark.parametrize(
    "framing",
    [b"Content-Length: 3\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", b"\r\nabc"],
    ids=["length", "chunked", "until the end"],
)
def test_an_answer_that_closes_its_connection_is_read(framing):
    with RawServer(answering(b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + framing)) as server:
        assert CLIENT.get(server.url, "/health").body == b"abc"


def test_a_request_says_what_the_manager_says():
    seen = []

    def script(connection):
        seen.append(read_request(connection))
        connection.sendall(ok())

    with RawServer(script) as server:
        CLIENT.post(server.url, "/a b/\u00e4?x=%2F", {"a": 1})
    head, body = seen[0]
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /a%20b/%C3%A4?x=%2F HTTP/1.1"
    assert {line.split(":")[0] for line in lines[1:]} == {"Host", "Accept", "Content-Type", "Content-Length"}
    assert body == b'{"a":1}'


def test_a_redirect_is_followed_and_a_post_becomes_a_get():
    def second(connection):
        assert connection.recv(65536).startswith(b"GET /there HTTP/1.1")
        connection.sendall(ok(b"there"))

    moved = b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"
    with RawServer(answering(moved), second) as server:
        assert CLIENT.post(server.url, "/here", {}).body == b"there"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nabc",
        b"nonsense\r\n\r\n",
        b"",
    ],
    ids=["short", "short chunk", "chunk size", "no http", "nothing"],
)
def test_an_answer_that_is_not_whole_is_none(answer):
    with RawServer(answering(answer)) as server, pytest.raises(ConnectorUnreachableError, match="/sync"):
        CLIENT.post(server.url, "/sync", {})


def test_an_answer_that_drips_is_given_up_at_the_deadline():
    def drip(connection):
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:  # Ends when the other side has gone.
            connection.sendall(b"x")
            connection.settimeout(0.05)
            try:
                connection.recv(1)
            except TimeoutError:
                continue

    client = ConnectorClient(attrs.evolve(LocalSettings(), connector_timeout_seconds=0.3))
    with RawServer(drip) as server, pytest.raises(ConnectorUnreachableError):
        client.post(server.url, "/sync", {})


@pytest.mark.parametrize(
    "url", ["ftp://x", "nowhere", "http://", "http://connector..manager:80", "http://x:abc", "http://[::1"]
)
def test_an_address_that_cannot_be_one_is_unreachable(url):
    with pytest.raises(ConnectorUnreachableError):
        CLIENT.get(url, "/health")


def test_what_tests_replace_in_requests_does_not_reach_these_calls(monkeypatch):
    """As the libraries responses and requests-mock do."""

    def refuse(*args, **kwargs):
        raise AssertionError("caught by a mock")

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", refuse)
    monkeypatch.setattr(requests.Session, "get_adapter", refuse)
    with RawServer(lambda connection: (connection.recv(65536), connection.sendall(ok(b"fine")))) as server:
        assert CLIENT.get(server.url, "/health").body == b"fine"
