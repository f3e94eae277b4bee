"""Whatever is emitted, saved and spoiled in whatever order: barriers hold, and order is kept."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.properties import deterministic

from benchmarks.scripted import (
    DELETE,
    EMIT,
    EVENTS,
    EXTRACTED,
    FLUSH,
    HEARTBEAT,
    SAVE_STATE,
    SAVED,
    SCANNED,
    UPDATE,
    UPSERTS,
    Scripted,
    Step,
    disorder,
    expected,
)
from benchmarks.worlds import SMALL, World, faulty_world
from omni_connector.sync.delivery_limits import DeliveryLimits
from omni_connector.testing.faults import (
    QUICK,
    Answer,
    Delay,
    GoAway,
    LostAnswer,
    Refuse,
    Reset,
    Truncated,
)

FAULTS = [
    Refuse(0.005),
    GoAway(0.005),
    Reset("unread"),
    Reset("undone"),
    Reset("midway"),
    Delay(0.005),
    LostAnswer(),
    LostAnswer(instead=Answer(503, headers={"Retry-After": "0"})),
    Truncated(),
    Answer(500),
    Answer(429, headers={"Retry-After": "0"}),
]
ENDPOINTS = [
    "content",
    "extract-content",
    "events",
    "scanned",
    "updated",
    "checkpoint",
    "heartbeat",
    "complete",
    "any",
]
KINDS = [EMIT, SAVED, EXTRACTED, UPDATE, DELETE, SCANNED, SAVE_STATE, FLUSH, HEARTBEAT]
NAMES = ["a", "b", "c"]

spoilings = st.lists(
    st.tuples(st.sampled_from(ENDPOINTS), st.sampled_from(FAULTS), st.integers(1, 12)), max_size=8
)


def small_limits(flush: int, batch: int, seconds: float, room: int) -> DeliveryLimits:
    """Return limits; the buffer has room for two batches at least, as emit waits until it is half empty."""
    return attrs.evolve(
        SMALL, flush_events=flush, batch_events=batch, flush_seconds=seconds, buffer_events=2 * flush + room
    )


limits = st.builds(
    small_limits,
    st.integers(1, 8),
    st.integers(1, 8),
    st.sampled_from([0.001, 0.02, 3600.0]),
    st.integers(0, 10),
)


@st.composite
def scripts(draw) -> list[Step]:
    """Any sequence of steps about three documents; every version is told from every other, deletions too."""
    steps: list[Step] = []
    gone: set[str] = set()
    for version, (kind, name) in enumerate(
        draw(st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(NAMES)), max_size=40))
    ):
        document_id = name if name not in gone else f"{name}-{version}"
        if kind == DELETE:
            gone.add(name)
        steps.append(Step(kind, document_id, version) if kind in EVENTS else Step(kind))
    return steps


class Observed(Scripted):
    """Notes at each barrier what the manager has by then."""

    def __init__(self) -> None:
        super().__init__([], self.look)
        self.world: World | None = None
        self.problems: list[str] = []

    def look(self, ctx, done) -> None:
        held = self.world.arrived(ctx.source_id)
        if held != expected(self.steps[:done]):
            self.problems.append(f"after step {done} the manager holds {held}")
        run = self.world.manager.run(ctx.sync_run_id)
        if self.steps[done - 1].kind == SAVE_STATE and run.checkpoint != {"step": done}:
            self.problems.append(f"after step {done} the checkpoint is {run.checkpoint}")


@pytest.mark.parametrize("examples", [25, pytest.param(80, marks=pytest.mark.slow)])
def test_when_a_barrier_returns_everything_before_it_is_at_the_manager_in_order(
    omni_manager, faulty_manager, examples
):
    connector = Observed()

    @deterministic(examples)
    @given(steps=scripts(), spoiled=spoilings, limit=limits)
    def holds(steps, spoiled, limit):
        connector.steps, connector.problems = steps, []
        faulty_manager.plan.clear()
        with faulty_world(connector, faulty_manager, omni_manager, policies=QUICK, limits=limit) as world:
            connector.world = world
            for endpoint, fault, call in spoiled:
                faulty_manager.plan.add(endpoint, fault, calls=call)
            source = world.add_source()
            run, report = world.sync(source)
            assert connector.problems == []
            assert run.status == "completed", (run.error_message, report)
            assert world.arrived(source) == expected(steps)
            assert disorder(steps, omni_manager, run.id) == ""
            assert run.documents_scanned == sum(step.kind == SCANNED for step in steps)
            assert run.documents_updated == sum(step.kind in UPSERTS for step in steps)
            assert run.checkpoint == {"step": len(steps)}

    holds()
