"""Applications around a connector, over a manager in memory."""

from __future__ import annotations

import contextlib

import pytest
from support.scripted import Holding

from omni_connector import Settings
from omni_connector.server import create_app, services
from omni_connector.testing import MemoryManager


@pytest.fixture
def manager():
    return MemoryManager()


@pytest.fixture
def owning():
    """Close the services of an application after the test, and release what its connectors hold."""
    with contextlib.ExitStack() as stack:

        def own(app):
            for service in services(app).values():
                stack.callback(service.close)
                if isinstance(service.connector, Holding):
                    stack.callback(service.connector.release.set)
            return app

        yield own


@pytest.fixture
def make_app(manager, owning):
    def make(connector, **settings):
        settings = Settings(**{"manager_url": "http://manager", **settings})
        return owning(create_app(connector, settings=settings, manager=manager, register=False))

    return make
