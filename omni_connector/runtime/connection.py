"""Asks a connector whether its source can be reached: the hook ``check_connection``, for the command line and as an action."""

import logging
from typing import Any

from omni_connector.connector_base import ConnectorBase
from omni_connector.connector_base.declared_manifest import CHECK_CONNECTION
from omni_connector.exceptions import ConfigurationError
from omni_connector.masking import mask, owning, secrets_in, secrets_in_settings
from omni_connector.models import ActionRequest, ActionResponse
from omni_connector.models.json_values import JsonValue
from omni_connector.models.records import secrets_and_row
from omni_connector.runtime.failure_text import failure_text
from omni_connector.runtime.hooks import ENDS_A_PROCESS, HookCaller, reason_of

log = logging.getLogger(__name__)


def offers_connection_check(connector: ConnectorBase) -> bool:
    """Say whether a connector overrides the hook, and declares no action of the same name by hand."""
    if type(connector).check_connection is ConnectorBase.check_connection:
        return False
    return not any(action.name == CHECK_CONNECTION for action in connector.actions)


def connection_problem(hooks: HookCaller, config: JsonValue, credentials: JsonValue) -> str | None:
    """Return why a connector cannot reach its source, without secrets; None when it can, or has no hook."""
    declared = hooks.connector.declared_types
    masked = hooks.connector.masked_settings
    with owning(secrets_in(credentials) | secrets_in_settings(config, masked)):
        try:
            settings, secrets = declared.made_of(config, credentials)
            given = {"config": settings, "credentials": secrets}
            said = hooks.call(hooks.connector.check_connection, given)
        except ConfigurationError as error:
            return mask(str(error))
        except (Exception, *ENDS_A_PROCESS) as error:  # noqa: BLE001 - what it raises is the answer.
            log.info("check_connection: %s", failure_text(error))
            return reason_of(error)
        if said is False:
            return "check_connection returned False: return a text that says what is wrong"
        return mask(said) if isinstance(said, str) and said else None


def run_connection_check(hooks: HookCaller, request: ActionRequest) -> ActionResponse:
    """Answer the action: with the settings of the source, or with those of the request before there is a source."""
    secrets, row = secrets_and_row(request.credentials)
    problem = connection_problem(hooks, settings_of(request, row), secrets)
    return ActionResponse.success({"connected": True}) if problem is None else ActionResponse.failure(problem)


def settings_of(request: ActionRequest, row: Any) -> JsonValue:
    """Return the settings that an action is about: its source's, or what a setup dialog has sent (PROTOCOL, section 16)."""
    if isinstance(request.source, dict):
        return request.source.get("config") or {}
    sent = row.get("config") if isinstance(row, dict) else None
    return sent if isinstance(sent, dict) else request.params or {}
