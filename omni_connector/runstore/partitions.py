"""Partitions that other processes read: which names and values the run store has for them.

The process that has the run *offers* a partition: it holds a lease on it, and keeps what the partition begins with in a note.
The first process that presents the token of the offer takes the lease over and reads the partition; it keeps its reports in
notes, too. A partition whose lease ends without a last report was lost with its process, and is offered again.
"""

import hashlib
from typing import Any

from attrs import evolve, frozen

from omni_connector.models.codec import decode, encode, structure, unstructure
from omni_connector.partitions.messages import Assignment, PartitionReport, PartitionTask
from omni_connector.runstore.leases import TAKEN, Lease, LeaseWatcher
from omni_connector.runstore.runs import SharedRuns
from omni_connector.runstore.store import LEASE_SECONDS, VERSION, Claim, RunStore

OFFER_SECONDS = 86_400.0
"""How long what a partition begins with is kept; it is offered again long before, see ``OMNI_QUEUE_SECONDS``."""

NOTES_SECONDS = 3600.0
"""How long reports and orders are kept. The process that has the run reads them several times a second."""

WIND_DOWN = "wind down"
INTERRUPT = "interrupt"
CANCEL = "cancel"


@frozen
class Offer:
    """A partition that waits for a process that reads it.

    Attributes:
        task: names the partition.
        lease: holds it until then; its token is that of the offer.
    """

    task: PartitionTask
    lease: Lease

    @property
    def token(self) -> str:
        """What a process presents to read it; the first one does."""
        return self.lease.claim.token


@frozen
class Adopted:
    """A partition that this process reads.

    Attributes:
        task: names the partition.
        token: of the offer; names its reports.
        owner: token of the run's claim.
        assignment: what it begins with.
        lease: held while it is read.
    """

    task: PartitionTask
    token: str
    owner: str
    assignment: Assignment
    lease: Lease


@frozen(kw_only=True)
class Sent:
    """A report as it is kept.

    Attributes:
        number: counts the reports of an offer.
        report: the report; its ``errors`` are the last of all that were reported.
        saved: number of the last report that has a state.
        error_count: of all errors that were reported.
    """

    number: int
    report: PartitionReport
    saved: int = 0
    error_count: int = 0


