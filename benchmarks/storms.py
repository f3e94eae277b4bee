"""``python -m benchmarks.storms``: many small syncs, each under random faults from a seed of its own.

After each, what the manager holds must equal what the source has: every document in its last version with its content,
every deletion carried out, and the events of each run in the order in which they were emitted. Prints one line a storm
and a summary; the exit code tells whether all were right. ``--seeds 200`` runs seeds 0 to 199, ``--first 7 --seeds 1`` the
seventh alone.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time

from attrs import evolve, frozen

from benchmarks.scripted import SCANNED, UPSERTS, Scripted, disorder, expected, script
from benchmarks.worlds import SMALL, World, faulty_world
from omni_connector.local import LocalManager, LocalManagerError, SyncRunRow
from omni_connector.testing.faults import (
    QUICK,
    Answer,
    Delay,
    FaultyManager,
    GoAway,
    Hang,
    LostAnswer,
    NotJson,
    Refuse,
    Reset,
    Truncated,
)

DOCUMENTS = 120
MOST_RUNS = 6
READ_SECONDS = 2.0
FAULTS = (
    Refuse(0.01), GoAway(0.01), Reset("unread"), Reset("undone"), Reset("midway"),
    Delay(0.01), Delay(0.01, done=True), LostAnswer(), LostAnswer(), LostAnswer(instead=Answer(502)), Truncated(),
    Answer(429, b"", {"Retry-After": "0"}), Answer(503, b"", {"Retry-After": "0"}), Answer(500), Answer(504),
    Answer(500), Reset("undone"), LostAnswer(), Delay(0.01),
)  # fmt: skip
RARE = (Hang(), Hang(done=True), NotJson())
"""The first two take a time-out each, the third mostly ends the run."""

LIMITS = (
    SMALL,
    evolve(SMALL, flush_seconds=0.005),
    evolve(SMALL, batch_events=3),
    evolve(SMALL, flush_events=1, batch_bytes=700),
)


@frozen
class Storm:
    """What became of one storm.

    Attributes:
        seed: of the storm.
        problem: what is wrong, empty when nothing is.
        calls: that the connector made.
        faults: that these met.
        repeated: events that came more than once.
        runs: until one completed.
        seconds: that it took.
    """

    seed: int
    problem: str
    calls: int
    faults: int
    repeated: int
    runs: int
    seconds: float


def storm(seed: int, documents: int = DOCUMENTS) -> Storm:
    """Sync a scripted source under random faults until a run has completed; compare."""
    began = time.monotonic()
    chance = random.Random(seed)  # noqa: S311 - repeatable, guards nothing.
    steps = script(seed, documents, save_every=chance.choice([10, 25, 60]))
    policies = evolve(QUICK, read_seconds=READ_SECONDS, extraction_read_seconds=READ_SECONDS)
    with (
        tempfile.TemporaryDirectory(prefix="storm-") as directory,
        LocalManager(directory, schedule=False) as manager,
        FaultyManager(manager) as faulty,
        faulty_world(
            Scripted(steps), faulty, manager, policies=policies, limits=chance.choice(LIMITS)
        ) as world,
    ):
        source_id = world.add_source()
        faulty.plan.add_random(*RARE, seed=seed, rate=0.005)
        faulty.plan.add_random(*FAULTS, seed=seed, rate=chance.choice([0.02, 0.1, 0.3]))
        runs = _until_completed(world, source_id)
        problem = _problem(world, source_id, runs)
        events = [event for run in runs for event in manager.events(run.id)]
        emitted = {(event.run_id, event.type, str(event.payload)) for event in events}
        spoiled = sum(call.fault is not None for call in faulty.calls)
        return Storm(
            seed,
            problem,
            len(faulty.calls),
            spoiled,
            len(events) - len(emitted),
            len(runs),
            time.monotonic() - began,
        )


def _until_completed(world: World, source_id: str) -> list[SyncRunRow]:
    """Run, and resume or run again, as a manager would; the last attempt goes without faults."""
    runs: dict[str, SyncRunRow] = {}
    for attempt in range(MOST_RUNS):
        if attempt == MOST_RUNS - 1:
            world.faulty.plan.clear()
        running = next((run for run in runs.values() if run.is_running), None)
        try:
            if running is None:
                run_id = world.manager.trigger(source_id)
            else:
                run_id = running.id
                world.manager.probe(run_id)
        except LocalManagerError:  # The source could not be read: the run has failed.
            run_id = world.manager.runs(source_id)[-1].id
        runs[run_id], _ = world.ended(run_id)
        if runs[run_id].status == "completed":
            break
    return list(runs.values())


def _problem(world: World, source_id: str, runs: list[SyncRunRow]) -> str:
    steps = world.served.connector.steps  # type: ignore[attr-defined]
    if runs[-1].status != "completed":
        return f"the last run is {runs[-1].status}: {runs[-1].error_message}"
    wanted, found = expected(steps), world.arrived(source_id)
    if wanted != found:
        wrong = sorted(dict(wanted.items() ^ found.items()))
        return f"{len(wrong)} documents are wrong: {wrong[:5]}"
    for run in runs:
        if order := disorder(steps, world.manager, run.id):
            return order
    scanned = sum(step.kind == SCANNED for step in steps)
    updated = sum(step.kind in UPSERTS for step in steps)
    figures = (runs[-1].documents_scanned, runs[-1].documents_updated)
    if len(runs) == 1 and figures != (scanned, updated) and not _resumed(world, runs[-1]):
        return f"scanned and updated are {figures} instead of {(scanned, updated)}"
    return ""


def _resumed(world: World, run: SyncRunRow) -> bool:
    """A resumed run counts again what it does again."""
    reads = [
        call for call in world.faulty.calls_of("sync-config") if call.done and run.source_id in call.path
    ]
    return len(reads) > 1


def main() -> None:
    """Run the storms."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.storms", description=__doc__)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=200)
    options = parser.parse_args()
    storms = []
    for seed in range(options.first, options.first + options.seeds):
        one = storm(seed)
        storms.append(one)
        show(
            f"seed {seed}: {one.calls} calls, {one.faults} faults, {one.repeated} events repeated, "
            f"{one.runs} runs, {one.seconds:.2f} s: {one.problem or 'all there'}"
        )
    wrong = [one.seed for one in storms if one.problem]
    show(
        f"{len(storms)} storms, {sum(one.calls for one in storms)} calls, {sum(one.faults for one in storms)} faults, "
        f"{sum(one.repeated for one in storms)} events repeated, {sum(one.runs for one in storms)} runs; wrong: {wrong or 'none'}"
    )
    sys.exit(bool(wrong))


def show(line: str) -> None:
    """Print at once."""
    print(line, flush=True)  # noqa: T201 - a command prints.


if __name__ == "__main__":
    main()
