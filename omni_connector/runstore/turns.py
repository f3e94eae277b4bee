"""Tasks that one process at a time does for all."""

from omni_connector.exceptions import RunStoreError
from omni_connector.runstore.keeper import LeaseKeeper
from omni_connector.runstore.leases import Lease
from omni_connector.runstore.store import Claim


class Turn:
    """A task that one process at a time has, as long as it lives; another takes it over within the lease.

    Args:
        keeper: holds the leases of this process.
        name: of the task, such as ``register/http://here:8000``.
    """

    def __init__(self, keeper: LeaseKeeper, name: str) -> None:
        self._keeper = keeper
        self._name = name
        self._lease: Lease | None = None

    def is_mine(self) -> bool:
        """Say whether this process has the task now. While the store is away, each process has it."""
        if self._lease is not None and self._lease.is_assured():
            return True
        self._lease = None
        try:
            found = self._keeper.take(Claim.of(self._name))
        except RunStoreError:
            return True
        if isinstance(found, Lease):
            self._lease = found
        return self._lease is not None

    def end(self) -> None:
        """Leave the task to another process."""
        if self._lease is not None:
            self._keeper.release(self._lease)
            self._lease = None
