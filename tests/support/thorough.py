"""How much of the longest tests is run: a few kills, rows and pools each time, all of them with ``make test-thorough``."""

from __future__ import annotations

import os
from typing import TypeVar

T = TypeVar("T")

VARIABLE = "OMNI_TEST_THOROUGH"


def thorough(every_time: T, all_of_it: T) -> T:
    """Return the second where the variable is set to 1."""
    return all_of_it if os.environ.get(VARIABLE) == "1" else every_time
