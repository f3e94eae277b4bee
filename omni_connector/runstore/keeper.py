"""Holds leases for this process: one thread renews them all, and what was lost is claimed again or fenced."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from functools import partial

from attrs import evolve

from omni_connector.exceptions import RunStoreError
from omni_connector.forking import begins_anew
from omni_connector.runstore.leases import TAKEN, KeeperTimes, Lease, LeaseWatcher, Moment, since_boot
from omni_connector.runstore.store import Claim, Held, RunStore

log = logging.getLogger(__name__)

CLOSE_SECONDS = 3.0
"""How long ``close`` waits for a call to the store in progress; the thread is a daemon."""

MOST_POSTPONED = 10_000
"""Calls that wait for the store to come back; older ones are given up. Their leases end by themselves."""


class LeaseKeeper:
    """Takes, renews and releases the leases of this process. ``close`` it.

    A store of one process needs no renewals, and no thread is started for it. RunStoreError means that the store cannot be
    used now.

    Args:
        store: the store; its owner's to close.
        times: how often it is called.
    """

    def __init__(self, store: RunStore, times: KeeperTimes | None = None) -> None:
        self._store = store
        self._times = times or KeeperTimes()
        begins_anew(self)
        self.after_fork()

    def after_fork(self) -> None:
        """Forget what the parent holds, and start a thread when this process holds something."""
        self._lock = threading.Lock()  # Protects _leases, claims of leases, _thread and _is_closed.
        self._renewing = threading.Lock()  # Held while the store is asked, so that one thread does.
        self._leases: set[Lease] = set()
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()  # Set when the first lease is taken, and when the keeper is closed.
        self._is_closed = False
        self._postponed: deque[Callable[[], object]] = deque(maxlen=MOST_POSTPONED)
        self._is_away = False
        self._back = self._renewed = float("-inf")

    @property
    def is_away(self) -> bool:
        """Whether the store could not be used when it was last called."""
        return self._is_away

    def can_tell(self) -> bool:
        """Say whether a name that is free in the store is held by no process.

        It may be held while leases cannot be renewed, and until a lease's time after that: its owner claims it again.
        """
        if not self._is_away and since_boot() - self._renewed > self._times.renew_seconds:
            self.renew()
        return not self._is_away and since_boot() - self._back >= self._times.lease_seconds

    def start(self) -> None:
        """Begin to call the store, once; ``take`` does, too."""
        with self._lock:
            if self._store.is_shared and self._thread is None and not self._is_closed:
                thread = threading.Thread(target=self._run, name="omni-leases", daemon=True)
                thread.start()
                self._thread = thread

    def close(self) -> None:
        """End the thread; what is still held ends by itself. Repeatable."""
        with self._lock:
            self._is_closed = True
            thread, self._thread = self._thread, None
        self._wake.set()
        if thread is not None:
            thread.join(CLOSE_SECONDS)

    def take(self, claim: Claim, watcher: LeaseWatcher | None = None) -> Lease | Held:
        """Hold the names of ``claim`` until they are released, or say what holds them."""
        until = self._granted()
        found = self._store.take(claim, self._seconds)
        return self._keep(claim, until, watcher) if found is None else found

    def adopt(self, handed: Claim, to: Claim, watcher: LeaseWatcher | None = None) -> Lease | None:
        """Hold what another process holds under ``handed``, in its place; None when it was adopted already, or has ended."""
        until = self._granted()
        is_held = self._store.hand_over(handed, to, self._seconds)
        return self._keep(to, until, watcher) if is_held else None

    def leave(self, lease: Lease, seconds: float) -> None:
        """Hold a lease for ``seconds`` without renewing it: another process may ``adopt`` it.

        Raises:
            RunStoreError: the store cannot be used now; the lease is renewed as before.
        """
        with self._renewing:  # A renewal in progress would shorten it.
            if not lease.is_lost and self._store.take(lease.claim, seconds) is not None:
                return  # The next renewal finds that it is lost.
            with self._lock:
                self._leases.discard(lease)

    def narrow(self, lease: Lease, name: str) -> None:
        """Give up one name of a lease, at the latest when the store is back."""
        with self._lock:
            claim = lease.claim
            lease.claim = claim.only(each for each in claim.names if each != name)
        self.surely(partial(self._store.release, claim.only([name])))

    def widen(self, lease: Lease, name: str, value: bytes) -> Held | None:
        """Hold one name more under a lease, and let others read ``value``."""
        claim = evolve(lease.claim, names=(*lease.claim.names, name), value=value)
        found = self._store.take(claim, self._seconds)
        if found is None:
            with self._lock:
                lease.claim = claim
        return found

    def release(self, lease: Lease) -> None:
        """Give up a lease, at the latest when the store is back."""
        with self._lock:
            self._leases.discard(lease)
        if not lease.is_lost:
            self.surely(partial(self._store.release, lease.claim))

    def surely(self, call: Callable[[], object]) -> None:
        """Make a call to the store: now, or when the store is back."""
        if self._is_away or self._postponed:
            self._postponed.append(call)
            return
        try:
            call()
        except RunStoreError as error:
            self._postponed.append(call)
            self._failed(error)

    def renew(self) -> None:
        """Renew everything once; the thread does so again and again."""
        with self._renewing:
            lost = self._renew()
        _report(lost)

    def renew_if_over(self, lease: Lease) -> None:
        """As ``renew``, for one lease."""
        with self._renewing:
            lost = self._renew() if lease.until.is_over() and not lease.is_lost else []
        if lost:  # The caller may hold locks that the watchers need.
            threading.Thread(target=_report, args=(lost,), name="omni-lease-lost", daemon=True).start()

    @property
    def _seconds(self) -> float:
        return self._times.lease_seconds if self._store.is_shared else float("inf")

    def _granted(self) -> "Moment":
        """Return until when a lease that is asked for now is held at least."""
        return Moment.after(self._seconds)

    def _keep(self, claim: Claim, until: "Moment", watcher: LeaseWatcher | None) -> Lease:
        lease = Lease(self, claim, until, watcher)
        if self._store.is_shared:
            with self._lock:
                if not self._leases:
                    self._wake.set()  # The thread may wait for long.
                self._leases.add(lease)
            self.start()
        return lease

    def _run(self) -> None:
        while True:
            self._wake.wait(self._interval())
            self._wake.clear()  # Before looking, so that a close that comes now is seen next time.
            if self._is_closed:
                return
            try:
                self.renew()
            except Exception:  # The thread must survive whatever one renewal meets.
                log.exception("Renewing the leases failed")

    def _interval(self) -> float:
        if self._is_away:
            return self._times.retry_seconds
        return self._times.renew_seconds if self._leases else self._times.idle_seconds

    def _renew(self) -> list[Lease]:
        with self._lock:
            claims = {lease: lease.claim for lease in self._leases}
        until = self._granted()
        try:
            self._catch_up()
            if claims:
                missing = {claim.token for claim in self._store.renew(list(claims.values()), self._seconds)}
            else:
                missing = set()
                self._store.put(
                    "tried", b"", self._seconds
                )  # Whether it can be read would say nothing of leases.
            lost = self._claim_again([lease for lease in claims if claims[lease].token in missing], claims)
        except RunStoreError as error:
            self._failed(error)
            patience = Moment.after(self._times.patience_seconds)
            for lease in claims:
                lease.until = patience
            return []
        for lease in claims:
            lease.until = until
        self._succeeded()
        return lost

    def _claim_again(self, missing: list[Lease], claims: dict[Lease, Claim]) -> list[Lease]:
        lost: list[Lease] = []
        for lease in missing:
            with self._lock:
                if lease not in self._leases or lease.claim is not claims[lease]:
                    continue  # Released, or narrowed, since it was looked at.
            reason = lease.watcher.why_ended() if lease.watcher is not None else ""
            if not reason and self._store.take(lease.claim, self._seconds) is None:
                log.info("Claimed %s again: it was not renewed in time", ", ".join(lease.claim.names))
                continue
            lease.lost_reason = reason or TAKEN
            with self._lock:
                self._leases.discard(lease)
            lost.append(lease)
        return lost

    def _catch_up(self) -> None:
        while self._postponed:
            call = self._postponed.popleft()
            try:
                call()
            except RunStoreError:
                self._postponed.appendleft(call)
                raise

    def _failed(self, error: RunStoreError) -> None:
        if not self._is_away:
            self._is_away = True
            log.warning("%s. Syncs that run go on; new ones wait until it can be used again.", error)

    def _succeeded(self) -> None:
        self._renewed = since_boot()
        if self._is_away:
            self._back = since_boot()
            self._is_away = False
            log.warning("The run store, %s, can be used again", self._store.label)


def _report(lost: list[Lease]) -> None:
    for lease in lost:
        if lease.watcher is not None:
            lease.watcher.lost(lease.lost_reason)
