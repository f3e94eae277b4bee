"""What the tests of the bridges share."""

import time
from types import SimpleNamespace

import pytest

from omni_connector.inventory import scopes


@pytest.fixture
def pass_a_day(monkeypatch):
    """Let the inventories think that it is tomorrow."""
    return lambda: monkeypatch.setattr(scopes, "time", SimpleNamespace(time=lambda: time.time() + 86_401))
