"""The clock of the SQLite store: what is renewed while it is read is neither over nor of the future."""

from __future__ import annotations

import pytest

from omni_connector.runstore.sqlite import SqliteStore
from omni_connector.runstore.store import Claim

SECONDS = 15.0


class ClockWithInterruption:
    """A clock; once, right after it was read, time passes and something else happens."""

    def __init__(self):
        self.now = 100.0
        self.interruption = None

    def __call__(self):
        now = self.now
        interruption, self.interruption = self.interruption, None
        if interruption is not None:
            interruption()
        return now


@pytest.fixture
def clock():
    return ClockWithInterruption()


@pytest.fixture
def stores(tmp_path, clock):
    """Two stores of one file, as of two processes."""
    both = [SqliteStore(tmp_path / "runs.sqlite3", "notes", clock=clock) for _ in range(2)]
    yield both
    for store in both:
        store.close()


def test_a_lease_that_is_renewed_while_its_holder_is_looked_up_is_held(stores, clock):
    owner, reader = stores
    claim = Claim.of("slot", value=b"run-1")
    owner.take(claim, SECONDS)

    def renew():
        clock.now += 1
        assert owner.renew([claim], SECONDS) == []

    clock.interruption = renew
    assert reader.holder("slot") == b"run-1"
    assert clock.now == 101


def test_a_note_that_is_written_while_it_is_read_is_there(stores, clock):
    writer, reader = stores
    writer.put("cancelled", b"old", SECONDS)

    def write():
        clock.now += 1
        writer.put("cancelled", b"new", SECONDS)

    clock.interruption = write
    assert reader.get("cancelled") == b"new"


def test_what_was_written_before_the_machine_started_anew_is_over(stores, clock):
    owner, reader = stores
    owner.take(Claim.of("slot"), SECONDS)
    owner.put("note", b"", SECONDS)
    clock.now = 3.0  # A monotonic clock begins anew with the machine.
    assert reader.holder("slot") is None
    assert reader.get("note") is None
    assert reader.take(Claim.of("slot", value=b"next"), SECONDS) is None
