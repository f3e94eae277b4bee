"""HTTP/1.1 messages, read from a socket and forwarded unchanged."""

import socket
import struct
from collections.abc import Iterator
from io import BufferedReader

from attrs import field, frozen

PIECE_BYTES = 64 * 1024
LONGEST_LINE = 64 * 1024
WITHOUT_BODY = frozenset({b"204", b"304"})


class BrokenMessageError(OSError):
    """The other side closed in the middle of a message, or sent something else than HTTP."""


@frozen
class Head:
    """The start line and the headers of a message, bytes as they came.

    Attributes:
        start: such as ``POST /sdk/content HTTP/1.1``, without the end of the line.
        headers: names in lower case, and values.
    """

    start: bytes
    headers: tuple[tuple[bytes, bytes], ...] = field(repr=False)

    def get(self, name: bytes) -> bytes:
        """Return the header's value in lower case, empty when there is none."""
        return next((value.lower() for key, value in self.headers if key == name), b"")

    def with_start(self, start: bytes, **replaced: bytes) -> "Head":
        """Return a head with another start line, and other values of headers that stand there."""
        headers = [(name, replaced.get(name.decode("latin-1"), value)) for name, value in self.headers]
        return Head(start, tuple(headers))

    def to_bytes(self) -> bytes:
        """Return it as it travels."""
        lines = b"".join(b"%b: %b\r\n" % pair for pair in self.headers)
        return b"%b\r\n%b\r\n" % (self.start, lines)

    @property
    def keeps_connection(self) -> bool:
        """Another message may follow on the same connection."""
        return self.get(b"connection") != b"close"

    @property
    def is_delimited(self) -> bool:
        """Its headers say where it ends; otherwise it ends with the connection."""
        bodiless = self.start.startswith(b"HTTP/") and self.start.split(b" ", 2)[1] in WITHOUT_BODY
        return bool(bodiless or self.get(b"content-length") or self.get(b"transfer-encoding"))


class HttpConnection:
    """One side of a connection."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connected
        self._file: BufferedReader = connected.makefile("rb")

    def read_head(self) -> Head | None:
        """Return the next message's head, None when the other side closed instead.

        Raises:
            OSError: the connection broke.
        """
        start = self._file.readline(LONGEST_LINE)
        if not start:
            return None
        headers = []
        while (line := self._file.readline(LONGEST_LINE)) not in {b"\r\n", b"\n"}:
            name, colon, value = line.partition(b":")
            if not colon or not line.endswith(b"\n"):
                raise BrokenMessageError(f"not a header: {line[:100]!r}")
            headers.append((name.strip().lower(), value.strip()))
        return Head(start.rstrip(), tuple(headers))

    def read_body(self, head: Head) -> Iterator[bytes]:
        """Yield the body in pieces as they come, chunk sizes included where it has them.

        Raises:
            OSError: the connection broke.
        """
        if head.get(b"transfer-encoding") == b"chunked":
            yield from self._chunks()
        elif length := head.get(b"content-length"):
            left = int(length)
            while left:
                piece = self._exactly(min(left, PIECE_BYTES))
                left -= len(piece)
                yield piece
        elif head.start.startswith(b"HTTP/") and not head.is_delimited:
            while piece := self._file.read1(PIECE_BYTES):
                yield piece

    def send(self, data: bytes) -> None:
        """Send.

        Raises:
            OSError: the connection broke.
        """
        self._socket.sendall(data)

    def shut(self) -> None:
        """End a read or write that waits here; may be called from another thread."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:  # It is not connected any more.
            return

    def close(self, *, reset: bool = False) -> None:
        """Close, with a reset instead of an orderly end if that is wanted."""
        if reset:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._file.close()
        self._socket.close()

    def _chunks(self) -> Iterator[bytes]:
        while True:
            line = self._file.readline(LONGEST_LINE)
            size = int(line.split(b";")[0], 16) if line.strip() else -1
            if size < 0:
                raise BrokenMessageError("closed in the middle of a chunked body")
            data = self._exactly(size + 2) if size else b""
            yield line + data
            if not size:
                break
        while True:  # Trailers, and the empty line that ends everything.
            line = self._file.readline(LONGEST_LINE)
            yield line
            if line in {b"\r\n", b"\n", b""}:
                return

    def _exactly(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            raise BrokenMessageError("closed in the middle of a body")
        return data
