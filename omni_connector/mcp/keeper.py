"""Keeps what an MCP server offers: in memory, on disk, and up to date."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from omni_connector.exceptions import McpError
from omni_connector.mcp.access import Access
from omni_connector.mcp.catalogue import McpCatalogue
from omni_connector.models import ActionDefinition

log = logging.getLogger(__name__)

FRESH_SECONDS = 300.0
"""A server that was asked for its lists so recently is not asked again because of another sync."""

OLD_SECONDS = 86400.0
"""After which a server is asked again because of a call; one that is never synced would never be."""

AGAIN_SECONDS = 600.0
"""Between two such attempts, should the first one fail."""


class CatalogueStorage(Protocol):
    """Where a catalogue is kept for the next start, or for other processes."""

    def load(self) -> McpCatalogue | None:
        """Return a catalogue that was not read or written before; None when there is none."""

    def save(self, catalogue: McpCatalogue) -> None:
        """Keep a catalogue."""


class CatalogueKeeper:
    """The catalogue of one server; ``discover`` asks for it, ``on_change`` is called when it has changed."""

    def __init__(
        self,
        connector_name: str,
        discover: Callable[[Access], McpCatalogue],
        *,
        on_change: Callable[[], None],
        cache: CatalogueStorage | None,
    ) -> None:
        self._name = connector_name
        self._discover = discover
        self._on_change = on_change
        self._cache = cache
        self._lock = threading.Lock()  # Protects the five below.
        self._catalogue: McpCatalogue | None = None
        self._asked_at: float | None = None  # On the monotonic clock.
        self._old_from = 0.0  # When a call has the server asked again; a catalogue from disk is old at once.
        self._complaint = ""
        self._closed = False
        self._asking = threading.Lock()  # One discovery at a time.

    @property
    def catalogue(self) -> McpCatalogue | None:
        """What the server offers; None while that is not known.

        Another process of the same connector may have written it to disk in the meantime.
        """
        found = self._cache.load() if self._cache is not None else None
        with self._lock:
            if found is not None:
                self._catalogue = found
            return self._catalogue

    @property
    def is_fresh(self) -> bool:
        """Whether the server was asked for its lists a moment ago."""
        with self._lock:
            return self._asked_at is not None and time.monotonic() - self._asked_at < FRESH_SECONDS

    def tool(self, name: str) -> ActionDefinition | None:
        """Return a tool as an action; None when the server is not known to have it."""
        catalogue = self.catalogue
        return None if catalogue is None else catalogue.tool(name)

    def update(self, access: Access) -> bool:
        """Ask the server what it offers; say whether that has changed. When it fails, what was known is kept."""
        with self._asking:
            found = self._discover(access)
        with self._lock:
            changed = found != self._catalogue
            self._catalogue = found
            self._asked_at = time.monotonic()
            self._old_from = self._asked_at + OLD_SECONDS
            self._complaint = ""
        if self._cache is not None:
            self._cache.save(found)
        if changed:
            log.info("MCP server %s offers %s", access.server.label, found.counted())
            self._on_change()
        return changed

    def try_update(self, access: Access) -> None:
        """As ``update``; a failure is logged."""
        try:
            self.update(access)
        except McpError as error:
            self.complain(error)

    def begin_refresh(self) -> bool:
        """Say whether the catalogue is so old that the server should be asked again; True once, to one caller."""
        now = time.monotonic()
        with self._lock:
            is_old = now >= self._old_from
            if is_old:
                self._old_from = now + AGAIN_SECONDS
        return is_old

    def complain(self, error: McpError) -> None:
        """Log why the catalogue is not known: once, not at every sync again."""
        text = str(error)
        with self._lock:
            level = logging.DEBUG if self._closed or text == self._complaint else logging.WARNING
            self._complaint = text
        log.log(level, "What the MCP server of %s offers is not known: %s", self._name, text)

    def close(self) -> None:
        """Expect failures from now on."""
        with self._lock:
            self._closed = True
