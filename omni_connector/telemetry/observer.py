"""The interface through which log lines and metrics learn of runs."""

import logging
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from omni_connector.telemetry.figures import RunEnd, RunFigures
from omni_connector.telemetry.log_context import RunIdentity

log = logging.getLogger(__name__)


class RunObserver(Protocol):
    """Learns of the runs that this process executes. Called from several threads; each call should be quick."""

    def run_started(self, run: RunIdentity) -> None:
        """A run begins to read its source; in the thread of the run."""

    def run_moved(self, run: RunIdentity, figures: RunFigures) -> None:
        """A run is in progress: every few seconds (``WatchTimes.look_seconds``), in one thread for all runs."""

    def run_ended(self, run: RunIdentity, figures: RunFigures, end: RunEnd) -> None:
        """A run is over, with its last figures; in the thread of the run. Also called for one that never started."""


class RunObservers:
    """Several observers as one. What one of them raises is logged, and neither the run nor the others notice."""

    def __init__(self, observers: Iterable[RunObserver]) -> None:
        self._observers = tuple(observers)

    def run_started(self, run: RunIdentity) -> None:
        """Tell all."""
        for observer in self._observers:
            _call(observer.run_started, run)

    def run_moved(self, run: RunIdentity, figures: RunFigures) -> None:
        """Tell all."""
        for observer in self._observers:
            _call(observer.run_moved, run, figures)

    def run_ended(self, run: RunIdentity, figures: RunFigures, end: RunEnd) -> None:
        """Tell all."""
        for observer in self._observers:
            _call(observer.run_ended, run, figures, end)


def _call(method: Callable[..., None], *args: Any) -> None:
    try:
        method(*args)
    except Exception:  # A line or a figure less; the run goes on.
        log.exception("An observer of runs failed")
