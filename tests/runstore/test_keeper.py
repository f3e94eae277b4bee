"""One thread that renews what a process holds; what happens when it could not."""

from __future__ import annotations

import threading

import pytest
from support.away import Shared
from support.untimely import SetTooEarly
from support.waiting import eventually

from omni_connector.exceptions import RunStoreError
from omni_connector.runstore.keeper import LeaseKeeper
from omni_connector.runstore.leases import KeeperTimes, Lease, LeaseWatcher
from omni_connector.runstore.memory import MemoryStore
from omni_connector.runstore.store import Claim, Held

WAIT = 60
LEASE = 600.0
QUICK = KeeperTimes(lease_seconds=LEASE, renew_seconds=0.02, idle_seconds=0.02, retry_seconds=0.02)


class Noting(LeaseWatcher):
    """Notes what it hears."""

    def __init__(self, reason=""):
        self.reason = reason
        self.heard = []
        self.informed = threading.Event()

    def why_ended(self):
        return self.reason

    def lost(self, reason):
        self.heard.append(reason)
        self.informed.set()


@pytest.fixture
def shared(clock):
    return Shared(clock)


@pytest.fixture
def keep():
    made = []

    def make(store, times=QUICK):
        made.append(LeaseKeeper(store, times))
        return made[-1]

    yield make
    for keeper in made:
        keeper.close()


@pytest.fixture
def by_hand(shared, keep):
    """A keeper without a thread: it renews when it is asked to."""
    keeper = keep(shared)
    keeper.close()
    return keeper


def test_what_is_held_stays_held_as_long_as_the_process_lives(make_store, keep, clock):
    keeper = keep(make_store())
    lease = keeper.take(Claim.of("slot", value=b"1"))
    assert isinstance(lease, Lease)
    for _ in range(3):
        clock.let_pass(0.8 * LEASE)
        renewed = clock() + LEASE
        eventually(lambda renewed=renewed: lease.until.since_boot >= renewed)
    assert make_store().take(Claim.of("slot"), 60) == Held("slot", b"1")
    assert lease.is_assured()
    keeper.release(lease)
    assert make_store().take(Claim.of("slot"), 60) is None


def test_a_store_of_one_process_needs_no_thread(keep):
    before = threading.active_count()
    keep(MemoryStore()).take(Claim.of("slot"))
    assert threading.active_count() == before


def test_one_thread_renews_everything(shared, keep):
    before = threading.active_count()
    keeper = keep(shared)
    for number in range(20):
        keeper.take(Claim.of(f"slot-{number}"))
    assert threading.active_count() == before + 1


def test_a_thread_that_had_nothing_to_do_looks_after_the_first_lease_at_once(shared, keep):
    watcher = Noting("cancelled")
    keeper = keep(shared, KeeperTimes(lease_seconds=LEASE, renew_seconds=0.02, idle_seconds=3600))
    keeper.start()
    lease = keeper.take(Claim.of("slot"), watcher)
    shared.release(lease.claim)
    assert watcher.informed.wait(WAIT)


def test_an_owner_that_could_not_renew_claims_anew_before_it_goes_on(shared, by_hand, clock):
    lease = by_hand.take(Claim.of("slot", value=b"1"))
    clock.let_pass(LEASE)
    assert shared.holder("slot") is None
    assert lease.is_assured()
    assert shared.holder("slot") == b"1"


def test_an_owner_whose_name_was_taken_meanwhile_knows_before_it_goes_on(shared, by_hand, clock):
    watcher = Noting()
    lease = by_hand.take(Claim.of("slot"), watcher)
    clock.let_pass(LEASE)
    shared.take(Claim.of("slot"), 60)
    assert not lease.is_assured()
    assert watcher.informed.wait(WAIT)
    assert not lease.is_assured()
    assert watcher.heard == ["another process has it"]


def test_a_watcher_may_take_locks_that_the_one_who_asks_holds(shared, by_hand, clock):
    lock = threading.Lock()

    class Locking(Noting):
        def lost(self, reason):
            with lock:
                super().lost(reason)

    watcher = Locking()
    lease = by_hand.take(Claim.of("slot"), watcher)
    clock.let_pass(LEASE)
    shared.take(Claim.of("slot"), 60)
    with lock:
        assert not lease.is_assured()
    assert watcher.informed.wait(WAIT)


def test_an_assured_lease_costs_no_call(shared, keep):
    lease = keep(shared, KeeperTimes(lease_seconds=LEASE, renew_seconds=3600)).take(Claim.of("slot"))
    eventually(lambda: shared.calls == ["take", "renew"])
    shared.calls.clear()
    assert all(lease.is_assured() for _ in range(100))
    assert shared.calls == []


def test_a_lease_that_was_taken_away_for_a_reason_is_not_claimed_anew(shared, keep):
    watcher = Noting("cancelled")
    lease = keep(shared).take(Claim.of("slot"), watcher)
    shared.release(lease.claim)
    assert watcher.informed.wait(WAIT)
    assert watcher.heard == ["cancelled"]
    assert lease.is_lost
    assert shared.holder("slot") is None


def test_while_the_store_is_away_what_is_held_is_believed(shared, keep, clock):
    lease = keep(shared).take(Claim.of("slot", value=b"1"))
    shared.is_away = True
    clock.let_pass(2 * LEASE)
    assert MemoryStore.holder(shared, "slot") is None
    assert lease.is_assured()
    shared.is_away = False
    eventually(lambda: MemoryStore.holder(shared, "slot") == b"1")
    assert not lease.is_lost


