"""What the processes of these tests talk to: a manager in this one, and an address whose port is known beforehand."""

from __future__ import annotations

import signal

import pytest
from support.manager_http import ManagerClient
from support.processes import ListeningSocket

from omni_connector.local import LocalManager


@pytest.fixture(autouse=True, scope="session")
def _heeding_interrupts():
    """A shell that starts pytest in the background has it ignore SIGINT, and every server that is started here, too."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def manager(tmp_path):
    with LocalManager(tmp_path / "data") as local, ManagerClient(local.url, tmp_path / "data") as client:
        yield client


@pytest.fixture
def address():
    with ListeningSocket() as address:
        yield address
