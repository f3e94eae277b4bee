"""Passes on that an account was connected: to the connector, and to the manager what changed (PROTOCOL, section 17)."""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve

from omni_connector.connector_base import ConnectorBase
from omni_connector.event_loop import EventLoop
from omni_connector.exceptions import ConfigurationError
from omni_connector.models import ConnectorManifest, CredentialReadyRequest
from omni_connector.models.json_values import JsonValue
from omni_connector.models.manifest_rules import manifest_problems
from omni_connector.runtime.guarding import guarded
from omni_connector.runtime.hooks import call_fitted

Wire = dict[str, JsonValue]


def credential_ready(
    connector: ConnectorBase,
    request: CredentialReadyRequest,
    loop: EventLoop,
    *,
    manifest: Callable[[], Wire],
    refresh: Callable[[], None] = lambda: None,
) -> Wire | None:
    """Call ``on_credential_ready`` and return the manifest, as it is sent, if it has changed; else None.

    It has changed when it differs from before, and when the hook says so: by True, or by returning one.

    Args:
        connector: the connector.
        request: what happened.
        loop: where async hooks run.
        manifest: makes the manifest as it is now.
        refresh: called after the hook; brings up to date what else depends on the account.

    Raises:
        HookFailedError: the hook failed.
        ConfigurationError: a manager would refuse what the manifest has become.
    """
    before = manifest()
    said = _call_hook(connector, request, loop)
    refresh()
    after = _wire(said)
    if after is None:
        after = manifest()
        if said is not True and after == before:
            return None
    elif not after.get("connector_url"):
        after = {**after, "connector_url": before.get("connector_url")}
    problems = manifest_problems(after)
    if problems:
        raise ConfigurationError(
            [f"{connector.name} cannot be announced any more: {problem}" for problem in problems]
        )
    return after


def _call_hook(connector: ConnectorBase, request: CredentialReadyRequest, loop: EventLoop) -> Any:
    request = evolve(request, credentials={} if request.credentials is None else request.credentials)
    given = {
        "source_id": request.source_id,
        "user_id": request.user_id,
        "provider": request.provider,
        "flow": request.flow,
        "credentials": request.credentials,
    }
    with guarded("on_credential_ready", request.credentials):
        return call_fitted(loop, connector.on_credential_ready, given, {"request": request})


def _wire(said: Any) -> Wire | None:
    if isinstance(said, ConnectorManifest):
        return said.to_wire()
    return dict(said) if isinstance(said, Mapping) else None
