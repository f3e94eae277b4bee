"""Partitions of one run that are read by several real Celery workers."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import time

import pytest
import requests
from support.celery_processes import inspect, start_web, start_worker
from support.thorough import thorough
from support.waiting import QUICKLY, eventually
from support.waiting_drives import expected

TARGET = "support.waiting_drives:WaitingDrives"
MOMENTS = thorough((4, 7), range(10))
"""Tenths of the documents that have arrived when a worker is killed."""
READ_HERE = r"Partition '(drive-\d+)' of source \S+ is read here"


@pytest.fixture
def workers(environ):
    """Start workers by name, each with two processes, and end all of them."""
    with contextlib.ExitStack() as stack:

        def start(*names, target=TARGET, options=()):
            return [stack.enter_context(start_worker(target, environ, *options, name=name)) for name in names]

        yield start


def has_a_run(worker):
    return any("listed in" in line for line in worker.lines)


def read_by(worker):
    return {match[1] for line in worker.lines if (match := re.search(READ_HERE, line))}


def assert_all_arrived(manager, source, run, config):
    progress = manager.wait(run)
    assert progress["status"] == "completed", progress
    assert set(manager.documents(source)) == expected(config)
    count = len(expected(config))
    assert (progress["documents_scanned"], progress["documents_updated"]) == (count, count)


@pytest.mark.slow
@pytest.mark.parametrize("target", [TARGET, "support.waiting_drives:AsyncWaitingDrives"])
def test_all_workers_read_the_partitions_of_one_run(manager, address, environ, workers, target):
    config = {"drives": 12, "pages": 5, "size": 4, "seconds": 0.1}
    with start_web(address, environ, target) as web:
        one, two = workers("one", "two", target=target)
        manager.wait_for_connector(web, "web")
        source = manager.add_source("web", config)
        run = manager.trigger(source)
        assert_all_arrived(manager, source, run, config)
        parts = [read_by(one), read_by(two)]
        assert all(parts)
        assert len(set.union(*parts)) == sum(map(len, parts)) == 12


@pytest.mark.slow
@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_a_cancellation_reaches_every_worker_and_inspect_shows_the_partitions(
    manager, address, environ, workers, pool
):
    config = {"drives": 3, "pages": 10_000, "size": 1, "seconds": 0.05}
    with start_web(address, environ, TARGET) as web:
        processes = workers("one", "two", options=("--pool", pool))
        manager.wait_for_connector(web, "web")
        source = manager.add_source("web", config)
        run = manager.trigger(source)
        eventually(lambda: sum(len(read_by(each)) for each in processes) == 3)
        if pool == "threads":
            shown = inspect(["active"], {**environ, "OMNI_CONNECTOR": TARGET})
            for text in (run, source, "full", "omni_connector.worker."):
                assert text in shown
        began = time.monotonic()
        manager.cancel(run)
        for each in processes:
            for drive in read_by(each):
                each.wait_for(f"Partition '{drive}' stops: ")
        assert time.monotonic() - began < QUICKLY
        body = {"sync_run_id": "next", "source_id": source, "sync_mode": "full"}
        assert requests.post(f"{address.url}/sync", json=body, timeout=60).status_code == 200


@pytest.mark.slow
def test_a_worker_that_is_killed_at_any_moment_loses_nothing(manager, address, environ, workers):
    """Of three, in turn one that reads partitions and the one that has the run; all processes of it at once."""
    config = {"drives": 9, "pages": 10, "size": 5, "seconds": 0.3}
    count = len(expected(config))
    with start_web(address, environ, TARGET) as web:
        alive = workers("one", "two", "three")
        manager.wait_for_connector(web, "web")
        for moment in MOMENTS:
            for each in alive:
                each.forget_output()
            source = manager.add_source("web", config)
            run = manager.trigger(source)
            owner = eventually(lambda alive=alive: next(filter(has_a_run, alive), None))
            eventually(lambda run=run, moment=moment: manager.count_events(run) >= count * moment // 11)
            victim = owner if moment % 2 else next(each for each in alive if each is not owner)
            assert is_running(address, run)
            victim.kill()
            alive.remove(victim)
            alive += workers(f"more-{moment}")
            if victim is owner:
                eventually(lambda run=run: not is_running(address, run))
                manager.tick()
            assert_all_arrived(manager, source, run, config)


def is_running(address, run):
    return requests.get(f"{address.url}/sync/{run}", timeout=60).json()["running"]


@pytest.mark.slow
def test_the_processes_of_a_pool_whose_main_process_is_killed_end_with_it(manager, address, environ, workers):
    """So Celery has the kernel do on Linux. The run is lost like any other, and goes on from its last checkpoint."""
    config = {"drives": 4, "pages": 60, "size": 2, "seconds": 0.1}
    with start_web(address, environ, TARGET) as web:
        (killed,) = workers("one")
        manager.wait_for_connector(web, "web")
        source = manager.add_source("web", config)
        run = manager.trigger(source)
        pids = set()
        eventually(lambda: pids.update(map(int, pids_of(killed))) or len(pids) == 2)
        os.kill(killed.popen.pid, signal.SIGKILL)
        eventually(lambda: not any(is_alive(pid) for pid in pids))
        eventually(lambda: not is_running(address, run))
        workers("two")
        manager.tick()
        assert_all_arrived(manager, source, run, config)


def pids_of(worker):
    return [match[1] for line in worker.lines if (match := re.search(r"drive-\d+ in (\d+)", line))]


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_inventories_are_in_redis_whichever_worker_reads_a_partition(
    manager, address, environ, workers, tmp_path
):
    target = "support.listed_drives:ListedDrives"
    drives = {f"d{drive}": {f"d{drive}-{n}": "1" for n in range(10)} for drive in range(6)}
    file = tmp_path / "drives.json"
    with start_web(address, environ, target) as web:
        workers("one", "two", target=target)
        manager.wait_for_connector(web, "web")
        source = manager.add_source("web", {"file": str(file)})
        for mode in ("full", "incremental", "incremental"):
            file.write_text(json.dumps(drives))
            run = manager.trigger_when_free(source, mode)
            assert manager.wait(run)["status"] == "completed"
            assert set(manager.documents(source)) == {name for drive in drives.values() for name in drive}
            assert manager.count_events(run) == (60 if mode == "full" else 4)
            for key in ("d1", "d4"):
                drives[key].pop(next(iter(drives[key])))
                drives[key][f"{key}-9"] += "."
