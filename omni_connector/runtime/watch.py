"""Keeps runs alive at the manager while they make progress, and logs those that do not."""

import logging
import threading
import time

from attrs import define, field, frozen

from omni_connector.connector_base import ConnectorBase
from omni_connector.exceptions import ConnectorError, ManagerUnreachableError
from omni_connector.forking import begins_anew
from omni_connector.runtime.run import Run
from omni_connector.runtime.run_stack import position_of
from omni_connector.runtime.runs import RunRegistry
from omni_connector.runtime.source_names import SourceNames
from omni_connector.sync.pulse import Pulse
from omni_connector.sync.run import SyncRun
from omni_connector.telemetry.log_context import in_run
from omni_connector.telemetry.observer import RunObservers

log = logging.getLogger(__name__)

CLOSE_SECONDS = 2.0
"""How long ``close`` waits for a heartbeat in progress; the thread is a daemon, and runs wait to be delivered."""


@frozen(kw_only=True)
class WatchTimes:
    """How often the watch does what, in seconds.

    Attributes:
        look_seconds: between two looks at the runs.
        heartbeat_seconds: a run that makes progress is reported alive this often; the manager gives up a run without
            activity after 10 minutes at the earliest (PROTOCOL, section 1).
        stalled_seconds: a run without a single call on its context for so long is logged as stalled, and its heartbeats
            stop, so that the manager can give it up.
        named_seconds: how often a stalled run, or a cancelled one whose thread goes on, is logged.
        quiet_seconds: a run, or partition, without a call for so long is logged with the line of code at which it
            stands, and again each time that this has doubled. Nothing else changes.
    """

    look_seconds: float = 5.0
    heartbeat_seconds: float = 20.0
    stalled_seconds: float = 900.0
    named_seconds: float = 60.0
    quiet_seconds: float = 60.0


@define
class _Seen:
    """What the watch remembers of a run."""

    beat: float
    named: float = 0.0
    stopped: float | None = None
    quiet: dict[Pulse, float] = field(factory=dict)  # For how many seconds, when it was last named.


class Watch:
    """One thread that looks at all runs of a connector. ``close`` it."""

    def __init__(
        self,
        registry: RunRegistry,
        times: WatchTimes | None = None,
        *,
        connector: ConnectorBase | None = None,
        observers: RunObservers | None = None,
        names: SourceNames | None = None,
    ) -> None:
        self._registry = registry
        self._names = names
        self._connector = connector
        self._observers = observers or RunObservers(())
        self._times = times or WatchTimes()
        self._stop = threading.Event()
        self._lock = threading.Lock()  # Protects _thread.
        self._thread: threading.Thread | None = None
        self._seen: dict[Run, _Seen] = {}
        begins_anew(self)

    def after_fork(self) -> None:
        """Start a thread when this process has a run."""
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread = None
        self._seen = {}

    def start(self) -> None:
        """Begin to look, once."""
        with self._lock:
            if self._thread is None and not self._stop.is_set():
                thread = threading.Thread(target=self._run, name="omni-watch", daemon=True)
                thread.start()
                self._thread = thread

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join(CLOSE_SECONDS)

    def look(self) -> None:
        """Look at every run once."""
        runs = self._registry.alive()
        for gone in set(self._seen) - set(runs):
            del self._seen[gone]
        now = time.monotonic()
        for run in runs:
            seen = self._seen.setdefault(run, _Seen(beat=now))
            if run.state.stopped.is_set():
                self._look_at_stopped(run, seen, now)
            elif run.sync is not None:
                self._registry.reports.publish(run)
                if run.is_waiting:
                    self._beat(run.sync, seen, now)
                    continue
                if self._names is not None:
                    self._names.name(run.sync.info.identity)
                with in_run(run.sync.info.identity):
                    self._observers.run_moved(run.sync.info.identity, run.sync.run_figures)
                    self._look_at_quiet(run, run.sync, seen)
                    self._look_at_running(run, run.sync, seen, now)

    def _run(self) -> None:
        while not self._stop.wait(self._times.look_seconds):
            try:
                self.look()
            except Exception:  # The watch must survive whatever one look meets.
                log.exception("The watch failed to look at the runs")

    def _look_at_running(self, run: Run, sync: SyncRun, seen: _Seen, now: float) -> None:
        idle = sync.pulse.idle_seconds
        if idle >= self._times.stalled_seconds:
            self._name(
                run, seen, now, f"has not called the SDK for {idle:.0f} s; it is not kept alive any more"
            )
        else:
            self._beat(sync, seen, now)

    def _look_at_quiet(self, run: Run, sync: SyncRun, seen: _Seen) -> None:
        """Name the line at which a run stands that has made no call for a while, or one of its partitions."""
        pulses = sync.pulse.parts or [sync.pulse]
        for gone in set(seen.quiet) - set(pulses):
            del seen.quiet[gone]
        for pulse in pulses:
            idle, named = pulse.idle_seconds, seen.quiet.get(pulse)
            if idle < self._times.quiet_seconds:
                if seen.quiet.pop(pulse, None) is not None:
                    log.info("%s goes on: %s", _subject(sync, pulse), pulse.last)
            elif named is None or idle >= 2 * named:
                seen.quiet[pulse] = idle
                log.warning(
                    "%s has made no call for %.0f s. It stands at %s; its last call was %s. It is kept alive up to %.0f s "
                    "(CONNECTOR_STALLED_SECONDS).",
                    _subject(sync, pulse),
                    idle,
                    self._position(run, pulse) or "an unknown line",
                    pulse.last,
                    self._times.stalled_seconds,
                )

    def _position(self, run: Run, pulse: Pulse) -> str:
        thread = run.thread
        if self._connector is None or thread is None:
            return ""
        return position_of(
            self._connector, pulse, pulse.thread_id if pulse.partition else (thread.ident or 0)
        )

    def _beat(self, sync: SyncRun, seen: _Seen, now: float) -> None:
        if now - seen.beat >= self._times.heartbeat_seconds:
            seen.beat = now
            try:
                sync.beat()
            except ConnectorError as error:
                # That the manager is away is said once, by the client.
                level = logging.DEBUG if isinstance(error, ManagerUnreachableError) else logging.INFO
                log.log(level, "A heartbeat failed; the next one follows: %s", error)

    def _look_at_stopped(self, run: Run, seen: _Seen, now: float) -> None:
        if seen.stopped is None:
            seen.stopped = seen.named = now
        else:
            self._name(run, seen, now, f"was stopped {now - seen.stopped:.0f} s ago and still runs")

    def _name(self, run: Run, seen: _Seen, now: float, what: str) -> None:
        if seen.named and now - seen.named < self._times.named_seconds:
            return
        seen.named = now
        last = run.sync.pulse.last if run.sync is not None else "start"
        message = "Sync run %s of source %s %s. Its last call was %s."
        log.warning(message, run.sync_run_id, run.source_id, what, last, extra=run.extra)


def _subject(sync: SyncRun, pulse: Pulse) -> str:
    partition = f"Partition {pulse.partition!r} of the sync" if pulse.partition else "The sync"
    return f"{partition} of source {sync.info.identity.source}"
