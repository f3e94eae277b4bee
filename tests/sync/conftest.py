"""A delivery, or a whole context, over a manager in memory; every thread is ended after the test."""

from __future__ import annotations

import contextlib
import inspect

import attrs
import pytest

from omni_connector.event_loop import EventLoop
from omni_connector.sync.colours import Blocking, OnLoop
from omni_connector.sync.context import SyncContext
from omni_connector.sync.delivery import Delivery
from omni_connector.sync.delivery_limits import DeliveryLimits
from omni_connector.sync.ledger import ErrorLedger
from omni_connector.sync.run import SyncRun
from omni_connector.sync.run_info import RunInfo
from omni_connector.sync.state import RunState
from omni_connector.telemetry.meter import RunMeter
from omni_connector.testing import MemoryManager

RUN = RunInfo(sync_run_id="run-1", source_id="source-1", source_type="web")


@attrs.define(eq=False)
class Rig:
    """One run and what it is made of."""

    manager: MemoryManager
    stop: RunState
    run: RunInfo
    ledger: ErrorLedger | None = None
    delivery: Delivery | None = None
    sync: SyncRun | None = None
    ctx: SyncContext | None = None
    loop: EventLoop | None = None
    freed: list = attrs.field(factory=list)


@pytest.fixture
def manager():
    return MemoryManager()


@pytest.fixture
def closing():
    """Close what is given, last first, after the test."""
    with contextlib.ExitStack() as stack:
        yield lambda one: stack.callback(one.close) and one


@pytest.fixture
def make_delivery(manager, closing):
    def make(**limits):
        stop = RunState(RUN.sync_run_id)
        ledger = ErrorLedger(RUN.sync_run_id)
        # Patient, so that only what a test asks for is sent.
        limits = DeliveryLimits(**{"flush_seconds": 3600.0, **limits})
        delivery = closing(Delivery(RUN, manager, stop, ledger, limits, meter=RunMeter()))
        return Rig(manager=manager, stop=stop, run=RUN, ledger=ledger, delivery=delivery)

    return make


@pytest.fixture
def make_context(manager, closing):
    def make(*, colour="blocking", over=None, limits=None, error_limits=None, covered=None, **changes):
        manager_of_run = over or manager
        info = attrs.evolve(RUN, **changes)
        state = RunState(info.sync_run_id)
        rig = Rig(manager=manager_of_run, stop=state, run=info)
        state.before_final = lambda: rig.freed.append(True)
        if colour == "async":
            rig.loop = closing(EventLoop("test-loop"))
        more = {"limits": limits, "error_limits": error_limits, "covered": covered}
        rig.sync = closing(SyncRun(info, manager_of_run, state, **more))
        rig.ctx = SyncContext(rig.sync, Blocking() if rig.loop is None else OnLoop(rig.loop))
        return rig

    return make


class Colours:
    """Runs the same steps in the blocking and in the async context."""

    def __init__(self, rig):
        self.rig = rig
        self.ctx = rig.ctx

    def do(self, *steps):
        """Take steps, functions of the context; return the value of the last."""
        value = None
        if self.rig.loop is None:
            for step in steps:
                value = step(self.ctx)
            return value

        async def awaited():
            value = None
            for step in steps:
                value = step(self.ctx)
                if inspect.isawaitable(value):
                    value = await value
            return value

        return self.rig.loop.run(awaited())


@pytest.fixture(params=["blocking", "async"])
def run(request, make_context):
    def make(**changes):
        return Colours(make_context(colour=request.param, **changes))

    return make
