"""An earlier or a later release beside this one, in the same file or Redis, as in a rolling deploy."""

from __future__ import annotations

import contextlib

import attrs
import pytest
from support.scripted import Holding, Scripted, sync_request
from support.waiting import eventually

from omni_connector import Settings
from omni_connector.exceptions import SyncConflictError
from omni_connector.models.codec import decode, encode
from omni_connector.runstore import redis_store, sqlite
from omni_connector.runstore.keeper import LeaseKeeper
from omni_connector.runstore.leases import KeeperTimes
from omni_connector.runstore.runs import SharedRuns
from omni_connector.runtime import offers
from omni_connector.runtime.options import RuntimeOptions
from omni_connector.runtime.service import ConnectorService
from omni_connector.testing import MemoryManager

QUICK = KeeperTimes(lease_seconds=60, renew_seconds=0.02, idle_seconds=0.02)
ONE_AT_A_TIME = Settings(manager_url="http://manager", connector_url="http://here", max_concurrent_syncs=1)

pytestmark = pytest.mark.parametrize("make_store", ["sqlite", "redis"], indirect=True)


class LaterStore:
    """What a later release of the same version writes: fields more in each value, and notes more."""

    def __init__(self, store):
        self._store = store

    def __getattr__(self, name):
        return getattr(self._store, name)

    def take(self, claim, seconds):
        self._store.put(f"later/{claim.token}", b"{}", seconds)
        return self._store.take(self._with_more(claim), seconds)

    def renew(self, claims, seconds):
        own = {claim.token: claim for claim in claims}
        lost = self._store.renew([self._with_more(claim) for claim in claims], seconds)
        return [own[claim.token] for claim in lost]

    def hand_over(self, claim, to, seconds):
        return self._store.hand_over(claim, self._with_more(to), seconds)

    def put(self, name, value, seconds):
        self._store.put(name, _later(value), seconds)

    def _with_more(self, claim):
        return attrs.evolve(claim, value=_later(claim.value))


def _later(value):
    return encode({**decode(value), "later": {"priority": 1}}) if value.startswith(b"{") else value


@pytest.fixture
def release(monkeypatch):
    monkeypatch.setattr(offers, "LOOK_SECONDS", 0.02)
    with contextlib.ExitStack() as stack:

        def make(store, connector, manager):
            shared = SharedRuns(store, LeaseKeeper(store, QUICK))
            options = RuntimeOptions(dispatch_seconds=0.0)
            service = ConnectorService(connector, ONE_AT_A_TIME, manager, options=options, shared=shared)
            stack.callback(service.close)
            if isinstance(connector, Holding):
                stack.callback(connector.release.set)
            service.start()
            return service

        yield make


@pytest.mark.parametrize("is_first_later", [True, False])
def test_a_later_release_that_writes_more_shares_runs_with_this_one(make_store, release, is_first_later):
    manager = MemoryManager()
    one_store, other_store = make_store(), make_store()
    if is_first_later:
        one_store = LaterStore(one_store)
    else:
        other_store = LaterStore(other_store)
    first, second = Holding(), Holding(heeds=True)
    one = release(one_store, first, manager)
    one.start_sync(sync_request(run="run-1", source="source-1"))
    first.meet()
    other = release(other_store, second, manager)
    assert other.is_running("run-1")
    other.start_sync(sync_request(run="run-1", source="source-1"))
    with pytest.raises(SyncConflictError):
        other.start_sync(sync_request(run="run-9", source="source-1"))
    one.start_sync(sync_request(run="run-2", source="source-2"))
    second.meet()  # It waited in the first, and was handed over.
    assert other.report("run-1").outcome == "running"
    assert one.cancel("run-2")
    assert other.cancel("run-1")
    eventually(first.ctx.is_cancelled)
    first.release.set()
    for service in (one, other):
        for run in ("run-1", "run-2"):
            eventually(lambda service=service, run=run: service.report(run).outcome == "cancelled")
            assert not service.is_running(run)


def test_a_release_of_another_version_is_left_alone(make_store, release, monkeypatch):
    """They share the place, and nothing in it: such a release says that the old one must be stopped first."""
    manager = MemoryManager()
    first, second = Holding(), Scripted()
    one = release(make_store(), first, manager)
    for module in (sqlite, redis_store):
        monkeypatch.setattr(module, "VERSION", 2)
    other = release(make_store(), second, manager)
    one.start_sync(sync_request(run="run-1", source="source-1"))
    first.meet()
    assert not other.is_running("run-1")
    other.start_sync(sync_request(run="run-2", source="source-1"))
    second.meet()
    eventually(lambda: other.report("run-2").outcome == "completed")
    assert one.is_running("run-1")
    assert one.report("run-2") is None
