"""Pages of lists, and numbers that are counted only so far."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Generic, TypeVar

from attrs import frozen

COUNT_LIMIT: Final = 10_000
"""Where counting ends."""

Item = TypeVar("Item")
Cursor = int | str


@frozen
class Count:
    """A number up to ``COUNT_LIMIT``; ``is_more`` says that there are more than ``number``."""

    number: int
    is_more: bool = False

    @classmethod
    def of(cls, counted: int) -> Count:
        """Make it of what was counted up to one more than the limit."""
        return cls(min(counted, COUNT_LIMIT), counted > COUNT_LIMIT)

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


def counted(db: sqlite3.Connection, select: str, parameters: Any) -> Count:
    """Count the rows of a SELECT."""
    row = db.execute(f"SELECT count(*) FROM ({select} LIMIT {COUNT_LIMIT + 1})", parameters).fetchone()  # noqa: S608 - our own text.
    return Count.of(int(row[0]))


def all_of(conditions: Iterable[str]) -> str:
    """Join SQL conditions; none holds always."""
    return " AND ".join(conditions) or "1"
