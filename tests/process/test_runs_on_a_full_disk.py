"""A connector whose disk is full: the run store cannot be written, and everything else goes on."""

from __future__ import annotations

import contextlib
import resource
import subprocess
import time

import pytest
import requests
from support.processes import start_gunicorn
from support.waiting import QUICKLY, eventually

DOCUMENTS = 300
UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


class SmallDisk:
    """A file system of one mebibyte, which is filled to its last byte."""

    def __init__(self, folder):
        self._filler = folder / "filler"

    def fill(self, workers):
        with contextlib.suppress(OSError), self._filler.open("wb", buffering=0) as file:
            while file.write(b"x" * 512):
                pass

    def free(self, workers):
        self._filler.unlink()


class Quota:
    """A limit on the size of files, for those who may not mount anything: the log of the database cannot grow."""

    def __init__(self, folder):
        self._folder = folder

    def fill(self, workers):
        (log,) = self._folder.glob("omni-connector-*/*/runs.sqlite3-wal")
        for worker in workers:
            resource.prlimit(worker, resource.RLIMIT_FSIZE, (log.stat().st_size, resource.RLIM_INFINITY))

    def free(self, workers):
        for worker in workers:
            resource.prlimit(worker, resource.RLIMIT_FSIZE, UNLIMITED)


@pytest.fixture(params=["a small disk", "a quota"])
def disk(request, tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    if request.param == "a quota":
        yield folder, Quota(folder)
        return
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("this account may not mount a small file system")
    try:
        yield folder, SmallDisk(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.slow
def test_while_the_disk_is_full_runs_finish_and_new_ones_wait_for_space(disk, manager, address):
    folder, space = disk
    env = {"CONNECTOR_MANAGER_URL": manager.url, "TMPDIR": str(folder)}
    with start_gunicorn(address, "support.counting:Counting", "--workers", "2", env=env) as process:
        manager.wait_for_connector(process, "web")
        workers = [
            int(line.rpartition(" ")[2]) for line in process.lines if "Booting worker with pid" in line
        ]
        config = {"documents": DOCUMENTS, "seconds": 0.02}
        sources = [manager.add_source("web", config) for _ in range(2)]
        run = manager.trigger(sources[0])
        eventually(lambda: manager.count_events(run) >= 20)

        space.fill(workers)
        process.wait_for("cannot be used now: .*(disk is full|disk I/O error)")
        waiting = manager.trigger(sources[1])
        process.wait_for(f"Run {waiting} waits for the run store")
        while (progress := next(manager.progress(run)))["status"] == "running":
            began = time.monotonic()
            assert requests.get(f"{address.url}/health", timeout=60).ok
            assert time.monotonic() - began < QUICKLY
            assert requests.get(f"{address.url}/sync/{waiting}", timeout=60).status_code in {200, 404}
        assert progress["status"] == "completed"
        assert progress["documents_scanned"] == progress["documents_updated"] == DOCUMENTS
        assert manager.count_events(waiting) == 0

        space.free(workers)
        ended = manager.wait(waiting)
        assert ended["status"] == "completed"
        assert ended["documents_scanned"] == DOCUMENTS
        for source in sources:
            assert len(manager.documents(source)) == DOCUMENTS
        assert not any("Traceback" in line for line in process.lines)
