"""A source with an inventory in memory."""

from __future__ import annotations

import pytest
from support.inventory_source import Source

from omni_connector.event_loop import EventLoop


@pytest.fixture
def source():
    source = Source()
    with source.stack:
        yield source


@pytest.fixture(params=["blocking", "async"])
def either(request, source):
    if request.param == "async":
        source.loop = EventLoop("test-loop")
        source.stack.callback(source.loop.close)
    return source
