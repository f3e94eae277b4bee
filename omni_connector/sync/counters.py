"""The counts of a run, reported in sums."""

import logging
import threading
import time
from http import HTTPStatus

from omni_connector.exceptions import (
    ConnectorError,
    ManagerUnreachableError,
    SdkClientError,
    ServiceOverloadedError,
)
from omni_connector.manager.api import ManagerApi
from omni_connector.models.sync import RunProgress
from omni_connector.sync.run_info import RunInfo
from omni_connector.telemetry.figures import Figures

log = logging.getLogger(__name__)

REPEAT_DELAYS_SECONDS = (0.1, 0.5, 2.0)
"""Before a count that did not arrive is reported again at a barrier."""

NAMES: tuple[str, ...] = ("scanned", "updated")


class Counters:
    """Documents looked at (``scanned``) and documents accepted (``updated``), counted by the SDK.

    The manager never counts either itself (PROTOCOL, section 10), and a count that is sent twice is counted twice. So
    one that may have arrived is not repeated: the manager is asked how far it has counted.

    A run that is resumed counts from its last checkpoint again. So what lies behind the last checkpoint is held back until
    the next one is saved; a run without a checkpoint reports as it goes, and takes everything back when it is resumed.
    What a process did that was killed in between is known from ``CoveredCounts``.

    Args:
        run: the run; one that may have begun before goes on from the manager's figures.
    """

    def __init__(self, run: RunInfo, manager: ManagerApi) -> None:
        self._sync_run_id = run.sync_run_id
        self._extra = {"sync_run_id": run.sync_run_id}
        self._run = run
        self._manager = manager
        self._lock = threading.Lock()  # Protects the numbers up to _since.
        self._unreported = dict.fromkeys(NAMES, 0)
        self._held = dict.fromkeys(NAMES, 0)  # Behind the last checkpoint.
        self._is_holding = run.has_own_checkpoint
        self._total = dict.fromkeys(NAMES, 0)
        self._since: float | None = None
        self._before = {"scanned": run.documents_scanned, "updated": run.documents_updated}
        # The manager's own figures as far as we know them; used by the thread that reports only.
        known = not run.may_have_begun or any(self._before.values())
        self._at_manager: dict[str, int] | None = dict(self._before) if known else None
        self._has_carried_over = False
        self._in_doubt = dict.fromkeys(NAMES, 0)  # Reported, perhaps counted, and not part of those.
        self._at_checkpoint: dict[str, int] | None = None

    @property
    def total_scanned(self) -> int:
        """Documents counted so far, before a resume included."""
        return self._before["scanned"] + self._total["scanned"]

    @property
    def total_updated(self) -> int:
        """Documents accepted by the manager so far, before a resume included."""
        return self._before["updated"] + self._total["updated"]

    @property
    def before(self) -> Figures:
        """What was counted before the run was resumed."""
        return Figures(**self._before)

    @property
    def updated_before(self) -> int:
        """Documents that were accepted before the run was resumed."""
        return self._before["updated"]

    def carry_over(self, progress: RunProgress | None = None) -> None:
        """Learn the manager's figures; a run that goes on from its checkpoint goes on from them, another takes them back.

        To be called before any report of its own.

        Args:
            progress: the figures, where they are known already.
        """
        if self._has_carried_over or not self._run.may_have_begun:
            return
        if self._at_manager is None:
            self._at_manager = self._ask() if progress is None else _figures(progress)
        found = self._at_manager
        if found is None:
            return
        self._has_carried_over = True
        if self._at_checkpoint is None and self._run.has_own_checkpoint:
            self._before = dict(found)
            return
        self._before = self._at_checkpoint or dict.fromkeys(NAMES, 0)
        for name in NAMES:
            self._add(name, self._before[name] - found[name], is_new=False)

    @property
    def held(self) -> dict[str, int]:
        """What was counted since the last checkpoint, and is not reported yet."""
        with self._lock:
            return dict(self._held)

    def counted(self) -> tuple[dict[str, int], dict[str, int] | None]:
        """Return ``held``, and what was counted in all, before a resume included; None while that is unknown."""
        is_known = (
            not self._run.has_own_checkpoint or self._has_carried_over or self._at_checkpoint is not None
        )
        with self._lock:
            totals = {name: self._before[name] + self._total[name] for name in NAMES}
            return dict(self._held), totals if is_known else None

    @property
    def has_uncovered(self) -> bool:
        """Something was counted that lies behind the last checkpoint."""
        return any(self._held.values()) if self._is_holding else any(self._total.values())

    def hold(self) -> None:
        """Report nothing from now on before the next checkpoint has been saved."""
        self._is_holding = True

    def release(self, covered: dict[str, int]) -> None:
        """Report this much of what was held: a checkpoint covers it."""
        if any(covered.values()):
            with self._lock:
                for name, count in covered.items():
                    self._held[name] -= count
            for name, count in covered.items():
                self._add(name, count, is_new=False)

    def release_all(self) -> None:
        """Report everything: the run ends."""
        self._is_holding = False
        self.release(self.held)

    def go_on_from(self, counts: dict[str, int]) -> None:
        """Begin with what was counted until the last checkpoint was saved.

        What the manager has counted beyond is read and counted again: it is taken back with the first report; what it lacks
        is added. To be called before ``carry_over``.
        """
        self._at_checkpoint = self._before = dict(counts)

    def hold_nothing(self) -> None:
        """Report everything as it comes: checkpoints say themselves what they cover."""
        self._is_holding = False

    def scanned(self, count: int) -> None:
        """Add documents looked at."""
        self._add("scanned", count)

    def updated(self, count: int) -> None:
        """Add documents accepted."""
        self._add("updated", count)

    def age_seconds(self) -> float | None:
        """Return how long a count has waited to be reported, or None when none waits."""
        since = self._since
        return None if since is None else time.monotonic() - since

    def due(self, after_seconds: float) -> bool:
        """Say whether a count has waited that long."""
        age = self.age_seconds()
        return age is not None and age >= after_seconds

    def report(self) -> None:
        """Send what has not been sent; a failure is logged and costs nothing but the figure."""
        with self._lock:
            unreported, self._unreported = self._unreported, dict.fromkeys(NAMES, 0)
            self._since = None
        if any(unreported.values()):
            self.carry_over()  # Where the manager could not be asked when the run began.
        if any(self._in_doubt.values()):
            self._resolve_doubts()
        for name, call in (("scanned", self._manager.add_scanned), ("updated", self._manager.add_updated)):
            count = unreported[name]
            if not count:
                continue
            try:
                call(self._sync_run_id, count)
            except (ManagerUnreachableError, ServiceOverloadedError) as error:
                self._add(name, count, is_new=False)
                self._say(name, count, error, "they are reported later")
            except SdkClientError as error:
                # A refusal says that nothing was counted; anything else, a page of a gateway with 200 included, says nothing.
                if HTTPStatus.BAD_REQUEST <= (error.status or 0) < HTTPStatus.INTERNAL_SERVER_ERROR:
                    self._say(name, count, error, "they are missing from the figures")
                else:
                    self._doubt(name, count, error)
            else:
                if self._at_manager is not None:
                    self._at_manager[name] += count

    def report_all(self, stop: threading.Event) -> None:
        """Report everything, trying again a few times, because a run that ends has no later; ``stop`` ends the waits."""
        for delay_seconds in (*REPEAT_DELAYS_SECONDS, None):
            self.report()
            if self._since is None or delay_seconds is None or stop.wait(delay_seconds):
                break
        for name, count in self._in_doubt.items():
            if count:
                message = "%d %s documents may be missing from the figures: the manager could not be asked"
                log.warning(message, count, name, extra=self._extra)

    def _doubt(self, name: str, count: int, error: SdkClientError) -> None:
        """Note a report that may have been counted, and find out."""
        if self._at_manager is None:
            self._say(name, count, error, "they may be missing from the figures")
            return
        self._say(name, count, error, "the manager is asked whether they were counted")
        self._in_doubt[name] += count
        self._resolve_doubts()

    def _resolve_doubts(self) -> None:
        """Ask how far the manager has counted; what it lacks of the doubtful is reported again. Else later."""
        now = self._ask()
        known = self._at_manager
        if now is None or known is None:
            with self._lock:
                self._since = self._since or time.monotonic()
            return
        for name, doubtful in self._in_doubt.items():
            counted = now[name] - known[name]
            if not min(0, doubtful) <= counted <= max(0, doubtful):
                message = "The manager counts %d %s documents, %d of them unknown to this process"
                log.warning(message, now[name], name, counted - doubtful, extra=self._extra)
            elif doubtful != counted:
                self._add(name, doubtful - counted, is_new=False)
            known[name] = now[name]
            self._in_doubt[name] = 0

    def _ask(self) -> dict[str, int] | None:
        try:
            progress = self._manager.progress(self._sync_run_id)
        except ConnectorError as error:
            log.info("The manager's figures are unknown: %s", error, extra=self._extra)
            return None
        if progress is None:
            return None
        return _figures(progress)

    def _add(self, name: str, count: int, *, is_new: bool = True) -> None:
        if not count:
            return
        with self._lock:
            if is_new:
                self._total[name] += count
                if self._is_holding:
                    self._held[name] += count
                    return
            self._unreported[name] += count
            if self._since is None:
                self._since = time.monotonic()

    def _say(self, name: str, count: int, error: SdkClientError, consequence: str) -> None:
        message = "Could not report %d %s documents, %s: %s"
        log.warning(message, count, name, consequence, error, extra=self._extra)


def _figures(progress: RunProgress) -> dict[str, int]:
    return {"scanned": progress.documents_scanned, "updated": progress.documents_updated}
