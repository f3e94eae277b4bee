"""The embedded manager: the other side of the wire, for development, demos and tests.

Written from the protocol alone and independent of the rest of the package, so that a mistake in the
SDK cannot hide itself.

The manager and its server are loaded when they are first used: a command that only reads a data directory answers at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from omni_connector.local.clock import Clock, SystemClock
from omni_connector.local.errors import (
    BroadSearchError,
    LocalError,
    LocalManagerError,
    StoredTextError,
    StoreError,
)
from omni_connector.local.indexed_rows import DocumentRow, EventRow, GroupRow, PersonRow
from omni_connector.local.manager_dates import ManagerDate, Since
from omni_connector.local.reader import StoreReader, open_store
from omni_connector.local.rows import CredentialRow, SourceRow, SyncRunRow, UserRow
from omni_connector.local.search import SearchHit
from omni_connector.local.settings import LocalSettings
from omni_connector.local.store import running_manager

if TYPE_CHECKING:
    from omni_connector.local.http_server import HttpServer
    from omni_connector.local.manager import LocalManager

_LATE = {"HttpServer": "http_server", "LocalManager": "manager"}

__all__ = [
    "BroadSearchError",
    "Clock",
    "CredentialRow",
    "DocumentRow",
    "EventRow",
    "GroupRow",
    "HttpServer",
    "LocalError",
    "LocalManager",
    "LocalManagerError",
    "LocalSettings",
    "ManagerDate",
    "PersonRow",
    "SearchHit",
    "Since",
    "SourceRow",
    "StoreError",
    "StoreReader",
    "StoredTextError",
    "SyncRunRow",
    "SystemClock",
    "UserRow",
    "open_store",
    "running_manager",
]


def __getattr__(name: str) -> Any:
    """Load one of the late names."""
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
    globals()[name] = value  # Asked for once.
    return value
