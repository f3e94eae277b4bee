"""What a mirrored MCP server offers, shared by all processes of a connector."""

import hashlib
import logging
import time

from omni_connector.exceptions import MalformedRequestError, RunStoreError
from omni_connector.mcp.cache import CatalogueCache
from omni_connector.mcp.catalogue import McpCatalogue
from omni_connector.models.codec import decode, encode, structure, unstructure
from omni_connector.models.mcp_servers import McpServer
from omni_connector.runstore.keeper import LeaseKeeper
from omni_connector.runstore.store import VERSION, RunStore

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
"""How often it is looked whether another process has a newer one; the catalogue is needed for each manifest and action."""


class SharedCatalogue:
    """Keeps a catalogue in the run store, and in a file as well where there is one.

    Args:
        keeper: knows whether it can be used.
        server: the catalogue of another one is not used.
        ttl_seconds: how long a catalogue may be used.
        file: for a start while the store has none.
    """

    def __init__(
        self,
        store: RunStore,
        keeper: LeaseKeeper,
        server: McpServer,
        *,
        ttl_seconds: float,
        file: CatalogueCache | None,
    ) -> None:
        self._store = store
        self._keeper = keeper
        self._ttl_seconds = ttl_seconds
        self._file = file
        digest = hashlib.sha256(encode(server.identity)).hexdigest()
        self._name, self._stamp_name = f"catalogue/{digest}", f"catalogue-stamp/{digest}"
        self._seen = b""  # The stamp of what was read or written last.
        self._looked = float("-inf")

    def load(self) -> McpCatalogue | None:
        """Return a catalogue that was not read or written before by this object; None when there is none."""
        kept = self._file.load() if self._file is not None else None
        if self._keeper.is_away or time.monotonic() - self._looked < LOOK_SECONDS:
            return kept
        self._looked = time.monotonic()
        try:
            return self._newer() or kept
        except RunStoreError:
            return kept
        except (ValueError, KeyError, MalformedRequestError) as error:
            log.warning("The MCP catalogue in the run store is not used: %s", error)
            return kept

    def save(self, catalogue: McpCatalogue) -> None:
        """Keep a catalogue."""
        if self._file is not None:
            self._file.save(catalogue)
        body = encode({"v": VERSION, "catalogue": unstructure(catalogue)})
        stamp = hashlib.sha256(body).digest()
        try:
            self._store.put(self._name, body, self._ttl_seconds)
            self._store.put(self._stamp_name, stamp, self._ttl_seconds)  # After what it stands for.
        except RunStoreError as error:
            log.info("The MCP catalogue is not shared now: %s", error)
        self._seen = stamp

    def _newer(self) -> McpCatalogue | None:
        stamp = self._store.get(self._stamp_name)
        if stamp is None or stamp == self._seen:
            return None
        body = self._store.get(self._name)
        self._seen = stamp
        return None if body is None else structure(McpCatalogue, decode(body)["catalogue"])
