"""Recorded traffic, and what the protocol's documents say about it."""

from __future__ import annotations

import functools
import json
import re
from datetime import date
from email import message_from_bytes
from email.policy import HTTP
from typing import Any

import jsonschema_rs
from attrs import frozen

from support.openapi import document, resolved

METHODS = ("get", "post", "put")
JSON, MULTIPART, EVENTS, TEXT = "application/json", "multipart/form-data", "text/event-stream", "text/plain"

LATER_KEYS = {
    "SyncConfig": {
        "checkpoint": "2026-06-08",
        "source_type": "2026-03-11",
        "user_filter_mode": "2026-03-11",
        "user_whitelist": "2026-03-11",
        "user_blacklist": "2026-03-11",
    },
    "Source": {
        "checkpoint": "2026-06-08",
        "user_filter_mode": "2026-03-11",
        "user_whitelist": "2026-03-11",
        "user_blacklist": "2026-03-11",
    },
}
"""Keys that answers of older managers lack (PROTOCOL, section 18)."""

OLD_REFUSALS = {400, 413, 415, 422}
"""In plain text, where today's manager reads no body or takes one of any size."""


@frozen
class Exchange:
    """One request and its answer.

    Attributes:
        side: whose document describes it: ``manager`` or ``connector``.
        method: in capital letters.
        path: percent-encoded, without the query.
        request_type: content type of the request, without parameters.
        request: its body.
        status: of the answer.
        headers: of the answer, names in lower case.
        answer: its body; of a stream of events the beginning.
        boundary: of a multipart request.
    """

    side: str
    method: str
    path: str
    request_type: str
    request: bytes
    status: int
    headers: dict[str, str]
    answer: bytes
    boundary: str = ""

    @property
    def operation(self) -> str:
        """The documented ``operationId``; empty for none."""
        return _operation(self)[0]

    @property
    def answer_type(self) -> str:
        """Content type of the answer, without parameters; empty for none."""
        return self.headers.get("content-type", "").partition(";")[0]

    def __str__(self) -> str:
        return f"{self.side} {self.method} {self.path} -> {self.status}"


def request_problems(exchange: Exchange) -> list[str]:
    """Return what is wrong with a request; empty when it is as documented."""
    name, operation = _operation(exchange)
    if not name:
        return [f"{exchange}: not documented"]
    if "requestBody" not in operation:
        return []
    body = resolved(operation["requestBody"], exchange.side)
    if not exchange.request and not body.get("required"):
        return []
    documented = body["content"].get(exchange.request_type)
    if documented is None:
        return [f"{exchange}: sent as {exchange.request_type or 'nothing'}, which is not documented"]
    value = _form(exchange) if exchange.request_type == MULTIPART else json.loads(exchange.request)
    return _problems(exchange, f"{name} request", documented["schema"], value, None)


def answer_problems(exchange: Exchange, day: str | None = None) -> list[str]:
    """Return what is wrong with an answer.

    Args:
        exchange: the exchange.
        day: of the manager, where it is an older one; its later routes have to be missing, and later keys may be.
    """
    name, operation = _operation(exchange)
    if not name:
        return []  # Said of the request.
    if exchange.side == "manager" and day is not None and operation["x-since"]["date"] >= day:
        missing = exchange.status == 404 and not exchange.answer and not exchange.answer_type
        return [] if missing else [f"{exchange}: a manager of {day} has no such route"]
    responses = operation["responses"]
    old_refusal = day is not None and exchange.status in OLD_REFUSALS and exchange.answer_type == TEXT
    if old_refusal and str(exchange.status) not in responses:
        return []
    documented = responses.get(str(exchange.status), responses.get("default"))
    if documented is None:
        return [f"{exchange}: the status is not documented"]
    return _answer_problems(exchange, f"{name} answer {exchange.status}", documented, day)


