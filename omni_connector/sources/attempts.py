"""One attempt at a request: it can be broken off from any thread, and its body is read as it comes."""

import time
from contextlib import suppress
from typing import Any

import requests

from omni_connector.manager.pooled import Sending
from omni_connector.sources.errors import ResponseTooLargeError
from omni_connector.sources.responses import SourceResponse
from omni_connector.sources.streams import PIECE_BYTES


class Attempt(Sending):
    """One attempt; it can be broken off from any thread."""

    def __init__(self) -> None:
        super().__init__()
        self.is_late = False
        self.raw: Any = None  # Whose body is being read.

    def be_late(self) -> None:
        """Break off at the deadline."""
        self.is_late = True
        self.break_off()

    def break_off(self) -> None:
        """Shut the connection down, whether the head or the body is awaited."""
        super().break_off()
        raw = self.raw
        if raw is not None:
            with suppress(
                ValueError, RuntimeError, AttributeError, OSError
            ):  # It has just been read to its end.
                raw.shutdown()


def read_body(answer: SourceResponse, max_bytes: int | None, deadline: float) -> None:
    """Read a body, piece by piece as it comes: reading a given number of bytes would wait for the last of them.

    Raises:
        ResponseTooLargeError: it has more than ``max_bytes``.
    """
    pieces, size = [], 0
    raw: Any = answer.raw
    while piece := raw.read1(PIECE_BYTES, decode_content=True):
        pieces.append(piece)
        size += len(piece)
        if max_bytes is not None and size > max_bytes:
            answer.close()
            raise ResponseTooLargeError(answer.url, max_bytes)
        if time.monotonic() > deadline:
            answer.close()
            raise requests.ReadTimeout(request=answer.request)
    raw.release_conn()
    answer._content = b"".join(pieces)  # noqa: SLF001 - as Response.content does.
    answer._content_consumed = True  # type: ignore[attr-defined]  # noqa: SLF001


def rewind(request: requests.PreparedRequest) -> bool:
    """Go back to the beginning of a request's body; say whether it can be sent again."""
    if request._body_position is None:  # type: ignore[attr-defined]  # noqa: SLF001 - requests has no other way.
        return not hasattr(request.body, "__next__")
    try:
        requests.utils.rewind_body(request)
    except requests.exceptions.UnrewindableBodyError:
        return False
    return True
