"""Limits that hold for a connector as a whole, over all its processes."""

import threading

from attrs import field, frozen

from omni_connector.exceptions import RunStoreError
from omni_connector.runstore.keeper import LeaseKeeper
from omni_connector.runstore.leases import Lease
from omni_connector.runstore.store import Claim, Rate, RunStore

LOOK_SECONDS = 0.25
"""How often it is looked whether a permit is free; what is permitted takes seconds."""


@frozen
class Permits:
    """A number of permits of one kind; one that a dead process held is free after its lease. ``close`` it.

    Attributes:
        keeper: holds the leases of this process.
        kind: what is permitted, such as ``extraction``.
        count: how many there are.
    """

    keeper: LeaseKeeper
    kind: str
    count: int
    _closed: threading.Event = field(init=False, factory=threading.Event)

    def acquire(self) -> Lease | None:
        """Wait for a permit. None, at once, when the store cannot be used: then each process limits itself alone."""
        while True:
            for number in range(self.count):
                try:
                    found = self.keeper.take(Claim.of(f"{self.kind}/{number}"))
                except RunStoreError:
                    return None
                if isinstance(found, Lease):
                    return found
            if self._closed.wait(LOOK_SECONDS):
                return None

    def release(self, permit: Lease | None) -> None:
        """Give a permit back."""
        if permit is not None:
            self.keeper.release(permit)

    def close(self) -> None:
        """End all waits."""
        self._closed.set()


@frozen
class Budget:
    """A rate that all processes of a connector keep together, such as what a source allows an account.

    Attributes:
        store: counts; with Redis, over several machines.
        name: what the rate is for; processes that give the same name share it.
    """

    store: RunStore
    name: str
    rate: Rate

    def spend(self, units: float = 1.0) -> float:
        """Return for how many seconds to wait before the next call, which is paid for by this.

        While the store cannot be used, each process keeps the rate alone, without a burst.
        """
        try:
            return self.store.spend(self.name, units, self.rate)
        except RunStoreError:
            return units / self.rate.per_second