def test_when_the_store_is_back_what_another_took_is_lost(shared, keep, clock):
    watcher = Noting()
    lease = keep(shared).take(Claim.of("slot"), watcher)
    shared.is_away = True
    clock.let_pass(LEASE)
    assert MemoryStore.take(shared, Claim.of("slot"), 60) is None
    assert lease.is_assured()
    shared.is_away = False
    assert watcher.informed.wait(WAIT)
    assert not lease.is_assured()


def test_what_was_released_while_the_store_was_away_is_released_when_it_is_back(shared, keep):
    keeper = keep(shared, KeeperTimes(lease_seconds=LEASE, renew_seconds=0.02, retry_seconds=0.02))
    lease = keeper.take(Claim.of("run", "slot"))
    shared.is_away = True
    keeper.narrow(lease, "slot")
    keeper.release(lease)
    assert MemoryStore.holder(shared, "slot") is not None
    shared.is_away = False
    eventually(
        lambda: MemoryStore.holder(shared, "slot") is None and MemoryStore.holder(shared, "run") is None
    )


def test_nothing_can_be_said_while_the_store_is_away_nor_right_after(shared, keep, clock):
    keeper = keep(shared)
    keeper.start()
    assert keeper.can_tell()
    shared.is_away = True
    eventually(lambda: not keeper.can_tell())
    shared.is_away = False
    eventually(lambda: not keeper.is_away)
    assert not keeper.can_tell()
    clock.let_pass(LEASE)
    assert keeper.can_tell()


def test_a_store_that_can_only_be_read_is_away(shared, keep):
    keeper = keep(shared, KeeperTimes(renew_seconds=0.0, idle_seconds=3600))
    assert keeper.can_tell()
    shared.is_away = True
    assert shared.holder("slot") is None
    assert not keeper.can_tell()


def test_an_outage_is_logged_once_and_so_is_its_end(shared, by_hand, caplog):
    caplog.set_level("INFO")
    shared.is_away = True
    for _ in range(3):
        by_hand.renew()
    shared.is_away = False
    for _ in range(3):
        by_hand.renew()
    assert [record.getMessage() for record in caplog.records] == [
        "away. Syncs that run go on; new ones wait until it can be used again.",
        "The run store, memory, can be used again",
    ]


def test_a_claim_of_another_process_is_adopted_once(shared, keep):
    queued = Claim.of("run", value=b"queue")
    shared.take(queued, 60)
    worker = Claim.of("run", value=b"worker")
    assert isinstance(keep(shared).adopt(queued, worker), Lease)
    assert keep(shared).adopt(queued, Claim.of("run")) is None
    assert shared.holder("run") == b"worker"


def test_a_name_that_was_given_up_is_not_missed(shared, by_hand):
    watcher = Noting()
    lease = by_hand.take(Claim.of("run", "slot"), watcher)
    by_hand.narrow(lease, "slot")
    by_hand.renew()
    assert watcher.heard == []
    assert shared.holder("slot") is None
    assert shared.holder("run") is not None


def test_a_close_in_the_moment_in_which_its_thread_wakes_up_is_not_missed():
    seldom = KeeperTimes(renew_seconds=3600, idle_seconds=3600)
    keeper = LeaseKeeper(Shared(lambda: 0.0), seldom)
    keeper._wake = SetTooEarly(lambda: setattr(keeper, "_is_closed", True))
    keeper._wake.set()
    keeper.start()
    keeper._thread.join(30)
    assert not keeper._thread.is_alive()


def test_while_the_store_is_away_it_is_not_asked_for_each_event(shared, by_hand, clock):
    lease = by_hand.take(Claim.of("slot"))
    shared.is_away = True
    clock.let_pass(LEASE)
    by_hand.renew()
    shared.calls.clear()
    assert lease.is_assured()
    assert shared.calls == []


def test_what_was_released_while_it_was_renewed_is_not_claimed_anew(shared, by_hand, monkeypatch):
    lease = by_hand.take(Claim.of("slot"))

    def renew(claims, _):
        by_hand.release(lease)
        return claims

    monkeypatch.setattr(shared, "renew", renew)
    by_hand.renew()
    assert shared.holder("slot") is None


def test_what_could_not_be_done_is_done_in_its_order(shared, by_hand):
    done, fails = [], [True]

    def first():
        if fails.pop() if fails else False:
            raise RunStoreError("away")
        done.append("first")

    shared.is_away = True
    by_hand.renew()
    by_hand.surely(first)
    by_hand.surely(lambda: done.append("second"))
    shared.is_away = False
    by_hand.renew()
    assert done == []
    by_hand.renew()
    assert done == ["first", "second"]


def test_a_lease_that_is_lost_is_not_left_to_another(shared, by_hand):
    lease = by_hand.take(Claim.of("slot"), Noting("cancelled"))
    shared.release(lease.claim)
    by_hand.renew()
    assert lease.is_lost
    by_hand.leave(lease, 60)
    assert shared.holder("slot") is None


def test_a_lease_lasts_from_before_it_was_asked_for(shared, by_hand, clock, monkeypatch):
    take = shared.take

    def slow(*args):
        clock.let_pass(LEASE)
        return take(*args)

    monkeypatch.setattr(shared, "take", slow)
    assert by_hand.take(Claim.of("slot")).until.is_over()
