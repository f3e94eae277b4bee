"""Runs actions: those that methods declare, those that ``execute_action`` knows, and tools of the MCP server."""

import logging
from http import HTTPStatus
from typing import Any

from attrs import evolve

from omni_connector.actions import DeclaredAction, declared_actions
from omni_connector.actions.parameters import CONFIG
from omni_connector.connector_base.declared_manifest import CHECK_CONNECTION
from omni_connector.connector_base.mcp_calls import McpPort
from omni_connector.exceptions import ConfigurationError, MalformedRequestError
from omni_connector.inventory.storage import InventoryStorage
from omni_connector.masking import (
    mask,
    mask_json,
    owning,
    secrets_in,
    secrets_in_settings,
)
from omni_connector.models import ActionRequest, ActionResponse, Source
from omni_connector.models.action import ERROR, SUCCESS
from omni_connector.models.json_values import plain_json
from omni_connector.models.records import ActionCredentials, Credential, secrets_and_row
from omni_connector.runtime.action_answers import from_other_framework, is_response, is_unsupported
from omni_connector.runtime.connection import offers_connection_check, run_connection_check, settings_of
from omni_connector.runtime.failure_text import failure_text
from omni_connector.runtime.hooks import ENDS_A_PROCESS, HookCaller, reason_of
from omni_connector.runtime.inventories import offers_approval, run_approval

log = logging.getLogger(__name__)

_RESPONSE_KEYS = {"status", "result", "error"}


def run_action(
    hooks: HookCaller,
    request: ActionRequest,
    *,
    mcp: McpPort | None = None,
    inventories: InventoryStorage | None = None,
) -> Any:
    """Run the action and return what the connector returned; responses of ASGI frameworks become RawResponse.

    An action that a method declares is run by it, every other by ``execute_action``. Unusable parameters of a declared
    action are answered 400; an action that raises is answered 500 with the error's type and message. Secrets are
    removed from both, and from the error that an action reports itself. An action that ``execute_action`` does not support is
    run by the MCP server if it has such a tool. Deletions are approved in ``inventories``.
    """
    if inventories is not None and offers_approval(hooks.connector, request.action):
        return run_approval(inventories, request.params)
    with owning(_secrets_of(hooks, request)):
        return _run(hooks, request, mcp)


def _secrets_of(hooks: HookCaller, request: ActionRequest) -> frozenset[str]:
    """Return the secrets of the credentials, of the source, and of the parameters, which the source's settings are part of."""
    declared = hooks.connector.masked_settings
    settings = [request.params, request.source]
    return secrets_in(request.credentials).union(*(secrets_in_settings(each, declared) for each in settings))


def _run(hooks: HookCaller, request: ActionRequest, mcp: McpPort | None) -> Any:
    source = Source.model_validate(request.source) if isinstance(request.source, dict) else request.source
    declared = declared_actions(type(hooks.connector)).by_name.get(request.action)
    try:
        arguments = {} if declared is None else _arguments(hooks, declared, request, source)
    except MalformedRequestError as error:
        text = mask(str(error))
        log.info("Action %s was not run: %s", request.action, text)
        return ActionResponse.failure(text)
    try:
        if (
            declared is None
            and request.action == CHECK_CONNECTION
            and offers_connection_check(hooks.connector)
        ):
            return run_connection_check(hooks, request)
        if declared is None:
            result = _execute(hooks, request, source)
        else:
            method = getattr(hooks.connector, declared.attribute)
            result = _as_answer(hooks.value_of(method(**arguments)))
        result = from_other_framework(result, hooks.loop)
        if mcp is None or not is_unsupported(result, request.action):
            return _without_secrets(result)
        if not mcp.offers(request.action, request.credentials):
            return _without_secrets(result)
        return mcp.run_tool(request.action, request.params, request.credentials, request.source)
    except (Exception, *ENDS_A_PROCESS) as error:  # noqa: BLE001 - the request ends here; an exit is not the process's.
        log.error("Action %s failed: %s", request.action, failure_text(error))  # noqa: TRY400 - the traceback is in it, masked.
        return ActionResponse.failure(reason_of(error), status_code=HTTPStatus.INTERNAL_SERVER_ERROR)


def _without_secrets(result: Any) -> Any:
    """Mask the error that an action reports; the rest of its answer is not changed."""
    if isinstance(result, ActionResponse) and result.error:
        return evolve(result, error=mask(result.error))
    if isinstance(result, dict) and result.get("error"):
        return {**result, "error": mask_json(result["error"])}
    return result


def _arguments(
    hooks: HookCaller, action: DeclaredAction, request: ActionRequest, source: Any
) -> dict[str, Any]:
    """Return the arguments for a declared action's method.

    Raises:
        MalformedRequestError: a parameter, or a setting or secret of the source, is missing or mistyped.
    """
    asked_for = action.parameters.special
    types = hooks.connector.declared_types
    secrets, row = secrets_and_row(request.credentials)
    try:
        config, credentials = types.only(
            config=not asked_for.isdisjoint(CONFIG), credentials="credentials" in asked_for
        ).made_of(settings_of(request, row), secrets)
    except ConfigurationError as error:
        raise MalformedRequestError(str(error), field="source") from error
    special = {
        **dict.fromkeys(CONFIG, config),
        "credentials": ActionCredentials(secrets, row) if types.credentials is None else credentials,
        "credential": row or (Credential(credentials=secrets) if secrets else None),
        "source": source,
        "actor_email": request.actor_email,
    }
    return action.parameters.arguments({} if request.params is None else request.params, special)


def _as_answer(result: Any) -> Any:
    """Make an answer of what a declared action returned: responses stay as they are, values are the result of a success.

    A dict is a value like any other, unless it has the form in which an ActionResponse is sent.

    Raises:
        InvalidValueError: a value has no JSON form.
    """
    if isinstance(result, ActionResponse) or is_response(result):
        return result
    value = plain_json(result, path="result")
    if isinstance(value, dict) and value.get("status") in {SUCCESS, ERROR} and set(value) <= _RESPONSE_KEYS:
        return value
    return ActionResponse.success(value)


def _execute(hooks: HookCaller, request: ActionRequest, source: Any) -> Any:
    required = {
        "action": request.action,
        "params": {} if request.params is None else request.params,
        "credentials": {} if request.credentials is None else request.credentials,
    }
    optional = {"source": source, "actor_email": request.actor_email}
    return hooks.call(hooks.connector.execute_action, required, optional)
