"""A process that is forked while its parent holds leases: it holds none of them, and disturbs none."""

from __future__ import annotations

import multiprocessing

import pytest

from omni_connector.runstore.keeper import LeaseKeeper
from omni_connector.runstore.leases import KeeperTimes
from omni_connector.runstore.store import Claim, Held

QUICK = KeeperTimes(lease_seconds=600, renew_seconds=0.02)

pytestmark = [
    pytest.mark.parametrize("make_store", ["sqlite", "redis"], indirect=True),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning"),
]


def use(store, keeper, results):
    """What the child does: it sees its parent's lease, and has one of its own."""
    seen = store.take(Claim.of("parent"), 60)
    own = keeper.take(Claim.of("child", value=b"child"))
    keeper.renew()
    results.put((seen, own.is_assured(), store.holder("child"), own.lost_reason))
    keeper.release(own)
    keeper.close()


def test_a_forked_child_uses_the_store_and_leaves_its_parents_leases_alone(make_store):
    store = make_store()
    keeper = LeaseKeeper(store, QUICK)
    lease = keeper.take(Claim.of("parent", value=b"parent"))
    assert store.holder("parent") == b"parent"
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    child = context.Process(target=use, args=(store, keeper, results))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert results.get() == (Held("parent", b"parent"), True, b"child", "")
    keeper.renew()
    assert lease.is_assured()
    assert store.holder("parent") == b"parent"
    assert store.holder("child") is None
    keeper.close()
