"""The manager as a client of connectors (connector.openapi.yaml, "The manager as a client").

Every call has one limit for the whole exchange, follows up to ten redirects, and hands back the raw
answer. Connections are not kept: a connector may be restarted between two calls, and a reset on an
old connection would look like an unreachable connector.

The standard library's client is used, not requests, so that what a connector's tests replace in requests
(responses, requests-mock) does not reach these calls. Proxies are not asked: connectors are near.
"""

from __future__ import annotations

import socket
import time
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from urllib.parse import SplitResult, quote, urljoin, urlsplit, urlunsplit

import orjson
from attrs import frozen

from omni_connector.local.settings import LocalSettings
from omni_connector.local.strict_json import JSON, JsonSyntaxError, parse_json

_MAX_REDIRECTS = 10
_REPEATED_AS_GET = frozenset({HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.FOUND, HTTPStatus.SEE_OTHER})
_REDIRECTS = _REPEATED_AS_GET | {HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT}
_SAFE = "%/:=&?~+!$,;'@()*[]"
"""Characters of a path and query that are sent as they are."""
_BLOCK = 65_536


class ConnectorUnreachableError(Exception):
    """No whole HTTP answer came; the message is the manager's text for it."""


class ConnectorAnswerError(Exception):
    """An answer came that is not the wanted one; the message is the manager's text for it."""


@frozen
class Answer:
    """A connector's answer, as its bytes."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    def json(self) -> JSON:
        """Return the decoded body; raises ``ConnectorAnswerError`` when it is not JSON."""
        try:
            return parse_json(self.body)
        except JsonSyntaxError as error:
            raise ConnectorAnswerError("Invalid response: error decoding response body") from error

    def checked_json(self) -> JSON:
        """Return the decoded body of a success; raises ``ConnectorAnswerError`` for anything else."""
        if not self.is_success:
            raise ConnectorAnswerError(self.refusal())
        return self.json()

    def refusal(self) -> str:
        """Return the manager's text for a status other than 2xx."""
        return f"Connector returned error: status={self.status}, message={self.body.decode(errors='replace')}"


class ConnectorClient:
    """Calls connectors at their registered address.

    Args:
        settings: the limits.
    """

    def __init__(self, settings: LocalSettings) -> None:
        self._settings = settings

    def get(self, connector_url: str, path: str, *, timeout_seconds: float | None = None) -> Answer:
        """Return the answer to a GET; raises ``ConnectorUnreachableError``."""
        return self._send("GET", connector_url + path, None, timeout_seconds)

    def post(
        self, connector_url: str, path: str, body: JSON, *, timeout_seconds: float | None = None
    ) -> Answer:
        """Return the answer to a POST of JSON; raises ``ConnectorUnreachableError``."""
        return self._send("POST", connector_url + path, orjson.dumps(body), timeout_seconds)

    def is_healthy(self, connector_url: str) -> bool:
        """Return whether ``/health`` answers with any 2xx."""
        try:
            return self.get(connector_url, "/health").is_success
        except ConnectorUnreachableError:
            return False

    def is_running(self, connector_url: str, run_id: str) -> bool | None:
        """Return what the connector says about a run; None when it has no such endpoint (404)."""
        try:
            answer = self.get(
                connector_url, f"/sync/{run_id}", timeout_seconds=self._settings.status_timeout_seconds
            )
            if answer.status == HTTPStatus.NOT_FOUND:
                return None
            status = answer.checked_json()
        except (ConnectorUnreachableError, ConnectorAnswerError):
            return False
        return isinstance(status, dict) and status.get("running") is True

    def _send(self, method: str, url: str, body: bytes | None, timeout_seconds: float | None) -> Answer:
        limit = self._settings.connector_timeout_seconds if timeout_seconds is None else timeout_seconds
        deadline = time.monotonic() + limit
        target = url
        try:
            for _ in range(_MAX_REDIRECTS + 1):
                answer, location = _exchange(method, target, body, deadline=deadline)
                if location is None:
                    return answer
                target = urljoin(target, location)
                if answer.status in _REPEATED_AS_GET:
                    method, body = "GET", None
        except (HTTPException, OSError, ValueError) as error:  # ValueError: an address that cannot be one.
            raise ConnectorUnreachableError(
                f"Request failed: error sending request for url ({url})"
            ) from error
        raise ConnectorUnreachableError(f"Request failed: error following redirect for url ({url})")


def _exchange(method: str, url: str, body: bytes | None, *, deadline: float) -> tuple[Answer, str | None]:
    """Return one answer, and where it redirects to."""
    parts = urlsplit(url)
    connection = _connection(parts, _seconds_left(deadline))
    target = quote(urlunsplit(("", "", parts.path or "/", parts.query, "")), safe=_SAFE)
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        connection.putheader("Accept", "*/*")
        if body is not None:
            connection.putheader("Content-Type", "application/json")
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        sock = connection.sock
        with connection.getresponse() as response:
            answer = Answer(response.status, tuple(response.getheaders()), _read(response, sock, deadline))
            return answer, response.getheader("Location") if response.status in _REDIRECTS else None
    finally:
        connection.close()


def _connection(parts: SplitResult, timeout_seconds: float) -> HTTPConnection:
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{parts.geturl()!r} is no http address")
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    return kind(parts.hostname, parts.port, timeout=timeout_seconds)


def _read(response: HTTPResponse, sock: socket.socket, deadline: float) -> bytes:
    """Return the body as it was sent.

    Raises ``TimeoutError`` when it takes beyond the deadline, ``HTTPException`` when it is cut short.
    """
    blocks = []
    # From Python 3.12 on, the last byte closes the socket, if the connection is to be closed.
    while not response.isclosed():
        sock.settimeout(_seconds_left(deadline))
        block = response.read1(_BLOCK)
        if not block:
            break
        blocks.append(block)
    if response.length:
        raise IncompleteRead(b"".join(blocks), response.length)
    return b"".join(blocks)


def _seconds_left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("no whole answer in time")
    return left
