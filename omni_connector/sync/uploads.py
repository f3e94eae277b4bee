"""Uploads contents in the background, for all runs of the process, as many at once as is worth it."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

from omni_connector.pool import WorkerPool
from omni_connector.sync.adaptive import AdaptiveLimit

FIRST_PARALLEL_UPLOADS = 16
PARALLEL_EXTRACTIONS = 2
MOST_PARALLEL_UPLOADS = 64
"""Uploads at once in one process, whatever the number of runs, so that ``/health`` stays quick."""


class Uploads(Protocol):
    """Runs uploads in the background; see ``UploadPool``."""

    def submit(self, call: Callable[[], str]) -> "Future[str]":
        """Return the future content id of a text."""

    def submit_extraction(self, call: Callable[[], str]) -> "Future[str]":
        """Return the future content id of a file's text."""


class UploadPool:
    """A pool of threads whose number follows the manager's speed. ``close`` it.

    Args:
        name: prefix of the threads' names.
        parallel: fixes the number of uploads at once; left out, it adapts, beginning with 16.
    """

    def __init__(self, name: str, *, parallel: int | None = None) -> None:
        if parallel is None:
            self._limit = AdaptiveLimit(FIRST_PARALLEL_UPLOADS, most=MOST_PARALLEL_UPLOADS)
        else:
            self._limit = AdaptiveLimit(parallel, least=parallel, most=parallel)
        self._pool = WorkerPool(name, self._limit.value)
        self._size = self._limit.value
        self._extractions = WorkerPool(f"{name}-extract", PARALLEL_EXTRACTIONS)

    def submit(self, call: Callable[[], str]) -> "Future[str]":
        """Upload in the background.

        Raises:
            RuntimeError: the pool is closed.
        """
        return self._pool.submit(lambda: self._measured(call))

    def submit_extraction(self, call: Callable[[], str]) -> "Future[str]":
        """As ``submit``, in threads of their own: the manager extracts two files at once (PROTOCOL, section 1).

        Raises:
            RuntimeError: the pool is closed.
        """
        return self._extractions.submit(call)

    def overloaded(self) -> None:
        """Learn that the manager answered 429 or 503."""
        self._resize(self._limit.overloaded())

    def close(self) -> None:
        """Take no more uploads and end the threads."""
        self._pool.close()
        self._extractions.close()

    def _measured(self, call: Callable[[], str]) -> str:
        content_id = call()
        self._resize(self._limit.finished(saturated=self._pool.backlog > 0))
        return content_id

    def _resize(self, limit: int) -> None:
        if limit != self._size:
            self._size = limit
            self._pool.resize(limit)
