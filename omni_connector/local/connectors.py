"""The manager as a client of connectors (connector.openapi.yaml, "The manager as a client").

Every call has one limit for the whole exchange, follows up to ten redirects, and hands back the raw
answer. Connections are not kept: a connector may be restarted between two calls, and a reset on an
old connection would look like an unreachable connector.
"""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urljoin

import orjson
import requests
import urllib3
from attrs import frozen
from requests.adapters import BaseAdapter
from urllib3.util import SKIP_HEADER

from omni_connector.local.settings import LocalSettings
from omni_connector.local.strict_json import JSON, JsonSyntaxError, parse_json

_MAX_REDIRECTS = 10
_REPEATED_AS_GET = frozenset({301, 302, 303})
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
        return 200 <= self.status < 300  # noqa: PLR2004 - the range of success.

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
        adapter: transport for http and https, instead of the network.
    """

    def __init__(self, settings: LocalSettings, *, adapter: BaseAdapter | None = None) -> None:
        self._settings = settings
        self._adapter = adapter

    def get(self, connector_url: str, path: str, *, timeout_seconds: float | None = None) -> Answer:
        """Return the answer to a GET; raises ``ConnectorUnreachableError``."""
        return self._send("GET", connector_url + path, None, timeout_seconds)

    def post(
        self, connector_url: str, path: str, body: JSON, *, timeout_seconds: float | None = None
    ) -> Answer:
        """Return the answer to a POST of JSON; raises ``ConnectorUnreachableError``."""
        return self._send("POST", connector_url + path, orjson.dumps(body), timeout_seconds)

    def is_healthy(self, connector_url: str) -> bool:
        """Tell whether ``/health`` answers with any 2xx."""
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
            if answer.status == requests.codes.not_found:
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
            with self._session() as session:
                for _ in range(_MAX_REDIRECTS + 1):
                    answer, location = _exchange(
                        session, method, target, body, limit=limit, deadline=deadline
                    )
                    if location is None:
                        return answer
                    target = urljoin(target, location)
                    if answer.status in _REPEATED_AS_GET:
                        method, body = "GET", None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            # Beside requests' own: what urllib3 lets through of odd addresses and broken streams.
            raise ConnectorUnreachableError(
                f"Request failed: error sending request for url ({url})"
            ) from error
        raise ConnectorUnreachableError(f"Request failed: error following redirect for url ({url})")

    def _session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False  # No proxies, no .netrc: connectors are near.
        session.headers.clear()
        session.headers.update({"Accept": "*/*", "User-Agent": SKIP_HEADER, "Accept-Encoding": SKIP_HEADER})
        if self._adapter is not None:
            session.mount("http://", self._adapter)
            session.mount("https://", self._adapter)
        return session


def _exchange(
    session: requests.Session, method: str, url: str, body: bytes | None, *, limit: float, deadline: float
) -> tuple[Answer, str | None]:
    """Return one answer, and where it redirects to.

    Redirects are not left to requests: when the second request of a chain fails, it forgets to close the
    connection of the first.
    """
    response = session.request(
        method,
        url,
        data=body,
        headers={} if body is None else {"Content-Type": "application/json"},
        timeout=limit,
        stream=True,
        allow_redirects=False,
    )
    with response:
        answer = Answer(response.status_code, tuple(response.raw.headers.items()), _read(response, deadline))
    return answer, response.headers["Location"] if response.is_redirect else None


def _read(response: requests.Response, deadline: float) -> bytes:
    """Return the body as it was sent; raises ``requests.Timeout`` when it takes beyond the deadline."""
    blocks = []
    raw: Any = response.raw
    for block in raw.stream(_BLOCK, decode_content=False):
        blocks.append(block)
        if time.monotonic() > deadline:
            raise requests.Timeout(f"no whole answer from {response.url} in time")
    return b"".join(blocks)
