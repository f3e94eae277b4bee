"""Exceptions become answers here, every answer gets its CORS headers, and routes that an older manager lacks are none."""

from __future__ import annotations

import logging
import sqlite3

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from omni_connector.local.app.access import BodyRefusedError, answer, services
from omni_connector.local.errors import LocalManagerError, StoredTextError

log = logging.getLogger(__name__)

CORS_HEADERS = (
    ("access-control-allow-origin", "*"),
    ("access-control-expose-headers", "*"),
    ("vary", "origin, access-control-request-method, access-control-request-headers"),
)


def install(app: Flask) -> None:
    """Register the handlers on the app."""
    app.before_request(_before)
    app.after_request(_after)
    app.register_error_handler(BodyRefusedError, BodyRefusedError.to_response)
    app.register_error_handler(LocalManagerError, _refused)
    app.register_error_handler(StoredTextError, _failed)
    app.register_error_handler(sqlite3.Error, _failed)
    app.register_error_handler(NotFound, lambda _: _empty(404))
    app.register_error_handler(MethodNotAllowed, _method_not_allowed)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _failed)


def _before() -> Response | None:
    """Answer preflights, hide the routes of later days, and refuse path segments that are not UTF-8."""
    if request.method == "OPTIONS":
        response = Response(status=200)
        response.headers["access-control-allow-methods"] = "*"
        response.headers["access-control-allow-headers"] = "*"
        return response
    if request.url_rule is not None and not services().settings.revision.has_route(request.url_rule.rule):
        return _empty(404)
    if request.view_args:
        try:
            request.environ["PATH_INFO"].encode("latin-1").decode()
        except UnicodeDecodeError:
            return BodyRefusedError(400, "Invalid URL: Invalid UTF-8 in a path segment").to_response()
    return None


def _after(response: Response) -> Response:
    for name, value in CORS_HEADERS:
        response.headers.setdefault(name, value)
    return response


def _refused(error: LocalManagerError) -> Response:
    response = answer({"error": error.message, **error.details}, error.status)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _failed(error: Exception) -> Response:
    if not isinstance(error, StoredTextError):
        log.error("%s %s failed", request.method, request.path, exc_info=error)
    return answer({"error": str(error)}, 500)


def _http_error(error: HTTPException) -> Response:
    """Translate what Werkzeug raises by itself, a broken request body for example."""
    return answer({"error": error.description or error.name}, error.code or 500)


def _method_not_allowed(error: MethodNotAllowed) -> Response:
    response = _empty(405)
    response.headers["Allow"] = ",".join(sorted(error.valid_methods or ()))
    return response


def _empty(status: int) -> Response:
    response = Response(status=status)
    del response.headers["Content-Type"]
    return response
