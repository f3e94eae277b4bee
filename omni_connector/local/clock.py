"""The time of day, which a test can replace."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """The time for everything that is stored or compared; never used for waiting."""

    def now(self) -> datetime:
        """Return the present moment, with an offset."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the present moment in UTC."""
        return datetime.now(UTC)
