"""How the runs of a process that ends are stopped."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from omni_connector.sync.run import SyncRun
from omni_connector.sync.state import RunState

log = logging.getLogger(__name__)

CHECKPOINT_SHARE = 0.5
"""Share of the time that a process has to end in which runs may go on to their next checkpoint."""

DELIVERY_SHARE = 1 / 3
"""Share in which the other runs deliver what they have buffered. The rest is for requests and the end of the process."""

LONGEST_DELIVERY_SECONDS = 10.0
CANCELLED_SECONDS = 2.0
"""How long threads of runs that were cancelled are waited for; they are daemons and deliver nothing."""


class Stoppable(Protocol):
    """A run, or a partition of one that is read here. ``over`` is set when it is not waited for any longer."""

    state: RunState
    over: threading.Event

    @property
    def sync(self) -> SyncRun | None:
        """What carries it out."""

    @property
    def thread(self) -> threading.Thread | None:
        """The thread in which it runs."""


class Shutdown:
    """Stops the runs of one connector, once; safe to use from many threads.

    Args:
        alive: returns the runs, and the partitions of runs of other processes.
    """

    def __init__(self, alive: Callable[[], Sequence[Stoppable]]) -> None:
        self._alive = alive
        self._lock = threading.Lock()  # Protects _has_begun.
        self._has_begun = False
        self._is_done = threading.Event()

    def run(self, seconds: float, *, quick: bool) -> None:
        """Stop the runs within ``seconds``, or wait until another thread has done it; see ``ConnectorService.drain``."""
        with self._lock:
            is_first = not self._has_begun
            self._has_begun = True
        if is_first:
            try:
                self._stop(0.0 if quick else seconds * CHECKPOINT_SHARE, seconds * DELIVERY_SHARE)
            finally:
                self._is_done.set()
                for run in self._alive():
                    run.over.set()
            return
        if quick:
            for run in self._alive():
                run.state.interrupt()
        self._is_done.wait(seconds)

    def _stop(self, checkpoint_seconds: float, delivery_seconds: float) -> None:
        runs = self._alive()
        deadline = time.monotonic() + checkpoint_seconds
        going_on = [run for run in runs if not _stopped_at_once(run, wait=checkpoint_seconds > 0)]
        if going_on:
            log.info(
                "The process ends: %d runs may go on to their next save_state for %.0f s",
                len(going_on),
                checkpoint_seconds,
            )
        for run in going_on:
            _join(run, deadline)
            run.state.interrupt()
        # Runs that were cancelled have nothing to deliver.
        has_something = any(run.state.may_send for run in runs)
        limit = min(delivery_seconds, LONGEST_DELIVERY_SECONDS if has_something else CANCELLED_SECONDS)
        deadline = time.monotonic() + limit
        for run in runs:
            if run.sync is not None and run.state.may_send:
                run.sync.drain(timeout_seconds=max(0.0, deadline - time.monotonic()))
            _join(run, deadline)


def _stopped_at_once(run: Stoppable, *, wait: bool) -> bool:
    """Stop a run that stands at a checkpoint; let any other go on to its next if there is time to wait."""
    run.state.wind_down()
    if (
        wait
        and run.sync is not None
        and not run.sync.checkpoints.is_at_checkpoint
        and not run.state.stopped.is_set()
    ):
        return False
    run.state.interrupt()
    return True


def _join(run: Stoppable, deadline: float) -> None:
    if run.thread is not None and run.thread.is_alive():
        run.thread.join(max(0.0, deadline - time.monotonic()))
