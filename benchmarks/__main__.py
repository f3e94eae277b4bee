"""``python -m benchmarks``: measure, and print one table (``--write`` also puts it into RESULTS.md).

Every measurement is a process of its own; the variants of a row take turns, so that a machine whose speed drifts
disturbs them alike; the median of the repetitions is shown with the lowest and highest. Only ratios within one run mean
anything. The lines below the table show that the manager is not the bottleneck: what it takes from the leanest client is
far more than any variant asks. Install ``uvloop`` (the extra ``benchmarks``) for that.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import trustme
from attrs import define, field, frozen

from benchmarks.probes import HEAD, MEMORY, MEMORY_HEAD, answering, capacity

HERE = Path(__file__).resolve().parent

APART = "## Measured apart"
"""Heading in RESULTS.md of what other commands have measured; kept by ``--write``."""
MOST_ALONE = 2
"""A row with fewer variants compares nothing."""


@frozen
class Case:
    """One row group: the same task for several variants; the first is what the others are compared with.

    Attributes:
        title: of the rows.
        variants: names in WORKLOADS.
        latency_ms: after which the manager answers.
        documents: how many.
        size: characters of each.
        threads: of the floor, or runs at once.
        target: least ratio of the second variant to the first, or None.
        fewer: documents of the variants that would take too long.
    """

    title: str
    variants: tuple[str, ...]
    latency_ms: int
    documents: int
    size: int = 2000
    threads: int = 16
    target: float | None = None
    fewer: dict[str, int] = field(factory=dict)


CASES = [
    Case(
        "pipelined",
        ("floor_multi", "sdk_pipelined", "wire_curl", "base:sdk_pipelined"),
        0,
        12_000,
        target=0.75,
    ),
    Case(
        "pipelined",
        ("floor_multi", "sdk_pipelined", "wire_curl", "base:sdk_pipelined"),
        5,
        8_000,
        2000,
        64,
        target=0.8,
    ),
    Case(
        "pipelined",
        ("floor_multi", "sdk_pipelined", "wire_curl", "base:sdk_pipelined"),
        20,
        8_000,
        2000,
        64,
        target=0.8,
    ),
    Case("without libcurl", ("floor_urllib3", "sdk_session_16", "sdk_session"), 0, 5_000, target=0.8),
    Case("without libcurl", ("floor_urllib3", "sdk_session_16", "sdk_session"), 5, 5_000, target=0.8),
    Case("without libcurl", ("floor_urllib3", "sdk_session_16", "sdk_session"), 20, 4_000, target=0.8),
    Case("over TLS", ("sdk_pipelined", "tls:sdk_pipelined"), 0, 8_000, target=0.8),
    Case("over TLS", ("sdk_pipelined", "tls:sdk_pipelined"), 20, 4_000, target=0.8),
    Case("sequential", ("base:sdk_sequential", "sdk_sequential"), 0, 6_000, target=1.0),
    Case("sequential", ("base:sdk_sequential", "sdk_sequential"), 5, 800, target=1.0),
    Case("sequential", ("base:sdk_sequential", "sdk_sequential"), 20, 200, target=1.0),
    Case("emit only", ("floor_emit", "sdk_emit", "base:sdk_emit"), 0, 60_000, target=0.5),
    Case("log written", ("sdk_emit_log_off", "sdk_emit_log_on"), 0, 60_000, target=0.95),
    Case("200 KB, pipelined", ("base:sdk_pipelined", "sdk_pipelined"), 0, 800, size=200_000, target=1.0),
    Case(
        "20 runs at once", ("base:sdk_parallel_runs", "sdk_parallel_runs"), 0, 10_000, threads=20, target=1.0
    ),
    Case("async gather of 16", ("base:sdk_async", "sdk_async"), 0, 10_000, target=1.0),
]
"""``base:`` is the package of ``--base``, ``tls:`` the manager over TLS."""


@define
class Figures:
    """What one variant took, over the repetitions."""

    rate: list[float] = field(factory=list)
    cpu: list[float] = field(factory=list)
    requests: list[float] = field(factory=list)
    grown_mb: list[float] = field(factory=list)


class BenchManager:
    """The manager's process."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        certificate = folder / "manager.pem"
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(certificate))
        self._process = subprocess.Popen(  # noqa: S603 - our own module.
            [sys.executable, "-m", "benchmarks.manager", str(certificate)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE.parent,
        )  # fmt: skip
        if self._process.stdout is None:
            raise RuntimeError("no pipe")
        port, tls_port = self._process.stdout.readline().split()
        self.url, self.tls_url = f"http://127.0.0.1:{port}", f"https://127.0.0.1:{tls_port}"

    def get(self, path: str) -> dict[str, object]:
        """Ask for one of the ``/bench`` paths."""
        with urllib.request.urlopen(self.url + path) as response:  # noqa: S310 - our own process.
            answer: dict[str, object] = json.load(response)
            return answer

    def close(self) -> None:
        """End it."""
        self._process.communicate("")


def measure(
    manager: BenchManager, case: Case, variant: str, base: Path | None = None
) -> tuple[float, float, float, float]:
    """Run one variant once; return documents/s, CPU s/1000, requests/document and grown MB."""
    where, _, name = variant.rpartition(":")
    folder = base if where == "base" and base is not None else HERE.parent
    environ = {**os.environ, "PYTHONPATH": str(folder)}
    if where == "tls":
        environ["REQUESTS_CA_BUNDLE"] = str(manager.ca_file)
    url = manager.tls_url if where == "tls" else manager.url
    documents = case.fewer.get(variant, case.documents)
    manager.get(f"/bench/latency/{case.latency_ms}")
    done = subprocess.run(  # noqa: S603 - our own module.
        [sys.executable, "-m", "benchmarks.worker", name, url, str(documents), str(case.size), str(case.threads)],
        capture_output=True, text=True, cwd=folder, env=environ, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{variant} failed:\n{done.stderr[-2000:]}")
    took = json.loads(done.stdout)
    requests = manager.get("/bench/stats")["requests"]
    count = sum(requests.values()) if isinstance(requests, dict) else 0
    return (
        documents / took["seconds"],
        took["cpu_seconds"] / documents * 1000,
        count / documents,
        took["grown_mb"],
    )


def rows(case: Case, found: dict[str, Figures]) -> list[str]:
    """Return the table rows of one case."""
    base = statistics.median(next(iter(found.values())).rate)
    lines = []
    for variant, figures in found.items():
        rate = statistics.median(figures.rate)
        ratio = rate / base
        wanted = ""
        if case.target is not None and variant == case.variants[1]:
            wanted = f"{'met' if ratio >= case.target else 'MISSED'} (>= {case.target})"
        lines.append(
            f"| {case.title} | {case.latency_ms} | {variant} | {rate:,.0f} ({min(figures.rate):,.0f} to "
            f"{max(figures.rate):,.0f}) | {ratio:.2f} | {wanted} | {statistics.median(figures.cpu):.3f} | "
            f"{statistics.median(figures.requests):.3f} | {statistics.median(figures.grown_mb):.0f} |"
        )
    return lines


def main() -> None:
    """Measure every case."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument(
        "--base", type=Path, help="folder of an older checkout, whose package is measured beside this one"
    )
    parser.add_argument("--only", help="cases whose title or variants contain this")
    parser.add_argument("--write", action="store_true", help="also write benchmarks/RESULTS.md")
    parser.add_argument("--probe", action="store_true", help="also what the manager can, and memory")
    options = parser.parse_args()
    table = [
        "| workload | latency, ms | variant | documents/s (lowest to highest) | ratio | target | CPU s/1000 | requests/doc | MB grown |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    show(*table)
    folder = tempfile.TemporaryDirectory()
    manager = BenchManager(Path(folder.name))
    try:
        for case in CASES:
            if options.only and options.only not in f"{case.title} {case.variants}":
                continue
            variants = [one for one in case.variants if options.base or not one.startswith("base:")]
            if len(variants) < MOST_ALONE:
                continue
            found = {variant: Figures() for variant in variants}
            for _ in range(options.repetitions):
                for variant in variants:
                    rate, cpu, requests, grown = measure(manager, case, variant, options.base)
                    figures = found[variant]
                    figures.rate.append(rate)
                    figures.cpu.append(cpu)
                    figures.requests.append(requests)
                    figures.grown_mb.append(grown)
            lines = rows(case, found)
            show(*lines)
            table += lines
        if not options.only and options.probe:
            table += probe(manager)
    finally:
        manager.close()
        folder.cleanup()
    if options.write:
        path = HERE / "RESULTS.md"
        _, mark, apart = path.read_text().partition(APART)
        path.write_text(
            heading(options.repetitions) + "\n".join(table) + f"\n\n{mark}{apart}".rstrip() + "\n"
        )


def probe(manager: BenchManager) -> list[str]:
    """Return the tables below the table: what the manager can, how a busy process answers, what it keeps."""
    manager.get("/bench/latency/0")
    lines = [*capacity(manager.url), *HEAD, *answering(manager.url), *MEMORY_HEAD]
    for variant, documents, size in MEMORY:
        *_, grown = measure(manager, Case("memory", (variant,), 0, documents, size), variant)
        lines.append(f"| {variant} | {documents:,} | {size:,} | {grown:.0f} |")
    used = manager.get("/bench/stats")["cpu_seconds"]
    lines += ["", f"The manager's process used {used:.0f} s of CPU for everything above."]
    show(*lines)
    return lines


def heading(repetitions: int) -> str:
    """Return what stands above the table in RESULTS.md."""
    now = dt.datetime.now(dt.UTC).date()
    return (
        f"# Results\n\nMeasured on {now} with `python -m benchmarks --write`: {os.cpu_count()} cores, "
        f"{platform.python_implementation()} {platform.python_version()}, {platform.system()}; median of {repetitions} "
        "repetitions with lowest and highest. The first variant of each group is what the ratios refer to.\n\n"
    )


def show(*lines: str) -> None:
    """Print at once."""
    print(*lines, sep="\n", flush=True)  # noqa: T201 - a command prints.


if __name__ == "__main__":
    main()
