"""Moments of a run at which something happens to it."""

from typing import Protocol

from attrs import frozen

from omni_connector.testing.faults import Do, FaultPlan, GoAway

FOR_GOOD = float("inf")


class _Proxy(Protocol):
    """What is needed of a ``FaultyManager``."""

    plan: FaultPlan

    def go_away(self, seconds: float = FOR_GOOD) -> None:
        """Break all connections, and refuse new ones."""


@frozen(kw_only=True)
class Interruption:
    """The manager is gone from a certain call on, as for a process that is killed at that moment.

    Attributes:
        endpoint: of the call, by its name in ``ENDPOINTS``.
        number: which call of that endpoint, from 1.
        is_done: the manager still carries out that call.
    """

    endpoint: str
    number: int
    is_done: bool

    def add_to(self, proxy: _Proxy) -> None:
        """Have the proxy do it."""
        fault = Do(proxy.go_away, done=True) if self.is_done else GoAway(FOR_GOOD)
        proxy.plan.add(self.endpoint, fault, calls=self.number)
