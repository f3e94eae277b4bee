"""Answers of the manager on bare sockets: parsed by httptools (llhttp, the parser of Node.js and uvicorn)."""

import httptools
from attrs import frozen


@frozen
class LaneResponse:
    """An answer.

    Attributes:
        status: HTTP status.
        headers: by name in lower case; of a repeated one the last.
        body: the bytes.
    """

    status: int
    headers: dict[str, str]
    body: bytes


class LaneError(OSError):
    """No answer came.

    Attributes:
        sent: the request may have reached the manager.
    """

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class Answer:
    """Collects one answer from the parser's callbacks, whose names httptools gives.

    Attributes:
        begun: something of it has come.
        complete: all of it has.
        keep_alive: the connection can carry another request.
    """

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._chunks: list[bytes] = []
        self._headers_done = False
        self.begun = False
        self.complete = False
        self.keep_alive = False

    def feed(self, data: bytes) -> None:
        """Take what has come.

        Raises:
            ConnectionError: it is not HTTP.
        """
        self.begun = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise ConnectionError(f"the answer is not HTTP: {error}") from error

    def response(self) -> LaneResponse:
        """Return the answer; it has to be complete."""
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        return LaneResponse(self._parser.get_status_code(), self._headers, body)

    @property
    def ends_with_connection(self) -> bool:
        """An answer without a length is over when the connection is."""
        return self._headers_done and not {"content-length", "transfer-encoding"} & set(self._headers)

    # -- called by the parser -----------------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Know that the body follows."""
        self._headers_done = True

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._chunks.append(body)

    def on_message_complete(self) -> None:
        """Know that this was all."""
        if self._parser.get_status_code() == 100:  # noqa: PLR2004 - Continue: the answer follows.
            return
        self.complete = True
        self.keep_alive = self._parser.should_keep_alive()
