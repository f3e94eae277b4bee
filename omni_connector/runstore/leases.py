"""What a process holds in the run store, and who is informed when it is lost."""

import time
from typing import Protocol

from attrs import frozen

from omni_connector.runstore.store import LEASE_SECONDS, Claim

TAKEN = "another process has it"


@frozen(kw_only=True)
class KeeperTimes:
    """How often the store is called, in seconds.

    Attributes:
        lease_seconds: how long a lease lasts without being renewed.
        renew_seconds: between two renewals. A cancellation in another process is noticed by one.
        idle_seconds: the same while nothing is held: then a call only shows whether the store can be used.
        retry_seconds: the same while it cannot be used.
        patience_seconds: while the store cannot be used, leases count as held for so long after each attempt.
    """

    lease_seconds: float = LEASE_SECONDS
    renew_seconds: float = 1.0
    idle_seconds: float = 5.0
    retry_seconds: float = 0.5
    patience_seconds: float = 5.0


class Lease:
    """What this process holds; ``LeaseKeeper`` makes and renews it.

    Attributes:
        claim: the names and their owner.
        lost_reason: why it is lost: ``TAKEN``, or what the watcher said; empty while it is held.
        watcher: is informed when it is lost.
        until: it is held until then at least.
    """

    def __init__(
        self, keeper: "Renews", claim: Claim, until: "Moment", watcher: "LeaseWatcher | None"
    ) -> None:
        self.claim = claim
        self.lost_reason = ""
        self.watcher = watcher
        self.until = until
        self._keeper = keeper

    @property
    def is_lost(self) -> bool:
        """Another process holds it, or it was cancelled."""
        return bool(self.lost_reason)

    def is_assured(self) -> bool:
        """Say whether it is still held; to be asked before anything is done that only its owner may do.

        Normally this looks at a clock. After this process could not renew it, because the machine slept or the process was
        stopped, it asks the store first. While the store cannot be used, the answer is yes: no other process can claim it either.
        """
        if not self.is_lost and self.until.is_over():
            self._keeper.renew_if_over(self)
        return not self.is_lost


class Renews(Protocol):
    """Renews leases."""

    def renew_if_over(self, lease: "Lease") -> None:
        """Renew a lease that may have ended, unless another thread has done so meanwhile."""


class LeaseWatcher:
    """Is asked and informed about one lease; the default does nothing."""

    def why_ended(self) -> str:
        """Return why the lease must not be claimed again; empty when it may be."""
        return ""

    def lost(self, reason: str) -> None:
        """The lease is lost: ``reason`` is that of ``why_ended``, or ``TAKEN``. Called in a thread that holds no lock."""


@frozen
class Moment:
    """A moment on two clocks: one counts the sleep of this machine, the other is set right after its whole machine was paused."""

    since_boot: float
    wall: float

    @classmethod
    def after(cls, seconds: float) -> "Moment":
        """Return the moment that is so many seconds away."""
        return cls(since_boot() + seconds, time.time() + seconds)

    def is_over(self) -> bool:
        """Say whether it has come, on either clock."""
        return since_boot() >= self.since_boot or time.time() >= self.wall


def since_boot() -> float:
    """Return the seconds since the machine was started, its sleep included where the system counts it."""
    return time.clock_gettime(_CLOCK) if _CLOCK is not None else time.monotonic()


_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", None)
