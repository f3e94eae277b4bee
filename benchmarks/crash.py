"""``python -m benchmarks.crash``: kill a connector's process at many points of a sync; nothing may be missing or wrong.

A real gunicorn process with the recommended settings syncs 20,000 documents to an embedded manager, through a proxy
that counts its calls. At a chosen call the process is killed (SIGKILL), before the manager has done the call or after;
a new one is started, and the manager resumes the run, until it completes. The points are spread over the calls of each
endpoint. Each sync is killed several times, each time at another point, so that a hundred take minutes instead of hours;
``--kills 1`` gives every point a sync of its own.
"""

from __future__ import annotations

import argparse
import queue
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from benchmarks.crash_source import scripts
from benchmarks.scripted import SCANNED, UPSERTS, Step, arrived, disorder, expected
from omni_connector.local import LocalManager, SyncRunRow
from omni_connector.testing.faults import Do, FaultyManager, Reset

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from support.processes import ListeningSocket, Process, start_gunicorn

TARGET = "benchmarks.crash_source:CrashSource"
PARTITIONED = "benchmarks.crash_source:CrashPartitions"
SHARES = {
    "content": 40, "events": 26, "checkpoint": 18, "heartbeat": 4, "scanned": 4, "updated": 4, "complete": 2, "sync-config": 2,
}  # fmt: skip
"""Points of a hundred by endpoint: nearly all calls carry contents, but the others are the delicate ones."""

ENDS = {"sync-config": 0.0, "complete": 1.0}
"""Calls that are made once, at the beginning and at the end."""

WAIT_SECONDS = 300


@frozen(order=True)
class Point:
    """When the process is killed.

    Attributes:
        progress: share of the endpoint's calls in an undisturbed sync, 0 to 1.
        endpoint: by its name in ``ENDPOINTS``.
        done: the manager has done the call, but has not answered; else it never hears of it.
    """

    progress: float
    endpoint: str
    done: bool


@frozen
class Crashed:
    """What became of one sync.

    Attributes:
        problem: what is wrong, empty when nothing is.
        kills: that happened.
        emitted: events that the source has, each once.
        repeated: events that came again.
        seconds: that it took.
    """

    problem: str
    kills: int
    emitted: int
    repeated: int
    seconds: float


def points(count: int) -> list[Point]:
    """Return about so many points, in order of progress, at least one an endpoint; every other one after the call was done."""
    found = []
    for endpoint, share in SHARES.items():
        number = max(1, round(share * count / sum(SHARES.values())))
        for place in range(number):
            progress = ENDS.get(endpoint, (place + 0.5) / number)
            found.append(Point(progress, endpoint, place % 2 == 1))
    return sorted(found)


@define(eq=False)
class Stage:
    """The connector's process, and the means to kill and restart it. ``close`` it."""

    manager: LocalManager
    faulty: FaultyManager
    address: ListeningSocket
    target: str = TARGET
    happened: queue.SimpleQueue[str] = field(factory=queue.SimpleQueue)
    _process: Process | None = None

    def start(self) -> None:
        """Start the process; return when it is registered."""
        self._process = start_gunicorn(
            self.address,
            self.target,
            # Alone in its process: in a store that processes share, the lease of each killed one would run for 15 s,
            # in which the manager finds its run alive.
            env={
                "CONNECTOR_MANAGER_URL": self.faulty.url,
                "OMNI_CONNECTOR": self.target,
                "OMNI_RUN_STORE": "memory",
            },
        )
        self._process.wait_for("Registered at")

    def kill_at(self, point: Point, undisturbed: dict[str, int], made: dict[str, int]) -> None:
        """Kill the process when it makes a certain call.

        Args:
            point: when.
            undisturbed: calls of an undisturbed sync by endpoint.
            made: calls that this one has made already.
        """
        total = undisturbed[point.endpoint]
        number = 1 + min(int(point.progress * total), total - 1) - made.get(point.endpoint, 0)
        fault = Do(self._kill, Reset("undone") if not point.done else Reset("midway"), done=point.done)
        self.faulty.plan.add(point.endpoint, fault, calls=max(1, number))

    def restart(self) -> None:
        """Start a new process in place of the killed one."""
        self.close()
        self.start()

    def close(self) -> None:
        """End the process, dead or alive."""
        if self._process is not None:
            self._process.end()

    def _kill(self) -> None:
        if self._process is not None and self._process.popen.poll() is None:
            self._process.kill()
            self.happened.put("killed")


