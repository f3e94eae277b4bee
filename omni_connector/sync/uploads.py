"""Uploads contents in the background, for all runs of the process, as many at once as is worth it."""

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Protocol

from omni_connector.manager.api import ManagerApi, Rest
from omni_connector.pool import WorkerPool
from omni_connector.sync.adaptive import AdaptiveLimit

FIRST_PARALLEL_UPLOADS = 16
PARALLEL_EXTRACTIONS = 2
MOST_PARALLEL_UPLOADS = 64
"""Uploads at once in one process, whatever the number of runs, so that ``/health`` stays quick."""


class ContentId(Protocol):
    """A content id to come; a ``Future`` is one."""

    def result(self) -> str:
        """Wait for it; raises what its upload met."""

    def cancel(self) -> object:
        """Do without it, if its upload has not begun."""


class Uploads(Protocol):
    """Runs uploads in the background; see ``UploadPool``."""

    def store(self, manager: ManagerApi, sync_run_id: str, encoded: bytes) -> "Upload | None":
        """Return the content id to come of a text that is a JSON string, or None where only ``submit`` will do."""

    def submit(self, call: Callable[[], str], release: Callable[[], None] | None = None) -> ContentId:
        """Return the content id to come of what ``call`` uploads; ``release`` is called when it has ended."""

    def submit_extraction(
        self, call: Callable[[], str], release: Callable[[], None] | None = None
    ) -> ContentId:
        """Return the content id to come of a file's text."""


class Upload:
    """The content id to come of one text. Made for every document: it costs a tenth of a ``Future``."""

    __slots__ = ("_content_id", "_done", "_error", "_waiter")

    def __init__(self) -> None:
        self._done = False
        self._content_id = ""
        self._error: BaseException | None = None
        self._waiter: threading.Lock | None = None

    def result(self) -> str:
        """Wait for it; raises what its upload met. For one thread: the sender of the run's events."""
        if not self._done:
            waiter = threading.Lock()
            waiter.acquire()
            self._waiter = waiter
            if not self._done:  # Looked at after the waiter is there, so that ``finish`` cannot miss it.
                waiter.acquire()
        if self._error is not None:
            raise self._error
        return self._content_id

    def cancel(self) -> object:
        """Let nobody wait any longer: the run was stopped, and what waits for a thread may wait behind other runs."""
        self.finish(error=CancelledError())
        return None

    def finish(self, content_id: str = "", error: BaseException | None = None) -> None:
        """Set the result; called by whoever uploaded it, or cancelled it."""
        self._content_id = content_id
        self._error = error
        self._done = True
        waiter = self._waiter
        if waiter is not None:
            with suppress(RuntimeError):  # Released already, by a cancellation at the same moment.
                waiter.release()


class UploadPool:
    """Uploads whose number at once follows the manager's speed. ``close`` it.

    Texts travel without threads of their own where the manager's client can do that; everything else, and every repeated
    attempt, has a thread.

    Args:
        name: prefix of the threads' names.
        manager: whose contents are limited; None where ``store`` is not used.
        parallel: fixes the number of uploads at once; left out, it adapts, beginning with 16.
    """

    def __init__(self, name: str, *, manager: ManagerApi | None = None, parallel: int | None = None) -> None:
        if parallel is None:
            self._limit = AdaptiveLimit(FIRST_PARALLEL_UPLOADS, most=MOST_PARALLEL_UPLOADS)
        else:
            self._limit = AdaptiveLimit(parallel, least=parallel, most=parallel)
        self._manager = manager
        self._size = self._limit.value
        self._pool = WorkerPool(name, self._size)
        if manager is not None:
            manager.limit_contents(self._size)
        self._extractions = WorkerPool(f"{name}-extract", PARALLEL_EXTRACTIONS)

    def store(self, manager: ManagerApi, sync_run_id: str, encoded: bytes) -> Upload | None:
        """Return the content id to come of a text that is a JSON string, or None where only ``submit`` will do.

        Args:
            manager: of the run.
            sync_run_id: the run.
            encoded: the text.
        """
        if self._manager is None:
            return None
        upload = Upload()

        def done(content_id: str, rest: Rest | None) -> None:
            if rest is None:
                upload.finish(content_id)
                self._measure(self._manager.waiting_contents if self._manager is not None else 0)
            else:
                self._finish_in_thread(upload, rest)

        return upload if manager.store_soon(sync_run_id, encoded, done) else None

    def submit(self, call: Callable[[], str], release: Callable[[], None] | None = None) -> ContentId:
        """Upload in the background, in a thread.

        Raises:
            RuntimeError: the pool is closed.
        """
        return _released(self._pool, lambda: self._measured(call), release)

    def submit_extraction(
        self, call: Callable[[], str], release: Callable[[], None] | None = None
    ) -> ContentId:
        """As ``submit``, in threads of their own: the manager extracts two files at once (PROTOCOL, section 1).

        Raises:
            RuntimeError: the pool is closed.
        """
        return _released(self._extractions, call, release)

    def overloaded(self) -> None:
        """Learn that the manager answered 429 or 503."""
        self._resize(self._limit.overloaded())

    def close(self) -> None:
        """Take no more uploads and end the threads."""
        self._pool.close()
        self._extractions.close()

    def _measured(self, call: Callable[[], str]) -> str:
        content_id = call()
        self._measure(self._pool.backlog)
        return content_id

    def _measure(self, waiting: int) -> None:
        self._resize(self._limit.finished(saturated=waiting > 0))

    def _resize(self, limit: int) -> None:
        if limit != self._size:
            self._size = limit
            self._pool.resize(limit)
            if self._manager is not None:
                self._manager.limit_contents(limit)

    def _finish_in_thread(self, upload: Upload, rest: Rest) -> None:
        """Repeat in a thread what did not work at once."""
        try:
            future = self._pool.submit(rest)
        except RuntimeError as error:  # Closed: nobody waits for it any more, but nobody shall wait for ever.
            upload.finish(error=error)
            return

        def finish(_: object) -> None:
            if future.cancelled():
                upload.finish(error=CancelledError())
            elif (error := future.exception()) is not None:
                upload.finish(error=error)
            else:
                upload.finish(future.result())

        future.add_done_callback(finish)


def _released(pool: WorkerPool, call: Callable[[], str], release: Callable[[], None] | None) -> ContentId:
    future = pool.submit(call)
    if release is not None:
        future.add_done_callback(lambda _: release())
    return future
