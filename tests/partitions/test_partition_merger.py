"""How the states of many partitions become one checkpoint, and how much is sent for it."""

from __future__ import annotations

import threading
import time

import pytest
from support.partitioned import Drives, states
from support.scripted import WAIT, sync_request

from omni_connector import Partition, SdkClientError, Settings, TooManyErrorsError
from omni_connector.models.codec import encode
from omni_connector.partitions.layout import PartitionCheckpoint
from omni_connector.partitions.merger import PartitionMerger, SavePace
from omni_connector.partitions.messages import DONE, PartitionReport
from omni_connector.partitions.table import PartitionTable, RunFacts
from omni_connector.runtime.options import RuntimeOptions
from omni_connector.runtime.service import ConnectorService
from omni_connector.sync.ledger import DocumentError
from omni_connector.sync.run import SyncRun
from omni_connector.sync.run_info import RunInfo
from omni_connector.sync.state import RunState
from omni_connector.telemetry.figures import Figures
from omni_connector.testing import MemoryManager

RUN = RunInfo(sync_run_id="run-1", source_id="source-1")


@pytest.fixture
def manager():
    return MemoryManager()


@pytest.fixture
def make(manager):
    """Make mergers of runs with partitions ``a`` to ``c``, begun."""
    made = []

    def merger(**pace):
        sync = SyncRun(RUN, manager, RunState(RUN.sync_run_id))
        one = PartitionMerger(
            sync, PartitionTable(RunFacts(sync_run_id="run-1"), PartitionCheckpoint()), SavePace(**pace)
        )
        made.extend([one, sync])
        for key in "abc":
            one.admit(Partition(key=key))
            one.assignment(key)
        return one

    yield merger
    for each in made:
        each.close()


def saved(key, page, **more):
    return PartitionReport(key=key, figures=Figures(), has_saved=True, state={"page": page}, **more)


def test_the_first_state_is_saved_at_once_and_the_next_ones_together(make, manager):
    merger = make(least_seconds=0.2)
    merger.receive(saved("a", 1))
    manager.wait_for(lambda it: it.checkpoints)
    for page in range(2, 50):
        merger.receive(saved("a", page))
        merger.receive(saved("b", page))
    manager.wait_for(lambda it: states(it.checkpoint) == {"a": {"page": 49}, "b": {"page": 49}})
    assert manager.operations().count("save_checkpoint") < 10


def test_a_large_checkpoint_is_saved_less_often():
    pace = SavePace(least_seconds=0.5, bytes_per_second=1000)
    assert [pace.seconds(size) for size in (10, 500, 5000)] == [0.5, 0.5, 5.0]


def test_no_older_checkpoint_follows_a_newer_one(make, manager):
    """Saves that meet, of the run's thread and of the merger's own, are made one after the other."""
    merger = make(least_seconds=0.0)
    held, go_on = threading.Event(), threading.Event()

    def hold(args):
        if not held.is_set():
            held.set()
            assert go_on.wait(WAIT)

    manager.on("save_checkpoint", hold)
    merger.receive(saved("a", 1))
    assert held.wait(WAIT)
    assert merger._saving.locked()
    merger.receive(saved("a", 2))
    second = threading.Thread(target=merger.save)
    second.start()
    go_on.set()
    second.join()
    manager.wait_for(lambda it: states(it.checkpoint) == {"a": {"page": 2}})


def test_nothing_is_saved_twice_and_nothing_that_too_many_errors_lie_before(make, manager):
    merger = make(least_seconds=3600)
    merger.receive(saved("a", 1))
    manager.wait_for(lambda it: it.checkpoints)
    merger.save()
    assert manager.operations().count("save_checkpoint") == 1
    for number in range(10):
        merger._sync.ledger.add(DocumentError(document_id=str(number), stage="connector", reason="no"))
    merger.receive(saved("a", 2))
    with pytest.raises(TooManyErrorsError):
        merger.save()
    assert states(manager.checkpoint) == {"a": {"page": 1}}


def test_a_save_that_fails_is_said_to_every_partition_and_to_the_run(make, manager):
    merger = make()
    manager.on("save_checkpoint", SdkClientError("no room", operation="save_checkpoint", status=507))
    merger.receive(saved("a", 1))
    with pytest.raises(SdkClientError, match="no room"):
        merger.wait(at_most=0, or_when=lambda: False)
    with pytest.raises(SdkClientError, match="no room"):
        merger.receive(saved("b", 1))
    for key in "abc":  # Their ends are taken all the same.
        merger.receive(PartitionReport(key=key, figures=Figures(), outcome=DONE))
    merger.wait_for_all()


def test_a_partition_whose_process_is_gone_is_a_failed_one(make):
    merger = make()
    merger.lose("a", "its process is gone")
    merger.wait(at_most=2, or_when=lambda: False)
    assert merger._table.failures["a"] == "its process is gone"


@pytest.mark.parametrize("count", [400, pytest.param(10_000, marks=pytest.mark.slow)])
def test_what_is_sent_grows_with_the_duration_and_not_with_the_square_of_the_number(manager, count):
    """Every save sends all states; the pace keeps their sum to so many bytes a second."""
    sizes = []
    manager.on("save_checkpoint", lambda args: sizes.append(len(encode(args["checkpoint"]))))
    pace = SavePace(least_seconds=0.0, bytes_per_second=64 * 1024)
    drives = Drives([f"partition-{number}" for number in range(count)], pages=1, size=1)
    service = ConnectorService(
        drives, Settings(manager_url="http://manager"), manager, options=RuntimeOptions(save_pace=pace)
    )
    began = time.monotonic()
    service.start_sync(sync_request())
    manager.wait_for(lambda it: it.statuses, timeout_seconds=300)
    seconds = time.monotonic() - began
    service.close()
    assert len(manager.checkpoint["partitions"]) == count
    assert sum(sizes) <= pace.bytes_per_second * seconds + 2 * max(sizes)
    assert manager.scanned == count
