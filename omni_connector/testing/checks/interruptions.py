"""Moments of a run at which something happens to it."""

import threading
from typing import Protocol

from attrs import define, field

from omni_connector.testing.faults import Do, FaultPlan

FOR_GOOD = float("inf")


class _Proxy(Protocol):
    """What is needed of a ``FaultyManager``."""

    plan: FaultPlan

    def go_away(self, seconds: float = FOR_GOOD) -> None:
        """Break all connections, and refuse new ones."""


@define(kw_only=True)
class Interruption:
    """The manager is gone from a certain call on; the process of the connector ends there.

    Attributes:
        endpoint: of the call, by its name in ``ENDPOINTS``.
        number: which call of that endpoint, from 1.
        is_done: the manager still carries out that call.
        reached: it has happened.
    """

    endpoint: str
    number: int
    is_done: bool
    reached: threading.Event = field(factory=threading.Event, init=False)

    def add_to(self, proxy: _Proxy) -> None:
        """Have the proxy do it."""
        proxy.plan.add(
            self.endpoint, Do(_GoingAway(proxy, self.reached), done=self.is_done), calls=self.number
        )


@define
class _GoingAway:
    proxy: _Proxy
    reached: threading.Event

    def __call__(self) -> None:
        self.proxy.go_away()
        self.reached.set()


def wait_for_either(event: threading.Event, thread: threading.Thread | None, seconds: float) -> None:
    """Wait until an event has happened, or a thread has ended."""
    remaining = seconds
    while thread is not None and thread.is_alive() and remaining > 0 and not event.wait(_LOOK_SECONDS):
        remaining -= _LOOK_SECONDS


_LOOK_SECONDS = 0.02
