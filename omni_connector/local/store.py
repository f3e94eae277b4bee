"""The SQLite file: opening, transactions, and the refusals of the real database.

One connection writes, behind a lock; SQLite knows one writer at a time anyway. Its users keep
transactions short and never call a connector inside one. Readers that take their time (searches,
listings) open connections of their own, which write-ahead logging lets run beside the writer, in this
process or another.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import Self

from omni_connector.local.errors import StoreBusyError, StoredTextError, StoreError

DATABASE_NAME = "manager.sqlite3"
LOCK_NAME = "manager.lock"
ADDRESS_NAME = "manager.url"
_SCHEMA_FILES = ("schema.sql", "schema_2.sql", "schema_3.sql")
"""Each makes the version of its number out of the one before."""
SCHEMA_VERSION = len(_SCHEMA_FILES)

_BUSY_TIMEOUT_SECONDS = 30.0
_SETTINGS = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA wal_autocheckpoint = 16384;
PRAGMA foreign_keys = ON;
PRAGMA cache_size = -65536;
PRAGMA temp_store = MEMORY;
PRAGMA secure_delete = OFF;
"""


class Store:
    """Owner of the data directory: the writing connection and the lock that keeps others out.

    Args:
        directory: made when missing.

    Raises ``StoreError`` when the directory is in use by another manager, or was written by a newer
    version of this package.
    """

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)
        self._is_announced = False
        try:
            _make_folder(self.directory)
        except OSError as error:
            raise StoreError(f"cannot make the data directory {self.directory}: {error}") from error
        self._lock = threading.RLock()  # Protects the connection; held for the length of a transaction.
        for name in (LOCK_NAME, DATABASE_NAME):
            _make_private(self.directory / name)
        self._held = _hold(self.directory / LOCK_NAME)
        try:
            self._connection = connect(self.directory / DATABASE_NAME)
            with _damage_explained(self.directory):
                _prepare(self._connection, self.directory)
        except BaseException:
            self._held.close()
            raise

    def announce(self, url: str) -> None:
        """Note in the directory where its manager listens, for ``running_manager``."""
        path = self.directory / ADDRESS_NAME
        _make_private(path)
        path.write_text(f"{url}\n{os.getpid()}\n", encoding="utf-8")
        self._is_announced = True

    def close(self) -> None:
        """Close the file; repeatable."""
        with self._lock:
            if self._is_announced:
                self._is_announced = False
                with suppress(OSError):
                    (self.directory / ADDRESS_NAME).unlink(missing_ok=True)
            self._connection.close()
            self._held.close()

    @contextmanager
    def transaction(self, *, wait: bool = True) -> Iterator[sqlite3.Connection]:
        """Hold the writing connection in a transaction: committed at the end, undone by an exception.

        Raises ``StoreBusyError`` where ``wait`` is false and another thread holds it.
        """
        if not self._lock.acquire(blocking=wait):
            raise StoreBusyError
        try:
            with _damage_explained(self.directory):
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                except BaseException:
                    if self._connection.in_transaction:  # Some errors have undone it already.
                        self._connection.execute("ROLLBACK")
                    raise
                self._connection.execute("COMMIT")
        finally:
            self._lock.release()

    @contextmanager
    def lookup(self) -> Iterator[sqlite3.Connection]:
        """Hold the writing connection for short reads."""
        with self._lock, _damage_explained(self.directory):
            yield self._connection

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_PRIMARY_CODE = 0xFF
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_UNUSABLE = "{path} is not a usable database: {error}. Move {directory} away, or use another data directory, and sync again"


