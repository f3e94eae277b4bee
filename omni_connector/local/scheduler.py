"""The tick: everything the manager does by itself (PROTOCOL, sections 4, 7 and 8).

``Scheduler`` runs the phases in their order and owns the thread; the phases are here (starting and
ending runs), in ``resume`` (probing) and in ``cleanup`` (deleted sources).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from attrs import frozen

from omni_connector.local.backoff import Backoff
from omni_connector.local.cancellation import Canceller
from omni_connector.local.cleanup import Cleanup
from omni_connector.local.dispatch import Dispatcher, RealtimeUnavailableError
from omni_connector.local.due import due_at
from omni_connector.local.errors import LocalManagerError
from omni_connector.local.groups import Reach, Surroundings
from omni_connector.local.manager_dates import Since
from omni_connector.local.resume import Resumer
from omni_connector.local.rows import SourceRow, SyncRunRow
from omni_connector.local.timestamps import to_microseconds
from omni_connector.local.vocabulary import REALTIME_CLASS, SCHEDULED_CLASS

log = logging.getLogger(__name__)

_Item = TypeVar("_Item")
_ACTIVE = "is_active AND NOT is_deleted AND integration_type = 'connector'"
_FREE = (
    "sync_interval_seconds IS NOT NULL AND NOT EXISTS (SELECT 1 FROM runs r"
    " WHERE r.source_id = sources.id AND r.slot_class = ? AND r.status = 'running')"
)


@frozen(kw_only=True)
class RunControl:
    """What starts runs, resumes them and ends them."""

    dispatcher: Dispatcher
    resumer: Resumer
    canceller: Canceller


class Scheduler:
    """Ticks by hand, or from a thread of its own until ``close()``."""

    def __init__(
        self, reach: Reach, control: RunControl, cleanup: Cleanup, surroundings: Surroundings
    ) -> None:
        self._sources = reach.tables.sources
        self._runs = reach.tables.runs
        self._registry = reach.registry
        self._dispatcher = control.dispatcher
        self._canceller = control.canceller
        self._resumer = resumer = control.resumer
        self._clock = clock = surroundings.clock
        self._settings = settings = surroundings.settings
        self._stopping = surroundings.stopping
        self._ticking = threading.Lock()  # One tick at a time.
        self._realtime_backoff = Backoff(settings, clock)
        self._start_backoff = Backoff(settings, clock)
        self._thread: threading.Thread | None = None
        phases: tuple[tuple[Since | None, Callable[[], None]], ...] = (
            (Since.REALTIME, self._start_realtime),
            (None, self._start_due),
            (Since.DISABLED_RUNS_CANCELLED, self._stop_disabled),
            (Since.PROBES, lambda: self._each(resumer.probes(), resumer.probe)),
            (None, self._sweep_stale),
            (None, cleanup.run),
        )
        self._phases = tuple(phase for since, phase in phases if since is None or settings.has(since))

    def start(self) -> None:
        """Tick at once and then at every interval."""
        self._thread = threading.Thread(target=self._run, name="local-manager-scheduler", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Wait for the thread to end; the caller has set ``stopping`` before."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def tick(self) -> None:
        """Run all phases once. What goes wrong in one is logged and the next one goes on."""
        with self._ticking:
            for phase in self._phases:
                try:
                    phase()
                except Exception:  # The loop ends here for this tick; the next one comes in any case.
                    log.exception("A phase of the scheduler failed")

    def probe(self, run: SyncRunRow) -> None:
        """Probe one run now, as a tick does all of them."""
        with self._ticking:
            self._resumer.probe(run)

    def _run(self) -> None:
        """Life of the scheduler's thread."""
        while not self._stopping.is_set():
            self.tick()
            self._stopping.wait(self._settings.scheduler_interval_seconds)

    def _each(self, items: Iterable[_Item], act: Callable[[_Item], None]) -> None:
        """Act on each item until the phase's time is over or the manager closes."""
        deadline = time.monotonic() + self._settings.scheduler_phase_limit_seconds
        for item in items:
            if self._stopping.is_set() or time.monotonic() > deadline:
                return
            act(item)

    # Realtime

    def _start_realtime(self) -> None:
        running = {run.source_id for run in self._runs.running() if run.slot_class == REALTIME_CLASS}
        self._each(
            (source for source in self._sources.all(_ACTIVE) if source.id not in running), self._supervise
        )

    def _supervise(self, source: SourceRow) -> None:
        manifest = self._registry.find(source.source_type)
        if manifest is None or "realtime" not in manifest["sync_modes"]:
            return
        if not self._realtime_backoff.is_over(source.id):
            return
        try:
            self._dispatcher.trigger(source.id, "realtime", "scheduled")
        except RealtimeUnavailableError:
            self._realtime_backoff.lengthen(source.id)
        except LocalManagerError as error:
            log.warning("Starting realtime for source %s: %s", source.shown, error)
        else:
            self._realtime_backoff.clear(source.id)

    # Due sources

    def _start_due(self) -> None:
        due = [
            source
            for source in self._sources.all(f"{_ACTIVE} AND {_FREE}", SCHEDULED_CLASS)
            if self._is_due(source)
        ]
        self._each(due[: self._settings.max_due_sources_per_tick], self._start_scheduled)

    def _is_due(self, source: SourceRow) -> bool:
        if self._settings.has(Since.SYNC_RETRIES) and not self._start_backoff.is_over(source.id):
            return False
        due = due_at(
            source,
            self._runs.last_completed(source.id, scheduled_only=True),
            self._runs.failures_in_a_row(source.id),
            self._settings,
        )
        return due is not None and due <= to_microseconds(self._clock.now())

    def _start_scheduled(self, source: SourceRow) -> None:
        manifest = self._registry.find(source.source_type)
        modes = [] if manifest is None else manifest["sync_modes"]
        try:
            self._dispatcher.trigger(
                source.id, "incremental" if "incremental" in modes else "full", "scheduled"
            )
        except LocalManagerError as error:
            log.warning("Starting the scheduled sync of source %s: %s", source.shown, error)
            self._start_backoff.lengthen(source.id)
        else:
            self._start_backoff.clear(source.id)

    # Ending runs

    def _stop_disabled(self) -> None:
        unwanted = {source.id for source in self._sources.all("NOT is_active OR is_deleted")}
        self._each(
            [run for run in self._runs.running() if run.source_id in unwanted],
            lambda run: self._canceller.stop(run, "cancelled", "Source was disabled"),
        )

    def _sweep_stale(self) -> None:
        limit = self._settings.stale_minutes * 60
        asked = self._settings.has(Since.STALE_RUNS_CANCELLED)
        now = self._clock.now()
        self._each(
            [
                run
                for run in self._runs.running()
                if run.last_activity_at is not None and (now - run.last_activity_at).total_seconds() > limit
            ],
            lambda run: self._canceller.stop(
                run, "failed", "Sync timed out (no activity detected)", ask_connector=asked
            ),
        )
