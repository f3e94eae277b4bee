"""Reads somebody else's iterator in a thread of its own, so that a run can stop although the reader waits for its source."""

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import Any, Generic, TypeVar

from omni_connector.sync.context import SyncContext

log = logging.getLogger(__name__)

T = TypeVar("T")

JOIN_SECONDS = 1.0
"""How long the end of a run waits for the thread; one that a source keeps longer is left to end by itself."""


class _NotWantedError(Exception):
    """Ends the reading thread: the run has ended, or was stopped."""


class Reading(Generic[T]):
    """Iterates over what ``start()`` returns, in a thread. Use ``read``.

    Args:
        start: called in the thread; everything that the iterator does happens there, its closing included.
        ahead: items that are read ahead at most.
    """

    def __init__(self, start: Callable[[], Iterator[T]], *, ahead: int) -> None:
        self._start = start
        self._ahead = ahead
        self._changed = threading.Condition()  # Protects the following.
        self._items: deque[T] = deque()
        self._wanted = True
        self._stopped = False
        self._ended = False
        self._error: BaseException | None = None

    def run(self) -> None:
        """Read to the end, or until nothing more is wanted; the thread's life."""
        items: Iterator[T] | None = None
        error: BaseException | None = None
        try:
            items = self._start()
            for item in items:
                self._hand_over(item)
        except _NotWantedError:
            pass
        except BaseException as caught:  # noqa: BLE001 - raised in the run's thread.
            error = caught
        finally:
            with contextlib.suppress(Exception):  # What is read no more need not end well.
                if isinstance(items, Generator):
                    items.close()
            with self._changed:
                self._ended, self._error = True, error
                self._changed.notify_all()

    def next(self, timeout_seconds: float | None) -> tuple[T] | None:
        """Return the next item in a tuple; None when there is no more, or the run was stopped.

        Raises:
            TimeoutError: nothing came for so long.
            Exception: what the iterator raised.
        """
        with self._changed:
            if not self._changed.wait_for(self._has_news, timeout_seconds):
                raise TimeoutError
            if self._stopped:
                return None
            if self._items:
                item = self._items.popleft()
                self._changed.notify_all()
                return (item,)
            if self._error is not None:
                raise self._error
            return None

    def stop(self) -> None:
        """Wake who waits for an item."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def drop(self) -> None:
        """Want nothing more."""
        with self._changed:
            self._wanted = False
            self._items.clear()
            self._changed.notify_all()

    def _has_news(self) -> bool:
        return bool(self._items) or self._ended or self._stopped

    def _hand_over(self, item: T) -> None:
        with self._changed:
            self._changed.wait_for(self._has_room)
            if not self._wanted:
                raise _NotWantedError
            self._items.append(item)
            self._changed.notify_all()

    def _has_room(self) -> bool:
        return len(self._items) < self._ahead or not self._wanted


def read(
    ctx: SyncContext,
    name: str,
    start: Callable[[], Iterator[T]],
    *,
    ahead: int = 1,
    timeout_seconds: float | None = None,
) -> Generator[T, None, None]:
    """Yield what ``start()`` yields, read in a thread named ``name``; close the generator.

    A run that is stopped ends here at once, wherever the reader waits.

    Raises:
        SyncCancelledError: the run was stopped.
        TimeoutError: nothing came for so long.
    """
    reading = Reading(start, ahead=ahead)
    run: Callable[[], Any] = ctx.in_run(reading.run)
    thread = threading.Thread(target=run, name=name, daemon=True)
    forget = ctx.on_stop(reading.stop)
    thread.start()
    try:
        while (item := reading.next(timeout_seconds)) is not None:
            yield item[0]
        ctx.raise_if_cancelled()
    finally:
        forget()
        reading.drop()
        thread.join(JOIN_SECONDS)
        if thread.is_alive():
            log.info("%s still waits for its source; its thread ends when the source answers", name)
