"""A connector that is served, calls its manager through a faulty one, and sends small batches."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import frozen

from benchmarks.scripted import Documents, arrived
from omni_connector import Connector
from omni_connector.local import LocalManager, SyncRunRow
from omni_connector.manager import Policies
from omni_connector.runtime.options import RuntimeOptions
from omni_connector.runtime.run import RunReport
from omni_connector.runtime.watch import WatchTimes
from omni_connector.sync.delivery_limits import DeliveryLimits
from omni_connector.testing import FaultyManager, ServedConnector, serve_connector
from omni_connector.testing.faults import QUICK

WAIT_SECONDS = 60
SMALL = DeliveryLimits(flush_events=7, batch_events=7, flush_seconds=0.2, buffer_events=30)


@frozen
class World:
    """A manager, the faulty one before it, and a connector behind."""

    manager: LocalManager
    faulty: FaultyManager
    served: ServedConnector

    def add_source(self) -> str:
        """Add a source; return its id."""
        return self.manager.add_source(source_type=self.served.connector.source_types[0]).id

    def sync(self, source_id: str) -> tuple[SyncRunRow, RunReport | None]:
        """Run a full sync until its thread has ended."""
        return self.ended(self.manager.trigger(source_id))

    def ended(self, run_id: str) -> tuple[SyncRunRow, RunReport | None]:
        """Wait for the thread of a run; return the run as both sides see it.

        Raises:
            TimeoutError: it does not end.
        """
        for thread in threading.enumerate():
            if thread.name == f"omni-sync-{run_id}":
                thread.join(WAIT_SECONDS)
                if thread.is_alive():
                    raise TimeoutError(f"run {run_id} goes on")
        return self.manager.run(run_id), self.served.service.report(run_id)

    def repair(self, run: SyncRunRow) -> SyncRunRow:
        """Do what follows a run that did not complete, without further faults: it is resumed, or the next one runs."""
        self.faulty.plan.clear()
        if run.is_running:
            self.manager.probe(run.id)
            run, _ = self.ended(run.id)
        if run.status != "completed":
            run, _ = self.sync(run.source_id)
        return run

    def arrived(self, source_id: str) -> Documents:
        """Return what the manager holds of a source."""
        return arrived(self.manager, source_id)


@contextmanager
def faulty_world(
    connector: Connector,
    faulty: FaultyManager,
    manager: LocalManager,
    *,
    policies: Policies = QUICK,
    limits: DeliveryLimits = SMALL,
) -> Iterator[World]:
    """Serve a connector as long as the block lasts."""
    options = RuntimeOptions(limits=lambda _mode: limits, watch=WatchTimes(look_seconds=3600.0))
    with serve_connector(connector, manager, client=faulty.client(policies), options=options) as served:
        yield World(manager, faulty, served)
