"""Runs that wait here for their turn are offered to other processes; while turns are free here, those of others are accepted."""

import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any

from attrs import define

from omni_connector.exceptions import RunStoreError
from omni_connector.forking import begins_anew
from omni_connector.runstore.leases import Lease
from omni_connector.runstore.offers import SharedOffers
from omni_connector.runstore.runs import SharedRuns
from omni_connector.runstore.store import LEASE_SECONDS, Claim
from omni_connector.runtime.run import QueuedRun, Run
from omni_connector.runtime.runs import RunRegistry
from omni_connector.runtime.turns import Turns

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""Between two looks at what waits here and elsewhere."""

CLOSE_SECONDS = 3.0

DISPATCH_SECONDS = 60.0
"""How long a dispatch of the manager is kept with an offer; the offer is renewed before."""


@define
class _Offer:
    run: Run
    claim: Claim
    lease: Lease | None = None  # None while it is unknown whether others can find it.
    looks: int = 0


class RunOffers:
    """Offers and accepts runs, in a thread of its own. ``close`` it.

    Args:
        turns: how many are executed here.
    """

    def __init__(self, registry: RunRegistry, shared: SharedRuns, turns: Turns) -> None:
        self._registry = registry
        self._shared = shared
        self._offers = SharedOffers(shared)
        self.turns = turns
        self._adopt: Callable[[QueuedRun], Any] = _nothing
        begins_anew(self)
        self.after_fork()

    def after_fork(self) -> None:
        """Forget the parent's."""
        self._lock = threading.Lock()  # Held while an offer is made, or a run asks whether it may begin.
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._made: _Offer | None = None

    def start(self, adopt: Callable[[QueuedRun], Any]) -> None:
        """Begin, once, where there may be other processes."""
        if self._shared.is_shared and self._thread is None:
            self._adopt = adopt
            self._thread = threading.Thread(target=self._run, name="omni-offers", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop offering and accepting."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)
        with self._lock, contextlib.suppress(RunStoreError):
            self._withdraw()

    def may_begin(self, run: Run) -> bool:
        """Say whether a run whose turn it is may begin; not while another process is about to adopt it.

        Raises:
            RunStoreError: that cannot be known now.
        """
        with self._lock:
            is_offered = self._made is not None and self._made.run is run
            return not is_offered or self._withdraw()

    def await_decision(self, run: Run) -> None:
        """Return when a run may begin, or was stopped; as a rule that is at once."""
        while True:
            try:
                if self.may_begin(run):
                    return
            except RunStoreError as error:
                log.debug("Run %s waits for the run store: %s", run.sync_run_id, error)
            run.state.stopped.wait(LOOK_SECONDS)

    def look(self) -> bool:
        """Offer a run that waits here, or accept one; True when one was accepted, and there may be another."""
        waiting = self._registry.waiting()
        if waiting is not None or self._made is not None:
            self._offer(waiting)
            return False
        return self.turns.is_free and self._accept()

    def _run(self) -> None:
        pause = 0.0
        while not self._stop.wait(pause):
            try:
                pause = 0.0 if self.look() else LOOK_SECONDS
            except RunStoreError as error:
                log.debug("No runs are handed over: %s", error)
                pause = LOOK_SECONDS
            except Exception:  # The thread must survive whatever one look meets.
                log.exception("Looking for runs to hand over failed")
                pause = LOOK_SECONDS

    def _offer(self, waiting: Run | None) -> None:
        with self._lock:
            made = self._made
            if made is not None:
                made.looks += 1
                is_fresh = made.looks * LOOK_SECONDS < DISPATCH_SECONDS / 2
                if made.run.is_waiting and is_fresh and made.lease is not None and not made.lease.is_lost:
                    return
                if not self._withdraw():
                    return
            # Looked at under the lock: a run that is not waiting any more does not ask again whether it may begin.
            if waiting is None or not waiting.is_waiting or waiting.lease is None or waiting.dispatch is None:
                return
            if self._offers.is_standing():
                return
            token = waiting.lease.claim.token
            self._shared.keep_dispatch(token, waiting.dispatch(), DISPATCH_SECONDS + LEASE_SECONDS)
            with waiting.reporting:  # What is being reported comes before.
                waiting.is_offered = True
            made = self._made = _Offer(waiting, self._offers.of(waiting.key, token))
            made.lease = self._offers.make(made.claim)
            if made.lease is None:
                waiting.is_offered = False
                self._made = None

    def _withdraw(self) -> bool:
        """Take the offer back; False while another process has accepted it, and the run is not stopped here yet."""
        if self._made is None:
            return True
        run, lease = self._made.run, self._made.run.lease
        is_own = self._offers.withdraw(self._made.claim, self._made.lease)
        if not is_own and not run.state.stopped.is_set():
            if self._offers.is_being_adopted(run.key):
                return False
            if lease is not None and not self._shared.is_held(run.key, lease.claim.token):
                return False  # It was adopted: the renewal of its lease stops it.
            is_own = True
        run.is_offered = not is_own
        self._made = None
        return True

    def _accept(self) -> bool:
        with self._offers.accepted() as found:
            if found is None:
                return False
            key, token = found
            log.info(
                "Run %s, which waits in another process, is executed here", key.sync_run_id, extra=key.extra
            )
            self._adopt(QueuedRun(key, token))
        return True


def _nothing(_: QueuedRun) -> None:
    """Adopt nothing: not started."""
