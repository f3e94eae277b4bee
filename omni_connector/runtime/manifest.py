"""What a connector announces, and what becomes of it when an account is connected (PROTOCOL, section 17)."""

import logging
from collections.abc import Mapping
from typing import Any, cast

from attrs import define, evolve

from omni_connector.exceptions import ConfigurationError, InvalidValueError
from omni_connector.models import ConnectorManifest, CredentialReadyRequest
from omni_connector.models.json_values import JsonValue
from omni_connector.models.manifest_rules import manifest_problems, undispatchable_actions
from omni_connector.runtime.hooks import HookCaller, guarded
from omni_connector.runtime.mirror import Mirror

log = logging.getLogger(__name__)

Wire = dict[str, JsonValue]

BOOTSTRAP_SECONDS = 20.0
"""How long the answer to ``/oauth/credential-ready`` waits for an MCP server's lists; the manager gives it 30."""


@define
class Announcement:
    """Makes a connector's manifest each time it is asked for.

    Attributes:
        hooks: the connector, and how it is called.
        mirror: its MCP server, whose tools are announced as well; or None.
        url: where the manager reaches the connector; empty when unknown.
    """

    hooks: HookCaller
    mirror: Mirror | None
    url: str = ""

    def manifest(self) -> Wire:
        """Return the manifest as it is sent."""
        return self._with_server(self._own())

    def checked(self) -> Wire:
        """As ``manifest``, of one that the manager does not refuse.

        Raises:
            ConfigurationError: lists everything that would make it refuse.
        """
        try:
            wire = self._own()
            problems = manifest_problems(wire)
        except InvalidValueError as error:
            wire, problems = {}, [str(error)]
        self._require_none(problems, "cannot be announced")
        return self._with_server(wire)

    def warn_of_undispatchable(self, manifest: Wire) -> None:
        """Say which actions no real manager can run: it wants the source's type in the action's own list."""
        names = undispatchable_actions(manifest)
        if names:
            types = manifest.get("source_types")
            log.warning(
                "%s: no manager of Omni can run %s: it runs an action for the source types that the action lists, which are "
                "built-in types only, and neither the action nor the connector (source_types: %s) has one. "
                'Give the connector one of them, such as source_types = ["web"].',
                self.hooks.connector.name,
                ", ".join(names),
                ", ".join(map(str, types)) if isinstance(types, list) and types else "none",
            )

    def credential_ready(self, request: CredentialReadyRequest) -> Wire | None:
        """Call ``on_credential_ready`` and return the manifest if it has changed; else None.

        It has changed when it differs from before, and when the hook says so: by True, or by returning one.

        Raises:
            HookFailedError: the hook failed.
            ConfigurationError: a manager would refuse what the manifest has become.
        """
        before = self.manifest()
        said = self._call_credential_ready(request)
        if self.mirror is not None:
            self.mirror.bootstrap_within(BOOTSTRAP_SECONDS, request.credentials)
        if isinstance(said, ConnectorManifest):
            said = said.to_wire()
        if isinstance(said, Mapping):
            url = said.get("connector_url") or before.get("connector_url")
            after = self._with_server({**said, "connector_url": url})
        else:
            after = self.manifest()
            if said is not True and after == before:
                return None
        self._require_none(manifest_problems(after), "cannot be announced any more")
        return after

    def _own(self) -> Wire:
        connector = self.hooks.connector
        manifest: Any = self.hooks.call(connector.get_manifest, {"connector_url": self.url})
        if not isinstance(manifest, ConnectorManifest):
            return cast("Wire", manifest)  # What is no dict either is refused at start.
        if manifest.oauth is None:  # An async hook cannot be asked where the manifest is made.
            manifest.oauth = self.hooks.value_of(connector.oauth_config())
        return manifest.to_wire()

    def _with_server(self, wire: Wire) -> Wire:
        return wire if self.mirror is None else self.mirror.add_to_manifest(wire)

    def _require_none(self, problems: list[str], what: str) -> None:
        if problems:
            name = self.hooks.connector.name
            raise ConfigurationError([f"{name} {what}: {problem}" for problem in problems])

    def _call_credential_ready(self, request: CredentialReadyRequest) -> Any:
        request = evolve(request, credentials={} if request.credentials is None else request.credentials)
        required = {
            "source_id": request.source_id,
            "user_id": request.user_id,
            "provider": request.provider,
            "flow": request.flow,
            "credentials": request.credentials,
        }
        with guarded("on_credential_ready", request.credentials):
            hook = self.hooks.connector.on_credential_ready
            return self.hooks.call(hook, required, {"request": request})
