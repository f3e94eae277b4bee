"""A scripted manager, and clients of both kinds: one that makes its own session, and one that is given a session."""

from __future__ import annotations

import attrs
import pytest
import requests
from support.scripted_manager import ScriptedManager

from omni_connector import SdkClient
from omni_connector.manager.retry import DEFAULT_POLICIES
from omni_connector.manager.session_wire import SessionWire


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
def quick():
    """Keep the policies, but for the length of their waits."""


@pytest.fixture
def impatient():
    """Give up waiting for an answer after a moment."""


@pytest.fixture
def policies(request):
    """The default policies, less patient, and changed as the test's other fixtures say."""
    changes = {"bulk": attrs.evolve(DEFAULT_POLICIES.bulk, attempts=8, total_seconds=5.0)}
    if "quick" in request.fixturenames:
        for name in ("bulk", "answering", "counters", "once", "extraction"):
            policy = getattr(DEFAULT_POLICIES, name)
            changes[name] = attrs.evolve(policy, first_delay_seconds=0.001, attempts=policy.attempts or 8)
    if "impatient" in request.fixturenames:
        changes["read_seconds"] = 0.1
    return attrs.evolve(DEFAULT_POLICIES, **changes)


class OddSession(requests.Session):
    """A session of its own kind: it carries each request itself."""


@pytest.fixture(params=["libcurl", "plain session", "odd session"])
def client(request, manager, policies):
    """A client of the scripted manager, over each way that there is."""
    if request.param == "libcurl":
        pytest.importorskip("pycurl")
        with SdkClient(manager.url, policies=policies) as one:
            assert type(one._sender.means.wire).__name__ == "CurlWire"
            yield one
        return
    make = requests.Session if request.param == "plain session" else OddSession
    with make() as session:
        wire = SessionWire(manager.url, session)
        with SdkClient(manager.url, session=session, policies=policies, wire=wire) as one:
            yield one
