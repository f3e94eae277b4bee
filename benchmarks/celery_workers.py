"""``python -m benchmarks.celery_workers``: how much faster three Celery workers read a source than one.

The source waits: a page of 50 documents takes 200 ms. Each worker has one process, which reads one partition at a time, so that
little processor time is needed. Web process, workers and Redis are real; needs ``redis-server``. Rounds take turns.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from omni_connector.local import LocalManager

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from support.celery_processes import start_web, start_worker
from support.manager_http import ManagerClient
from support.processes import ListeningSocket
from support.redis_server import RedisServer

TARGET = "support.waiting_drives:WaitingDrives"
PARTITIONS = 6


def seconds_for(manager: ManagerClient, config: dict[str, object]) -> float:
    """Sync once; return how long it took."""
    source = manager.add_source("web", config)
    began = time.monotonic()
    progress = manager.wait(manager.trigger(source))
    seconds = time.monotonic() - began
    wanted = int(config["drives"]) * int(config["pages"]) * int(config["size"])
    if (progress["status"], progress["documents_scanned"]) != ("completed", wanted):
        raise RuntimeError(f"not {wanted} documents: {progress}")
    if len(manager.documents(source)) != wanted:
        raise RuntimeError("documents are missing")
    return seconds


def main() -> None:
    """Measure one worker and three in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--pages", type=int, default=15)
    parser.add_argument("--size", type=int, default=50)
    given = parser.parse_args()
    config = {"drives": PARTITIONS, "pages": given.pages, "size": given.size, "seconds": 0.2}
    times: dict[int, list[float]] = {1: [], 3: []}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        local = stack.enter_context(LocalManager(folder / "data"))
        manager = stack.enter_context(ManagerClient(local.url, folder / "data"))
        redis = stack.enter_context(RedisServer(folder))
        address = stack.enter_context(ListeningSocket())
        environ = {
            "CONNECTOR_MANAGER_URL": local.url,
            "OMNI_EXECUTOR": "celery",
            "OMNI_BROKER_URL": redis.url,
            "OMNI_RUN_STORE": redis.url,
        }
        web = stack.enter_context(start_web(address, environ, TARGET))
        manager.wait_for_connector(web, "web")
        for number in range(given.rounds):
            for count, seconds in times.items():
                with ExitStack() as workers:
                    for worker in range(count):
                        options = ("--concurrency", "1")
                        name = f"{number}-{count}-{worker}"
                        workers.enter_context(start_worker(TARGET, environ, *options, name=name))
                    seconds.append(seconds_for(manager, config))
                print(f"{count} workers: {seconds[-1]:.1f} s", flush=True)  # noqa: T201 - a command prints.
    one, three = (statistics.median(each) for each in times.values())
    print(f"One worker {one:.1f} s, three {three:.1f} s: {one / three:.2f} times as fast")  # noqa: T201


if __name__ == "__main__":
    main()
