"""Runs actions that methods declare, and makes answers of what they return."""

from typing import Any

from omni_connector.actions import DeclaredAction
from omni_connector.connector_base import ConnectorBase
from omni_connector.event_loop import EventLoop
from omni_connector.exceptions import MalformedRequestError
from omni_connector.models import ActionRequest, ActionResponse
from omni_connector.models.action import ERROR, SUCCESS
from omni_connector.models.plain import plain_json
from omni_connector.models.records import ActionCredentials, Credential, secrets_and_row
from omni_connector.runtime.hooks import call_hook

_RESPONSE_KEYS = {"status", "result", "error"}


class UnusableParametersError(Exception):
    """What came does not fit the action's parameters; told apart from errors of the action itself."""


def run_declared(
    connector: ConnectorBase, action: DeclaredAction, request: ActionRequest, loop: EventLoop, *, source: Any
) -> Any:
    """Call the action's method and return its answer: responses as they are, values as the result of a success.

    Args:
        connector: whose action it is.
        action: the action.
        request: what came.
        loop: where async methods run.
        source: the source's row as authors read it, or None before a source exists.

    Raises:
        UnusableParametersError: a parameter is missing or mistyped; the method was not called.
        InvalidValueError: it returned something without a JSON form.
    """
    secrets, row = secrets_and_row(request.credentials)
    special = {
        "credentials": ActionCredentials(secrets, row),
        "credential": row or (Credential(credentials=secrets) if secrets else None),
        "source": source,
        "actor_email": request.actor_email,
    }
    try:
        arguments = action.parameters.arguments({} if request.params is None else request.params, special)
    except MalformedRequestError as error:
        raise UnusableParametersError(str(error)) from error
    return _answer(call_hook(loop, getattr(connector, action.attribute), **arguments))


def _answer(result: Any) -> Any:
    """A dict is a value like others, unless it is an ActionResponse as it is sent."""
    if isinstance(result, ActionResponse) or _is_response(result):
        return result
    value = plain_json(result, path="result")
    if isinstance(value, dict) and value.get("status") in {SUCCESS, ERROR} and set(value) <= _RESPONSE_KEYS:
        return value
    return ActionResponse.success(value)


def _is_response(result: Any) -> bool:
    """Recognise a response of any framework by its shape."""
    return isinstance(getattr(result, "status_code", None), int) and hasattr(result, "headers")
