"""Opens the place of inventories that a setting names, or chooses one."""

import os
from functools import partial
from pathlib import Path
from urllib.parse import quote

from omni_connector.inventory.memory import MemoryInventories
from omni_connector.inventory.storage import InventoryStorage
from omni_connector.runstore.inventory_redis import RedisInventories
from omni_connector.runstore.inventory_sqlite import SqliteInventories
from omni_connector.runstore.opening import folder_of_workers, sqlite_path, usable

FILE_NAME = "inventory.sqlite3"

_REMEDY = "Set OMNI_INVENTORY to sqlite:///a/folder/that/stays/inventory.sqlite3, or to redis://... for several machines."
_NOT_LASTING = "What is kept there is lost with the {}: then everything is sent again, and what was deleted meanwhile is not found. "


def open_inventories(url: str, connector_name: str) -> InventoryStorage:
    """Return the inventories at ``url``: as for a run store. Nothing is connected yet.

    Raises:
        ConfigurationError: it can never work: a folder is missing, or the extra ``[redis]``.
    """
    if url == "memory":
        return _in_memory()
    if url.startswith("sqlite:"):
        path = usable(sqlite_path(url), "OMNI_INVENTORY", _REMEDY)
        return SqliteInventories(path.absolute, connector_name)
    return RedisInventories(url, connector_name)


def open_inventories_of_workers(connector_name: str, address: str) -> InventoryStorage:
    """Return inventories in the folder for temporary files, which is made when it is first used."""
    if not hasattr(os, "geteuid"):
        return _in_memory()
    remark = _NOT_LASTING.format("folder for temporary files") + _REMEDY
    return SqliteInventories(
        partial(_file_of_workers, connector_name, address), connector_name, remark=remark
    )


def beside(run_store: str | None) -> str | None:
    """Return the place of the inventories of a server with this run store; None where that one does not last."""
    if run_store is None or run_store == "memory":
        return None
    if not run_store.startswith("sqlite:"):
        return run_store
    path = sqlite_path(run_store)
    file = path.with_name(f"{path.stem}-inventory.sqlite3")
    return f"sqlite:///{quote(file.as_posix().lstrip('/'))}"


def _in_memory() -> InventoryStorage:
    return MemoryInventories(_NOT_LASTING.format("process") + _REMEDY)


def _file_of_workers(connector_name: str, address: str) -> Path:
    return folder_of_workers(connector_name, address) / FILE_NAME
