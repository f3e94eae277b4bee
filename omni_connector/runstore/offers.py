"""A run that waits in one process for its turn, for any other to execute: one at a time is on offer over all processes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from attrs import evolve, frozen

from omni_connector.models import Slot
from omni_connector.models.codec import decode, encode
from omni_connector.runstore.leases import Lease, LeaseWatcher
from omni_connector.runstore.runs import RunKey, SharedRuns
from omni_connector.runstore.store import VERSION, Claim, new_token

_NAME = "offer"


@frozen
class SharedOffers:
    """Offers runs of this process, and accepts those of others.

    The offer is a lease. Either another process takes it over, or the one that made it takes it back; so a run is executed
    by one of them. The run itself is held by the first until the second adopts it. RunStoreError means that the store cannot
    be used now.

    Attributes:
        runs: the runs of all processes.
    """

    runs: SharedRuns

    def of(self, key: RunKey, token: str) -> Claim:
        """Return the offer of a run that this process holds under ``token``."""
        claim = Claim.of(_NAME)
        fields = {"v": VERSION, "offer": claim.token, "token": token}
        fields |= {"sync_run_id": key.sync_run_id, "source_id": key.source_id, "slot": key.slot.value}
        return evolve(claim, value=encode(fields))

    def is_standing(self) -> bool:
        """Say whether there is an offer, of any process."""
        return self.runs.store.holder(_NAME) is not None

    def make(self, offer: Claim) -> Lease | None:
        """Let others find an offer; None while another one stands.

        Raises:
            RunStoreError: the store cannot be used now; others may find it nevertheless.
        """
        found = self.runs.keeper.take(offer, _Accepted())
        return found if isinstance(found, Lease) else None

    def withdraw(self, offer: Claim, lease: Lease | None) -> bool:
        """Take an offer back; False when another process has accepted it, or when it was lost."""
        keeper = self.runs.keeper
        own = keeper.adopt(offer, evolve(offer, token=new_token()))
        if lease is not None:
            keeper.release(lease)
        if own is None:
            return False
        keeper.release(own)
        return True

    def is_being_adopted(self, key: RunKey) -> bool:
        """Say whether a process has accepted the offer of a run, and may be about to adopt the run."""
        value = self.runs.store.holder(_NAME)
        return value is not None and decode(value).get("accepted") == key.sync_run_id

    @contextmanager
    def accepted(self) -> Iterator[tuple[RunKey, str] | None]:
        """Accept the offer of another process, if there is one; to be adopted in the block: the key and the token of its claim."""
        value = self.runs.store.holder(_NAME)
        offer: dict[str, Any] = {} if value is None else decode(value)
        if "offer" not in offer or offer["v"] != VERSION:
            yield None
            return
        made = Claim((_NAME,), offer["offer"])
        mine = evolve(Claim.of(_NAME), value=encode({"v": VERSION, "accepted": offer["sync_run_id"]}))
        lease = self.runs.keeper.adopt(made, mine)
        if lease is None:  # Another process was faster, or it was taken back.
            yield None
            return
        try:
            yield RunKey(offer["sync_run_id"], offer["source_id"], Slot(offer["slot"])), offer["token"]
        finally:
            self.runs.keeper.release(lease)


class _Accepted(LeaseWatcher):
    def why_ended(self) -> str:
        """Never claim it again: first it must be known whether the run still waits."""
        return "another process has accepted it, or it was lost"
