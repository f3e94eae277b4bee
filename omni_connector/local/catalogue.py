"""What registered manifests offer: connectors, actions, resources, prompts, skills."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from omni_connector.local.connectors import ConnectorAnswerError, ConnectorUnreachableError
from omni_connector.local.groups import Reach
from omni_connector.local.manager_dates import Since
from omni_connector.local.manifest_shapes import OLD_ANSWER
from omni_connector.local.registry import Manifest
from omni_connector.local.rows import SourceRow
from omni_connector.local.settings import LocalSettings
from omni_connector.local.shapes import ShapeError
from omni_connector.local.strict_json import JSON

_PARALLEL_HEALTH_CHECKS = 16


class Catalogue:
    """Listings over all manifests."""

    def __init__(self, reach: Reach, settings: LocalSettings) -> None:
        self._settings = settings
        self._sources = reach.tables.sources
        self._registry = reach.registry
        self._connectors = reach.connectors

    def connectors(self) -> list[JSON]:
        """Return ``ConnectorInfo`` per manifest and source type; asks every connector for its health now."""
        manifests = self._manifests()
        with ThreadPoolExecutor(_PARALLEL_HEALTH_CHECKS, "local-manager-health") as pool:
            healthy = list(
                pool.map(self._connectors.is_healthy, [each["connector_url"] for each in manifests])
            )
        return [
            {
                "source_type": source_type,
                "url": manifest["connector_url"],
                "healthy": is_healthy,
                "manifest": manifest,
            }
            for manifest, is_healthy in zip(manifests, healthy, strict=True)
            for source_type in manifest["source_types"]
        ]

    def actions(self, source_id: str | None) -> list[JSON]:
        """Return ``ListedAction`` entries; an unknown ``source_id`` restricts nothing."""
        source = None if source_id is None else self._sources.find(source_id)
        source_is_read_only = source is not None and is_read_only(source)
        return [
            {
                "source_type": source_type,
                "name": action["name"],
                "description": action["description"],
                "input_schema": action["input_schema"],
                "mode": action["mode"],
                "admin_only": action["admin_only"],
            }
            for manifest in self._manifests()
            for source_type in manifest["source_types"]
            for action in manifest["actions"]
            if not action["hidden"]
            and (not action["source_types"] or source_type in action["source_types"])
            and not (action["mode"] == "write" and (manifest["read_only"] or source_is_read_only))
        ]

    def resources(self) -> list[JSON]:
        """Return the MCP resources of manifests with ``mcp_enabled``."""
        return [{"source_type": source_type, **resource} for source_type, resource in self._mcp("resources")]

    def prompts(self) -> list[JSON]:
        """Return the MCP prompts of manifests with ``mcp_enabled``."""
        return [{"source_type": source_type, **prompt} for source_type, prompt in self._mcp("prompts")]

    def skills(self) -> list[JSON]:
        """Return the skills, once per matching source, or once without one where there is none."""
        return [entry for manifest in self._registry.all() for entry in self._skills_of(manifest)]

    def _manifests(self) -> list[Manifest]:
        """Return all manifests; of connectors that are known by their address only, as they answer now."""
        manifests = self._registry.all()
        if self._settings.has(Since.REGISTRATION):
            return manifests
        answered = (self._asked(manifest) for manifest in manifests)
        return [manifest for manifest in answered if manifest is not None]

    def _asked(self, configured: Manifest) -> Manifest | None:
        """Return what the connector says about itself; None when it is not what an older manager decodes."""
        try:
            answer = self._connectors.get(configured["connector_url"], "/manifest").checked_json()
            said = OLD_ANSWER(answer, "")
        except (ConnectorUnreachableError, ConnectorAnswerError, ShapeError):
            return None
        actions = [
            {
                "name": action["name"],
                "description": action["description"],
                "input_schema": action["parameters"],
                "mode": "write",
                "source_types": [],
                "admin_only": False,
                "hidden": False,
            }
            for action in said["actions"]
        ]
        return {**configured, **said, "actions": actions}

    def _mcp(self, key: str) -> Iterator[tuple[str, dict[str, JSON]]]:
        for manifest in self._registry.all():
            if manifest["mcp_enabled"]:
                for source_type in manifest["source_types"]:
                    for item in manifest[key]:
                        yield source_type, item

    def _skills_of(self, manifest: Manifest) -> Iterator[JSON]:
        for skill in manifest["skills"]:
            for source_type in skill["source_types"] or manifest["source_types"]:
                sources = self._sources.all("NOT is_deleted AND source_type = ?", source_type)
                ids: list[str | None] = [source.id for source in sources]
                for source_id in ids or [None]:
                    yield {
                        "connector_id": manifest["connector_id"],
                        "source_type": source_type,
                        "source_id": source_id,
                        "id": skill["id"],
                        "title": skill["title"],
                        "description": skill["description"],
                        "mcp_prompt": skill["mcp_prompt"],
                    }


def is_read_only(source: SourceRow) -> bool:
    """Return whether a source's configuration forbids write actions."""
    return isinstance(source.config, dict) and source.config.get("read_only") is True