def _answer_problems(exchange: Exchange, what: str, documented: dict[str, Any], day: str | None) -> list[str]:
    documented = resolved(documented, exchange.side)
    problems = [
        f"{exchange}: the header {header} is missing"
        for header in documented.get("headers", {})
        if header.lower() not in exchange.headers
    ]
    content = documented.get("content", {})
    if not content:
        return problems + ([f"{exchange}: a body is not documented"] if exchange.answer else [])
    found = content.get(exchange.answer_type) or content.get("*/*")
    if found is None:
        return [*problems, f"{exchange}: {exchange.answer_type or 'no content type'} is not documented"]
    for value in _values(exchange):
        problems += _problems(exchange, what, found["schema"], value, day)
    return problems


def properties_sent(exchange: Exchange) -> set[str]:
    """Return the keys of a JSON request, with those inside it as dotted paths; lists count as their elements."""
    if exchange.request_type == MULTIPART:
        return set(_form(exchange))
    if exchange.request_type != JSON or not exchange.request:
        return set()
    return set(_paths(json.loads(exchange.request)))


def all_operations(side: str) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Return method, path and description of every operation of a document, by ``operationId``."""
    return {
        operation["operationId"]: (method.upper(), path, operation)
        for path, operations in document(side)["paths"].items()
        for method, operation in operations.items()
        if method in METHODS
    }


def is_later_than(operation: str, day: str) -> bool:
    """Say whether a manager of ``day`` lacks the operation."""
    since = all_operations("manager")[operation][2]["x-since"]["date"]
    return date.fromisoformat(since) >= date.fromisoformat(day)


def _operation(exchange: Exchange) -> tuple[str, dict[str, Any]]:
    for pattern, method, name, operation in _patterns(exchange.side):
        if method == exchange.method and pattern.fullmatch(exchange.path):
            return name, operation
    return "", {}


@functools.cache
def _patterns(side: str) -> list[tuple[re.Pattern[str], str, str, dict[str, Any]]]:
    """Return the paths, those without parameters first: ``/sdk/sync/create`` is no run."""
    found = all_operations(side).items()
    ordered = sorted(found, key=lambda one: one[1][1].count("{"))
    return [
        (re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))), method, name, operation)
        for name, (method, path, operation) in ordered
    ]


def _problems(
    exchange: Exchange, what: str, schema: dict[str, Any], value: Any, day: str | None
) -> list[str]:
    validator = _validator(exchange.side, json.dumps(schema, sort_keys=True), day)
    return [
        f"{exchange}: {what}: {'/'.join(map(str, error.instance_path)) or 'body'}: {error.message[:300]}"
        for error in validator.iter_errors(value)
    ]


@functools.cache
def _validator(side: str, schema: str, day: str | None) -> jsonschema_rs.Draft202012Validator:
    components = json.loads(json.dumps(document(side)["components"]))
    for name, keys in LATER_KEYS.items() if day is not None else ():
        if name in components["schemas"]:
            required = components["schemas"][name]["required"]
            components["schemas"][name]["required"] = [
                key for key in required if keys.get(key, "0") < str(day)
            ]
    whole = {**json.loads(schema), "components": components}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def _values(exchange: Exchange) -> list[Any]:
    """Return what an answer holds: one value, or one for each event of a stream."""
    if exchange.answer_type == EVENTS:
        lines = exchange.answer.decode().splitlines()
        return [json.loads(line[5:]) for line in lines if line.startswith("data:")]
    if exchange.answer_type == JSON:
        return [json.loads(exchange.answer)]
    return [exchange.answer.decode("latin-1")]


def _form(exchange: Exchange) -> dict[str, str]:
    head = f"Content-Type: {MULTIPART}; boundary={exchange.boundary}\r\n\r\n".encode()
    parts = message_from_bytes(head + exchange.request, policy=HTTP).iter_parts()
    return {
        part.get_param("name", header="content-disposition"): part.get_payload(decode=True).decode("latin-1")
        for part in parts
    }


def _paths(value: Any, prefix: str = "") -> list[str]:
    if isinstance(value, list):
        return [path for item in value for path in _paths(item, prefix)]
    if not isinstance(value, dict):
        return []
    found = []
    for key, item in value.items():
        path = f"{prefix}.{key}" if prefix else key
        found += [path, *_paths(item, path)]
    return found
