"""The body of an answer that is read piece by piece, while its connector already uses the first ones."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import requests
import urllib3
from attrs import define

from omni_connector.manager.carriers import reason_of
from omni_connector.sources.errors import ResponseTooLargeError, SourceTimeoutError, SourceUnreachableError
from omni_connector.sources.source_run import SourceRun


@define(eq=False)
class Body:
    """What reading a body with ``stream=True`` has of its run: it ends with it, and counts as its progress.

    It is not read again where it breaks off, for its beginning was given away. There is no deadline for the whole of it.
    """

    run: SourceRun
    raw: Any
    request: requests.PreparedRequest
    max_bytes: int | None

    def pieces(self, found: Iterator[Any]) -> Iterator[Any]:
        """Yield the pieces.

        Raises:
            SyncCancelledError: the run was asked to stop, also while this waits.
            SourceTimeoutError: no piece came for as long as ``TimeOuts.read``.
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
