"""Partitions that are read in other processes, from ids alone: over the executor of the benchmarks."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest
from support.waiting import eventually

from benchmarks import partition_processes
from benchmarks.crash import miscounted
from benchmarks.crash_source import CrashPartitions, scripts
from benchmarks.scripted import arrived, expected
from omni_connector import Connector, Document, DocumentPermissions, Partition
from omni_connector.runtime.options import RuntimeOptions
from omni_connector.testing import serve_connector

SHAPE = {"documents": 120, "save_every": 10, "partitions": 6, "seed": 3}
HERE = "test_partitions_in_processes"


class Endless(Connector):
    """Says that it has begun, and goes on until it is stopped."""

    name = "endless"
    version = "1"
    source_types = ["web"]

    def partitions(self, source_config, credentials, state, ctx):
        return [Partition(key=key) for key in "ab"]

    def sync_partition(self, partition, source_config, credentials, state, ctx):
        ctx.emit(
            Document(
                external_id=f"{partition.key}-{os.getpid()}",
                title=credentials["token"],
                content="x",
                permissions=DocumentPermissions(public=True),
            )
        )
        ctx.flush()
        while True:
            ctx.sleep(0.05)
            ctx.increment_scanned()
            ctx.save_state({"time": time.time()})


@pytest.fixture
def serve(omni_manager, monkeypatch):
    """Serve a connector whose partitions are read by two processes."""
    monkeypatch.setenv("PYTHONPATH", f"tests/partitions{os.pathsep}tests")

    def make(connector, target):
        executor = partition_processes.in_processes(target, omni_manager.url, 2)
        return serve_connector(connector, omni_manager, options=RuntimeOptions(executor=executor))

    return make


def ended(run_id):
    for thread in threading.enumerate():
        if thread.name == f"omni-sync-{run_id}":
            thread.join(60)
            assert not thread.is_alive()


def test_all_arrives_and_is_counted(serve, omni_manager):
    with serve(CrashPartitions(), "benchmarks.crash_source:CrashPartitions") as served:
        source_id = served.put_source(config=SHAPE)
        run_id = omni_manager.trigger(source_id)
        ended(run_id)
    run = omni_manager.run(run_id)
    parts = scripts(SHAPE)
    assert run.status == "completed", run.error_message
    assert arrived(omni_manager, source_id) == {
        key: each for script in parts.values() for key, each in expected(script).items()
    }
    assert miscounted(parts.values(), run) == ""
    assert {key: entry["state"]["step"] for key, entry in run.checkpoint["partitions"].items()} == {
        key: len(script) for key, script in parts.items()
    }


def begun(manager, source_id):
    """Wait until both partitions have begun; return the processes by partition."""
    eventually(lambda: len(list(manager.documents(source_id))) == 2, seconds=180)
    rows = manager.documents(source_id)
    return {row.external_id.split("-")[0]: int(row.external_id.split("-")[1]) for row in rows}


@pytest.mark.slow
def test_a_cancellation_reaches_them_and_they_fetch_the_credentials_themselves(serve, omni_manager):
    with serve(Endless(), f"{HERE}:Endless") as served:
        source_id = served.put_source(config={}, credentials={"token": "t0ken-t0ken"})
        run_id = omni_manager.trigger(source_id)
        processes = begun(omni_manager, source_id)
        assert {row.title for row in omni_manager.documents(source_id)} == {"t0ken-t0ken"}
        assert os.getpid() not in processes.values()
        omni_manager.cancel(run_id)
        ended(run_id)
    assert omni_manager.run(run_id).status == "cancelled"


@pytest.mark.slow
def test_a_process_that_is_killed_fails_its_partition_by_name(serve, omni_manager):
    with serve(Endless(), f"{HERE}:Endless") as served:
        source_id = served.put_source(config={}, credentials={"token": "t0ken-t0ken"})
        run_id = omni_manager.trigger(source_id)
        processes = begun(omni_manager, source_id)
        for pid in processes.values():
            os.kill(pid, signal.SIGKILL)
        ended(run_id)
    run = omni_manager.run(run_id)
    assert run.status == "failed"
    assert "2 of 2 partitions failed: 'a' (the process that read it is gone)" in run.error_message
