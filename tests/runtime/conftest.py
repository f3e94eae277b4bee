"""A connector service over a manager in memory."""

from __future__ import annotations

import contextlib
import threading

import attrs
import pytest
from support.scripted import WAIT, Holding

from omni_connector import Settings
from omni_connector.event_loop import EventLoop
from omni_connector.runtime.options import RuntimeOptions
from omni_connector.runtime.service import ConnectorService
from omni_connector.testing import MemoryManager


@pytest.fixture
def manager():
    return MemoryManager()


@pytest.fixture
def loop():
    one = EventLoop("test-loop")
    yield one
    one.close()


@pytest.fixture
def serve(manager):
    """Make services, which have served for long unless ``young``; close them, and release what still holds, after the test."""
    with contextlib.ExitStack() as stack:

        def make(connector, *, young=False, **options):
            figures = options.pop("options", RuntimeOptions())
            options["options"] = figures if young else attrs.evolve(figures, dispatch_seconds=0.0)
            settings = options.pop("settings", Settings(manager_url="http://manager"))
            service = ConnectorService(connector, settings, options.pop("manager", manager), **options)
            stack.callback(service.close)
            if isinstance(connector, Holding):
                stack.callback(connector.release.set)
            return service

        yield make


@pytest.fixture
def ended():
    """Wait until a run has ended in a service: its thread is gone and its report is kept."""

    def wait(service, run="run-1"):
        for thread in threading.enumerate():
            if thread.name == f"omni-sync-{run}":
                thread.join(WAIT)
                assert not thread.is_alive()
        report = service.report(run)
        assert report is not None
        assert report.outcome != "running"
        return report

    return wait
