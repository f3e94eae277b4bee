"""``python -m benchmarks.soak --minutes 20``: deploys under load, on two gunicorn workers; nothing may be lost and nothing may grow.

An embedded manager syncs a few sources again and again while the connector is deployed: in turn by HUP and by TERM and a
new start. For each run every document must arrive and be counted once. Memory and descriptors of all processes of the
server are read before each deploy, when the workers have the same age each time.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import requests
from attrs import define, field

from omni_connector.local import LocalManager

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from support.manager_http import ManagerClient
from support.processes import ListeningSocket, Process, start_gunicorn
from support.waiting import eventually

SOURCES = 3
DOCUMENTS = 3000
SECONDS_A_DOCUMENT = 0.005
START_SECONDS = 120
GROWTH_MIB = 30
GROWTH_DESCRIPTORS = 20


@define
class Soak:
    """What has happened so far."""

    runs: int = 0
    deploys: int = 0
    repeated: int = 0
    problems: list[str] = field(factory=list)
    sizes: list[tuple[float, int]] = field(factory=list)


def main() -> int:
    """Run it; the exit status is 1 when something was lost or has grown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--deploy-seconds", type=float, default=60.0)
    options = parser.parse_args()
    soak = Soak()
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalManager(Path(folder)) as manager,
        ManagerClient(manager.url, Path(folder)) as client,
        ListeningSocket() as address,
    ):
        deploys(soak, client, address, seconds=options.minutes * 60, every=options.deploy_seconds)
    sizes = " ".join(f"{mib:.0f}/{count}" for mib, count in soak.sizes)
    sys.stdout.write(
        f"{soak.runs} runs of {DOCUMENTS} documents, {soak.deploys} deploys, {soak.repeated} events came again\n"
        f"MiB/descriptors before each deploy: {sizes}\n"
        + "".join(f"PROBLEM: {text}\n" for text in soak.problems)
    )
    return 1 if soak.problems else 0


def deploys(
    soak: Soak, client: ManagerClient, address: ListeningSocket, *, seconds: float, every: float
) -> None:
    """Sync all sources in threads, and deploy again and again."""
    process = start(client, address)
    over = threading.Event()
    threads = [
        threading.Thread(target=sync_on, args=(soak, client, address, over), name=f"source {number}")
        for number in range(SOURCES)
    ]
    deadline = time.monotonic() + seconds
    try:
        eventually(
            lambda: any(one["source_type"] == "web" for one in client.connectors()), seconds=START_SECONDS
        )
        for thread in threads:
            thread.start()
        while (
            not over.wait(min(every, max(0.0, deadline - time.monotonic()))) and time.monotonic() < deadline
        ):
            soak.sizes.append(size_of(process.popen.pid))
            if soak.deploys % 2:
                process.popen.send_signal(signal.SIGTERM)
                process.popen.wait()
                process.end()
                process = start(client, address)
            else:
                process.popen.send_signal(signal.SIGHUP)
            soak.deploys += 1
        over.set()
        for thread in threads:
            thread.join()
    finally:
        over.set()
        process.end()
    check_growth(soak)


def start(client: ManagerClient, address: ListeningSocket) -> Process:
    """Start gunicorn with two workers."""
    env = {"CONNECTOR_MANAGER_URL": client.url}
    return start_gunicorn(address, "support.counting:Counting", "--workers", "2", env=env)


def sync_on(soak: Soak, client: ManagerClient, address: ListeningSocket, over: threading.Event) -> None:
    """Sync a new source after the other until it is over; the manager looks after its runs every few seconds."""
    with ManagerClient(client.url, client._data) as own:  # noqa: SLF001 - one connection for each thread.
        while not over.is_set():
            source = own.add_source("web", {"documents": DOCUMENTS, "seconds": SECONDS_A_DOCUMENT})
            answer = own.request("POST", "/sync", {"source_id": source, "sync_mode": "full"})
            if not answer.ok:  # Between two starts there is no connector for a moment.
                over.wait(1.0)
                continue
            check(soak, own, source, wait_for(own, address, answer.json()["sync_run_id"]))


def wait_for(client: ManagerClient, address: ListeningSocket, run: str) -> dict:
    """Wait for the end of a run; let the manager look when the connector says that it is lost."""
    pause = threading.Event()
    while True:
        progress = next(client.progress(run))
        if progress["status"] != "running":
            return {**progress, "sync_run_id": run}
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"{address.url}/sync/{run}", timeout=5).json().get("running") is False:
                client.tick()
        pause.wait(1.0)


def check(soak: Soak, client: ManagerClient, source: str, ended: dict) -> None:
    """Note what is wrong with a run."""
    soak.runs += 1
    soak.repeated += client.count_events(ended["sync_run_id"]) - DOCUMENTS
    if ended["status"] != "completed":
        soak.problems.append(f"a run is {ended}")
    missing = DOCUMENTS - len(client.documents(source))
    if missing:
        soak.problems.append(f"{missing} documents are missing")
    if (ended["documents_scanned"], ended["documents_updated"]) != (DOCUMENTS, DOCUMENTS):
        soak.problems.append(f"counts are wrong: {ended}")


def size_of(master: int) -> tuple[float, int]:
    """Return the resident MiB and the descriptors of a master and its workers together."""
    mib, descriptors = 0.0, 0
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    for pid in (str(master), *children):
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{pid}/status").read_text()
            mib += int(status.split("VmRSS:")[1].split()[0]) / 1024
            descriptors += len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return mib, descriptors


def check_growth(soak: Soak) -> None:
    """Compare the first half with the second."""
    if len(soak.sizes) < 4:  # noqa: PLR2004 - two of each.
        return
    half = len(soak.sizes) // 2
    first, second = soak.sizes[:half], soak.sizes[half:]
    if max(second)[0] > max(first)[0] + GROWTH_MIB:
        soak.problems.append("memory grows")
    if max(count for _, count in second) > max(count for _, count in first) + GROWTH_DESCRIPTORS:
        soak.problems.append("descriptors grow")


if __name__ == "__main__":
    sys.exit(main())
