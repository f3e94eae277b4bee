"""A run that makes no call for a while is named with the line at which it stands, and lives on."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest
from support.scripted import WAIT, Holding, sync_request
from support.waiting import eventually

from omni_connector import Connector
from omni_connector.models.partition import Partition
from omni_connector.runtime.options import RuntimeOptions
from omni_connector.runtime.watch import WatchTimes

QUIET = RuntimeOptions(
    watch=WatchTimes(look_seconds=0.01, quiet_seconds=0.1, heartbeat_seconds=0.01, stalled_seconds=3600)
)


@pytest.fixture
def named(caplog):
    caplog.set_level(logging.INFO)

    def found(text):
        return [
            record
            for record in list(caplog.records)
            if record.name == "omni_connector.runtime.watch" and text in record.getMessage()
        ]

    return found


class Wiki(Connector):
    name = "wiki"
    version = "1"
    source_types = ["web"]

    def __init__(self):
        self.release = threading.Event()


class Async(Wiki):
    async def sync(self, source_config, credentials, state, ctx):
        await self.fetch()

    async def fetch(self):
        while not self.release.is_set():  # noqa: ASYNC110 - by another thread.
            await asyncio.sleep(0.005)


class InParts(Wiki):
    partition_workers = 2

    def partitions(self, source_config, credentials, state, ctx):
        return [Partition(key="a"), Partition(key="b")]

    def sync_partition(self, partition, source_config, credentials, state, ctx):
        if partition.key == "b":
            return self.wait()
        while not self.release.is_set():
            ctx.sleep(0.005)
        return None

    def wait(self):
        assert self.release.wait(WAIT)


class AsyncInParts(Async):
    partition_workers = 2
    sync = Connector.sync

    async def partitions(self, source_config, credentials, state, ctx):
        return [Partition(key="a"), Partition(key="b")]

    async def sync_partition(self, partition, source_config, credentials, state, ctx):
        if partition.key == "b":
            await self.fetch()
        while not self.release.is_set():
            await ctx.sleep(0.005)


def test_the_line_of_the_thread_is_named_and_the_run_is_kept_alive(serve, manager, ended, named):
    connector = Holding()
    service = serve(connector, options=QUIET)
    service.start_sync(sync_request())
    (record, *_) = eventually(lambda: named("has made no call for"))
    assert "scripted.py:" in record.getMessage()
    assert " in hold; its last call was start." in record.getMessage()
    assert record.levelno == logging.WARNING
    assert record.sync_run_id == "run-1"
    beats = manager.operations().count("heartbeat")
    eventually(lambda: manager.operations().count("heartbeat") > beats)
    connector.ctx.is_cancelled()
    eventually(lambda: named("goes on: is_cancelled"))
    connector.release.set()
    ended(service)


@pytest.mark.parametrize(
    ("connector", "line", "subject"),
    [
        (Async(), "in fetch", "The sync of source source-1"),
        (InParts(), "in wait", "Partition 'b' of the sync of source source-1"),
        (AsyncInParts(), "in fetch", "Partition 'b' of the sync of source source-1"),
    ],
    ids=["coroutine", "partition", "async partition"],
)
def test_coroutines_and_partitions_are_named_as_well(serve, ended, named, connector, line, subject):
    service = serve(connector, options=QUIET)
    service.start_sync(sync_request())
    # On a busy machine the run may be named before its partitions begin, and a partition that makes calls as well.
    (record, *_) = eventually(lambda: named(f"{subject} has made no call for "))
    assert f"test_quiet_runs.py:{line_of(line, connector)}{line};" in record.getMessage()
    connector.release.set()
    assert ended(service).outcome == "completed"


def line_of(function, connector):
    """Return the first line number, and a blank, that the watch should name."""
    method = getattr(type(connector), function.removeprefix("in "))
    return f"{method.__code__.co_firstlineno + (2 if 'fetch' in function else 1)} "


def test_it_is_named_again_when_the_time_has_doubled(serve, ended, named):
    connector = Holding()
    service = serve(connector, options=QUIET)
    service.start_sync(sync_request())
    eventually(lambda: len(named("has made no call for")) == 3)
    connector.release.set()
    ended(service)
    seconds = [record.args[1] for record in named("has made no call for")]
    assert seconds[1] >= 2 * seconds[0]
    assert seconds[2] >= 2 * seconds[1]
