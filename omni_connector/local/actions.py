"""Executing actions: the checks, the parameters, the credential, the call (PROTOCOL, section 16)."""

from __future__ import annotations

from typing import Any

from omni_connector.local.catalogue import is_read_only
from omni_connector.local.connectors import Answer, ConnectorUnreachableError
from omni_connector.local.errors import LocalManagerError
from omni_connector.local.groups import Reach, Surroundings
from omni_connector.local.manager_dates import Since
from omni_connector.local.older_actions import older_answer, older_request
from omni_connector.local.registry import Manifest
from omni_connector.local.rows import SourceRow, UserRow
from omni_connector.local.store import storable
from omni_connector.local.strict_json import JSON
from omni_connector.local.timestamps import long_timestamp, to_microseconds
from omni_connector.local.vocabulary import SOURCE_TYPES, shown_source_type

Request = dict[str, Any]
Action = dict[str, Any]


class Actions:
    """Executes actions of registered connectors.

    Sources of a type outside the built-in list, which only this manager knows, skip the check of the
    action's ``source_types``: no manifest could name their type there.
    """

    def __init__(self, reach: Reach, surroundings: Surroundings) -> None:
        self._tables = reach.tables
        self._registry = reach.registry
        self._connectors = reach.connectors
        self._clock = surroundings.clock
        self._settings = surroundings.settings

    def execute(self, request: Request) -> Answer:
        """Return the connector's answer; raises ``LocalManagerError`` when it does not come to that."""
        if not self._settings.has(Since.ACTION_SOURCE_TYPES):
            request = {**request, "source_type": None, "transient_credentials": None}
        if request["transient_credentials"] is not None:
            manifest, body = self._transient(request)
        else:
            manifest, body = self._stored(request)
        try:
            answer = self._connectors.post(
                manifest["connector_url"], "/action", older_request(body, self._settings)
            )
        except ConnectorUnreachableError as error:
            raise LocalManagerError(500, str(error)) from error
        return older_answer(answer, self._settings)

    def _stored(self, request: Request) -> tuple[Manifest, Request]:
        """Make the checks for stored credentials, in their order, and the connector's request."""
        if request["source_type"] is not None:
            raise LocalManagerError(400, "source_type is only valid with transient_credentials")
        if not request["source_id"]:
            raise LocalManagerError(400, "source_id is required")
        source = self._tables.sources.get(request["source_id"])
        is_custom = source.source_type not in SOURCE_TYPES
        if is_custom and not self._settings.allow_custom_source_types:
            raise LocalManagerError(500, f"unknown source type: {source.source_type}")
        manifest, action = self._find(source.source_type, request["action"])
        if not is_custom and self._settings.has(Since.ACTION_SOURCE_TYPES):
            _check_type(action, source.source_type)
        if action["mode"] == "write" and (manifest["read_only"] or is_read_only(source)):
            raise LocalManagerError(400, f"Action '{action['name']}' is not allowed: source is read-only")
        resolution = self._tables.credentials.for_action(
            source,
            request["user_id"],
            admin_only=action["admin_only"],
            has_oauth=manifest["oauth"] is not None and self._settings.has(Since.FULL_CREDENTIALS),
        )
        if resolution.credential is None:
            raise _needs_user_auth(source, resolution.provider)
        actor = None if request["user_id"] is None else self._tables.users.get(request["user_id"])
        _check_admin(action, actor)
        return manifest, {
            "action": action["name"],
            "params": self._params(request["params"], source),
            "credentials": resolution.credential.to_wire(),
            "source": source.to_wire(),
            "actor_email": None if actor is None else actor.email,
        }

    def _transient(self, request: Request) -> tuple[Manifest, Request]:
        """Make the checks for transient credentials, in their order, and the connector's request."""
        if request["source_type"] is None:
            raise LocalManagerError(400, "source_type is required when transient_credentials are provided")
        if request["source_id"] is not None:
            raise LocalManagerError(400, "source_id must not be set when transient_credentials are provided")
        manifest, action = self._find(request["source_type"], request["action"])
        _check_type(action, request["source_type"])
        if action["mode"] != "read":
            raise LocalManagerError(400, f"Transient action '{action['name']}' must be read-only")
        if request["user_id"] is None:
            raise LocalManagerError(400, "user_id is required in transient mode")
        actor = self._tables.users.get(request["user_id"])
        _check_admin(action, actor)
        now = long_timestamp(to_microseconds(self._clock.now()))
        return manifest, {
            "action": action["name"],
            "params": {} if request["params"] is None else request["params"],
            "credentials": {
                "id": "transient",
                "source_id": "transient",
                "user_id": actor.id,
                **request["transient_credentials"],
                "expires_at": None,
                "last_validated_at": None,
                "created_at": now,
                "updated_at": now,
            },
            "source": None,
            "actor_email": actor.email,
        }

    def _find(self, source_type: str, name: str) -> tuple[Manifest, Action]:
        manifest = self._registry.find(source_type)
        shown = shown_source_type(source_type)
        if manifest is None:
            raise LocalManagerError(404, f"Connector not registered for type: {shown}")
        for action in manifest["actions"]:
            if action["name"] == name:
                return manifest, action
        if not self._settings.has(Since.REGISTRATION):  # Nothing is known of the connector but its address.
            return manifest, {"name": name, "mode": "read", "source_types": [], "admin_only": False}
        raise LocalManagerError(400, f"Unknown action '{name}' for source type {shown}")

    def _params(self, params: JSON, source: SourceRow) -> JSON:
        """Resolve a document's id into the source's own, and add what the source's config says."""
        if params is None:
            params = {}
        if not self._settings.has(Since.REGISTRATION):
            return params
        if not isinstance(params, dict):
            return params
        resolved = dict(params)
        document_id = params.get("document_id", params.get("file_id"))
        external_id = self._external_id(document_id) if isinstance(document_id, str) else None
        if external_id is not None:
            resolved.pop("document_id", None)
            resolved["file_id"] = external_id
        return source.config | resolved if isinstance(source.config, dict) else resolved

    def _external_id(self, document_id: str) -> str | None:
        with self._tables.store.lookup() as db:
            row = db.execute(
                "SELECT external_id FROM documents WHERE id = ?", (storable(document_id),)
            ).fetchone()
        return None if row is None else str(row["external_id"])


def _check_type(action: Action, source_type: str) -> None:
    if source_type not in action["source_types"]:
        shown = shown_source_type(source_type)
        raise LocalManagerError(400, f"Action '{action['name']}' does not support source type {shown}")


def _check_admin(action: Action, actor: UserRow | None) -> None:
    """Refuse an admin's action to other users; calls of the system itself have no user."""
    if action["admin_only"] and actor is not None and not actor.is_admin:
        raise LocalManagerError(400, f"Action '{action['name']}' requires admin privileges")


def _needs_user_auth(source: SourceRow, provider: str | None) -> LocalManagerError:
    return LocalManagerError(
        412,
        "needs_user_auth",
        details={
            "source_id": source.id,
            "source_type": source.source_type,
            "provider": provider,
            "oauth_start_url": f"/api/oauth/start?source_id={source.id}",
        },
    )
