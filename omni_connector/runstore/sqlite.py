"""The run store of one machine: a SQLite file in WAL mode that all processes of a connector open."""

import contextlib
import importlib.resources
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from omni_connector.exceptions import RunStoreError
from omni_connector.forking import begins_anew
from omni_connector.private_files import make_private_file
from omni_connector.runstore.store import VERSION, Claim, Held, Rate

BUSY_SECONDS = 2.0
"""How long a call waits for another process that writes; transactions take less than a millisecond."""


class SqliteStore:
    """Keeps everything in one file; implements ``RunStore``.

    Nothing is opened before the first call, so that a server may load the application and fork afterwards.

    Args:
        path: of the file; its folder exists.
        namespace: name of the connector; several may share a file.
        clock: monotonic seconds, the same for all processes of the machine.
        busy_seconds: how long a call waits for another process that writes.
    """

    is_shared = True

    def __init__(
        self,
        path: Path,
        namespace: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        busy_seconds: float = BUSY_SECONDS,
    ) -> None:
        self.label = f"SQLite file {path}"
        self._prefix = f"{VERSION}/{namespace}/"
        self._clock = clock
        # Readers never wait for writers in WAL mode, and so have a connection of their own.
        self._reader = _Connection(path, busy_seconds)
        self._writer = _Connection(path, busy_seconds)

    def take(self, claim: Claim, seconds: float) -> Held | None:
        """Hold all names, or none."""
        with self._writing() as (connection, now):
            for name in claim.names:
                found = _lease(connection, self._prefix + name, self._clock)
                if found is not None and found[0] != claim.token:
                    return Held(name, found[1])
            self._hold(connection, claim, now, seconds)
        return None

    def renew(self, claims: Sequence[Claim], seconds: float) -> list[Claim]:
        """Prolong claims; return the lost ones."""
        lost = []
        with self._writing() as (connection, now):
            for claim in claims:
                held = self._held_names(connection, claim)
                self._hold(connection, claim.only(held), now, seconds)
                if len(held) < len(claim.names):
                    lost.append(claim)
        return lost

    def hand_over(self, claim: Claim, to: Claim, seconds: float) -> bool:
        """Give the names to another owner."""
        with self._writing() as (connection, now):
            if len(self._held_names(connection, claim)) < len(claim.names):
                return False
            self._hold(connection, to, now, seconds)
        return True

    def release(self, claim: Claim) -> None:
        """Give up names."""
        with self._writing() as (connection, _):
            connection.executemany(
                "DELETE FROM leases WHERE name = ? AND token = ?",
                [(self._prefix + name, claim.token) for name in claim.names],
            )

    def holder(self, name: str) -> bytes | None:
        """Return the owner's value."""
        with self._reader.opened() as connection:
            found = _lease(connection, self._prefix + name, self._clock)
            return None if found is None else found[1]

    def put(self, name: str, value: bytes, seconds: float) -> None:
        """Keep a note."""
        with self._writing() as (connection, now):
            connection.execute("DELETE FROM notes WHERE expires <= ?", (now,))
            connection.execute(
                "INSERT OR REPLACE INTO notes VALUES (?, ?, ?, ?)",
                (self._prefix + name, value, seconds, now + seconds),
            )

    def get(self, name: str) -> bytes | None:
        """Return a note."""
        with self._reader.opened() as connection:
            row: tuple[bytes] | None = _live_row(
                connection,
                "SELECT value, seconds, expires FROM notes WHERE name = ?",
                self._prefix + name,
                self._clock,
            )
            return None if row is None else row[0]

    def spend(self, name: str, units: float, rate: Rate) -> float:
        """Spend from a budget."""
        with self._writing() as (connection, now):
            key = self._prefix + name
            row = connection.execute("SELECT paid_until FROM budgets WHERE name = ?", (key,)).fetchone()
            paid_until: float = max(now if row is None else row[0], now) + units / rate.per_second
            connection.execute("INSERT OR REPLACE INTO budgets VALUES (?, ?)", (key, paid_until))
            return max(0.0, paid_until - now - rate.burst / rate.per_second)

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
        self._writer.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[tuple[sqlite3.Connection, float]]:
        """One transaction, in which no other process writes, and its moment."""
        with self._writer.opened() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection, self._clock()
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _held_names(self, connection: sqlite3.Connection, claim: Claim) -> list[str]:
        found = ((name, _lease(connection, self._prefix + name, self._clock)) for name in claim.names)
        return [name for name, lease in found if lease is not None and lease[0] == claim.token]

    def _hold(self, connection: sqlite3.Connection, claim: Claim, now: float, seconds: float) -> None:
        connection.executemany(
            "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?)",
            [(self._prefix + name, claim.token, claim.value, seconds, now + seconds) for name in claim.names],
        )


class _Connection:
    """One connection, used by one thread at a time, and opened anew where the file was replaced or the process forked."""

    def __init__(self, path: Path, busy_seconds: float) -> None:
        self._path = path
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
        """Have the connection to oneself.

        Raises:
            RunStoreError: the file cannot be used now: locked for long, its disk full, gone.
        """
        try:
            with self._lock:
                yield self._current()
        except (sqlite3.Error, OSError) as error:
            raise RunStoreError(f"The run store {self._path} cannot be used now: {error}") from error

    def close(self) -> None:
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
        make_private_file(self._path)  # A dispatch that waits for a Celery worker has a checkpoint in it.
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
        # With WAL: no waiting for the disk, and the file stays whole when the machine loses power.
        connection.execute("PRAGMA synchronous = NORMAL")
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'budgets'").fetchone() is None:
            connection.executescript(f"BEGIN IMMEDIATE; {_schema()} COMMIT;")


_of_the_parent: list[sqlite3.Connection] = []
"""Connections of processes from which this one was forked: dropping one would close it."""


def _lease(connection: sqlite3.Connection, key: str, clock: Callable[[], float]) -> tuple[str, bytes] | None:
    row: tuple[str, bytes] | None = _live_row(
        connection, "SELECT token, value, seconds, expires FROM leases WHERE name = ?", key, clock
    )
    return row


def _live_row(connection: sqlite3.Connection, query: str, key: str, clock: Callable[[], float]) -> Any:
    """Return a row without its times; None when it is over, or was written before the machine started anew.

    The clock is read on both sides of the query: what another process renews meanwhile is neither over nor of the future.
    """
    before = clock()
    row = connection.execute(query, (key,)).fetchone()
    if row is None:
        return None
    *values, seconds, expires = row
    return tuple(values) if before < expires <= clock() + seconds else None


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return -1


def _schema() -> str:
    return (importlib.resources.files(__package__) / "schema.sql").read_text(encoding="utf-8")
