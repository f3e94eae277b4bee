"""A request that comes in one piece is read as waitress reads it in many."""

import pytest
from waitress.adjustments import Adjustments
from waitress.parser import HTTPRequestParser

from omni_connector.local.request_parser import Request, _read

ADJUSTMENTS = Adjustments()
POST = b"POST /sdk/content HTTP/1.1\r\nHost: 127.0.0.1\r\n"
READ = (
    "command", "version", "request_uri", "path", "query", "headers", "content_length", "connection_close",
    "chunked", "completed", "empty", "expect_continue", "headers_finished",
)  # fmt: skip


def read(parser, data):
    """Return how much was consumed, the error, what was read, and the body."""
    consumed = 0
    while consumed < len(data) and not parser.completed:
        consumed += parser.received(data[consumed:])
    values = {name: getattr(parser, name, None) for name in READ}
    error = parser.error and (parser.error.code, parser.error.body)
    return consumed, error, values, parser.get_body_stream().read()


@pytest.mark.parametrize(
    "data",
    [
        POST + b"Content-Length: 5\r\n\r\nhello",
        POST + b"content-length:3\r\nX-More: a\r\nX-More: b\r\n\r\nabc",
        POST + b"Content-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n\r\n",
        POST + b"Content-Length: 007\r\n\r\n7 bytes",
        POST + b"\r\n",
        POST + b"Content-Length: 0\r\n\r\n",
        b"GET /a%2Fb?c=d HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        b"\r\n\r\n",
        b"\r\n" + POST + b"Content-Length: 2\r\n\r\nab",
        POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        POST + b"Content-Length: 5\r\n 6\r\n\r\nhello",
        POST + b"Content-Length: +5\r\n\r\nhello",
        POST + b"Content-Length : 5\r\n\r\nhello",
        POST + b"Content-Length: 9999999999\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: gzip\r\n\r\n",
        POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
        POST + b"Bad header\r\n\r\n",
        b"post / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\nContent-Length: 5\r\n\r\nhello",
    ],
)
def test_it_is_read_as_waitress_reads_it(data):
    expected = read(HTTPRequestParser(ADJUSTMENTS), data)
    for _ in range(2):  # The second one's head is known.
        assert read(Request(ADJUSTMENTS), data) == expected


def test_heads_that_differ_in_the_length_are_read_once_and_share_nothing():
    before = _read.cache_info().misses
    requests = [Request(ADJUSTMENTS) for _ in range(3)]
    for number, request in enumerate(requests):
        request.received(POST + b"Once: x\r\nContent-Length: %d\r\n\r\n%s" % (number, b"x" * number))
        request.headers["NUMBER"] = str(number)
    assert _read.cache_info().misses == before + 1
    assert [request.headers["CONTENT_LENGTH"] for request in requests] == ["0", "1", "2"]
    assert [request.headers["NUMBER"] for request in requests] == ["0", "1", "2"]


def test_the_body_of_a_request_in_pieces_can_be_read_twice():
    request = Request(ADJUSTMENTS)
    for piece in (POST, b"Content-Length: 5\r\n\r\n", b"he", b"llo"):
        assert request.received(piece) == len(piece)
    assert request.body is None
    assert [request.whole_body(), request.whole_body(), request.get_body_stream().read()] == [b"hello"] * 3
    request.close()
