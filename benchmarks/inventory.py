"""``python -m benchmarks.inventory``: an inventory of a million documents in each place: memory, bytes, time a document.

Four runs in a process of its own for each place: a full run that sends everything, an incremental run in which nothing has
changed, one in which one in a hundred has and another one in a hundred is gone, and one that lists nothing and is withheld.
The manager is in memory and does nothing, so that the figures are those of the inventory and of what the SDK does beside it.
"""

from __future__ import annotations

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omni_connector import Document, DocumentPermissions
from omni_connector.inventory.limits import DeletionLimits
from omni_connector.inventory.memory import MemoryInventories
from omni_connector.inventory.storage import InventoryStorage, Shelf
from omni_connector.inventory.terms import InventoryTerms
from omni_connector.models import SyncMode
from omni_connector.runstore.inventory_redis import RedisInventories
from omni_connector.runstore.inventory_sqlite import SqliteInventories
from omni_connector.sync.colours import Blocking
from omni_connector.sync.context import SyncContext
from omni_connector.sync.run import SyncRun
from omni_connector.sync.run_info import RunInfo
from omni_connector.sync.state import RunState
from omni_connector.testing import MemoryManager

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from support.redis_server import RedisServer

PUBLIC = DocumentPermissions(public=True)
MEBIBYTE = 1024 * 1024


class Deaf(MemoryManager):
    """Accepts everything and keeps nothing."""

    def send_events(self, *_: Any, **__: Any) -> list[int]:
        """Accept."""
        return []

    def _receive(self, operation: str, **args: Any) -> None:
        """Keep nothing."""


@contextmanager
def place(kind: str, folder: Path) -> Iterator[tuple[InventoryStorage, Any]]:
    """Open inventories, and a function that says how many bytes they take."""
    if kind == "redis":
        with RedisServer(folder) as server:
            storage = RedisInventories(server.url, "benchmark")
            client: Any = storage._redis  # noqa: SLF001 - asked for its figures.
            before = client.info("memory")["used_memory"]
            yield storage, lambda: client.info("memory")["used_memory"] - before
            storage.close()
    elif kind == "sqlite":
        sqlite = SqliteInventories(lambda: folder / "inventory.sqlite3", "benchmark")
        yield sqlite, lambda: sum(path.stat().st_size for path in folder.glob("inventory*"))
        sqlite.close()
    else:
        yield MemoryInventories(), lambda: 0


def sync(storage: InventoryStorage, names: list[str], version: Any, number: int) -> tuple[float, float]:
    """Run once, as a connector does; return the seconds that passed, and those of this process on a CPU."""
    mode = SyncMode.FULL if number == 0 else SyncMode.INCREMENTAL
    checkpoint = None if number == 0 else {"run": number - 1}
    info = RunInfo(sync_run_id=f"run-{number}", source_id="source", mode=mode, checkpoint=checkpoint)
    run = SyncRun(info, Deaf(), RunState(info.sync_run_id))
    run.use_inventories(InventoryTerms(storage=storage, limits=DeletionLimits()))
    ctx = SyncContext(run, Blocking())
    began, busy = time.monotonic(), time.process_time()
    inventory = ctx.inventory()
    for position, name in enumerate(names):
        if inventory.changed(name, version(position)):
            ctx.emit(Document(external_id=name, title="A title", content_id="content", permissions=PUBLIC))
    inventory.finish()
    ctx.complete({"run": number})
    run.close()
    return time.monotonic() - began, time.process_time() - busy


def measure(kind: str, documents: int, order: str) -> None:
    """Measure one place in this process, and print a line a run."""
    names = [f"folder-{number % 1000:03}/document-{number:07}.txt" for number in range(documents)]
    names.sort()
    if order == "random":
        random.Random(1).shuffle(names)  # noqa: S311 - an order, no secret.
    kept = [name for position, name in enumerate(names) if position % 100 != 50]  # noqa: PLR2004
    runs = [
        ("full, everything is new", names, lambda _: 1),
        ("incremental, nothing has changed", names, lambda _: 1),
        ("incremental, 1 % changed and 1 % gone", kept, lambda position: 2 if position % 100 == 0 else 1),
        ("incremental, an empty listing", [], lambda _: 1),
    ]
    with (
        tempfile.TemporaryDirectory(prefix="inventory-") as folder,
        place(kind, Path(folder)) as (storage, size),
    ):
        show(
            f"| {kind}, {order} | before, with the names of the documents | | | | | {peak_memory():.0f} MiB |"
        )
        for number, (what, listed, version) in enumerate(runs):
            seconds, busy = sync(storage, listed, version, number)
            each = busy / max(1, len(listed)) * 1e6
            show(
                f"| {kind}, {order} | {what} | {seconds:.1f} s | {busy:.1f} s | {each:.1f} µs | {size() / MEBIBYTE:.0f} MiB | {peak_memory():.0f} MiB |"
            )
        show(f"|   | documents known at the end: {storage.count(Shelf('source'))} | | | | | |")


def peak_memory() -> float:
    """Return the most that this process had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure each place in a process of its own."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inventory", description=__doc__)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--places", nargs="+", default=["memory", "sqlite", "redis"])
    parser.add_argument("--orders", nargs="+", default=["sorted", "random"])
    parser.add_argument("--here", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        measure(options.here[0], options.documents, options.here[1])
        return
    show(
        "| place, order of ids | run | time | CPU | CPU a document | size | peak memory |\n|---|---|---|---|---|---|---|"
    )
    for kind in options.places:
        for order in options.orders:
            again = [sys.executable, "-m", "benchmarks.inventory", "--documents", str(options.documents)]
            subprocess.run([*again, "--here", kind, order], check=True)  # noqa: S603 - this very module.


def show(line: str) -> None:
    """Print at once."""
    print(line, flush=True)  # noqa: T201 - a command prints.


if __name__ == "__main__":
    main()
