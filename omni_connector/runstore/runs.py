"""The runs of a connector over all its processes: which names and values the store has for them."""

import functools
from collections.abc import Callable
from typing import Any

from attrs import evolve, frozen

from omni_connector.exceptions import RunStoreError, SyncConflictError
from omni_connector.models import Slot
from omni_connector.models.codec import decode, encode
from omni_connector.runstore.keeper import LeaseKeeper
from omni_connector.runstore.leases import TAKEN, Lease, LeaseWatcher
from omni_connector.runstore.store import LEASE_SECONDS, VERSION, Claim, RunStore

CANCELLED_SECONDS = 3600.0
"""How long a cancellation is known: a process may be stopped, or cut off from the store, for a while."""

REPORT_SECONDS = 3600.0
"""How long the figures of a run are kept. The manager repeats a first dispatch for 150 s (PROTOCOL, section 1), and a process
that was stopped for longer than a lease learns from them that another has executed its run."""

CANCELLED = "cancelled by the manager"


@frozen
class RunKey:
    """One run and its slot.

    Attributes:
        slot: its class.
    """

    sync_run_id: str
    source_id: str
    slot: Slot

    @property
    def extra(self) -> dict[str, str]:
        """What the run's lines in the log carry besides their text."""
        return {"sync_run_id": self.sync_run_id, "source_id": self.source_id}

    @property
    def run_name(self) -> str:
        """The lease of the run: held until its end was answered."""
        return _run_name(self.sync_run_id)

    @property
    def slot_name(self) -> str:
        """The lease of the slot: given up before the final call."""
        return f"slot/{self.slot.value}/{self.source_id}"

    def claim(self) -> Claim:
        """Return a claim of both, with a new token."""
        claim = Claim.of(self.run_name, self.slot_name)
        return evolve(claim, value=self.value(claim.token))

    def value(self, token: str) -> bytes:
        """Return what other processes can read of the owner."""
        # The process that cancels the run needs the token: it takes away the leases of this owner, and of no other.
        return encode({"v": VERSION, "run": self.sync_run_id, "slot": self.slot_name, "token": token})


