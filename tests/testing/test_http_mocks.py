"""Mocks of HTTP libraries in a connector's tests do not reach the kit's own traffic, whatever the wire is."""

from __future__ import annotations

import pytest
import pytest_socket
import requests
import requests_mock
import responses
import vcr

from omni_connector import Connector, Document
from omni_connector.manager import wires

ADDRESS = "http://api.example/items"
CASSETTE = f"""
interactions:
- request: {{body: null, headers: {{}}, method: GET, uri: '{ADDRESS}'}}
  response:
    body: {{string: '["a", "b"]'}}
    headers: {{Content-Type: [application/json]}}
    status: {{code: 200, message: OK}}
version: 1
"""


class Api(Connector):
    """Reads an API that exists only in a mock."""

    name = "api"
    version = "1.0.0"
    source_types = ["web"]

    def sync(self, source_config, credentials, state, ctx):
        for name in requests.get(ADDRESS, timeout=10).json():
            ctx.emit(Document(external_id=name, title=name, content=f"text {name}"))
        ctx.complete({"done": True})


@pytest.fixture(params=["curl", "requests"], autouse=True)
def wire(request, monkeypatch):
    """Let the manager be called through libcurl, or as where pycurl is not installed."""
    if request.param == "requests":
        monkeypatch.setattr(wires, "CurlWire", None)


@pytest.fixture
def with_responses():
    with responses.RequestsMock() as mock:
        mock.get(ADDRESS, json=["a", "b"])
        yield


@pytest.fixture
def with_requests_mock():
    with requests_mock.Mocker() as mock:
        mock.get(ADDRESS, json=["a", "b"])
        yield


@pytest.fixture
def with_vcrpy(tmp_path):
    cassette = tmp_path / "cassette.yaml"
    cassette.write_text(CASSETTE)
    with vcr.use_cassette(str(cassette), record_mode="none"):
        yield


@pytest.fixture
def with_pytest_socket(with_requests_mock):
    pytest_socket.socket_allow_hosts(["127.0.0.1"])
    yield
    pytest_socket._remove_restrictions()


@pytest.mark.parametrize("mock", ["with_responses", "with_requests_mock", "with_vcrpy", "with_pytest_socket"])
def test_a_mocked_source_is_synced_through_the_real_protocol(request, run_sync, mock):
    request.getfixturevalue(mock)
    result = run_sync(Api())
    assert (result.status, result.error) == ("completed", None)
    assert {name: document.content for name, document in result.documents.items()} == {
        "a": "text a",
        "b": "text b",
    }
    assert result.state == {"done": True}
