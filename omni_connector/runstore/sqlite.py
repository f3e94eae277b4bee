"""The run store of one machine: a SQLite file in WAL mode that all processes of a connector open."""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from omni_connector.runstore.sqlite_file import FileKind, SqliteFile
from omni_connector.runstore.store import VERSION, Claim, Held, Rate
from omni_connector.sources.rates import paid

RUN_STORE = FileKind(name="run store", schema="schema.sql", last_table="budgets", synchronous="NORMAL")

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
        self._reader = SqliteFile(path, RUN_STORE, busy_seconds)
        self._writer = SqliteFile(path, RUN_STORE, busy_seconds)

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
            before = None if row is None else row[0]
            paid_until, wait = paid(before, now, units, (rate.per_second, rate.burst))
            connection.execute("INSERT OR REPLACE INTO budgets VALUES (?, ?)", (key, paid_until))
        return wait

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
        self._writer.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[tuple[sqlite3.Connection, float]]:
        """One transaction, in which no other process writes, and its moment."""
        with self._writer.writing() as connection:
            yield connection, self._clock()

    def _held_names(self, connection: sqlite3.Connection, claim: Claim) -> list[str]:
        found = ((name, _lease(connection, self._prefix + name, self._clock)) for name in claim.names)
        return [name for name, lease in found if lease is not None and lease[0] == claim.token]

    def _hold(self, connection: sqlite3.Connection, claim: Claim, now: float, seconds: float) -> None:
        connection.executemany(
            "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?)",
            [(self._prefix + name, claim.token, claim.value, seconds, now + seconds) for name in claim.names],
        )


def _lease(connection: sqlite3.Connection, key: str, clock: Callable[[], float]) -> tuple[str, bytes] | None:
    row: tuple[str, bytes] | None = _live_row(
        connection, "SELECT token, value, seconds, expires FROM leases WHERE name = ?", key, clock
    )
    return row


def _live_row(connection: sqlite3.Connection, query: str, key: str, clock: Callable[[], float]) -> Any:
    """Return a row without its times; None when it is over, or was written before the machine restarted.

    The clock is read on both sides of the query: what another process renews meanwhile is neither over nor of the future.
    """
    before = clock()
    row = connection.execute(query, (key,)).fetchone()
    if row is None:
        return None
    *values, seconds, expires = row
    return tuple(values) if before < expires <= clock() + seconds else None
