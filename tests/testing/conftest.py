"""The time of ``run_sync``, which is over when a test says so."""

from __future__ import annotations

import threading

import pytest

WAIT = 60


@pytest.fixture
def time_up_when():
    """Make semaphores: the time of a run is only counted once that has been released so many times."""
    patch = pytest.MonkeyPatch()
    join = threading.Thread.join

    def make(times=1):
        begun = threading.Semaphore(0)

        def join_later(thread, timeout=None):
            if thread.name.startswith("omni-sync-") and timeout is not None:
                patch.undo()
                for _ in range(times):
                    assert begun.acquire(timeout=WAIT)
            join(thread, timeout)

        patch.setattr(threading.Thread, "join", join_later)
        return begun

    yield make
    patch.undo()