class SharedRuns:
    """Claims, cancels and finds runs, whichever process executes them. RunStoreError means that the store cannot be used now.

    Args:
        keeper: holds the leases of this process.
    """

    def __init__(self, store: RunStore, keeper: LeaseKeeper) -> None:
        self.store = store
        self.keeper = keeper

    @classmethod
    def of(cls, store: RunStore) -> "SharedRuns":
        """Return the runs in ``store``, which is closed with them."""
        return cls(store, LeaseKeeper(store))

    @property
    def is_shared(self) -> bool:
        """Whether other processes may have runs."""
        return self.store.is_shared

    def claim(self, key: RunKey, on_lost: Callable[[str], None]) -> Lease | None:
        """Claim a run and its slot; None when this very run is in progress already.

        Args:
            key: the run.
            on_lost: called with the reason when the run is cancelled, or another process has taken it over.

        Raises:
            SyncConflictError: another run holds the slot.
        """
        claim = key.claim()
        found = self.keeper.take(claim, _RunWatcher(self, key.sync_run_id, claim.token, on_lost))
        if isinstance(found, Lease):
            return found
        if found.name == key.run_name:
            return None
        raise SyncConflictError(key.source_id)

    def adopt(self, key: RunKey, token: str, on_lost: Callable[[str], None]) -> Lease | None:
        """Take a claimed run over from the process that holds it under ``token``; None when that was done already."""
        claim = key.claim()
        handed = evolve(claim, token=token)
        return self.keeper.adopt(handed, claim, _RunWatcher(self, key.sync_run_id, claim.token, on_lost))

    def give_back(self, key: RunKey, token: str) -> bool:
        """End a claim that was left and that no process has adopted; False when one has, or when it has ended."""
        own = key.claim()
        if not self.store.hand_over(evolve(own, token=token), own, LEASE_SECONDS):
            return False
        self.store.release(own)
        return True

    def is_held(self, key: RunKey, token: str) -> bool:
        """Say whether the run is still held under ``token``."""
        owner = self.store.holder(key.run_name)
        return owner is not None and decode(owner).get("token") == token

    def is_held_by(self, sync_run_id: str, token: str) -> bool:
        """Say whether the run is still that of the process whose claim has ``token``; yes while that cannot be known."""
        owner = self.store.holder(_run_name(sync_run_id))
        if owner is not None:
            return bool(decode(owner).get("token") == token)
        return not (self.is_cancelled(sync_run_id) or self.keeper.can_tell())

    def keep_dispatch(self, token: str, dispatch: dict[str, Any], seconds: float) -> None:
        """Keep what the process that adopts a run needs to know and a message should not carry, its checkpoint above all."""
        self.store.put(f"dispatch/{token}", encode({"v": VERSION, **dispatch}), seconds)

    def dispatch(self, token: str) -> dict[str, Any] | None:
        """Return what was kept with the claim of a run; None when it is too old."""
        found = self.store.get(f"dispatch/{token}")
        return None if found is None else dict(decode(found))

    def name(self, lease: Lease, unnamed: RunKey, key: RunKey, on_lost: Callable[[str], None]) -> None:
        """Give a claim that was made before the run had an id to the run.

        Raises:
            SyncConflictError: the run is in progress elsewhere already.
        """
        if self.keeper.widen(lease, key.run_name, key.value(lease.claim.token)) is not None:
            raise SyncConflictError(key.source_id)
        lease.watcher = _RunWatcher(self, key.sync_run_id, lease.claim.token, on_lost)
        self.keeper.narrow(lease, unnamed.run_name)

    def free_slot(self, lease: Lease, key: RunKey) -> None:
        """Let the source's next run start; this one is still known as running."""
        if key.slot_name in lease.claim.names:
            self.keeper.narrow(lease, key.slot_name)

    def check(self) -> None:
        """Return if the store can be written and read.

        Raises:
            RunStoreError: it cannot be.
        """
        self.store.put("check", encode({"v": VERSION}), LEASE_SECONDS)
        if self.store.get("check") is None:
            raise RunStoreError(f"The run store {self.store.label} forgets what is put into it")

    def close(self) -> None:
        """Stop using the store. Repeatable."""
        self.keeper.close()
        self.store.close()

    def is_running(self, sync_run_id: str) -> bool:
        """Say whether any process executes the run."""
        if not self.keeper.is_away and self.store.holder(_run_name(sync_run_id)) is not None:
            return True
        if not self.keeper.can_tell():
            raise RunStoreError("The run store is away, or was a moment ago: it does not know all runs")
        return False

    def cancel(self, sync_run_id: str) -> bool:
        """Free a run's slot, and have the process that executes it stop it; False when it is not in progress.

        While the store cannot be used the answer is False, and the run is cancelled when the store is back.
        """
        try:
            return self._cancel(sync_run_id)
        except RunStoreError:
            self.keeper.surely(functools.partial(self._cancel, sync_run_id))
            return False

    def is_cancelled(self, sync_run_id: str) -> bool:
        """Say whether the run was cancelled in any process."""
        return self.store.get(_cancel_name(sync_run_id)) is not None

    def keep_report(self, lease: Lease, sync_run_id: str, report: dict[str, Any]) -> None:
        """Keep what its owner knows of a run, in progress or ended; at the latest when the store is back."""
        note = encode({"v": VERSION, "owner": lease.claim.token, **report})
        self.keeper.surely(functools.partial(self.store.put, f"report/{sync_run_id}", note, REPORT_SECONDS))

    def report(self, sync_run_id: str) -> dict[str, Any] | None:
        """Return what was kept of a run of any process; None when it is unknown."""
        found = self.store.get(f"report/{sync_run_id}")
        report: dict[str, Any] | None = None if found is None else decode(found)
        return report

    def counts_note(self, sync_run_id: str) -> "StoredNote":
        """Return where the counts of a run are kept for the process that resumes it."""
        return StoredNote(self, f"counts/{sync_run_id}")

    def _cancel(self, sync_run_id: str) -> bool:
        # First the note, by which the owner knows why its lease is gone.
        self.store.put(_cancel_name(sync_run_id), encode({"v": VERSION}), CANCELLED_SECONDS)
        owner = self.store.holder(_run_name(sync_run_id))
        if owner is None:
            return False
        value = decode(owner)
        self.store.release(Claim((_run_name(sync_run_id), value["slot"]), value["token"]))
        return True


@frozen
class StoredNote:
    """One value of a run that is kept while the store can be used, as long as a report."""

    runs: SharedRuns
    name: str

    def put(self, value: dict[str, Any]) -> None:
        """Keep a value in place of the last one; at the latest when the store is back."""
        note = encode({"v": VERSION, **value})
        self.runs.keeper.surely(functools.partial(self.runs.store.put, self.name, note, REPORT_SECONDS))

    def get(self) -> dict[str, Any] | None:
        """Return the last value; None when there is none, or the store cannot be used now."""
        try:
            found = self.runs.store.get(self.name)
        except RunStoreError:
            return None
        return None if found is None else dict(decode(found))


class _RunWatcher(LeaseWatcher):
    def __init__(
        self, runs: SharedRuns, sync_run_id: str, token: str, on_lost: Callable[[str], None]
    ) -> None:
        self._runs = runs
        self._sync_run_id = sync_run_id
        self._token = token
        self._on_lost = on_lost

    def why_ended(self) -> str:
        if self._runs.is_cancelled(self._sync_run_id):
            return CANCELLED
        report = self._runs.report(self._sync_run_id)
        return TAKEN if report is not None and report.get("owner") != self._token else ""

    def lost(self, reason: str) -> None:
        self._on_lost(reason)


def _run_name(sync_run_id: str) -> str:
    return f"run/{sync_run_id}"


def _cancel_name(sync_run_id: str) -> str:
    return f"cancel/{sync_run_id}"
