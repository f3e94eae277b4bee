"""Each of the three run stores, real: a SQLite file, and a redis-server that the tests start."""

from __future__ import annotations

import contextlib
import uuid

import pytest
import redis
from support.passing_time import PassingTime
from support.redis_server import RedisServer
from support.scripted import Holding
from support.switchable_store import SwitchableStore

from omni_connector.runstore import keeper, leases, redis_store
from omni_connector.runstore.keeper import LeaseKeeper
from omni_connector.runstore.memory import MemoryStore
from omni_connector.runstore.redis_store import RedisStore
from omni_connector.runstore.runs import SharedRuns
from omni_connector.runstore.sqlite import SqliteStore
from omni_connector.runtime.service import ConnectorService
from omni_connector.testing import MemoryManager

WAIT = 60
"""Seconds for which a call may wait for a store on a machine that is slow."""


@pytest.fixture(scope="session", autouse=True)
def redis_server(tmp_path_factory):
    """Start one before the guards of the first test look around."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(params=["sqlite", "redis"])
def shared_url(request, tmp_path):
    """The address of a store that processes can share."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/runs.sqlite3"
    return request.getfixturevalue("redis_server").url


@pytest.fixture
def clock(monkeypatch):
    """The time of the stores that ``make_store`` makes, and of the leases in them."""
    clock = PassingTime()
    for each in (keeper, leases):
        monkeypatch.setattr(each, "since_boot", clock)
    return clock


@pytest.fixture(params=["memory", "sqlite", "redis"])
def make_store(request, tmp_path, monkeypatch, clock):
    """Make stores that all mean the same connector unless it is named; of ``memory`` there is one."""
    names = f"-{uuid.uuid4().hex}"
    with contextlib.ExitStack() as stack:
        memory = {}
        if request.param == "redis":
            monkeypatch.setattr(redis_store, "CALL_SECONDS", WAIT)
            url = request.getfixturevalue("redis_server").url
            clock.moves(stack.enter_context(redis.Redis.from_url(url)))

        def make(namespace="notes"):
            if request.param == "memory":
                return memory.setdefault(namespace, MemoryStore(clock))
            if request.param == "sqlite":
                store = SqliteStore(tmp_path / "runs.sqlite3", namespace, clock=clock, busy_seconds=WAIT)
            else:
                store = RedisStore(url, namespace + names)
            stack.callback(store.close)
            return store

        yield make


@pytest.fixture
def store(make_store):
    return make_store()


@pytest.fixture
def manager():
    return MemoryManager()


@pytest.fixture
def serve(make_store, manager):
    """Make services whose ``store`` can be taken away; at the end each is closed, and what its connector holds is let go."""
    with contextlib.ExitStack() as stack:

        def serve(connector, *, settings, options, times):
            store = SwitchableStore(make_store())
            shared = SharedRuns(store, LeaseKeeper(store, times))
            service = ConnectorService(connector, settings, manager, options=options, shared=shared)
            service.store = store
            stack.callback(service.close)
            if isinstance(connector, Holding):
                stack.callback(connector.release.set)
            return service

        yield serve