def crash(
    stage: Stage, config: dict[str, Any], kills: Sequence[Point], undisturbed: dict[str, int]
) -> Crashed:
    """Sync once, killed at these points one after the other; compare."""
    began = time.monotonic()
    faulty, manager = stage.faulty, stage.manager
    source = manager.add_source(source_type="web", config=config)
    before = len(faulty.calls)
    waiting = list(kills)
    faulty.plan.clear()
    if waiting:
        stage.kill_at(waiting.pop(0), undisturbed, {})
    thread = threading.Thread(target=lambda: _follow(manager, source.id, stage.happened), name="follow")
    thread.start()
    killed = 0
    while stage.happened.get(timeout=WAIT_SECONDS) == "killed":
        killed += 1
        faulty.plan.clear()
        stage.restart()
        is_last = (
            bool(waiting) and waiting[0].endpoint == "complete"
        )  # Which a short rest reaches within the ticks.
        if is_last:
            stage.kill_at(waiting.pop(0), undisturbed, {})
        manager.tick()  # The run is found lost and sent again ...
        manager.tick()  # ... and found running, so that the manager forgets that it was lost.
        if waiting and not is_last:
            made = count(call.endpoint for call in faulty.calls[before:])
            stage.kill_at(waiting.pop(0), undisturbed, made)
    thread.join()
    if kills and kills[-1].endpoint == "complete" and killed < len(kills) and not waiting:
        stage.happened.get(timeout=WAIT_SECONDS)  # The end was there before the kill that followed it.
        killed += 1
        stage.restart()
    run = manager.runs(source.id)[-1]
    parts = scripts(config)
    arrivals = [
        str((event.type, event.payload["document_id"], event.payload.get("metadata")))
        for event in manager.events(run.id)
    ]
    wanted = {key: each for script in parts.values() for key, each in expected(script).items()}
    found = arrived(manager, source.id)
    problem = "" if run.status == "completed" else f"the run is {run.status}: {run.error_message}"
    problem = problem or (
        f"{len(dict(wanted.items() ^ found.items()))} documents are wrong" if wanted != found else ""
    )
    for script in parts.values():
        problem = problem or disorder(script, manager, run.id)
    problem = problem or (miscounted(parts.values(), run) if "partitions" in config else "")
    distinct = len(set(arrivals))
    return Crashed(problem, killed, distinct, len(arrivals) - distinct, time.monotonic() - began)


def miscounted(parts: Iterable[Sequence[Step]], run: SyncRunRow) -> str:
    """Say which count of a run is not that of a run that was never killed; empty when none is."""
    steps = [step for script in parts for step in script]
    scanned = sum(step.kind == SCANNED for step in steps)
    updated = sum(step.kind in UPSERTS for step in steps)
    if (run.documents_scanned, run.documents_updated) == (scanned, updated):
        return ""
    return f"{run.documents_scanned} scanned and {run.documents_updated} updated in the place of {scanned} and {updated}"


def _follow(manager: LocalManager, source_id: str, happened: queue.SimpleQueue[str]) -> None:
    """Start the run, and say when it has ended."""
    try:
        manager.wait_for_run(manager.trigger(source_id), WAIT_SECONDS)
    finally:
        happened.put("ended")


def count(names: Iterable[str]) -> dict[str, int]:
    """Return how often each name occurs."""
    found: dict[str, int] = {}
    for name in names:
        found[name] = found.get(name, 0) + 1
    return found


def crashes(
    shape: dict[str, Any], *, kill_points: int, kills: int, say: Callable[[str], None]
) -> list[Crashed]:
    """Sync once undisturbed, then kill at all the points, ``kills`` of them in a sync.

    Args:
        shape: the source's config, without its seed.
        kill_points: about how many.
        kills: in each sync.
        say: is given a line for each.
    """
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="crash-"))
        manager = stack.enter_context(LocalManager(directory, schedule=False))
        faulty = stack.enter_context(FaultyManager(manager))
        address = stack.enter_context(ListeningSocket())
        stage = Stage(manager, faulty, address, PARTITIONED if "partitions" in shape else TARGET)
        stack.callback(stage.close)
        stage.start()
        before = len(faulty.calls)
        config = {**shape, "seed": 0}
        results = [crash(stage, config, [], {})]
        undisturbed = count(call.endpoint for call in faulty.calls[before:])
        say(f"undisturbed: {undisturbed}, {results[0]}")
        chosen = points(kill_points)
        syncs = -(-len(chosen) // kills)
        for number in range(syncs):
            mine = chosen[number::syncs]
            config = {**shape, "seed": number + 1}
            one = crash(stage, config, mine, undisturbed)
            results.append(one)
            where = ", ".join(
                f"{point.endpoint} {point.progress:.0%}{' done' if point.done else ''}" for point in mine
            )
            say(f"sync {number + 1} of {syncs}, killed {one.kills} times ({where}): {one}")
        return results


def main() -> None:
    """Kill and count."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crash", description=__doc__)
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--kills", type=int, default=5, help="in each sync")
    parser.add_argument("--save-every", type=int, default=500, help="documents between two checkpoints")
    parser.add_argument("--partitions", type=int, help="read the source in so many")
    options = parser.parse_args()
    shape = {"documents": options.documents, "save_every": options.save_every}
    if options.partitions:
        shape["partitions"] = options.partitions
    results = crashes(shape, kill_points=options.points, kills=options.kills, say=show)
    wrong = [number for number, one in enumerate(results) if one.problem]
    show(
        f"{sum(one.kills for one in results)} kills in {len(results) - 1} syncs of {options.documents} documents; "
        f"{sum(one.emitted for one in results)} events, {sum(one.repeated for one in results)} of them repeated; "
        f"wrong: {wrong or 'none'}"
    )
    sys.exit(bool(wrong))


def show(line: str) -> None:
    """Print at once."""
    print(line, flush=True)  # noqa: T201 - a command prints.


if __name__ == "__main__":
    main()
