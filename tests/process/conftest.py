"""What the processes of these tests talk to: a manager in this one, and an address whose port is known beforehand."""

from __future__ import annotations

import pytest
from support.manager_http import ManagerClient
from support.processes import ListeningSocket

from omni_connector.local import LocalManager


@pytest.fixture
def manager(tmp_path):
    with LocalManager(tmp_path / "data") as local, ManagerClient(local.url, tmp_path / "data") as client:
        yield client


@pytest.fixture
def address():
    with ListeningSocket() as address:
        yield address
