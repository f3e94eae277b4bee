"""Waits for what happens in another thread or process and tells nobody."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LOOK_SECONDS = 0.01
SELDOM_SECONDS = 0.1
"""Between two looks: at first, and after about a second, since looks at a process cost it and the test processor time."""

QUICKLY = 20.0
"""Seconds that what happens at once may take on a busy machine. What a test compares it with takes longer by far."""


def eventually(look: Callable[[], T], *, seconds: float = 60.0) -> T:
    """Return the first value of ``look`` that is true; fail when there is none in time."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    rest = LOOK_SECONDS
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        pause.wait(rest)
        rest = min(rest * 1.2, SELDOM_SECONDS)