@contextmanager
def _damage_explained(directory: Path) -> Iterator[None]:
    """Turn what SQLite says of a damaged file into a ``StoreError`` that says what to do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE not in _DAMAGED:
            raise
        path = directory / DATABASE_NAME
        raise StoreError(_UNUSABLE.format(path=path, error=error, directory=directory)) from error


@contextmanager
def reading(directory: Path) -> Iterator[sqlite3.Connection]:
    """Open the store of ``directory`` for reading only, also while another process writes it.

    The file of an older version is upgraded first. Raises ``StoreError`` when there is none, when it was written by a
    newer version, and when a manager of an older version is running on it.
    """
    path = directory / DATABASE_NAME
    if not path.is_file():
        raise StoreError(
            f"{directory} holds no documents yet; run a sync into it first (omni-connector run TARGET), or name "
            "another data directory (--data)"
        )
    with closing(connect(path, mode="ro")) as connection, _damage_explained(directory):
        if _check_version(connection, directory) < SCHEMA_VERSION:
            Store(directory).close()
        yield connection


def running_manager(directory: Path) -> str | None:
    """Return the address of the manager that uses a data directory now, or None where none does."""
    url, _ = _announced(directory)
    if url is None:
        return None
    try:
        _hold(directory / LOCK_NAME).close()
    except StoreError:
        return url
    return None  # It was killed.


def _announced(directory: Path) -> tuple[str | None, str | None]:
    """Return address and process id of the manager that has announced itself last, as far as they are known."""
    try:
        lines = (directory / ADDRESS_NAME).read_text("utf-8").split()
    except OSError:
        return None, None
    url, process_id = [*lines, None, None][:2]
    return url, process_id


def _in_use(directory: Path) -> str:
    """Return what is said of a directory that another manager uses, with what to do."""
    url, process_id = _announced(directory)
    if url is None:
        return f"{directory} is in use by another manager; stop that one or use another data directory"
    process = f", process {process_id}" if process_id else ""
    return (
        f"{directory} is in use by another manager, at {url}{process}. It is your omni-connector dev, run or manager: "
        "sync in its console, or stop it, or use another directory (--data)"
    )


def _make_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for the owner only; ``parents=True`` would do so for one."""
    if not folder.is_dir():
        if folder.parent != folder:
            _make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def _make_private(path: Path) -> None:
    """Make a file that only its owner can read: it holds credentials. Fix one that an earlier version made.

    The files that SQLite puts beside a database get its mode. One that exists is not opened here: closing it would drop the
    locks that this process may have on it. Raises ``StoreError`` where it cannot be made, or is a symbolic link.
    """
    try:
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        if path.is_symlink():
            raise StoreError(
                f"{path} is a symbolic link, which may lead out of the directory; use another data directory"
            )
        for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            if file.is_file():
                with suppress(PermissionError):  # Another account's; SQLite says whether it can be used.
                    file.chmod(0o600)
    except OSError as error:
        raise StoreError(f"cannot open {path}: {error.strerror or error}") from error


def storable(text: str) -> str:
    """Return ``text``; raises ``StoredTextError`` for U+0000, which the real database cannot hold."""
    if "\0" in text:
        raise StoredTextError('error returned from database: invalid byte sequence for encoding "UTF8": 0x00')
    return text


def connect(path: Path, *, mode: str = "rwc") -> sqlite3.Connection:
    """Open a connection for any thread, without transactions of its own; raises ``StoreError``."""
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=_BUSY_TIMEOUT_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
    except sqlite3.Error as error:
        raise StoreError(f"cannot open {path}: {error}") from error
    connection.row_factory = sqlite3.Row
    # SQLite's own lower() knows ASCII letters only.
    connection.create_function("unicode_lower", 1, _lower, deterministic=True)
    return connection


def _lower(text: str | None) -> str | None:
    return None if text is None else text.lower()


def _prepare(connection: sqlite3.Connection, directory: Path) -> None:
    """Check the file, apply our settings, and bring its tables to our version; those of an empty one are made."""
    try:
        version = _check_version(connection, directory)
        connection.executescript(_SETTINGS)
        if version < SCHEMA_VERSION:
            folder = resources.files("omni_connector.local")
            steps = "".join(folder.joinpath(name).read_text("utf-8") for name in _SCHEMA_FILES[version:])
            connection.executescript(
                f"BEGIN IMMEDIATE;{steps};PRAGMA user_version = {SCHEMA_VERSION};COMMIT;"
            )
    except BaseException:
        connection.close()
        raise


def _check_version(connection: sqlite3.Connection, directory: Path) -> int:
    """Return the file's schema version, 0 for an empty one; raises ``StoreError`` if it is unusable."""
    with _damage_explained(directory):
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{directory} was written by a newer omni-connector (schema {version}, known here: up to "
            f"{SCHEMA_VERSION}); upgrade the package or use another data directory"
        )
    return version


def _hold(path: Path) -> sqlite3.Connection:
    """Take the directory's lock: an exclusive transaction on an empty database, which ends with the process."""
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        connection.close()
        raise StoreError(_in_use(path.parent)) from error
    except sqlite3.DatabaseError as error:
        connection.close()
        raise StoreError(f"{path} is not a lock file of ours ({error}); delete it") from error
    return connection
