"""The time of day, as something that a test can hand in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time for everything that is stored or compared; never for waiting."""

    def now(self) -> datetime:
        """Return the present moment, with an offset."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the present moment in UTC."""
        return datetime.now(UTC)
