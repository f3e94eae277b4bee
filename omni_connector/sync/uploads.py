"""Who uploads contents in the background."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

PARALLEL_UPLOADS = 16
"""Uploads at once in one process, whatever the number of runs, so that ``/health`` stays quick."""


class Submit(Protocol):
    """Runs a call in the background, such as ``WorkerPool.submit``."""

    def __call__(self, call: Callable[[], str]) -> "Future[str]":
        """Return the future content id."""
