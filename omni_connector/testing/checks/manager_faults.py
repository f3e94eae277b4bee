"""A manager that is slow, fails for a while, goes away, or rejects a document costs no document."""

from collections.abc import Iterator
from functools import partial

from omni_connector.models.events import CREATED, UPDATED
from omni_connector.testing.checks.bench import Bench
from omni_connector.testing.checks.comparing import compare, counted, named
from omni_connector.testing.checks.finding import BrokenRunError, Finding
from omni_connector.testing.checks.interruptions import Interruption
from omni_connector.testing.checks.runs import RunOrder
from omni_connector.testing.faults import Answer, Delay, FaultPlan, LostAnswer, Reset

SEED = 11
RATE = 0.2
SLOW_SECONDS = 0.1
CALLS = 200
"""Calls that are slowed down at most, so that a large source does not take minutes."""


def find(bench: Bench) -> Iterator[Finding]:
    """Sync with each kind of manager."""
    bench.require_scheduled_runs()
    slow = FaultPlan().add("any", Delay(SLOW_SECONDS), calls=range(1, CALLS))
    failing = FaultPlan().add_random(Answer(503), Reset(), LostAnswer(), seed=SEED, rate=RATE)
    for kind, plan in (("slow", slow), ("failing", failing)):
        finding = _under(bench, kind, plan)
        if finding is not None:
            yield finding
    finding = _after_outage(bench)
    if finding is not None:
        yield finding


def _under(bench: Bench, kind: str, plan: FaultPlan) -> Finding | None:
    """Sync a source while the manager is slow, or fails now and then."""
    where = f"full sync, {kind} manager"
    why = "A manager is slow while it is busy, and fails while it is restarted."
    remedy = "Do not measure the time of emit() and save_state(), and let their errors pass."
    try:
        result = bench.run(RunOrder(source_id=bench.new_source_id(), plan=plan)).result
    except BrokenRunError as error:
        return Finding(
            what=f"With a {kind} manager: {error.finding.what}", where=where, why=why, remedy=remedy
        )
    difference = compare(bench.first.index, result.index)
    if difference:
        return Finding(
            what=f"With a {kind} manager a sync brings other documents: {difference}.",
            where=f"{where}: {difference.where}",
            why=why,
            remedy=remedy,
        )
    return None


def _after_outage(bench: Bench) -> Finding | None:
    """Break a run off by an outage, and sync the source again with the same instance of the connector."""
    connector = bench.subject.make()
    source_id = bench.new_source_id()
    middle = max(1, bench.second.count("events") // 2)
    interruption = Interruption(endpoint="events", number=middle, is_done=False)
    lost_run = bench.broken_off(source_id, interruption, connector)
    if bench.manager.run(lost_run).is_running:
        bench.manager.cancel(lost_run)
    result = bench.run(RunOrder(source_id=source_id), connector).result
    missing = compare(bench.first.index, result.index).missing
    if not missing:
        return None
    return Finding(
        what=f"After the manager was away, the next sync does not bring {counted(missing)}.",
        where=f"full sync after one that was broken off: {named(missing)}",
        why="They are not found by any search until the process is restarted.",
        remedy="Keep what was sent in the state, not in attributes of the connector, which outlive a run.",
    )


def refused(bench: Bench) -> Iterator[Finding]:
    """Have the manager reject a document once; say so if no later run sends it again."""
    bench.require_incremental()
    batches = bench.second.count("events")
    if batches < 1:
        return
    source_id = bench.new_source_id()
    reject = Answer(422, "refused by the check")
    plan = FaultPlan().add("events", reject, calls=1).add("event", reject, calls=1)
    first = bench.run(RunOrder(source_id=source_id, plan=plan, may_fail=True)).result
    lost = [name for name in bench.first.index if name not in first.index]
    if first.status != "completed" or not lost:
        return
    once = bench.reconciled if bench.connector.reconcile_every else partial(bench.sync, mode="incremental")
    again = once(source_id)
    sent = {event["document_id"] for event in again.events if event["type"] in {CREATED, UPDATED}}
    still = [name for name in lost if name not in sent]
    if still:
        yield Finding(
            what=f"{counted(still)} that the manager rejected once is never sent again.",
            where=f"incremental sync: {named(still)}",
            why="It is not found by any search, although the manager would accept it by now.",
            remedy="Ask ctx.flush() what was rejected, and leave it out of the state; ctx.inventory() does.",
            is_warning=True,
        )
