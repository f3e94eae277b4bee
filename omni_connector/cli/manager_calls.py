"""What the command asks of the embedded manager, over HTTP as any other client would (manager.openapi.yaml)."""

import http.client
import json
import re
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from omni_connector.cli.errors import ManagerRefusedError
from omni_connector.exceptions import ConfigurationError
from omni_connector.models.codec import decode
from omni_connector.testing.actions import ActionAnswer

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

    def reset_source(self, source_id: str, *, connector_state: bool) -> None:
        """``POST /local/sources/{id}/reset``: forget the checkpoint.

        Raises:
            ManagerRefusedError: a run is in progress.
        """
        self._post(f"/local/sources/{quote(source_id, safe='')}/reset", {"connector_state": connector_state})

    def add_source(self, source: dict[str, Any]) -> dict[str, Any]:
        """``POST /local/sources``: add a source, and return it.

        Raises:
            ManagerRefusedError: it cannot be added.
        """
        return dict(self._post("/local/sources", source))

    def change_source(self, source_id: str, changes: dict[str, Any]) -> dict[str, Any]:
        """``PATCH /local/sources/{id}``: change what is named of a source, and return it.

        Raises:
            ManagerRefusedError: it cannot be changed so.
        """
        return dict(self._call("PATCH", f"/local/sources/{quote(source_id, safe='')}", changes))

    def user_id(self, email: str) -> str:
        """``POST /local/users``: return the id of a user, who is added when missing."""
        return str(self._post("/local/users", {"email": email})["id"])

    def manifests(self) -> list[dict[str, Any]]:
        """``GET /connectors``: return the manifests of the connectors that are registered."""
        return [each["manifest"] for each in self._call("GET", "/connectors")]

    def action(self, request: dict[str, Any]) -> ActionAnswer:
        """``POST /action``: return the answer as it came."""
        status, headers, body = self._exchange("POST", "/action", request)
        return ActionAnswer(status_code=status, headers=headers, body=body)

    def _post(self, path: str, body: Any) -> Any:
        return self._call("POST", path, body)

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        status, _, content = self._exchange(method, path, body)
        try:
            answer = decode(content)
        except ValueError:
            answer = content.decode("utf-8", "replace")  # What does not have the form of its request.
        if status >= HTTPStatus.BAD_REQUEST:
            error = str(answer.get("error", answer)) if isinstance(answer, dict) else str(answer)
            message = _of_connector(error) or f"The manager answered {status} to {method} {path}: {error}"
            raise ManagerRefusedError(message, status=status, reason=error)
        return answer

    def _exchange(self, method: str, path: str, body: Any) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of an answer.

        Raises:
            ConfigurationError: the manager is not there any more.
        """
        connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return response.status, headers, response.read()
        except (OSError, http.client.HTTPException) as error:
            raise ConfigurationError(
                f"The manager at {self._host}:{self._port} does not answer: {error}. Is it still running?"
            ) from error
        finally:
            connection.close()


def _of_connector(error: str) -> str | None:
    """Return the message of a connector that refused the call, out of the manager's text about it; None for others."""
    found = _REFUSED.match(error)
    try:
        answer = decode(found[1]) if found else None
    except ValueError:
        return None
    message = answer.get("message") if isinstance(answer, dict) else None
    return message if isinstance(message, str) and message else None
