"""A name of a source is held against other processes, unless the run store is away for long."""

from __future__ import annotations

import pytest
from support.switchable_store import SwitchableStore

from omni_connector.runstore.runs import SharedRuns
from omni_connector.runstore.sources import StoredSources
from omni_connector.runstore.sqlite import SqliteStore
from omni_connector.sources.source_run import NoRun
from omni_connector.testing import MemoryManager


class BusyAtFirst(SwitchableStore):
    """Refuses two calls."""

    def _call(self, method, *args):
        self.is_away = self.refused < 2
        return super()._call(method, *args)


class Stopped(NoRun):
    """Is to stop as soon as it waits."""

    def raise_if_stopped(self):
        raise InterruptedError


@pytest.fixture
def process(tmp_path):
    """Start what a process has of its sources."""
    opened = []

    def start(kind):
        store = kind(SqliteStore(tmp_path / "runs.sqlite3", "c"))
        opened.append(SharedRuns.of(store))
        return store, StoredSources(opened[-1], MemoryManager())

    yield start
    for runs in opened:
        runs.store.is_away = False
        runs.close()


def test_a_store_that_is_busy_for_a_moment_is_asked_again(process):
    store, shared = process(BusyAtFirst)
    _, other = process(SwitchableStore)
    with shared.lock(NoRun("source-1"), "token"):
        assert store.refused == 2
        with pytest.raises(InterruptedError), other.lock(Stopped("source-1"), "token"):
            pytest.fail("two processes hold one name")
    with other.lock(Stopped("source-1"), "token"):
        pass


def test_a_store_that_is_away_for_long_is_gone_without_and_that_is_logged(process, monkeypatch, caplog):
    monkeypatch.setattr("omni_connector.runstore.sources.AWAY_SECONDS", 0.0)
    store, shared = process(SwitchableStore)
    store.is_away = True
    with shared.lock(NoRun("source-1"), "token"):
        pass
    assert caplog.messages == [
        "Other processes are not kept from source-lock/source-1/token: The run store is away"
    ]
