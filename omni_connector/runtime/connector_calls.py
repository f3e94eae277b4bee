"""What the manager asks of a connector outside of its runs: actions, resources and prompts of its MCP server, skills."""

from functools import partial
from typing import Any

from omni_connector.exceptions import McpDisabledError
from omni_connector.inventory.storage import InventoryStorage
from omni_connector.models import (
    ActionRequest,
    CredentialReadyRequest,
    PromptRequest,
    ResourceRequest,
    SkillRequest,
    SkillResponse,
)
from omni_connector.models.json_values import JsonValue
from omni_connector.runtime.actions import run_action
from omni_connector.runtime.manifest import Announcement
from omni_connector.runtime.mirror import Mirror
from omni_connector.runtime.requests import ActionThreads, SlowRequests
from omni_connector.runtime.skills import load_skill


class ConnectorCalls:
    """Answers requests that may take long. ``close`` it. Its methods raise ConnectorBusyError when too many are in progress.

    Args:
        announcement: makes the manifest, and knows how the connector is called.
        mirror: its MCP server, or None.
        slow_requests: how many may be in progress.
        action_seconds: how long an action may take.

    Attributes:
        inventories: where deletions are approved, or None.
    """

    def __init__(
        self,
        announcement: Announcement,
        mirror: Mirror | None,
        slow_requests: SlowRequests,
        action_seconds: float,
    ) -> None:
        self._announcement = announcement
        self._hooks = announcement.hooks
        self.mirror = mirror
        self.slow_requests = slow_requests
        self.action_seconds = action_seconds
        self.inventories: InventoryStorage | None = None
        self._actions = ActionThreads(self._hooks.connector.name)

    def execute_action(self, request: ActionRequest) -> Any:
        """Run an action; return what ``runtime.actions.run_action`` does."""
        mcp = None if self.mirror is None else self.mirror.bridge
        call = partial(run_action, self._hooks, request, mcp=mcp, inventories=self.inventories)
        return self._actions.run(request.action, call, self.slow_requests, self.action_seconds)

    def read_resource(self, request: ResourceRequest) -> dict[str, JsonValue]:
        """Read a resource of the connector's MCP server.

        Raises:
            McpDisabledError: it has none.
            McpError: the server does not know it, or failed.
        """
        with self.slow_requests:
            return self._mirrored().bridge.read_resource(request.uri, request.credentials)

    def get_prompt(self, request: PromptRequest) -> dict[str, JsonValue]:
        """Fetch a prompt of that server; its arguments may be wrong as well."""
        with self.slow_requests:
            return self._mirrored().bridge.get_prompt(request.name, request.arguments, request.credentials)

    def load_skill(self, request: SkillRequest) -> SkillResponse:
        """Return a skill; see ``runtime.skills.load_skill``."""
        with self.slow_requests:
            definitions = self._announcement.manifest().get("skills") or ()
            return load_skill(self._hooks, request, definitions=definitions, prompts=self.mirror)

    def credential_ready(self, request: CredentialReadyRequest) -> dict[str, JsonValue] | None:
        """Return the manifest if it has changed by a new account; see ``Announcement.credential_ready``."""
        with self.slow_requests:
            return self._announcement.credential_ready(request)

    def close(self) -> None:
        """Stop waiting for actions."""
        self._actions.close()

    def _mirrored(self) -> Mirror:
        if self.mirror is None:
            raise McpDisabledError
        return self.mirror
