"""What calls to one manager share, and what they belong to."""

import threading
from collections import Counter
from typing import Protocol

from attrs import define, field

from omni_connector.manager.clock import Clock
from omni_connector.manager.first_event import FirstEvents
from omni_connector.manager.gate import Gate, SharedGate
from omni_connector.manager.limit import AdaptiveLimit
from omni_connector.manager.presence import Presence
from omni_connector.manager.retry import Policies
from omni_connector.manager.wire import Wire
from omni_connector.telemetry.call_observer import CallObserver
from omni_connector.telemetry.spans import CallParent, CallTracer

PARALLEL_EXTRACTIONS = 2
EXTRACTIONS = Gate(AdaptiveLimit(PARALLEL_EXTRACTIONS))
"""Of this process, whatever it asks how many managers (PROTOCOL, section 21)."""


class OpenCall(Protocol):
    """A call that has no outcome yet."""

    @property
    def operation(self) -> str:
        """What it does, for messages."""
        ...

    def stop(self, reason: str) -> None:
        """Let it fail."""


@define(eq=False)
class Owner:
    """What calls belong to, such as a run, and ends them.

    Attributes:
        stop: no call is sent once it is set.
        calls: those that have no outcome yet; adding and discarding are atomic.
        parent: what they belong to in a trace, where the thread that makes them has no span.
    """

    stop: threading.Event = field(factory=threading.Event)
    calls: set[OpenCall] = field(factory=set)
    parent: CallParent | None = None


@define(eq=False)
class Means:
    """What all calls to one manager share.

    Attributes:
        wire: carries single requests ...
        streams: ... but for those whose answer has no end.
        address: of the manager, as messages show it.
        policies: when calls are repeated, and how long answers are waited for.
        uploads: limits how many contents are stored at once.
        gates: the same and others, by the name that calls have for them.
        presence: whether the manager answers.
        clock: begins the next attempts.
        open: calls without an outcome; adding and discarding are atomic.
        is_closed: no call is begun any more.
        observer: learns of every request, if there is one.
        tracer: lets calls belong to traces, if there is one.
    """

    wire: Wire
    streams: FirstEvents
    address: str
    policies: Policies
    uploads: Gate
    gates: dict[str, Gate | SharedGate] = field(init=False)
    presence: Presence = field(init=False)
    clock: Clock = field(init=False)
    open: set[OpenCall] = field(factory=set)
    is_closed: bool = False
    observer: CallObserver | None = None
    tracer: CallTracer | None = None

    def __attrs_post_init__(self) -> None:
        self.gates = {"uploads": self.uploads, "extractions": EXTRACTIONS}
        self.presence = Presence(self.address)
        self.clock = new_clock()

    def waiting(self) -> str:
        """Return which calls have no outcome yet, such as ``12 store_content, 1 send_events``."""
        counts = Counter(call.operation for call in list(self.open))
        return ", ".join(f"{count} {operation}" for operation, count in counts.most_common()) or "nothing"


def new_clock() -> Clock:
    """Return what begins the next attempts."""
    return Clock("omni-retry")
