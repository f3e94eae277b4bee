"""Limits over all processes: each of the keepers here stands for one."""

from __future__ import annotations

import contextlib
import io
import threading
from concurrent.futures import Future

import pytest
from support.waiting import eventually

from omni_connector import SdkClient
from omni_connector.manager.wire import WireAnswer
from omni_connector.runstore import permits as permits_module
from omni_connector.runstore.keeper import LeaseKeeper
from omni_connector.runstore.leases import Lease
from omni_connector.runstore.memory import MemoryStore
from omni_connector.runstore.permits import Budget, Permits
from omni_connector.runstore.redis_store import RedisStore
from omni_connector.runstore.store import Claim, Rate

WAIT = 60


class CountingKeeper(LeaseKeeper):
    """Counts its attempts."""

    attempts = 0

    def take(self, claim, watcher=None):
        found = super().take(claim, watcher)
        self.attempts += 1
        return found


@pytest.fixture
def permits(make_store, monkeypatch):
    """Make what a process has."""
    monkeypatch.setattr(permits_module, "LOOK_SECONDS", 0.02)
    with contextlib.ExitStack() as stack:

        def make():
            keeper = CountingKeeper(make_store())
            stack.callback(keeper.close)
            made = Permits(keeper, "extraction", 2)
            stack.callback(made.close)
            return made

        yield make


def test_two_have_a_permit_and_a_third_waits_for_one(permits):
    one, other = permits(), permits()
    first, second = one.acquire(), other.acquire()
    assert isinstance(first, Lease)
    assert isinstance(second, Lease)
    got = []
    waiting = threading.Thread(target=lambda: got.append(other.acquire()))
    before = other.keeper.attempts
    waiting.start()
    eventually(lambda: other.keeper.attempts >= before + 4)
    assert got == []
    one.release(first)
    waiting.join(WAIT)
    assert isinstance(got[0], Lease)


def test_closing_lets_no_one_wait(permits):
    one = permits()
    one.acquire()
    one.acquire()
    one.close()
    assert one.acquire() is None


def test_without_its_store_a_process_limits_itself_alone():
    keeper = LeaseKeeper(RedisStore("redis://127.0.0.1:1/0", "notes"))
    permits = Permits(keeper, "extraction", 2)
    assert permits.acquire() is None
    permits.release(None)
    keeper.close()


def test_processes_keep_a_rate_together(make_store):
    rate = Rate(per_second=1 / 60, burst=2)
    one, other = (Budget(make_store(), "source-1", rate) for _ in range(2))
    assert one.spend() == other.spend() == 0
    assert 30 < one.spend() <= 60
    assert 90 < other.spend() <= 120


def test_without_its_store_a_process_keeps_a_rate_alone():
    store = RedisStore("redis://127.0.0.1:1/0", "notes")
    assert Budget(store, "source-1", Rate(per_second=4)).spend(2) == 0.5
    store.close()


class HoldingWire:
    """Answers when it is asked to."""

    def __init__(self):
        self.answers = []

    def submit(self, request):
        self.answers.append(Future())
        return self.answers[-1]

    def answer(self):
        for answer in self.answers:
            if not answer.done():
                answer.set_result(WireAnswer(200, {}, b'{"content_id":"c"}'))

    def abort(self, owner):
        """The calls are ended by their owner."""

    def close(self):
        """Nothing is open."""


def test_extractions_wait_for_those_of_other_processes():
    store, wire = MemoryStore(), HoldingWire()
    for number in range(2):
        store.take(Claim.of(f"extraction/{number}"), 60)
    keeper = LeaseKeeper(store)
    with SdkClient("http://manager", wire=wire) as client:
        client.share_extractions(Permits(keeper, "extraction", 2))
        done = [
            threading.Thread(
                target=client.extract_content,
                args=("run", io.BytesIO(b"%PDF")),
                kwargs={"mime_type": "application/pdf"},
            )
            for _ in range(3)
        ]
        for thread in done:
            thread.start()
        eventually(lambda: threading.active_count() >= 5)
        assert wire.answers == []
        store._leases.clear()  # The other processes have finished.
        eventually(lambda: len(wire.answers) == 2)
        wire.answer()
        eventually(lambda: len(wire.answers) == 3)
        wire.answer()
        for thread in done:
            thread.join(WAIT)
        eventually(lambda: store._leases == {})
    keeper.close()
