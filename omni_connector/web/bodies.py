"""Request bodies: JSON of the right shape, of any size up to a limit, all in progress within one budget of memory.

The manager sends a source's checkpoint and connector state with ``/sync`` and the whole source row with ``/action``, so
one body may have hundreds of megabytes. What must be bounded is what all of them take together.
"""

import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar

from attrs import frozen
from flask import g, request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from omni_connector.config import Settings
from omni_connector.exceptions import MalformedRequestError
from omni_connector.models.codec import decode, structure
from omni_connector.web.unfinished import unfinished_of

T = TypeVar("T")

SMALL_BYTES = 64 * 1024
"""For a body that has ids only: ``/cancel``."""
CREDENTIALS_BYTES = 16 * 1024 * 1024
"""For a body that has credentials and arguments, but no source and no checkpoint."""
FREE_BYTES = 1024 * 1024
"""Bytes of each body that are not counted, so that ``/cancel`` never waits for a large one."""
PIECE_BYTES = 64 * 1024
WAIT_SECONDS = 20.0
"""How long a body waits for others to end; the manager gives a call 30 s."""
SILENCE_SECONDS = 10.0
"""How long a client may send nothing in the middle of a body, under gunicorn, whose threads would wait for ever."""


class RequestBodies:
    """The bodies of one connector's requests, within the limits of its settings."""

    def __init__(self, settings: Settings) -> None:
        self._total = settings.max_total_body_bytes
        self._largest = min(settings.max_body_bytes, self._total)
        self._variable = (
            f"CONNECTOR_MAX{'_TOTAL' if self._total < settings.max_body_bytes else ''}_BODY_BYTES"
        )
        self._taken = 0
        self._changed = threading.Condition()  # Protects _taken.

    def begin_request(self) -> None:
        """Make these limits those of the current request; for ``before_request``."""
        request.max_content_length = self._largest + 1  # In place of the hosting application's own.
        g.omni_bodies = self
        g.omni_body_bytes = 0

    def end_request(self, error: BaseException | None = None) -> None:
        """Give back what the current request has taken; for ``teardown_request``."""
        del error
        with self._changed:
            self._taken -= g.pop("omni_body_bytes", 0)
            self._changed.notify_all()

    def read(self, largest: int | None) -> bytearray:
        """Return the body of the current request.

        Args:
            largest: bytes that this endpoint takes, where that is less than the settings allow.

        Raises:
            MalformedRequestError: it is too large (413), breaks off or is wrongly encoded (400), or other requests have
                taken all memory there is for bodies (503).
        """
        if largest is not None and largest < self._largest:
            request.max_content_length = largest + 1
        unfinished, connection = unfinished_of(request.environ), request.environ.get("gunicorn.socket")
        if unfinished is None or connection is None:
            return self._read(connection, _nothing)
        with unfinished.reading(_Connection(connection), request.content_length) as reading:
            return self._read(connection, reading.progressed)

    def _read(self, connection: socket.socket | None, progressed: Callable[[], None]) -> bytearray:
        largest = self._limit()
        if (request.content_length or 0) > largest:
            raise self._too_large()
        body = bytearray()
        try:
            if connection is not None:
                connection.settimeout(SILENCE_SECONDS)
            while piece := _next_piece():
                if len(body) + len(piece) > largest:
                    raise self._too_large()
                if len(body) + len(piece) > FREE_BYTES:
                    self._take(len(piece))
                body += piece
                progressed()
        except RequestEntityTooLarge:  # Werkzeug's, for chunked bodies.
            raise self._too_large() from None
        finally:
            if connection is not None:
                connection.settimeout(None)
        # The stream is empty also when the hosting application has read, and kept, the body.
        body = body or bytearray(request.get_data())
        if len(body) < (request.content_length or 0):
            raise _broken(f"it ended after {len(body):,} of {request.content_length:,} bytes")
        return body

    def _take(self, size: int) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: self._taken + size <= self._total, WAIT_SECONDS):
                raise MalformedRequestError(
                    f"body: the requests in progress have bodies of {self._taken:,} bytes already, and "
                    f"CONNECTOR_MAX_TOTAL_BODY_BYTES allows {self._total:,}. Try again later, or raise it.",
                    field="body",
                    status=HTTPStatus.SERVICE_UNAVAILABLE,
                )
            self._taken += size
        g.omni_body_bytes += size

    def _limit(self) -> int:
        """Return how many bytes the current request may have."""
        return (request.max_content_length or self._largest + 1) - 1

    def _too_large(self) -> MalformedRequestError:
        size = "it has more" if request.content_length is None else f"it has {request.content_length:,}"
        limit = self._limit()
        allowed = f"{request.path} takes {limit:,}."
        if limit == self._largest:
            allowed = (
                f"{self._variable} allows {limit:,}. The manager sends the source's checkpoint and connector state "
                "along: save less in them, or raise the variable."
            )
        return MalformedRequestError(
            f"body: {size} bytes, and {allowed}",
            field="body",
            status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        )


def json_body(cls: type[T], largest: int | None = None) -> T:
    """Return the body of the current request as an instance of ``cls``; it may have ``largest`` bytes.

    Raises:
        MalformedRequestError: it is not JSON, or not of that shape, or cannot be read; ``field`` says where.
    """
    if not request.is_json:
        raise MalformedRequestError(
            f"body: send JSON with Content-Type: application/json, not {request.mimetype or 'no content type'}",
            field="body",
            status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        )
    bodies: RequestBodies = g.omni_bodies
    try:
        payload = decode(bodies.read(largest))
    except ValueError as error:
        raise MalformedRequestError(f"body: not JSON ({error})", field="body") from error
    return structure(cls, payload)


def _next_piece() -> bytes:
    try:
        return request.stream.read(PIECE_BYTES)
    except RequestEntityTooLarge:
        raise
    except ClientDisconnected as error:
        raise _broken("it ended early") from error
    except Exception as error:  # Each server raises errors of its own here: OSError, ValueError, gunicorn's.
        raise _broken(f"{type(error).__name__}: {error}") from error


@frozen
class _Connection:
    sock: socket.socket


def _nothing() -> None:
    """The server takes care of requests that do not arrive."""


def _broken(reason: str) -> MalformedRequestError:
    return MalformedRequestError(f"body: it broke off or is wrongly encoded ({reason})", field="body")
