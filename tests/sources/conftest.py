"""A connector service over a manager in memory, whose run is cancelled while it reads its source."""

from __future__ import annotations

import threading
import time

import pytest
from support.scripted import WAIT, sync_request
from support.waiting import eventually

from omni_connector import Settings
from omni_connector.runtime.options import RuntimeOptions
from omni_connector.runtime.service import ConnectorService
from omni_connector.testing import MemoryManager


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    monkeypatch.setattr("omni_connector.sources.exchange.SHORTEST_WAIT_SECONDS", 0.02)


@pytest.fixture
def cancelled_after():
    """Start a run of a connector, cancel it when it has got so far, and return seconds until it ended, and its service's view."""

    def run(connector, has_begun, manager=None):
        settings = Settings(manager_url="http://manager")
        service = ConnectorService(
            connector, settings, manager or MemoryManager(), options=RuntimeOptions(dispatch_seconds=0.0)
        )
        try:
            service.start_sync(sync_request())
            thread = next(each for each in threading.enumerate() if each.name == "omni-sync-run-1")
            sync = service._runs.alive()[0].sync
            eventually(lambda: has_begun(sync))
            began = time.monotonic()
            service.cancel("run-1")
            thread.join(WAIT)
            return time.monotonic() - began, sync
        finally:
            service.close(quick=True)

    return run
