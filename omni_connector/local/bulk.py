"""Inserting many rows with few calls: each call of SQLite gives Python's lock away, and has to wait for it afterwards."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import lru_cache

_SIZES = (64, 16, 4, 1)
"""Rows of one call. Few different ones, so that their statements stay prepared."""


def insert_rows(
    db: sqlite3.Connection, into: str, rows: Sequence[tuple[object, ...]], on_conflict: str = ""
) -> None:
    """Insert rows in their order.

    Args:
        db: where.
        into: the statement up to its columns, such as ``INSERT INTO t (a, b)``.
        rows: a value for each column.
        on_conflict: what follows the values.
    """
    start = 0
    for size in _SIZES:
        while len(rows) - start >= size:
            chunk = rows[start : start + size]
            statement = _statement(into, len(chunk[0]), size, on_conflict)
            db.execute(statement, [value for row in chunk for value in row])
            start += size


@lru_cache(64)
def _statement(into: str, columns: int, rows: int, on_conflict: str) -> str:
    row = f"({', '.join('?' * columns)})"
    return f"{into} VALUES {', '.join([row] * rows)} {on_conflict}"
