"""Exceptions become statuses here, and only here."""

import functools
import logging
from collections.abc import Callable
from http import HTTPStatus

from flask import Blueprint, Flask, Response, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from omni_connector.exceptions import (
    ConnectorBusyError,
    ConnectorError,
    HookFailedError,
    MalformedRequestError,
    McpDisabledError,
    McpError,
    RunStoreError,
    SyncConflictError,
    SyncStartError,
    UnknownSkillError,
)
from omni_connector.masking import mask
from omni_connector.runtime.hooks import ENDS_A_PROCESS, reason_of
from omni_connector.web.responses import error_response, json_response

log = logging.getLogger(__name__)

View = Callable[..., ResponseReturnValue]


def register_error_handlers(owner: Blueprint | Flask) -> None:
    """Answer errors of the endpoints of ``owner`` as JSON; on a blueprint the hosting application is left alone."""
    for refusal in (MalformedRequestError, SyncConflictError, SyncStartError, HookFailedError):
        owner.register_error_handler(refusal, _refused)
    # A run of which nothing can be said now: the manager passes over a 404 (PROTOCOL, section 7).
    for lack in (UnknownSkillError, McpDisabledError, RunStoreError):
        owner.register_error_handler(lack, _not_found)
    owner.register_error_handler(ConnectorBusyError, _busy)
    owner.register_error_handler(McpError, _mcp_failed)
    owner.register_error_handler(HTTPException, _http)
    owner.register_error_handler(Exception, _unexpected)


def surviving(view: View) -> View:
    """Return a view in which an exception that would end the process is an error of that request."""

    @functools.wraps(view)
    def answer(**arguments: str) -> ResponseReturnValue:
        try:
            return view(**arguments)
        except ENDS_A_PROCESS as error:
            log.error("%s %s failed", request.method, request.path, exc_info=error)  # noqa: TRY400 - with its traceback.
            return error_response(
                f"The connector failed: {reason_of(error)}", status=HTTPStatus.INTERNAL_SERVER_ERROR
            )

    return answer


def _refused(
    error: MalformedRequestError | SyncConflictError | SyncStartError | HookFailedError,
) -> Response:
    """No traceback: a failed hook's is in the log already, without the secrets that it could show here."""
    return error_response(str(error), status=error.status, field=getattr(error, "field", None))


def _busy(error: ConnectorBusyError) -> Response:
    log.warning("%s %s is refused: %s", request.method, request.path, error)
    response = error_response(str(error), status=error.status)
    response.headers["Retry-After"] = str(error.retry_after)
    return response


def _not_found(error: UnknownSkillError | McpDisabledError | RunStoreError) -> Response:
    return json_response({"error": mask(str(error))}, HTTPStatus.NOT_FOUND)


def _mcp_failed(error: McpError) -> Response:
    """The MCP server failed, not the connector: one line in the log, without a traceback, which could show secrets."""
    log.warning("%s %s failed: %s", request.method, request.path, error)
    return json_response({"error": mask(str(error))}, HTTPStatus.INTERNAL_SERVER_ERROR)


def _http(error: HTTPException) -> Response:
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    field = "body" if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE else None
    response = error_response(f"{error.name}: {request.method} {request.path}", status=status, field=field)
    for name, value in error.get_headers():
        if name.lower() == "allow":
            response.headers[name] = value
    return response


def _unexpected(error: Exception) -> Response:
    """The request ends here: the log gets the traceback, the caller one sentence."""
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    known = isinstance(error, ConnectorError)
    return error_response(
        str(error) if known else f"Internal error ({type(error).__name__}); see the log",
        status=HTTPStatus.INTERNAL_SERVER_ERROR,
    )
