"""How older managers execute actions: what they send to the connector, and what they make of its answer."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import orjson

from omni_connector.local.connectors import Answer, ConnectorAnswerError
from omni_connector.local.errors import LocalManagerError
from omni_connector.local.manager_dates import Since
from omni_connector.local.settings import LocalSettings
from omni_connector.local.strict_json import JSON

_JSON_HEADERS = (("content-type", "application/json"),)
_PASSED_HEADERS = frozenset({"content-type", "x-file-name", "content-length"})


def older_request(body: dict[str, Any], settings: LocalSettings) -> dict[str, Any]:
    """Return what the emulated manager sends to the connector: older ones send less."""
    if not settings.has(Since.ACTORS):
        body = {key: value for key, value in body.items() if key not in {"source", "actor_email"}}
    if settings.has(Since.FULL_CREDENTIALS):
        return body
    row: dict[str, JSON] = body["credentials"]
    if not settings.has(Since.WRAPPED_CREDENTIALS):
        return {**body, "credentials": row["credentials"]}
    wrapped = {key: row[key] for key in ("credentials", "config", "principal_email")}
    return {**body, "credentials": wrapped}


def older_answer(answer: Answer, settings: LocalSettings) -> Answer:
    """Return what the emulated manager answers to its caller.

    Raises ``LocalManagerError`` (500) where an older manager cannot use the answer.
    """
    if settings.has(Since.PASSED_ANSWERS):
        return answer
    try:
        given = answer.json()
    except ConnectorAnswerError as error:
        if not settings.has(Since.WRAPPED_CREDENTIALS):
            raise LocalManagerError(500, str(error)) from error
        headers = tuple(pair for pair in answer.headers if pair[0].lower() in _PASSED_HEADERS)
        return Answer(HTTPStatus.OK, headers, answer.body)
    if not settings.has(Since.WRAPPED_CREDENTIALS) and not answer.is_success:
        raise LocalManagerError(500, answer.refusal())
    if not isinstance(given, dict) or not isinstance(given.get("status"), str):
        raise LocalManagerError(500, "Invalid response: error decoding response body")
    rebuilt = {key: given.get(key) for key in ("status", "result", "error")}
    return Answer(HTTPStatus.OK, _JSON_HEADERS, orjson.dumps(rebuilt))
