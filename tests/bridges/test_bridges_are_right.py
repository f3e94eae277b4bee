"""The standard tests of connectors, on one connector of each bridge; a state is saved wherever one can be."""

import pytest
from test_dlt_bridge import Desk
from test_loader_bridge import Shelf, langchain
from test_singer_bridge import SCHEMA, Issues, record

from omni_connector import DocumentPermissions
from omni_connector.bridges.filing import Pace
from omni_connector.testing import ConnectorStandardTests

pytestmark = pytest.mark.slow

PERMISSIONS = DocumentPermissions(users=["ann@example.com"])


@pytest.fixture(autouse=True)
def every_state_is_saved(monkeypatch):
    monkeypatch.setattr(Pace, "is_due", lambda self: True)


class Right(ConnectorStandardTests):
    @pytest.fixture
    def credentials(self):
        return {"token": "t0ken-7-of-the-source"}


class TestDlt(Right):
    @pytest.fixture
    def connector(self):
        class Permitted(Desk):
            def permissions(self, row, resource):
                return PERMISSIONS

        return Permitted()

    @pytest.fixture
    def config(self):
        return {"order": "asc"}

    @pytest.fixture
    def remove_document(self, connector):
        return lambda: f"people/{connector.people.pop()['id']}"


class TestSinger(Right):
    @pytest.fixture
    def connector(self):
        return Issues

    @pytest.fixture
    def config(self):
        lines = [[record(n), {"type": "STATE", "value": {"n": n}}] for n in range(12)]
        metadata = [{"breadcrumb": [], "metadata": {"forced-replication-method": "FULL_TABLE"}}]
        return {
            "lines": [SCHEMA, *(line for pair in lines for line in pair)],
            "streams": [{"tap_stream_id": "issues", "stream": "issues", "metadata": metadata}],
        }

    @pytest.fixture
    def remove_document(self, config):
        def remove():
            del config["lines"][-2:]
            return "issues/11"

        return remove


class TestLoaders(Right):
    @pytest.fixture
    def connector(self):
        class Permitted(Shelf):
            def permissions(self, loaded):
                return PERMISSIONS

        return Permitted(*(langchain(f"text {n}", source=f"/s/{n}.md") for n in range(12)))

    @pytest.fixture
    def remove_document(self, connector):
        return lambda: connector.documents.pop().metadata["source"]
