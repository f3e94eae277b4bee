"""What a run store can do: the interface of its three implementations.

A store has *leases* (a name that one owner at a time holds, until it gives it up or stops renewing it), *notes* (a value
with a name, kept for a while) and *budgets* (so many units a second, over all processes). All names belong to one connector.

Time is the store's own: durations go in, never moments, so that the clocks of several machines are not compared.
Names and values outlive a release: ``VERSION`` is part of every name, and every JSON value has ``v``. Readers ignore fields
that they do not know, so that two releases can run side by side. A change that older readers would misunderstand needs
another ``VERSION``.
"""

import uuid
from collections.abc import Iterable, Sequence
from typing import Protocol

from attrs import evolve, frozen

VERSION = 1
"""Of names and values."""

LEASE_SECONDS = 15.0
"""How long a lease lasts without being renewed; then what a dead process held is free."""


@frozen
class Claim:
    """Names that one owner wants to hold, all or none.

    Attributes:
        names: such as ``run/01J...`` and ``slot/01H.../scheduled``.
        token: identifies the owner; two claims never have the same one unless one was made of the other.
        value: what others can read about the owner.
    """

    names: tuple[str, ...]
    token: str
    value: bytes = b""

    @classmethod
    def of(cls, *names: str, value: bytes = b"") -> "Claim":
        """Return a claim of ``names`` with a new token."""
        return cls(names, new_token(), value)

    def only(self, names: Iterable[str]) -> "Claim":
        """Return the claim of the same owner to these of its names."""
        return evolve(self, names=tuple(names))


@frozen
class Held:
    """Why a claim failed.

    Attributes:
        name: the first of the names that another owner holds.
        value: what is known about that owner.
    """

    name: str
    value: bytes


@frozen
class Rate:
    """A budget.

    Attributes:
        per_second: units a second.
        burst: units that may be spent at once after a pause.
    """

    per_second: float
    burst: float = 1.0


class RunStore(Protocol):
    """Leases, notes and budgets of one connector. ``close`` it. Safe to use from many threads, and after a fork.

    Every method raises ``RunStoreError`` when the store cannot be used now; it may have done its work then. Methods that
    are repeated do no harm, except ``spend``.

    Attributes:
        is_shared: other processes use the same store. Otherwise leases need not be renewed.
        label: for messages; without credentials.
    """

    is_shared: bool
    label: str

    def take(self, claim: Claim, seconds: float) -> Held | None:
        """Hold all names of ``claim`` for ``seconds``, or none of them.

        A name is free when no one holds it, or the same token does. Returns None when all are held now.
        """

    def renew(self, claims: Sequence[Claim], seconds: float) -> list[Claim]:
        """Prolong claims that are held; return those that have lost at least one of their names."""
        ...

    def hand_over(self, claim: Claim, to: Claim, seconds: float) -> bool:
        """Give the names of ``claim`` to the owner of ``to``, which has the same names; False when ``claim`` is not held.

        Only the first of several that try succeeds: a task that a broker delivers twice runs once.
        """
        ...

    def release(self, claim: Claim) -> None:
        """Give up the names of ``claim`` that its token still holds."""

    def holder(self, name: str) -> bytes | None:
        """Return the value of the owner of ``name``, None when it is free."""

    def put(self, name: str, value: bytes, seconds: float) -> None:
        """Keep a note for ``seconds``, in place of an older one of that name."""

    def get(self, name: str) -> bytes | None:
        """Return a note, None when there is none (any more)."""

    def spend(self, name: str, units: float, rate: Rate) -> float:
        """Spend from a budget, and return for how many seconds to wait before what was paid for is done."""
        ...

    def close(self) -> None:
        """Release connections; leases stay. Repeatable."""


def new_token() -> str:
    """Return a token that no other claim has: 32 characters."""
    return uuid.uuid4().hex
