"""``python -m benchmarks.many_syncs``: how a connector answers with 0, 50, 100 and 200 syncs in one process, and what a sync costs.

A real gunicorn worker with the recommended settings. Each sync reads a page of ten documents from a source that answers in a
second, emits them and saves its state.
"""

from __future__ import annotations

import argparse
import http.client
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

from benchmarks.__main__ import BenchManager
from benchmarks.probes import asked, row
from omni_connector import Connector, Document, DocumentPermissions, SyncContext

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from support.processes import ListeningSocket, start_gunicorn

STEPS = (0, 50, 100, 200)
PROBES = 500
PAGE = 10
PAGE_SECONDS = 1.0
SETTLE_SECONDS = 3.0


class Paged(Connector):
    """Reads pages until it is stopped."""

    name = "paged"
    version = "1"
    source_types = ["web"]

    def sync(self, _config: dict, _credentials: dict, _state: dict | None, ctx: SyncContext) -> None:
        """Wait for a page, emit it, save the place."""
        number = 0
        while ctx.sleep(PAGE_SECONDS):
            for _ in range(PAGE):
                ctx.emit(
                    Document(
                        external_id=str(number),
                        title="Title",
                        content=f"Text {number} " * 100,
                        permissions=DocumentPermissions(public=True),
                    )
                )
                ctx.increment_scanned()
                number += 1
            ctx.save_state({"number": number})


def main() -> None:
    """Measure and print."""
    argparse.ArgumentParser(prog="python -m benchmarks.many_syncs", description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder, closing(BenchManager(Path(folder))) as manager:
        env = {"CONNECTOR_MANAGER_URL": manager.url}
        with (
            ListeningSocket() as address,
            start_gunicorn(address, "benchmarks.many_syncs:Paged", env=env) as process,
        ):
            worker = process.wait_for(r"Booting worker with pid: (\d+)")[1]
            process.wait_for("Registered|Not registered")
            measure(address.port, worker)


def measure(port: int, worker: str) -> None:
    """Start syncs step by step, and ask at each step."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    pause = threading.Event()
    asked(connection, "GET", "/health")
    started = 0
    first = status(worker)
    for count in STEPS:
        for number in range(started, count):
            asked(connection, "POST", "/sync", number)
        started = count
        pause.wait(SETTLE_SECONDS)
        before, began = cpu_seconds(worker), time.monotonic()
        for name, path in (("/health", "/health"), ("/sync/<id>", "/sync/run-0")):
            sys.stdout.write(
                row(f"GET {name}, {count} syncs", [asked(connection, "GET", path) for _ in range(PROBES)])
                + "\n"
            )
        share = (cpu_seconds(worker) - before) / (time.monotonic() - began)
        memory, threads = status(worker)
        sys.stdout.write(f"  {memory:.0f} MiB, {threads} threads, {share:.0%} of a processor\n")
        if count:
            sys.stdout.write(
                f"  a sync: {(memory - first[0]) / count * 1024:.0f} KiB and {(threads - first[1]) / count:.1f} threads\n"
            )
    connection.close()


def status(pid: str) -> tuple[float, int]:
    """Return the resident MiB and the threads of a process."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) / 1024, int(text.split("Threads:")[1].split()[0])


def cpu_seconds(pid: str) -> float:
    """Return how long a process has computed."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


if __name__ == "__main__":
    main()
