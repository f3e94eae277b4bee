"""The registered manifests, each for its lifetime (PROTOCOL, section 2).

They are kept in memory only: a data directory that is opened again must not dispatch to the
address at which a connector of an earlier process was listening. Connectors register every 30 s anyway.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from omni_connector.local.clock import Clock
from omni_connector.local.errors import LocalManagerError
from omni_connector.local.manager_dates import Since
from omni_connector.local.manifest_shapes import MANIFEST, check_action_schemas
from omni_connector.local.settings import LocalSettings
from omni_connector.local.timestamps import to_microseconds

Manifest = dict[str, Any]


OLD_MODES = ("full", "incremental")


def _of_address(source_type: str, url: str) -> Manifest:
    manifest: Manifest = MANIFEST(
        {
            "name": source_type,
            "display_name": source_type,
            "version": "",
            "sync_modes": list(OLD_MODES),
            "connector_id": source_type,
            "connector_url": url,
            "source_types": [source_type],
        },
        "",
    )
    return manifest


class Registry:
    """Manifests by connector id, in the order of their first registration."""

    def __init__(self, clock: Clock, settings: LocalSettings) -> None:
        self._clock = clock
        self._lifetime = int(settings.lifetime_seconds * 1_000_000)
        self._registers = settings.has(Since.REGISTRATION)
        # Protects _entries; notified after each registration.
        self._changed = threading.Condition(threading.RLock())
        self._entries: dict[str, tuple[Manifest, int]] = {}
        self._addresses: dict[str, str] = {}
        self._closed = False

    def put(self, manifest: Manifest) -> None:
        """Store a manifest in place of a former one of the same connector id."""
        expires_at = to_microseconds(self._clock.now()) + self._lifetime
        with self._changed:
            self._entries[manifest["connector_id"]] = (manifest, expires_at)
            self._changed.notify_all()

    def configure(self, source_type: str, url: str) -> None:
        """Name the connector of a source type by its address, as managers without registration need it."""
        with self._changed:
            self._addresses[source_type] = url.rstrip("/")
            self._changed.notify_all()

    def all(self) -> list[Manifest]:
        """Return the manifests that have not expired; without registration one for each address that is configured.

        Those say no more than what such a manager knows by itself; ``catalogue`` asks the connectors for the rest.
        """
        if not self._registers:
            with self._changed:
                return [_of_address(source_type, url) for source_type, url in self._addresses.items()]
        now = to_microseconds(self._clock.now())
        with self._changed:
            self._entries = {key: entry for key, entry in self._entries.items() if entry[1] > now}
            return [manifest for manifest, _ in self._entries.values()]

    def find(self, source_type: str) -> Manifest | None:
        """Return the first manifest that lists the type, or None."""
        return next((manifest for manifest in self.all() if source_type in manifest["source_types"]), None)

    def wait_for(self, source_type: str, timeout_seconds: float) -> Manifest:
        """Return the manifest for a type as soon as there is one.

        Raises ``TimeoutError`` when none registers in time, ``LocalManagerError`` when the manager closes.
        """
        deadline = time.monotonic() + timeout_seconds
        with self._changed:
            while True:
                if self._closed:
                    raise LocalManagerError(500, "the manager was closed")
                manifest = self.find(source_type)
                if manifest is not None:
                    return manifest
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise TimeoutError(
                        f"no connector for source type {source_type!r} registered within {timeout_seconds:g} s"
                    )
                self._changed.wait(remaining)

    def close(self) -> None:
        """Wake all waiting threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def check_manifest(manifest: Manifest, *, schemas: bool = True) -> None:
    """Raise ``LocalManagerError`` (400) for the first thing about a manifest that the manager refuses."""
    for key in ("connector_id", "connector_url"):
        if not manifest[key]:
            raise LocalManagerError(400, f"{key} is required for registration")
    if schemas:
        check_action_schemas(manifest)
