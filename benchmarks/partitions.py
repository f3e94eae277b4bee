"""``python -m benchmarks.partitions``: how much faster a source is read in partitions.

A source that waits: a page of 50 documents takes 200 ms; 1, 2, 4 and 8 partitions of as many pages, read at once in threads of
one process. A source that computes: each document costs 2 ms of Python; read by one child process, and by two. The manager
is ``benchmarks.manager``, a process of its own. Rounds take turns; the median counts.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.__main__ import BenchManager
from benchmarks.partition_processes import in_processes
from omni_connector import Connector, Document, DocumentPermissions, Partition, Settings, SyncContext
from omni_connector.manager import SdkClient
from omni_connector.models import SyncRequest
from omni_connector.runtime.options import RuntimeOptions
from omni_connector.runtime.service import ConnectorService

PAGE = 50
PAGE_SECONDS = 0.2
DOCUMENT_SECONDS = 0.002
RUN = "01K3ABCDEFGHJKMNPQRSTVWXYZ"
EVERYBODY = DocumentPermissions(public=True)


class Paged(Connector):
    """A source in so many partitions of so many pages."""

    name = "paged"
    version = "1.0.0"
    source_types = ["web"]
    partition_workers = 8

    def __init__(self, partitions: int = 0, pages: int = 0) -> None:
        self.sizes = [pages] * partitions

    def partitions(
        self,
        source_config: dict[str, Any],
        credentials: dict[str, Any],
        state: dict[str, Any] | None,
        ctx: SyncContext,
    ) -> list[Partition]:
        """List them."""
        del source_config, credentials, state, ctx
        return [
            Partition(key=f"part-{number}", data={"pages": pages}) for number, pages in enumerate(self.sizes)
        ]

    def sync_partition(
        self,
        partition: Partition,
        source_config: dict[str, Any],
        credentials: dict[str, Any],
        state: dict[str, Any] | None,
        ctx: SyncContext,
    ) -> None:
        """Read page after page."""
        del source_config, credentials, state
        for page in range(partition.data["pages"]):
            self.fetch_page(ctx)
            for number in range(PAGE):
                self.parse()
                name = f"{partition.key}/{page}/{number}"
                ctx.emit(
                    Document(external_id=name, title=name, content=f"Text of {name}", permissions=EVERYBODY)
                )
                ctx.increment_scanned()
            ctx.save_state({"page": page + 1})

    def fetch_page(self, ctx: SyncContext) -> None:
        """Wait for the source."""

    def parse(self) -> None:
        """Compute for a document."""


class Waits(Paged):
    """Answers slowly."""

    def fetch_page(self, ctx: SyncContext) -> None:
        """Wait for the source."""
        ctx.sleep(PAGE_SECONDS)


class Computes(Paged):
    """Costs processor time."""

    def parse(self) -> None:
        """Compute for a document."""
        compute(DOCUMENT_SECONDS)


def compute(seconds: float) -> None:
    """Use so much processor time of this thread."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(range(200))


def documents_a_second(manager_url: str, connector: Paged, options: RuntimeOptions) -> float:
    """Sync once."""
    service = ConnectorService(
        connector, Settings(manager_url=manager_url), SdkClient(manager_url), options=options
    )
    try:
        began = time.monotonic()
        service.start_sync(SyncRequest(sync_run_id=RUN, source_id="source", sync_mode="full"))
        for thread in threading.enumerate():
            if thread.name == f"omni-sync-{RUN}":
                thread.join()
        seconds = time.monotonic() - began
        report = service.report(RUN)
    finally:
        service.close()
    wanted = sum(connector.sizes) * PAGE
    if report is None or (report.outcome, report.emitted) != ("completed", wanted):
        raise RuntimeError(f"not {wanted} documents: {report}")
    return wanted / seconds


def measure(rounds: int, variants: dict[int, Any]) -> dict[int, float]:
    """Return the median rate of each variant; they take turns."""
    rates: dict[int, list[float]] = {number: [] for number in variants}
    for _ in range(rounds):
        for number, run in variants.items():
            rates[number].append(run())
    return {number: statistics.median(each) for number, each in rates.items()}


def show(title: str, rates: dict[int, float], target: str) -> None:
    """Print a row for each variant."""
    alone = rates[1]
    print(f"\n{title} (target: {target})\n")  # noqa: T201 - a command prints.
    for number, rate in rates.items():
        print(f"| {number} | {rate:,.0f} documents/s | {rate / alone:.2f} times one |")  # noqa: T201


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.partitions", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pages", type=int, default=20, help="in each partition")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, closing(BenchManager(Path(folder))) as manager:
        url = manager.url

        def waits(partitions: int) -> Any:
            return lambda: documents_a_second(url, Waits(partitions, options.pages), RuntimeOptions())

        def computes(processes: int) -> Any:
            executor = in_processes("benchmarks.partitions:Computes", url, processes)
            return lambda: documents_a_second(
                url, Computes(8, options.pages // 2), RuntimeOptions(executor=executor)
            )

        rates = measure(options.rounds, {number: waits(number) for number in (1, 2, 4, 8)})
        show("A source that waits, in partitions of one process", rates, "0.9 of linear")
        rates = measure(options.rounds, {number: computes(number) for number in (1, 2)})
        show("A source that computes, in processes", rates, "1.7 times one with two")


if __name__ == "__main__":
    main()