class SharedPartitions:
    """Offers partitions of the runs of this process, and adopts those of others.

    RunStoreError means that the store cannot be used now.

    Args:
        runs: the runs of all processes.
    """

    def __init__(self, runs: SharedRuns) -> None:
        self._runs = runs
        self._store = runs.store
        self._keeper = runs.keeper

    # -- in the process that has the run ----------------------------------------------------------------------------

    def offer(self, task: PartitionTask, owner: str, assignment: Assignment) -> Offer:
        """Offer a partition to all processes; a process that still reads it for an earlier attempt loses it."""
        claim = Claim.of(name := _lease_name(task))
        claim = evolve(claim, value=encode({"v": VERSION, "token": claim.token}))
        note = {"v": VERSION, "token": claim.token, "owner": owner, "assignment": unstructure(assignment)}
        self._store.put(_offer_name(name), encode(note), OFFER_SECONDS)
        while not isinstance(found := self._keeper.take(claim, _OfferWatcher()), Lease):
            self._store.release(Claim((name,), decode(found.value)["token"]))
        return Offer(task, found)

    def withdraw(self, offer: Offer) -> bool:
        """End an offer that no process has taken; False when one has, or when it has ended."""
        claim = offer.lease.claim
        own = Claim.of(*claim.names)
        if not self._store.hand_over(claim, own, LEASE_SECONDS):
            return False
        self._keeper.release(offer.lease)
        self._store.release(own)
        return True

    def holder(self, task: PartitionTask) -> str | None:
        """Return the token of the process that holds a partition; None when there is surely none, else it may be empty."""
        found = self._store.holder(_lease_name(task))
        if found is not None:
            return str(decode(found)["token"])
        return None if self._keeper.can_tell() else ""

    def news(self, offer: Offer, known: Sent | None) -> tuple[Sent | None, Sent | None]:
        """Return the last report that has a state and the last of all, each of them only if it is not known."""
        last = self._sent(offer.token, "last")
        if last is None or (known is not None and last.number <= known.number):
            return None, None
        is_known = last.saved == (0 if known is None else known.saved)
        return None if is_known else self._sent(offer.token, "saved"), last

    def forget(self, offer: Offer) -> None:
        """Let go of what was kept of a partition that has ended.

        Raises:
            RunStoreError: the store cannot be used now; it is kept longer.
        """
        notes = [
            _offer_name(_lease_name(offer.task)),
            *(_report_name(offer.token, kind) for kind in ("saved", "last")),
        ]
        for name in notes:
            self._store.put(name, b"{}", 0.001)

    def give_order(self, owner: str, order: str) -> None:
        """Ask the processes that read partitions of a run to stop: ``WIND_DOWN``, ``INTERRUPT`` or ``CANCEL``."""
        self._store.put(_order_name(owner), encode({"v": VERSION, "order": order}), NOTES_SECONDS)

    # -- in the process that reads the partition --------------------------------------------------------------------

    def adopt(self, task: PartitionTask, token: str) -> Adopted | None:
        """Take an offered partition; None when another process has, or when the offer has ended."""
        name = _lease_name(task)
        found = self._store.get(_offer_name(name))
        offer: dict[str, Any] = {} if found is None else decode(found)
        if offer.get("token") != token:
            return None
        claim = Claim.of(name)
        claim = evolve(claim, value=encode({"v": VERSION, "token": claim.token}))
        watcher = _ReaderWatcher(self._store, name, token)
        lease = self._keeper.adopt(evolve(claim, token=token), claim, watcher)
        if lease is None:
            return None
        return Adopted(task, token, offer["owner"], structure(Assignment, offer["assignment"]), lease)

    def release(self, adopted: Adopted) -> None:
        """End the reading of a partition."""
        self._keeper.release(adopted.lease)

    def keep(self, adopted: Adopted, sent: Sent) -> None:
        """Keep a report for the process that has the run, in place of an earlier one."""
        name = _report_name(adopted.token, "saved" if sent.report.has_saved else "last")
        self._store.put(name, encode({"v": VERSION, "sent": unstructure(sent)}), NOTES_SECONDS)

    def order(self, adopted: Adopted) -> str:
        """Return how a partition should stop; empty while it may go on."""
        if not self._runs.is_held_by(adopted.task.sync_run_id, adopted.owner):
            return CANCEL
        found = self._store.get(_order_name(adopted.owner))
        return "" if found is None else str(decode(found)["order"])

    # -- inside -----------------------------------------------------------------------------------------------------

    def _sent(self, token: str, kind: str) -> Sent | None:
        found = self._store.get(_report_name(token, kind))
        return None if found is None else structure(Sent, decode(found)["sent"])


class _OfferWatcher(LeaseWatcher):
    """An offer whose lease is gone was taken, or lost with the store; it is never claimed again."""

    def why_ended(self) -> str:
        return TAKEN


@frozen
class _ReaderWatcher(LeaseWatcher):
    """A partition is claimed again by the process that reads it, unless it was offered again meanwhile."""

    store: RunStore
    name: str
    token: str

    def why_ended(self) -> str:
        found = self.store.get(_offer_name(self.name))
        return "" if found is not None and decode(found).get("token") == self.token else TAKEN


def _lease_name(task: PartitionTask) -> str:
    # Keys are of the author: of any length, and not for names.
    return f"part/{task.sync_run_id}/{hashlib.sha256(task.key.encode()).hexdigest()[:32]}"


def _offer_name(lease_name: str) -> str:
    return f"offer/{lease_name}"


def _report_name(token: str, kind: str) -> str:
    return f"{kind}/{token}"


def _order_name(owner: str) -> str:
    return f"order/{owner}"
