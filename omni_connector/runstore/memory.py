"""The run store of one process."""

import threading
import time
from collections.abc import Callable, Sequence

from attrs import define

from omni_connector.forking import begins_anew
from omni_connector.runstore.store import Claim, Held, Rate
from omni_connector.sources.rates import paid


@define
class _Lease:
    token: str
    value: bytes
    expires: float


class MemoryStore:
    """Keeps everything in this process; implements ``RunStore``.

    Args:
        clock: monotonic seconds.
    """

    is_shared = False
    label = "memory"

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()  # Protects the following.
        self._leases: dict[str, _Lease] = {}
        self._notes: dict[str, tuple[bytes, float]] = {}
        self._budgets: dict[str, float] = {}
        begins_anew(self)

    def after_fork(self) -> None:
        """Forget everything: it belongs to the process from which this one was forked."""
        self._lock = threading.Lock()
        self._leases.clear()
        self._notes.clear()
        self._budgets.clear()

    def take(self, claim: Claim, seconds: float) -> Held | None:
        """Hold all names, or none."""
        with self._lock:
            for name in claim.names:
                lease = self._live(name)
                if lease is not None and lease.token != claim.token:
                    return Held(name, lease.value)
            self._hold(claim, seconds)
        return None

    def renew(self, claims: Sequence[Claim], seconds: float) -> list[Claim]:
        """Prolong claims; return the lost ones."""
        with self._lock:
            lost = [claim for claim in claims if not self._is_held(claim)]
            for claim in claims:
                self._hold(claim.only(name for name in claim.names if self._holds(claim, name)), seconds)
        return lost

    def hand_over(self, claim: Claim, to: Claim, seconds: float) -> bool:
        """Give the names to another owner."""
        with self._lock:
            if not self._is_held(claim):
                return False
            self._hold(to, seconds)
        return True

    def release(self, claim: Claim) -> None:
        """Give up names."""
        with self._lock:
            for name in claim.names:
                if self._holds(claim, name):
                    del self._leases[name]

    def holder(self, name: str) -> bytes | None:
        """Return the owner's value."""
        with self._lock:
            lease = self._live(name)
            return None if lease is None else lease.value

    def put(self, name: str, value: bytes, seconds: float) -> None:
        """Keep a note."""
        with self._lock:
            now = self._clock()
            self._notes = {key: note for key, note in self._notes.items() if note[1] > now}
            self._notes[name] = (value, now + seconds)

    def get(self, name: str) -> bytes | None:
        """Return a note."""
        with self._lock:
            value, expires = self._notes.get(name, (None, 0.0))
            return value if expires > self._clock() else None

    def spend(self, name: str, units: float, rate: Rate) -> float:
        """Spend from a budget."""
        with self._lock:
            self._budgets[name], wait = paid(
                self._budgets.get(name), self._clock(), units, (rate.per_second, rate.burst)
            )
        return wait

    def close(self) -> None:
        """Keep everything: another service of the process may use it."""

    def _hold(self, claim: Claim, seconds: float) -> None:
        expires = self._clock() + seconds
        for name in claim.names:
            self._leases[name] = _Lease(claim.token, claim.value, expires)

    def _live(self, name: str) -> _Lease | None:
        lease = self._leases.get(name)
        return lease if lease is not None and lease.expires > self._clock() else None

    def _holds(self, claim: Claim, name: str) -> bool:
        lease = self._live(name)
        return lease is not None and lease.token == claim.token

    def _is_held(self, claim: Claim) -> bool:
        return all(self._holds(claim, name) for name in claim.names)
