"""Rounds: a thread that brings many results, one after the other, wakes those who wait for them when it has brought all."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_of_thread = threading.local()


@contextmanager
def one_round() -> Iterator[None]:
    """Around results that are brought together: what ``at_the_end_of_round`` was given meanwhile is done after them."""
    calls: list[Callable[[], None]] = []
    _of_thread.calls = calls
    try:
        yield
    finally:
        _of_thread.calls = None
        for call in calls:
            call()


def at_the_end_of_round(call: Callable[[], None]) -> None:
    """Call ``call``, which raises nothing, at the end of the round in which this thread is, or now if it is in none."""
    calls = getattr(_of_thread, "calls", None)
    if calls is None:
        call()
    else:
        calls.append(call)
