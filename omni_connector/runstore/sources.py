"""What all processes that read the same sources share: budgets, locks, and where tokens are kept."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from typing import Any

from omni_connector.exceptions import RunStoreError
from omni_connector.manager.api import ManagerApi
from omni_connector.models.codec import decode, encode
from omni_connector.runstore.leases import Lease
from omni_connector.runstore.permits import Budget
from omni_connector.runstore.runs import SharedRuns
from omni_connector.runstore.store import Claim, Rate
from omni_connector.sources.kept_tokens import KeptTokens
from omni_connector.sources.rates import LONGEST_PAUSE_SECONDS, RateGate, RequestRate
from omni_connector.sources.source_run import LocalSources, NoRun, SourceRun, TokenPlace

GATE_SECONDS = 1.0
"""How old a process's knowledge of a rate limit may be that another one has met."""

LOOK_SECONDS = 0.1
"""Between two looks whether another process has given a name back; a token takes as long to be fetched."""
AWAY_SECONDS = 10.0
"""How long a name is asked for again when the run store cannot be used; a busy SQLite file refuses a call after 2 s."""
STATE = "connector-state"
log = logging.getLogger(__name__)


class SharedRateGate(RateGate):
    """Closed in all processes when one of them has learned that a host allows no more; without the store, in that one.

    Args:
        runs: where processes find each other's pauses.
        name: under which.
    """

    def __init__(self, runs: SharedRuns, name: str) -> None:
        super().__init__()
        self._runs = runs
        self._name = name
        self._looks_at = float("-inf")

    def close_for(self, seconds: float) -> None:
        """Let no request through in any process."""
        seconds = min(seconds, LONGEST_PAUSE_SECONDS)
        super().close_for(seconds)
        with suppress(RunStoreError):
            if seconds > self._left_elsewhere():
                # The clock of the day: machines have no other in common.
                self._runs.store.put(self._name, encode([time.time() + seconds, seconds]), seconds)

    @property
    def seconds_left(self) -> float:
        """How long it stays closed; other processes are asked once a second."""
        now = time.monotonic()
        if now >= self._looks_at:
            self._looks_at = now + GATE_SECONDS
            with suppress(RunStoreError):
                super().close_for(self._left_elsewhere())
        return super().seconds_left

    def _left_elsewhere(self) -> float:
        found = self._runs.store.get(self._name)
        if found is None:
            return 0.0
        opens, seconds = decode(found)
        return float(min(opens - time.time(), seconds))


class StoredSources(LocalSources):
    """Implements ``SharedSources`` over the run store: over all machines with Redis, over the workers of one with SQLite.

    Args:
        runs: the run store, and what holds its leases.
        manager: keeps the connector states; not a run's, whose waits end with it.
    """

    def __init__(self, runs: SharedRuns, manager: ManagerApi) -> None:
        self._runs = runs
        self._manager = manager
        super().__init__()

    def after_fork(self) -> None:
        """Forget the parent's threads."""
        super().after_fork()
        self._kept: dict[str, KeptTokens] = {}

    def gate(self, source_id: str, host: str) -> RateGate:
        """Return the gate of a host; where processes share the run store, they share the pause, too."""
        if not self._runs.is_shared:
            return super().gate(source_id, host)
        with self._guard:
            found = self._gates.get((source_id, host))
            if found is None:
                found = SharedRateGate(self._runs, f"source-gate/{source_id}/{host}")
                self._gates[source_id, host] = found
            return found

    def spend(self, source_id: str, rate: RequestRate) -> float:
        """Pay for a request; without the store each process keeps the rate alone."""
        name = f"budget/{rate.budget}" if rate.budget else f"source/{source_id}"
        return Budget(self._runs.store, name, Rate(rate.per_second, rate.burst)).spend()

    @contextmanager
    def lock(self, run: SourceRun, name: str) -> Iterator[None]:
        """Hold a name against all other threads and processes; while the store is away for long, against those of this process."""
        with super().lock(run, name):
            lease = self._lease(run, f"source-lock/{run.source_id}/{name}")
            try:
                yield
            finally:
                if lease is not None:
                    self._runs.keeper.release(lease)

    def kept_tokens(self, source_id: str) -> TokenPlace:
        """Return the place in the connector state."""
        return self._place(source_id) if source_id else super().kept_tokens(source_id)

    def beside_tokens(self, source_id: str, notes: dict[str, Any]) -> AbstractContextManager[dict[str, Any]]:
        """Yield notes as they are to be saved. Tokens are looked for each time: another process may have saved the first."""
        return self._place(source_id).beside(notes)

    def _place(self, source_id: str) -> KeptTokens:
        # Not a run's lock: a token that was replaced is kept also when the run was cancelled.
        lock = partial(self.lock, NoRun(source_id, shared=self), STATE)
        with self._guard:
            return self._kept.setdefault(source_id, KeptTokens(self._manager, source_id, lock))

    def _lease(self, run: SourceRun, name: str) -> Lease | None:
        pause = threading.Event()
        alone_at = time.monotonic() + AWAY_SECONDS
        while self._runs.is_shared:
            try:
                found = self._runs.keeper.take(Claim.of(name))
            except RunStoreError as error:
                if time.monotonic() >= alone_at:
                    log.warning("Other processes are not kept from %s: %s", name, error)
                    return None
                found = None
            if isinstance(found, Lease):
                return found
            run.raise_if_stopped()
            pause.wait(LOOK_SECONDS)
        return None
