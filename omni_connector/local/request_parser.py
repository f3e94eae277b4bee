"""Reading requests. Waitress reads each head once; one that is like a head it has read before is taken from memory.

The heads of a client's requests differ in ``Content-Length`` only, and reading one costs as much as storing what is in the
body. Only requests that arrive in one piece are read here; all others, and what is not valid, are left to waitress.
"""

from __future__ import annotations

import re
from functools import lru_cache
from io import BytesIO
from typing import Any

from attrs import frozen
from waitress.parser import HTTPRequestParser, ParsingError, TransferEncodingNotImplemented

HEADS = 256
"""How many are remembered."""
LONGEST_HEAD = 2048
_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\nContent-Length: ?([0-9]{1,9})(?=\r\n)", re.IGNORECASE)


@frozen
class _Head:
    """What waitress has read from a head."""

    attributes: dict[str, Any]
    headers: dict[str, str]


class Request(HTTPRequestParser):  # type: ignore[misc]  # waitress has no types.
    """A request, perhaps a part of it so far."""

    _is_begun = False
    body: bytes | None = None
    """The body, of a request that came in one piece."""

    def received(self, data: bytes) -> int:
        """Read on; return how many bytes belong to this request."""
        if not self._is_begun:
            self._is_begun = True
            end = data.find(_END, 0, LONGEST_HEAD) + len(_END)
            if end >= len(_END) and self._is_whole(data, end):
                return end + len(self.body or b"")
        consumed: int = super().received(data)
        return consumed

    def get_body_stream(self) -> Any:
        """Return what reads the body."""
        return super().get_body_stream() if self.body is None else BytesIO(self.body)

    def whole_body(self) -> bytes:
        """Return the body; its stream can be read afterwards as well."""
        if self.body is not None:
            return self.body
        stream = self.get_body_stream()
        body: bytes = stream.read()
        stream.seek(0)
        return body

    def _is_whole(self, data: bytes, end: int) -> bool:
        """Read a request whose head ends at ``end``, if ``data`` has all of it."""
        length = _LENGTH.search(data, 0, end)
        digits = length[1] if length else b"0"
        body_end = end + int(digits)
        if len(data) < body_end:
            return False
        usual = data[:end] if length is None else data[: length.start(1)] + b"0" + data[length.end(1) : end]
        head = _read(usual, self.adj)
        if head is None:
            return False
        self.__dict__.update(head.attributes)
        self.headers = head.headers.copy()
        if length is not None:
            self.headers["CONTENT_LENGTH"] = digits.decode()
        self.content_length = int(digits)
        self.body = data[end:body_end]
        self.headers_finished = self.completed = True
        return True


@lru_cache(HEADS)
def _read(head: bytes, adjustments: Any) -> _Head | None:
    """Read a head with an empty body; return None where waitress must say what is wrong, or needs more than the head."""
    request = HTTPRequestParser(adjustments)
    try:
        request.parse_header(head)
    except (ParsingError, TransferEncodingNotImplemented):
        return None
    if request.chunked or request.expect_continue or request.body_rcv is not None:
        return None
    attributes = vars(request).copy()
    return _Head(attributes, attributes.pop("headers"))
