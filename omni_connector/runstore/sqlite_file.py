"""A SQLite file in WAL mode that several processes of a machine open."""

import contextlib
import importlib.resources
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from omni_connector.exceptions import RunStoreError
from omni_connector.forking import begins_anew
from omni_connector.private_files import make_private_file


@frozen(kw_only=True)
class FileKind:
    """What is kept in a file.

    Attributes:
        name: for messages.
        schema: the file that creates its tables ...
        last_table: ... of which this one is created last.
        synchronous: ``NORMAL`` does not wait for the disk: what was written last may be lost with the power, the file stays whole.
            ``FULL`` waits once a transaction.
    """

    name: str
    schema: str
    last_table: str
    synchronous: str


class SqliteFile:
    """One connection, used by one thread at a time, and opened again when the file was replaced or the process forked.

    Args:
        path: of the file; its folder exists.
        kind: what is kept in it.
        busy_seconds: how long a call waits for another process that writes.
    """

    def __init__(self, path: Path, kind: FileKind, busy_seconds: float) -> None:
        self._path = path
        self._kind = kind
        self._busy_seconds = busy_seconds
        self._lock = threading.Lock()  # Held while the connection is used.
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        begins_anew(self)

    def after_fork(self) -> None:
        """Open one of its own: SQLite's connections must not be used, nor closed, in a forked child."""
        if self._connection is not None:
            _of_the_parent.append(self._connection)
        self._lock = threading.Lock()
        self._connection = None

    @contextlib.contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        """Use the connection, which no other thread does meanwhile.

        Raises:
            RunStoreError: the file cannot be used now: locked for long, its disk full, gone.
        """
        try:
            with self._lock:
                yield self._current()
        except (sqlite3.Error, OSError) as error:
            raise RunStoreError(f"The {self._kind.name} {self._path} cannot be used now: {error}") from error

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Use the connection for one transaction, in which no other process writes; raises as ``opened``."""
        with self.opened() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close it. Repeatable; it is opened again when it is used."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _current(self) -> sqlite3.Connection:
        # Programs that tidy temporary folders delete old files: the others would be in a new one.
        if self._connection is not None and _inode(self._path) != self._inode:
            self._connection.close()
            self._connection = None
        if self._connection is None:
            self._connection = self._open()
            self._inode = _inode(self._path)
        return self._connection

    def _open(self) -> sqlite3.Connection:
        make_private_file(self._path)  # It may have checkpoints of sources in it, and ids of documents.
        connection = sqlite3.connect(
            self._path, timeout=self._busy_seconds, isolation_level=None, check_same_thread=False
        )
        try:
            self._set_up(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_up(self, connection: sqlite3.Connection) -> None:
        # SQLite does not wait by itself when several processes switch a new file to WAL mode at once.
        deadline = time.monotonic() + self._busy_seconds
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                break
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        connection.execute(f"PRAGMA synchronous = {self._kind.synchronous}")
        last = (self._kind.last_table,)
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", last).fetchone() is None:
            connection.executescript(f"BEGIN IMMEDIATE; {_schema(self._kind.schema)} COMMIT;")


_of_the_parent: list[sqlite3.Connection] = []
"""Connections of processes from which this one was forked: dropping one would close it."""


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return -1


def _schema(name: str) -> str:
    return (importlib.resources.files("omni_connector.runstore") / name).read_text(encoding="utf-8")
