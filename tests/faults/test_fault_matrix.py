"""Every fault on every endpoint that a run uses, one at a time, at the first, the middle and the last call.

After each, the manager holds exactly what the source has, or the run has ended as documented and what follows it repairs
everything. In ``make test`` each fault meets one or two of the endpoints, at one of the three calls, by turns;
``make test-all`` takes all.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import pytest

from benchmarks.scripted import EMIT, SCANNED, UPSERTS, Scripted, Step, disorder, expected, script
from benchmarks.worlds import SMALL
from omni_connector.config import Settings
from omni_connector.local import LocalManagerError
from omni_connector.manager import Policies
from omni_connector.server import create_app, services
from omni_connector.testing.faults import (
    QUICK,
    Answer,
    Delay,
    GoAway,
    Hang,
    LostAnswer,
    NotJson,
    Refuse,
    Reset,
    Truncated,
)

STEPS = [*script(seed=2, documents=20, save_every=8), Step(SCANNED), Step(EMIT, "last", 1)]
"""With something to report at the very end, after the last barrier of its own."""

UPSERTED = sum(step.kind in UPSERTS for step in STEPS)
SCANS = sum(step.kind == SCANNED for step in STEPS)
IMPATIENT = attrs.evolve(QUICK, read_seconds=1.0, extraction_read_seconds=1.0)
"""For calls that hang; elsewhere a machine that is busy may take its time."""

BY_TURNS_OR_ALL = pytest.mark.parametrize(
    "full", [pytest.param(False, id="by turns"), pytest.param(True, id="all", marks=pytest.mark.slow)]
)

PASSING = {
    "refused": Refuse(0.01),
    "away": GoAway(0.01),
    "reset unread": Reset("unread"),
    "reset undone": Reset("undone"),
    "reset midway": Reset("midway"),
    "delayed": Delay(0.03),
    "answer delayed": Delay(0.03, done=True),
    "hangs undone": Hang(),
    "hangs done": Hang(done=True),
    "lost answer": LostAnswer(),
    "502 instead": LostAnswer(instead=Answer(502, b"<h1>Bad gateway</h1>")),
    "504 instead": LostAnswer(instead=Answer(504)),
    "truncated": Truncated(),
    "not JSON": NotJson(),
    "408": Answer(408),
    "425": Answer(425),
    "429": Answer(429, {"error": "slow down"}, {"Retry-After": "0"}),
    "500": Answer(500, {"error": "oops"}),
    "502": Answer(502),
    "503": Answer(503, b"", {"Retry-After": "0"}),
    "503 with a date": Answer(503, b"", {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
    "504": Answer(504),
}
"""What another attempt puts right."""

REFUSALS = {
    "400 JSON": Answer(400, {"error": "Events may only be emitted for a running sync run"}),
    "400 text": Answer(400, "Failed to parse the request body as JSON"),
    "401": Answer(401, {"error": "who are you"}),
    "403": Answer(403, "forbidden"),
    "404 of a route": Answer(404),
    "404 of a thing": Answer(404, {"error": "Source not found"}),
    "413": Answer(413, "Failed to buffer the request body: length limit exceeded"),
    "422": Answer(422, "Failed to deserialize the JSON body"),
}
"""What no repetition puts right; the manager, or what stands before it, says so by mistake."""

ENDPOINTS = [
    "sync-config", "content", "extract-content", "events", "scanned", "updated", "heartbeat", "checkpoint", "complete",
]  # fmt: skip

DELICATE = {"content", "events", "checkpoint"}
"""What carries documents, or says that they have arrived."""

OVER = ("running", "cancelled", 0)
"""As far as anybody here can tell, the manager has ended the run."""

Calls = dict[str, int]


def places(calls: Calls, kind: str, *, full: bool) -> Iterator[tuple[str, int]]:
    """One call of every endpoint, of those in ``DELICATE`` the first, the middle and the last; or one of every ninth endpoint, so that each kind has one."""
    # Another place with each kind.
    for number, endpoint in enumerate(calls, [*PASSING, *REFUSALS].index(kind)):
        total = calls[endpoint]
        found = sorted({1, (total + 1) // 2, total})
        turn, rest = divmod(number, len(ENDPOINTS))
        if full and endpoint in DELICATE:
            yield from ((endpoint, place) for place in found)
        elif full:
            yield endpoint, found[number % len(found)]
        elif rest == 0:
            yield endpoint, found[turn % len(found)]


def policies(kind: str) -> Policies:
    """How patient the connector is."""
    return IMPATIENT if kind.startswith("hangs") else QUICK


@pytest.fixture
def world(make_world, kind):
    limits = attrs.evolve(SMALL, flush_seconds=3600.0)  # So that it is always the same calls that are made.
    return make_world(Scripted(STEPS), policies=policies(kind), limits=limits)


@pytest.fixture(scope="module")
def rehearsals() -> list[Calls]:
    """The rehearsal, after the first test that needed it."""
    return []


@pytest.fixture
def rehearsed(world, rehearsals, kind) -> Calls:
    """How often each endpoint is called when nothing goes wrong: the same in every world.

    Before a refusal each world has its rehearsal: a client that has seen no success yet takes a 404 for an older manager.
    """
    if not rehearsals or kind in REFUSALS:
        source = world.add_source()
        run, _ = world.sync(source)
        assert run.status == "completed", run.error_message
        assert world.arrived(source) == expected(STEPS)
        counts = {name: len(world.faulty.calls_of(name)) for name in ENDPOINTS}
        assert all(counts.values()), f"the script leaves an endpoint out: {counts}"
        rehearsals.append(counts)
    return rehearsals[-1]


def spoiled(world, endpoint: str, fault, place: int):
    """Run a sync of a new source with one call spoiled; return the run as both sides see it."""
    source = world.add_source()
    before = len(world.faulty.calls)
    world.faulty.plan.clear()
    world.faulty.plan.add(endpoint, fault, calls=place)
    run, report = world.sync(source)
    assert [call.fault for call in world.faulty.calls[before:] if call.fault] == [fault], "the call was made"
    assert not world.served.service.is_running(run.id)
    return run, report


@BY_TURNS_OR_ALL
@pytest.mark.parametrize("kind", PASSING)
def test_a_passing_fault_costs_nothing(world, rehearsed, subtests, kind, full):
    for endpoint, place in places(rehearsed, kind, full=full):
        if (endpoint, kind) != ("sync-config", "not JSON"):
            with subtests.test(endpoint=endpoint, call=f"{place} of {rehearsed[endpoint]}"):
                run, report = spoiled(world, endpoint, PASSING[kind], place)
                if run.status == "completed":
                    assert (run.documents_scanned, run.documents_updated) == (SCANS, UPSERTED)
                    assert run.checkpoint == {"step": len(STEPS)}
                    assert report.outcome == "completed" or kind == "not JSON"
                    assert disorder(STEPS, world.manager, run.id) == ""
                else:
                    assert ends_a_run(endpoint, kind), (run, report)
                    assert world.repair(run).status == "completed"
                assert world.arrived(run.source_id) == expected(STEPS)
                assert report.error_count == 0, report.errors


def ends_a_run(endpoint: str, kind: str) -> bool:
    """A page for people in place of an answer is no fault that passes: it mostly means a wrong address."""
    return kind == "not JSON" and endpoint in {"content", "extract-content", "events", "checkpoint"}


@BY_TURNS_OR_ALL
@pytest.mark.parametrize("kind", REFUSALS)
def test_after_a_refusal_the_run_ends_as_documented_and_what_follows_repairs_it(
    world, rehearsed, subtests, kind, full
):
    for endpoint, place in places(rehearsed, kind, full=full):
        if endpoint != "sync-config":
            with subtests.test(endpoint=endpoint, call=f"{place} of {rehearsed[endpoint]}"):
                run, report = spoiled(world, endpoint, REFUSALS[kind], place)
                assert (run.status, report.outcome, report.error_count) in documented(endpoint, kind)
                if run.status == "completed":
                    lost = {error.document_id for error in report.errors}
                    wrong = set(expected(STEPS).items()) ^ set(world.arrived(run.source_id).items())
                    assert {name for name, _ in wrong} <= lost, "one document costs one document"
                    assert disorder(STEPS, world.manager, run.id) == ""
                    # A report of counts that is refused is not made again: the figure may be too low, never too high.
                    assert run.documents_scanned == SCANS or (
                        endpoint == "scanned" and run.documents_scanned < SCANS
                    )
                    updated = UPSERTED - len(lost)
                    assert run.documents_updated == updated or (
                        endpoint == "updated" and run.documents_updated < updated
                    )
                following = world.repair(run)
                if report.error_count:
                    following, _ = world.sync(run.source_id)
                assert following.status == "completed"
                assert world.arrived(run.source_id) == expected(STEPS)


def documented(endpoint: str, kind: str) -> list[tuple[str, str, int]]:
    """Status at the manager, outcome here, and documents that did not arrive: what may be found."""
    whole = ("completed", "completed", 0)
    one_less = ("completed", "completed", 1)
    failed = ("failed", "failed", 0)
    refused = REFUSALS[kind].status in {400, 413, 422}
    return (
        {
            # Neither heartbeats nor counts are what a run hangs on.
            "heartbeat": [whole],
            "scanned": [whole],
            "updated": [whole],
            # Split in halves, which are taken, unless the event stood alone already.
            "events": [whole, one_less] if refused else [failed],
            # Failed where it was save() that met it: the connector does not catch it.
            "content": [one_less, failed] if refused else [failed],
            "extract-content": [one_less] if refused else [failed],
            "checkpoint": [failed],
            "complete": [("running", "left to the manager", 0)],
        }[endpoint]
        if (endpoint, kind) != ("events", "400 JSON")
        else [OVER]
    )


def some(kinds):
    """One kind of fault in four; ``make test-all`` takes all."""
    return [
        pytest.param(kind, marks=[pytest.mark.slow] if number % 4 else [])
        for number, kind in enumerate(kinds)
    ]


@pytest.mark.parametrize("kind", some([*PASSING, *REFUSALS]))
def test_a_failing_run_is_reported_or_found_lost_and_the_next_one_repairs_it(make_world, kind):
    fault = (PASSING | REFUSALS)[kind]

    class Failing(Scripted):
        def sync(self, source_config, credentials, state, ctx):
            if self.steps:
                super().sync(source_config, credentials, state, FailingContext(ctx))
            raise ValueError("the source is broken")

    world = make_world(Failing(STEPS[:20]), policies=policies(kind))
    run, report = spoiled(world, "fail", fault, 1)
    if kind in REFUSALS:
        assert report.outcome == "left to the manager"
    else:
        assert (run.status, report.outcome) == ("failed", "failed")
        assert run.error_message == "ValueError: the source is broken"
    assert world.arrived(run.source_id) == expected(STEPS[:20]), "what was emitted before is delivered"


class FailingContext:
    """A context whose run does not complete."""

    def __init__(self, ctx) -> None:
        self._ctx = ctx

    def __getattr__(self, name: str):
        return getattr(self._ctx, name)

    def complete(self, checkpoint) -> None:
        """Leave it open."""


@pytest.mark.parametrize("kind", some(REFUSALS))
def test_a_run_whose_source_cannot_be_read_is_not_started_and_the_next_one_is(world, rehearsed, kind):
    source = world.add_source()
    world.faulty.plan.add("sync-config", REFUSALS[kind], calls=1)
    with pytest.raises(LocalManagerError):
        world.manager.trigger(source)
    [run] = world.manager.runs(source)
    assert run.status == "failed"
    assert world.repair(run).status == "completed"
    assert world.arrived(source) == expected(STEPS)


@pytest.mark.parametrize("kind", some([*PASSING, *REFUSALS]))
def test_a_registration_that_goes_wrong_is_made_again(omni_manager, faulty_manager, kind):
    fault = (PASSING | REFUSALS)[kind]
    faulty_manager.plan.add("register", fault, calls=(1, 2))
    settings = Settings(
        manager_url=faulty_manager.url,
        connector_url=f"{omni_manager.url}/schedules?as=",  # Anything whose /health answers.
        registration_interval_seconds=0.01,
    )
    app = create_app(Scripted(STEPS), settings=settings, manager=faulty_manager.client(policies(kind)))
    try:
        faulty_manager.wait_for(
            lambda faulty: [1 for call in faulty.calls_of("register") if call.done and not call.fault]
        )
    finally:
        for service in services(app).values():
            service.close()
    assert [call.fault for call in faulty_manager.calls_of("register")][:2] == [fault, fault]
    assert omni_manager.app.test_client().get("/connectors").json[0]["source_type"] == "web"
