"""Pages of lists, and numbers that are counted only so far."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Generic, TypeVar

from attrs import frozen

COUNT_LIMIT: Final = 10_000
"""Where counting ends."""

LIST_COUNT_LIMIT: Final = 1_000
"""Where it ends when each line of a list has a number of its own."""

Item = TypeVar("Item")
Cursor = int | str


@frozen
class Count:
    """A number up to ``COUNT_LIMIT``; ``is_more`` says that there are more than ``number``."""

    number: int
    is_more: bool = False

    def __str__(self) -> str:
        return f"more than {self.number:,}" if self.is_more else f"{self.number:,}"


@frozen
class Page(Generic[Item]):
    """A part of a list. ``next`` is what the following part is asked for with (``after`` or ``before``); None: this is the last."""

    items: tuple[Item, ...]
    next: Any = None

    @classmethod
    def cut(cls, items: Sequence[Item], limit: int, cursor: Callable[[Item], Cursor]) -> Page[Item]:
        """Make it of one item more than fits, if there is one."""
        shown = tuple(items[:limit])
        return cls(shown, cursor(shown[-1]) if len(items) > limit and shown else None)


def counted(db: sqlite3.Connection, select: str, parameters: Any, limit: int | None = None) -> Count:
    """Count the rows of a SELECT, up to a limit."""
    limit = COUNT_LIMIT if limit is None else limit
    row = db.execute(f"SELECT count(*) FROM ({select} LIMIT {limit + 1})", parameters).fetchone()  # noqa: S608 - our own text.
    return Count(min(row[0], limit), row[0] > limit)


def all_of(conditions: Iterable[str]) -> str:
    """Join SQL conditions; none holds always."""
    return " AND ".join(conditions) or "1"
