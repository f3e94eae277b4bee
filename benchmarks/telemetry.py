"""``python -m benchmarks.telemetry``: what metrics, traces and the log cost a run.

One long run has them on and off in turn, for some thousand documents each, so that a machine whose speed drifts disturbs both
alike: metrics as under gunicorn with several workers; traces, recorded and sent to a collector; and everything, with a log in
JSON and a line of the connector for every 500 documents. What they cost once a run, and at the end of a process (10 ms), is not in
it. With ``--before`` an older checkout, which knows none of it, is compared with off, in processes that follow each other.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
MODES = ("metrics", "traces", "everything")
DOCUMENTS = 2_000
"""Of one turn."""

WARM_UP = 6
"""Turns that are not counted."""


def options_of(mode: str, connector: str) -> dict[str, Any]:
    """Return what a service is given."""
    from omni_connector.runtime.options import RuntimeOptions  # noqa: PLC0415 - of the checkout that is measured.
    from omni_connector.telemetry.instruments import Instruments  # noqa: PLC0415
    from omni_connector.telemetry.metrics import Metrics  # noqa: PLC0415
    from omni_connector.telemetry.tracing import Tracing  # noqa: PLC0415

    folder = Path(tempfile.mkdtemp()) / "metrics"
    instruments = Instruments(
        metrics=Metrics(connector, folder) if mode in {"metrics", "everything"} else None,
        tracing=Tracing(connector, "otlp_proto_http") if mode in {"traces", "everything"} else None,
    )
    instruments.begin()
    return {"options": RuntimeOptions(instruments=instruments)}


def one(url: str, documents: int) -> None:
    """Measure three runs with nothing on; print documents a second, and seconds of processor time, of each."""
    from benchmarks.workloads import Pipelined, Task, run_connector  # noqa: PLC0415 - of the checkout, as above.

    logging.disable(logging.CRITICAL)
    task = Task(url, documents)
    found = []
    for _ in range(4):
        work = run_connector(Pipelined(task), task)
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        found.append((documents / (time.perf_counter() - wall), time.process_time() - cpu))
    sys.stdout.write(json.dumps(found[1:]) + "\n")  # The first warms up.


def in_turns(mode: str, url: str, pairs: int, documents: int) -> None:
    """Measure one run in which a mode is on and off in turn; print as ``one`` does, off first in each pair."""
    from benchmarks.workloads import Pipelined, Task, document  # noqa: PLC0415 - the package is not imported without need.
    from omni_connector import Settings  # noqa: PLC0415
    from omni_connector.config import LogSettings  # noqa: PLC0415
    from omni_connector.manager import SdkClient  # noqa: PLC0415
    from omni_connector.models import SyncRequest  # noqa: PLC0415
    from omni_connector.runtime.service import ConnectorService  # noqa: PLC0415

    log = logging.getLogger(__name__)
    found: dict[bool, list[tuple[float, float]]] = {False: [], True: []}

    class Switched(Pipelined):
        """The workload, turn after turn."""

        def sync(self, _config: dict, _credentials: dict, _state: dict | None, ctx: Any) -> None:
            """Measure each turn, from the first document to the acceptance of the last."""
            texts = [self.task.text(number) for number in range(documents)]
            for turn in range(2 * pairs + WARM_UP):
                is_on = turn % 4 in {1, 2}  # Off, on, on, off: no order is preferred.
                logging.disable(logging.NOTSET if is_on and mode == "everything" else logging.CRITICAL)
                client.observe(*((instruments.metrics, instruments.tracing) if is_on else (None, None)))
                cpu, wall = time.process_time(), time.perf_counter()
                for number, text in enumerate(texts):
                    ctx.emit(document(number, content=text))
                    ctx.increment_scanned()
                log.info("Read %d documents", documents)
                ctx.flush()
                values = documents / (time.perf_counter() - wall), time.process_time() - cpu
                if turn >= WARM_UP:
                    found[is_on].append(values)

    client = SdkClient(url)
    connector = Switched(Task(url, documents))
    settings = Settings(manager_url=url, log=LogSettings("INFO", "json"))
    service = ConnectorService(connector, settings, client, **options_of(mode, connector.name))
    instruments = service.instruments
    client.observe(instruments.metrics, instruments.tracing)  # So that the run is traced.
    service.start_sync(SyncRequest(sync_run_id="one", source_id="source", sync_mode="full"))
    for thread in threading.enumerate():
        if thread.name.startswith("omni-sync-"):
            thread.join()
    service.close()
    sys.stdout.write(json.dumps(list(zip(found[False], found[True], strict=True))) + "\n")


def measure(url: str, *arguments: str, checkout: Path = HERE.parent) -> Any:
    """Measure in a process of its own."""
    environ = {**os.environ, "PYTHONPATH": str(checkout), "OTEL_EXPORTER_OTLP_ENDPOINT": url}
    command = [sys.executable, str(HERE / "telemetry.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, cwd=checkout, check=False)  # noqa: S603
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def pairs_of_processes(before: Path, url: str, pairs: int, documents: int) -> list[list[list[float]]]:
    """Return pairs of the older checkout and off, so that a ratio says what off keeps of before."""
    found = []
    for number in range(pairs):
        checkouts = [before, HERE.parent] if number % 2 else [HERE.parent, before]
        values = [
            measure(url, "--one", url, "--documents", str(documents), checkout=each) for each in checkouts
        ]
        middle = [[statistics.median(each) for each in zip(*value, strict=True)] for value in values]
        found.append(middle if number % 2 else middle[::-1])
    return found


def row(name: str, pairs: list[list[list[float]]]) -> str:
    """Return one line of the table."""
    rates = sorted(second[0] / first[0] for first, second in pairs)
    times = sorted(second[1] / first[1] for first, second in pairs)
    first, second = (statistics.median(pair[place][0] for pair in pairs) for place in (0, 1))
    return (
        f"| {name} | {first:,.0f} | {second:,.0f} | {statistics.median(rates):.3f} ({rates[0]:.2f} to {rates[-1]:.2f}) | "
        f"{statistics.median(times):.3f} ({times[0]:.2f} to {times[-1]:.2f}) | {_quick(pairs, 1) / _quick(pairs, 0):.3f} |\n"
    )


def _quick(pairs: list[list[list[float]]], place: int) -> float:
    """Return the processor time of the quicker quarter of the runs: what else goes on at the machine only adds to it."""
    times = sorted(pair[place][1] for pair in pairs)
    return statistics.median(times[: max(1, len(times) // 4)])


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.telemetry", description=__doc__)
    parser.add_argument("--pairs", type=int, default=50)
    parser.add_argument("--documents", type=int, default=DOCUMENTS, help="of one turn")
    parser.add_argument("--modes", nargs="*", choices=MODES, default=MODES, help="what is compared with off")
    parser.add_argument("--before", type=Path, help="folder of an older checkout; takes a fifth of the pairs")
    parser.add_argument("--one", metavar="URL", help=argparse.SUPPRESS)
    parser.add_argument("--turns", nargs=2, metavar=("MODE", "URL"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        one(given.one, given.documents)
        return
    if given.turns:
        in_turns(*given.turns, given.pairs, given.documents)
        return
    from benchmarks.__main__ import BenchManager  # noqa: PLC0415 - not for the processes that are measured.

    with tempfile.TemporaryDirectory() as folder:
        manager = BenchManager(Path(folder))

        try:
            sys.stdout.write(
                "| pairs | documents/s of the first | of the second | ratio | ratio of processor time | of the quicker quarters |\n"
            )
            sys.stdout.write("|---|---|---|---|---|---|\n")
            for mode in given.modes:
                size = ["--pairs", str(given.pairs), "--documents", str(given.documents)]
                found = measure(manager.url, "--turns", mode, manager.url, *size)
                sys.stdout.write(row(f"off, {mode}", found))
                sys.stdout.flush()
            if given.before:
                found = pairs_of_processes(
                    given.before, manager.url, max(2, given.pairs // 5), 5 * given.documents
                )
                sys.stdout.write(row("before, off", found))
        finally:
            manager.close()


if __name__ == "__main__":
    main()
