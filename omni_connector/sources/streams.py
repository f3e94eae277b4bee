"""The body of an answer that is read piece by piece, while its connector already uses the first ones."""

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import requests
import urllib3
from attrs import define

from omni_connector.manager.carriers import reason_of
from omni_connector.sources.errors import ResponseTooLargeError, SourceTimeoutError, SourceUnreachableError
from omni_connector.sources.source_run import SourceRun

PIECE_BYTES = 64 * 1024


@define(eq=False)
class Body:
    """What reading a body with ``stream=True`` has of its run: it ends with it, and counts as its progress.

    It is not read again where it breaks off, for its beginning was given away. There is a deadline for each piece, and none for the
    whole of it.
    """

    run: SourceRun
    raw: Any
    request: requests.PreparedRequest
    max_bytes: int | None
    piece_seconds: float

    def __attrs_post_init__(self) -> None:
        self.raw.stream = self.stream  # With which requests reads it.

    def stream(self, amt: int | None = PIECE_BYTES, decode_content: bool | None = None) -> Iterator[bytes]:  # noqa: FBT001 - as in urllib3.
        """Yield pieces of so many bytes; with None, what comes as it comes.

        Raises:
            requests.ReadTimeout: it comes, but so slowly that a piece is not whole in time. urllib3's own ``stream`` would wait as long as a
                byte comes now and then.
        """
        buffer = bytearray()
        deadline = time.monotonic() + self.piece_seconds
        while found := self.raw.read1(PIECE_BYTES, decode_content=decode_content):
            buffer += found
            size = amt or len(buffer)
            if len(buffer) < size and time.monotonic() > deadline:
                raise requests.ReadTimeout(request=self.request)
            while len(buffer) >= size:
                piece = bytes(buffer[:size])
                del buffer[:size]
                yield piece
                deadline = time.monotonic() + self.piece_seconds
        if buffer:
            yield bytes(buffer)

    def pieces(self, found: Iterator[Any]) -> Iterator[Any]:
        """Yield the pieces.

        Raises:
            SyncCancelledError: the run was asked to stop, also while this waits.
            SourceTimeoutError: nothing came for as long as ``TimeOuts.read``, or no whole piece within ``TimeOuts.total``.
            SourceUnreachableError: it broke off.
            ResponseTooLargeError: it is larger than ``session.max_bytes``.
        """
        size = 0
        forget = self.run.on_stop(self._break_off)
        try:
            while True:
                piece = self._next(found)
                if piece is None:
                    return
                size += len(piece)
                if self.max_bytes is not None and size > self.max_bytes:
                    raise ResponseTooLargeError(self.request.url or "", self.max_bytes)
                yield piece
        finally:
            forget()

    def _next(self, found: Iterator[Any]) -> Any:
        self.run.raise_if_stopped()
        try:
            with self.run.alive(f"the body of {self.request.method} {self.request.url}"):
                piece = next(found, None)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            self.run.raise_if_stopped()  # Broken off.
            kind = SourceTimeoutError if _is_late(error) else SourceUnreachableError
            reason = f"the body broke off: {reason_of(error, self.request.url or '')}"
            raise kind(self.request, reason) from error
        # One that ends with its connection seems whole when it was broken off.
        self.run.raise_if_stopped()
        return piece

    def _break_off(self) -> None:
        with suppress(ValueError, RuntimeError, AttributeError, OSError):  # It has just been read to its end.
            self.raw.shutdown()


def _is_late(error: BaseException) -> bool:
    # requests makes a ConnectionError of a body that comes too late.
    inside = error.args[0] if error.args else None
    late = (TimeoutError, requests.Timeout, urllib3.exceptions.ReadTimeoutError)
    return isinstance(error, late) or isinstance(inside, late)
