"""``python -m benchmarks.uploads_at_once``: how many uploads at once the SDK finds, against every fixed number.

The manager serves ten contents at a time, 20 ms each (500 a second, as a real one does), at some distance, on real sockets.
Shown is the throughput against the best fixed number's, and the uploads in the air against the fewest that reach it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.__main__ import BenchManager, show
from benchmarks.workloads import Pipelined, Task, run_connector

SERVICE_MS = 20
NEARLY = 0.97


def measure(manager: BenchManager, task: Task, *, distance_ms: int, runs: int) -> tuple[float, float]:
    """Return contents a second, and how many were in the air on average."""
    manager.get(f"/bench/latency/{distance_ms}")
    manager.get(f"/bench/desk/{SERVICE_MS}")
    work = run_connector(Pipelined(task), task, runs=runs)
    began = time.monotonic()
    work()
    rate = task.documents * runs / (time.monotonic() - began)
    return rate, float(str(manager.get("/bench/stats")["in_air"]))


def main() -> None:
    """Measure every distance with one run and with ten."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.uploads_at_once", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement, roughly")
    options = parser.parse_args()
    show("| distance, ms | runs | best fixed | adapting | share | in the air | fewest needed | ratio |")
    show("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        manager = BenchManager(Path(folder))
        try:
            for distance_ms in (0, 5, 20):
                for runs in (1, 10):
                    show(row(manager, distance_ms, runs, options.seconds))
        finally:
            manager.close()


def row(manager: BenchManager, distance_ms: int, runs: int, seconds: float) -> str:
    """Return one line of the table."""
    documents = int(seconds * 500) // runs
    knee = round(10 * (SERVICE_MS + distance_ms) / SERVICE_MS)
    fixed = {}
    for number in (knee * 3 // 4, knee, knee * 5 // 4, knee * 3 // 2, knee * 2):
        task = Task(manager.url, documents, parallel=number)
        fixed[number], _ = measure(manager, task, distance_ms=distance_ms, runs=runs)
    best = max(fixed.values())
    needed = next(number for number, rate in fixed.items() if rate >= NEARLY * best)
    rate, in_air = measure(manager, Task(manager.url, documents), distance_ms=distance_ms, runs=runs)
    return (
        f"| {distance_ms} | {runs} | {best:,.0f} | {rate:,.0f} | {rate / best:.3f} | {in_air:.1f} | {needed} | "
        f"{in_air / needed:.2f} |"
    )


if __name__ == "__main__":
    main()
