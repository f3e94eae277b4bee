"""Runs over several processes: each of the keepers here stands for one."""

from __future__ import annotations

import json
import threading

import attrs
import pytest

from omni_connector.exceptions import RunStoreError, SyncConflictError
from omni_connector.models import Slot
from omni_connector.runstore.keeper import LeaseKeeper
from omni_connector.runstore.leases import KeeperTimes, Lease
from omni_connector.runstore.runs import RunKey, SharedRuns
from omni_connector.runstore.store import Claim

WAIT = 60
LEASE = 600.0
QUICK = KeeperTimes(lease_seconds=LEASE, renew_seconds=0.02, idle_seconds=0.02, retry_seconds=0.02)
FIRST = RunKey("run-1", "source-1", Slot.SCHEDULED)
SECOND = RunKey("run-2", "source-1", Slot.SCHEDULED)


class Lost(list):
    """Collects the reasons."""

    def __init__(self):
        super().__init__()
        self.informed = threading.Event()

    def __call__(self, reason):
        self.append(reason)
        self.informed.set()


@pytest.fixture
def process(make_store):
    """Make what a process has."""
    made = []

    def make(times=QUICK):
        store = make_store()
        made.append(SharedRuns(store, LeaseKeeper(store, times)))
        return made[-1]

    yield make
    for each in made:
        each.keeper.close()


def test_one_of_two_runs_has_the_slot_and_a_repeat_is_no_conflict(process):
    one, other = process(), process()
    assert isinstance(one.claim(FIRST, Lost()), Lease)
    with pytest.raises(SyncConflictError):
        other.claim(SECOND, Lost())
    assert other.claim(FIRST, Lost()) is None
    assert isinstance(other.claim(RunKey("run-3", "source-1", Slot.REALTIME), Lost()), Lease)
    assert [other.is_running(f"run-{n}") for n in (1, 2, 3)] == [True, False, True]


def test_a_run_that_ends_frees_its_slot_first_and_is_known_as_running_until_then(process):
    one, other = process(), process()
    lease = one.claim(FIRST, Lost())
    one.free_slot(lease, FIRST)
    assert isinstance(other.claim(SECOND, Lost()), Lease)
    assert other.is_running("run-1")
    assert other.claim(FIRST, Lost()) is None
    one.keeper.release(lease)
    assert not other.is_running("run-1")
    assert other.is_running("run-2")


def test_a_cancelled_run_frees_its_slot_at_once_in_every_process(process):
    one, other = process(), process()
    one.claim(FIRST, Lost())
    assert other.cancel("run-1")
    assert not one.is_running("run-1")
    assert isinstance(other.claim(SECOND, Lost()), Lease)
    assert one.is_cancelled("run-1")
    assert not one.is_cancelled("run-2")


def test_a_run_that_is_unknown_is_not_cancelled(process):
    assert not process().cancel("run-1")


def test_cancelling_a_run_that_ends_leaves_the_next_one_its_slot(process):
    one, other = process(), process()
    lease = one.claim(FIRST, Lost())
    one.free_slot(lease, FIRST)
    other.claim(SECOND, Lost())
    assert other.cancel("run-1")
    assert one.is_running("run-2")
    with pytest.raises(SyncConflictError):
        one.claim(RunKey("run-3", "source-1", Slot.SCHEDULED), Lost())


def test_a_run_without_an_id_holds_the_slot_and_gets_its_name_later(process):
    one, other = process(), process()
    unnamed = RunKey("unnamed-1", "source-1", Slot.SCHEDULED)
    lease = one.claim(unnamed, Lost())
    with pytest.raises(SyncConflictError):
        other.claim(SECOND, Lost())
    one.name(lease, unnamed, FIRST, Lost())
    assert other.is_running("run-1")
    assert not other.is_running("unnamed-1")
    assert other.cancel("run-1")
    assert isinstance(other.claim(SECOND, Lost()), Lease)


def test_a_claim_travels_to_another_process_once(process):
    web, one, two = process(), process(), process()
    key = FIRST
    claim = key.claim()
    web.store.take(claim, 60)
    lease = one.adopt(key, claim.token, Lost())
    assert isinstance(lease, Lease)
    assert two.adopt(key, claim.token, Lost()) is None
    assert web.cancel("run-1")


def test_what_is_known_of_a_run_can_be_read_everywhere(process):
    one, other = process(), process()
    assert other.report("run-1") is None
    lease = one.claim(FIRST, Lost())
    one.keep_report(lease, "run-1", {"outcome": "running", "scanned": 7})
    report = {"v": 1, "owner": lease.claim.token, "outcome": "running", "scanned": 7}
    assert other.report("run-1") == report


def test_values_of_a_later_release_are_understood(process):
    one, later = process(), process()
    value = {"v": 2, "run": "run-1", "slot": FIRST.slot_name, "token": "t" * 32, "new": {"field": 1}}
    later.store.take(Claim((FIRST.run_name, FIRST.slot_name), "t" * 32, json.dumps(value).encode()), 60)
    assert one.is_running("run-1")
    with pytest.raises(SyncConflictError):
        one.claim(SECOND, Lost())
    assert one.cancel("run-1")
    assert isinstance(one.claim(SECOND, Lost()), Lease)


@pytest.mark.parametrize("make_store", ["sqlite", "redis"], indirect=True)
class TestSeveralProcesses:
    """What a store of one process has no need of."""

    def test_the_process_of_a_cancelled_run_learns_of_it(self, process):
        one, other = process(), process()
        lost = Lost()
        lease = one.claim(FIRST, lost)
        other.cancel("run-1")
        assert lost.informed.wait(WAIT)
        assert lost == ["cancelled by the manager"]
        assert not lease.is_assured()

    def test_a_run_of_a_process_that_is_dead_is_free_within_the_lease(self, process, clock):
        dead = process()
        dead.keeper.close()  # It renews nothing.
        other = process()
        dead.claim(FIRST, Lost())
        assert other.is_running("run-1")
        clock.let_pass(LEASE)
        assert not other.is_running("run-1")
        assert isinstance(other.claim(FIRST, Lost()), Lease)

    def test_nothing_is_said_of_a_run_right_after_the_store_was_away(self, process):
        one = process(attrs.evolve(QUICK, renew_seconds=3600, idle_seconds=3600))
        one.keeper._failed(RunStoreError("away"))
        with pytest.raises(RunStoreError, match="away"):
            one.is_running("run-1")
        one.keeper.renew()
        with pytest.raises(RunStoreError, match="away"):
            one.is_running("run-1")
        one.claim(FIRST, Lost())
        assert one.is_running("run-1"), "what is there is certain"
