"""Waits for what happens in another thread or process and tells nobody."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LOOK_SECONDS = 0.01


def eventually(look: Callable[[], T], *, seconds: float = 60.0) -> T:
    """Return the first value of ``look`` that is true; fail when there is none in time."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        pause.wait(LOOK_SECONDS)
