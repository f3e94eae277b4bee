"""What the command asks of the embedded manager, over HTTP as anybody else would (manager.openapi.yaml)."""

import http.client
import json
import re
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from omni_connector.cli.errors import ManagerRefusedError
from omni_connector.models.codec import decode

TIMEOUT_SECONDS = 180.0
"""Above the 150 s that the manager may take to start a sync (PROTOCOL, section 1)."""

_REFUSED = re.compile(r"Connector returned error: status=\d+, message=(.*)", re.DOTALL)
"""The manager's text for a connector that answers with another status than 2xx."""


class ManagerCalls:
    """Calls to a manager, each on a connection of its own and past any proxy.

    Args:
        url: base address, http, without a trailing slash.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port

    def start_sync(self, source_id: str, mode: str) -> str:
        """``POST /sync``: return the id of the run.

        Raises:
            ManagerRefusedError: the manager refuses, or the connector does.
        """
        answer = self._post("/sync", {"source_id": source_id, "sync_mode": mode})
        return str(answer["sync_run_id"])

    def cancel(self, run_id: str) -> None:
        """``POST /sync/{id}/cancel``.

        Raises:
            ManagerRefusedError: the run has ended.
        """
        self._post(f"/sync/{quote(run_id, safe='')}/cancel", {})

    def _post(self, path: str, body: Any) -> Any:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = decode(response.read())
        finally:
            connection.close()
        if response.status >= HTTPStatus.BAD_REQUEST:
            error = str(answer.get("error", answer))
            message = (
                _of_connector(error) or f"The manager answered {response.status} to POST {path}: {error}"
            )
            raise ManagerRefusedError(message, status=response.status)
        return answer


def _of_connector(error: str) -> str | None:
    """Return the message of a connector that refused the call, out of the manager's text about it; None for others."""
    found = _REFUSED.match(error)
    try:
        answer = decode(found[1]) if found else None
    except ValueError:
        return None
    message = answer.get("message") if isinstance(answer, dict) else None
    return message if isinstance(message, str) and message else None
