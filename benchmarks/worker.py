"""Runs one workload once, in a process of its own, and prints what it took as JSON."""

from __future__ import annotations

import json
import resource
import sys
import time

from benchmarks.workloads import WORKLOADS, Task


def main() -> None:
    """Arguments: workload, manager's address, documents, characters each, threads."""
    name, url, documents, size, threads = sys.argv[1:6]
    work = WORKLOADS[name](Task(url, int(documents), int(size), int(threads)))
    idle_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures = {"seconds": wall, "cpu_seconds": cpu, "grown_mb": (peak_kb - idle_kb) / 1024}
    print(json.dumps(figures))  # noqa: T201 - the parent reads it.


if __name__ == "__main__":
    main()
