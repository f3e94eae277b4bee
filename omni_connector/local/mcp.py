"""Calls that are forwarded to a connector's MCP bridge: resources, prompts, skills, new credentials."""

from __future__ import annotations

import logging
from typing import Any

from omni_connector.local.connectors import ConnectorAnswerError, ConnectorUnreachableError
from omni_connector.local.errors import LocalManagerError
from omni_connector.local.groups import Reach
from omni_connector.local.manifest_shapes import MANIFEST
from omni_connector.local.registry import Manifest, check_manifest
from omni_connector.local.rows import CredentialRow, SourceRow
from omni_connector.local.shapes import ShapeError
from omni_connector.local.strict_json import JSON, JsonSyntaxError, parse_json

log = logging.getLogger(__name__)

_RECOVERY_FLOW = "user_read"


class McpBridge:
    """Forwards calls with the right credential in the ``McpCredentials`` form."""

    def __init__(self, reach: Reach) -> None:
        self._sources = reach.tables.sources
        self._credentials = reach.tables.credentials
        self._registry = reach.registry
        self._connectors = reach.connectors

    def read_resource(self, source_id: str, uri: str) -> JSON:
        """Return the connector's answer to ``/resource``; raises ``LocalManagerError``."""
        return self._forward(source_id, "/resource", {"uri": uri})

    def get_prompt(self, source_id: str, name: str, arguments: JSON) -> JSON:
        """Return the connector's answer to ``/prompt``; raises ``LocalManagerError``."""
        return self._forward(source_id, "/prompt", {"name": name, "arguments": arguments})

    def get_skill(self, skill_id: str, source_id: str | None, arguments: JSON) -> JSON:
        """Return a skill's text, from the manifest or the connector; raises ``LocalManagerError``."""
        skill = self._find_skill(skill_id)
        if skill["content"] is not None:
            return {"skill_id": skill["id"], "title": skill["title"], "content": skill["content"]}
        if not source_id:
            raise LocalManagerError(400, f"source_id is required to load connector skill: {skill_id}")
        return self._forward(source_id, "/skill", {"skill_id": skill_id, "arguments": arguments})

    def announce_credential(self, *, source_id: str, user_id: str | None, provider: str, flow: str) -> JSON:
        """Notify the connector that an OAuth credential was stored; return the result."""
        source = self._sources.get(source_id)
        manifest = self._manifest_for(source)
        credential = self._announced(source, user_id)
        if isinstance(credential, str):
            return {"status": credential}
        body = _announcement(source_id, user_id, provider, flow, credential)
        try:
            answer = self._connectors.post(manifest["connector_url"], "/oauth/credential-ready", body)
        except ConnectorUnreachableError as error:
            log.warning("Announcing a credential of source %s: %s", source.shown, error)
            return {"status": "delivery_failed"}
        if not answer.is_success:
            return {"status": "delivery_failed"}
        return self._take_manifest(answer.body)

    def recover_catalogue(self, manifest: Manifest) -> None:
        """Have a connector load its MCP catalogue at registration, if a user's credential is known.

        The answer is ignored, a manifest in it included (PROTOCOL, section 17).
        """
        oauth = manifest["oauth"]
        provider = oauth.get("provider") if isinstance(oauth, dict) else None
        if not manifest["mcp_enabled"] or manifest["mcp_catalog_loaded"] or not isinstance(provider, str):
            return
        credential = self._credentials.latest_of_provider(provider, manifest["source_types"])
        if credential is None or credential.user_id is None:
            return
        try:
            merged = self._credentials.for_user(self._sources.get(credential.source_id), credential.user_id)
            body = _announcement(
                credential.source_id,
                credential.user_id,
                provider,
                _RECOVERY_FLOW,
                merged.credential or credential,
            )
            self._connectors.post(manifest["connector_url"], "/oauth/credential-ready", body)
        except (ConnectorUnreachableError, LocalManagerError) as error:
            log.warning("Announcing a credential to connector %s: %s", manifest["connector_id"], error)

    def _announced(self, source: SourceRow, user_id: str | None) -> CredentialRow | str:
        """Return the credential to announce, or the status that says why there is none."""
        org = self._credentials.owner(source)
        if user_id is None:
            return self._credentials.fresh_owner(source) if org is not None else "no_credentials"
        own = self._credentials.for_user(source, user_id).credential
        if own is not None:
            return own
        return "no_credentials" if org is None else "missing_credentials"

    def _take_manifest(self, body: bytes) -> JSON:
        """Register the manifest that a connector answered, if that is what it is."""
        try:
            manifest = MANIFEST(parse_json(body), "")
        except (JsonSyntaxError, ShapeError):
            return {"status": "delivered", "catalog_updated": False}
        try:
            check_manifest(manifest)
        except LocalManagerError as error:
            log.warning("Connector %s answered an unusable manifest: %s", manifest["connector_id"], error)
            return {"status": "invalid_manifest"}
        self._registry.put(manifest)
        return {"status": "completed", "catalog_updated": True}

    def _forward(self, source_id: str, path: str, body: dict[str, JSON]) -> JSON:
        source = self._sources.get(source_id)
        manifest = self._manifest_for(source)
        credential = self._credentials.fresh_owner(source)
        try:
            answer = self._connectors.post(
                manifest["connector_url"], path, {**body, "credentials": credential.to_mcp_wire()}
            )
            return answer.checked_json()
        except (ConnectorUnreachableError, ConnectorAnswerError) as error:
            raise LocalManagerError(500, str(error)) from error

    def _manifest_for(self, source: SourceRow) -> Manifest:
        manifest = self._registry.find(source.source_type)
        if manifest is None:
            raise LocalManagerError(404, f'Connector not registered for type: "{source.source_type}"')
        return manifest

    def _find_skill(self, skill_id: str) -> dict[str, Any]:
        for manifest in self._registry.all():
            for skill in manifest["skills"]:
                if skill["id"] == skill_id:
                    return dict(skill)
        raise LocalManagerError(404, f"Skill not found: {skill_id}")


def _announcement(
    source_id: str, user_id: str | None, provider: str, flow: str, credential: CredentialRow
) -> JSON:
    return {
        "source_id": source_id,
        "user_id": user_id,
        "provider": provider,
        "flow": flow,
        "credentials": credential.to_mcp_wire(),
    }
