"""Runs and partitions of several processes in moments that threads reach by chance only; memory, and no thread."""

from __future__ import annotations

import pytest
from support.away import Shared

from omni_connector.models import Slot
from omni_connector.models.codec import decode, encode
from omni_connector.partitions.messages import Assignment, PartitionReport, PartitionTask
from omni_connector.runstore.keeper import LeaseKeeper
from omni_connector.runstore.partitions import Sent, SharedPartitions
from omni_connector.runstore.runs import RunKey, SharedRuns
from omni_connector.runstore.store import LEASE_SECONDS
from omni_connector.telemetry.figures import Figures

RUN = RunKey("run-1", "source-1", Slot.SCHEDULED)


@pytest.fixture
def shared(clock):
    return Shared(clock)


def process(store):
    """Return what a process has; it renews when it is asked to."""
    keeper = LeaseKeeper(store)
    keeper.close()
    return SharedRuns(store, keeper)


def test_a_run_that_is_cancelled_while_the_store_is_away_is_cancelled_when_it_is_back(shared):
    one, other = process(shared), process(shared)
    lost = []
    one.claim(RUN, lost.append)
    shared.is_away = True
    assert not other.cancel("run-1")
    shared.is_away = False
    other.keeper.renew()
    one.keeper.renew()
    assert lost == ["cancelled by the manager"]


def test_a_cancelled_run_is_no_ones_even_while_the_store_cannot_tell(shared):
    runs = process(shared)
    lease = runs.claim(RUN, print)
    runs.cancel("run-1")
    shared.is_away = True
    runs.keeper.renew()
    shared.is_away = False
    assert not runs.keeper.can_tell()
    assert not runs.is_held_by("run-1", lease.claim.token)


def test_a_process_that_was_stopped_for_long_does_not_claim_a_run_anew_that_another_has_executed(
    shared, clock
):
    stopped, other = process(shared), process(shared)
    lost = []
    stopped.claim(RUN, lost.append)
    clock.let_pass(2 * LEASE_SECONDS)
    lease = other.claim(RUN, print)
    other.keep_report(lease, "run-1", {"outcome": "completed"})
    other.keeper.release(lease)
    stopped.keeper.renew()
    assert lost == ["another process has it"]
    assert shared.holder("run/run-1") is None


def test_a_partition_that_is_being_offered_again_is_not_adopted_by_the_former_offer(shared):
    offering, reading = process(shared), SharedPartitions(process(shared))
    task = PartitionTask(sync_run_id="run-1", source_id="source-1", key="a")
    offer = SharedPartitions(offering).offer(task, "owner", Assignment(key="a"))
    [name] = offer.lease.claim.names
    note = decode(shared.get(f"offer/{name}"))
    shared.put(f"offer/{name}", encode(note | {"token": "of the next offer"}), 60)
    assert reading.adopt(task, offer.token) is None
    shared.put(f"offer/{name}", encode(note), 60)
    assert reading.adopt(task, offer.token).assignment == Assignment(key="a")


def test_a_report_is_news_once(shared):
    offering, reading = SharedPartitions(process(shared)), SharedPartitions(process(shared))
    task = PartitionTask(sync_run_id="run-1", source_id="source-1", key="a")
    offer = offering.offer(task, "owner", Assignment(key="a"))
    sent = Sent(number=1, report=PartitionReport(key="a", figures=Figures(scanned=3)))
    reading.keep(reading.adopt(task, offer.token), sent)
    assert offering.news(offer, None) == (None, sent)
    assert offering.news(offer, sent) == (None, None)


def test_that_no_process_reads_a_partition_is_said_only_where_that_is_certain(shared):
    runs = process(shared)
    task = PartitionTask(sync_run_id="run-1", source_id="source-1", key="a")
    assert SharedPartitions(runs).holder(task) is None
    shared.is_away = True
    runs.keeper.renew()
    shared.is_away = False
    assert SharedPartitions(runs).holder(task) == ""


def test_a_partition_that_was_offered_again_is_not_claimed_anew_by_its_former_reader(shared):
    offering, runs = SharedPartitions(process(shared)), process(shared)
    task = PartitionTask(sync_run_id="run-1", source_id="source-1", key="a")
    first = offering.offer(task, "owner", Assignment(key="a"))
    adopted = SharedPartitions(runs).adopt(task, first.token)
    again = offering.offer(task, "owner", Assignment(key="a", attempt=2))
    assert offering.withdraw(again)
    runs.keeper.renew()
    assert adopted.lease.is_lost
    assert offering.holder(task) is None
