"""A scripted manager, and clients of both kinds: with the bulk lane, and through a session that was handed in."""

from __future__ import annotations

import attrs
import pytest
import requests
from support.scripted_manager import ScriptedManager

from omni_connector import SdkClient
from omni_connector.manager import client as client_module


@pytest.fixture
def manager():
    with ScriptedManager() as scripted:
        yield scripted


@pytest.fixture(autouse=True)
def no_proxies_of_the_machine(monkeypatch):
    for name in (
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "no_proxy",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "NETRC",
    ):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def quick(monkeypatch):
    """Keep the policies, but for the length of their waits."""
    for name in ("BULK", "ANSWERING", "COUNTERS", "ONCE"):
        policy = getattr(client_module, name)
        monkeypatch.setattr(client_module, name, attrs.evolve(policy, first_delay_seconds=0.001))


@pytest.fixture
def impatient(monkeypatch):
    """Give up waiting for an answer after a moment."""
    monkeypatch.setattr(client_module, "READ_TIMEOUT_SECONDS", 0.1)


@pytest.fixture(params=["own session", "session handed in"])
def client(request, manager):
    """A client of the scripted manager; its own session uses the bulk lane."""
    if request.param == "own session":
        with SdkClient(manager.url) as one:
            assert one._lane is not None
            yield one
        return
    with requests.Session() as session, SdkClient(manager.url, session=session) as one:
        assert one._lane is None
        yield one
