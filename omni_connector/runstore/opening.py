"""Opens the store that a setting names, and finds a place for the workers of one server."""

import hashlib
import os
import re
import stat
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

from omni_connector.exceptions import ConfigurationError
from omni_connector.private_files import OWNER_ONLY
from omni_connector.runstore.memory import MemoryStore
from omni_connector.runstore.redis_store import RedisStore
from omni_connector.runstore.sqlite import SqliteStore
from omni_connector.runstore.store import RunStore

FILE_NAME = "runs.sqlite3"

_REMEDY = "Set OMNI_RUN_STORE to sqlite:///a/folder/of/your/own/runs.sqlite3, redis://..., or, for a single process, memory"


def open_store(url: str, connector_name: str) -> RunStore:
    """Return the store at ``url``: ``memory``, ``sqlite:///path``, or the address of a Redis. Nothing is connected yet.

    Raises:
        ConfigurationError: it can never work: a folder is missing, or the extra ``[redis]``.
    """
    if url == "memory":
        return MemoryStore()
    if url.startswith("sqlite:"):
        return SqliteStore(usable(sqlite_path(url)), connector_name)
    return RedisStore(url, connector_name)


def open_store_of_workers(connector_name: str, address: str, *, base: Path | None = None) -> RunStore:
    """Return the store that the workers of one server share, which their predecessors and successors find, too.

    Raises:
        ConfigurationError: as ``folder_of_workers``.
    """
    return SqliteStore(folder_of_workers(connector_name, address, base=base) / FILE_NAME, connector_name)


def folder_of_workers(connector_name: str, address: str, *, base: Path | None = None) -> Path:
    """Return the owner-only folder that the workers of one server share, named after connector and address.

    Args:
        connector_name: name of the connector.
        address: where it is reached.
        base: the folder for temporary files, the machine's unless given.

    Raises:
        ConfigurationError: there is no such folder, or it belongs to someone else.
    """
    try:
        top = (base or Path(tempfile.gettempdir())) / f"omni-connector-{os.geteuid()}"
        folder = top / _slug(connector_name, address)
        _make_private(top)
        _make_private(folder)
    except OSError as error:
        raise ConfigurationError(
            f"The workers of this server have no place to agree on who runs what: {error}. {_REMEDY}"
        ) from error
    return folder


def sqlite_path(url: str) -> Path:
    """Return the file that ``sqlite:///path`` names; the path is absolute, with three slashes or four."""
    path = "/" + unquote(urlsplit(url).path).lstrip("/")
    return Path(path[1:] if re.match(r"/[A-Za-z]:", path) else path)


def usable(path: Path, variable: str = "OMNI_RUN_STORE", remedy: str = _REMEDY) -> Path:
    """Return a path where a file can be, or is.

    Raises:
        ConfigurationError: it cannot.
    """
    problem = ""
    if not path.parent.is_dir():
        problem = f"there is no folder {path.parent}"
    elif path.is_dir():
        problem = f"{path} is a folder"
    elif path.is_symlink():
        problem = f"{path} is a symbolic link; name the file itself"
    elif not _may_write(path if path.exists() else path.parent):
        problem = f"this account may not write {path}"
    if problem:
        raise ConfigurationError(f"{variable} cannot be used: {problem}. {remedy}")
    return path


def _may_write(path: Path) -> bool:
    # The effective account: that of the workers, while gunicorn's master loads the application for them.
    is_effective = os.access in os.supports_effective_ids
    return os.access(path, os.R_OK | os.W_OK, effective_ids=is_effective)


def _slug(connector_name: str, address: str) -> str:
    digest = hashlib.sha256(f"{connector_name}\n{address}".encode()).hexdigest()[:10]
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", f"{connector_name}-{address.rpartition('//')[2]}")
    return f"{readable[:80].strip('-.')}-{digest}"


def _make_private(folder: Path) -> None:
    """Make a folder for its owner only; one that is there must be.

    Raises:
        OSError: it cannot be made, or others could have put something there: everyone may write to the folder above.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & OWNER_ONLY:
        raise PermissionError(f"{folder} is not a folder of this account alone")
