"""``python -m benchmarks.telemetry``: what metrics, traces and the log cost a run, in pairs that follow each other.

Runs follow each other in one process, off and on in turn: metrics as under gunicorn with several workers; traces, recorded
and sent to a collector; and everything, with a log in JSON and a line of the connector for every 500 documents. With
``--before`` an older checkout, which knows none of it, is compared with off, in processes that follow each other. The ratios are
those of neighbours, so that a machine that gets slower meanwhile does not decide.

The time of a run includes the end of its service: the last values are written and the last spans sent. Once a process, that
takes 10 ms of processor time, which is a twentieth of a run of 2,000 documents. So take long runs.
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
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
MODES = ("metrics", "traces", "everything")
DOCUMENTS = 20_000


def options_of(mode: str, connector: str) -> dict[str, Any]:
    """Return what a service is given; nothing in a checkout that knows no instruments."""
    if mode in {"before", "off"}:
        return {}
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


def log_as(mode: str) -> None:
    """Write the log as JSON where everything is on; else write none."""
    logging.disable(logging.NOTSET if mode == "everything" else logging.CRITICAL)
    if mode == "everything":
        from omni_connector.config import LogSettings  # noqa: PLC0415 - of the checkout that is measured.
        from omni_connector.telemetry.logs import set_up_logging  # noqa: PLC0415

        set_up_logging(LogSettings("INFO", "json"))


def one(modes: list[str], url: str, documents: int) -> None:
    """Measure one run after the other; print documents a second, and seconds of processor time, of each."""
    from benchmarks.workloads import BATCH, Pipelined, Task, document, run_connector  # noqa: PLC0415 - as above.

    log = logging.getLogger(__name__)

    class Logging(Pipelined):
        """The same, with a line of the log for each batch."""

        def sync(self, _config: dict, _credentials: dict, _state: dict | None, ctx: Any) -> None:
            """Emit with content."""
            for number in range(self.task.documents):
                ctx.emit(document(number, content=self.task.text(number)))
                ctx.increment_scanned()
                if number % BATCH == 0:
                    log.info("Read %d documents", number)

    found = []
    for mode in modes:
        task = Task(url, documents)
        connector = Logging(task)
        log_as(mode)
        given = options_of(mode, connector.name)
        work = run_connector(connector, task, **given)
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        found.append((documents / (time.perf_counter() - wall), time.process_time() - cpu))
    sys.stdout.write(json.dumps(found[1:]) + "\n")  # The first warms up.


def measure(modes: list[str], url: str, documents: int, checkout: Path = HERE.parent) -> list[list[float]]:
    """Measure runs in a process of their own."""
    environ = {**os.environ, "PYTHONPATH": str(checkout), "OTEL_EXPORTER_OTLP_ENDPOINT": url}
    own = [sys.executable, str(HERE / "telemetry.py"), "--one", ",".join([modes[0], *modes]), url]
    command = [*own, "--documents", str(documents)]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, cwd=checkout, check=False)  # noqa: S603
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: list[list[float]] = json.loads(done.stdout)
    return found


def pairs_in_a_process(mode: str, url: str, pairs: int, documents: int) -> list[list[list[float]]]:
    """Return pairs of off and a mode; their order changes."""
    order = [("off", mode) if number % 2 else (mode, "off") for number in range(pairs)]
    found = measure([each for both in order for each in both], url, documents)
    return [sorted_pair(order[number], found[2 * number : 2 * number + 2]) for number in range(pairs)]


def pairs_of_processes(before: Path, url: str, pairs: int, documents: int) -> list[list[list[float]]]:
    """Return pairs of the older checkout and off, so that a ratio says what off keeps of before."""
    found = []
    for number in range(pairs):
        order = ("before", "off") if number % 2 else ("off", "before")
        checkouts = {"before": before, "off": HERE.parent}
        values = [measure([mode] * 3, url, documents, checkouts[mode]) for mode in order]
        middle = [[statistics.median(each) for each in zip(*value, strict=True)] for value in values]
        found.append(middle if order[0] == "before" else middle[::-1])
    return found


def sorted_pair(order: tuple[str, str], values: list[list[float]]) -> list[list[float]]:
    """Return the values of a pair with those of off first."""
    return values if order[0] == "off" else values[::-1]


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
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--documents", type=int, default=DOCUMENTS)
    parser.add_argument("--modes", nargs="*", choices=MODES, default=MODES, help="what is compared with off")
    parser.add_argument("--before", type=Path, help="folder of an older checkout")
    parser.add_argument("--one", nargs=2, metavar=("MODE", "URL"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        one(given.one[0].split(","), given.one[1], given.documents)
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
                found = pairs_in_a_process(mode, manager.url, given.pairs, given.documents)
                sys.stdout.write(row(f"off, {mode}", found))
                sys.stdout.flush()
            if given.before:
                found = pairs_of_processes(given.before, manager.url, given.pairs, given.documents)
                sys.stdout.write(row("before, off", found))
        finally:
            manager.close()


if __name__ == "__main__":
    main()
