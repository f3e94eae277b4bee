"""The catalogue of an MCP server: what one process learns, all know."""

from __future__ import annotations

import pytest

from omni_connector.mcp.cache import CatalogueCache
from omni_connector.mcp.catalogue import McpCatalogue
from omni_connector.models import McpPrompt
from omni_connector.models.mcp_servers import HttpMcpServer
from omni_connector.runstore import catalogues
from omni_connector.runstore.catalogues import SharedCatalogue
from omni_connector.runstore.keeper import LeaseKeeper

SERVER = HttpMcpServer(url="http://mcp/one")
OTHER = HttpMcpServer(url="http://mcp/other")


@pytest.fixture
def process(make_store, monkeypatch):
    """Make what a process has."""
    monkeypatch.setattr(catalogues, "LOOK_SECONDS", 0.0)

    def make(server=SERVER, file=None):
        store = make_store()
        return SharedCatalogue(store, LeaseKeeper(store), server, ttl_seconds=60, file=file)

    return make


def offering(name, description="Asks."):
    return McpCatalogue(prompts=[McpPrompt(name=name, description=description)])


def test_what_one_process_learns_all_know_once(process):
    one, other = process(), process()
    assert other.load() is None
    one.save(offering("first"))
    assert other.load() == offering("first")
    assert other.load() is None
    assert one.load() is None
    other.save(offering("second"))
    assert one.load() == offering("second")


def test_the_catalogue_of_another_server_is_another(process):
    process().save(offering("first"))
    assert process(OTHER).load() is None


def test_a_file_serves_where_the_store_has_nothing(process, tmp_path):
    file = CatalogueCache(tmp_path, 60, connector="notes", server=SERVER)
    file.save(offering("kept"))
    again = CatalogueCache(tmp_path, 60, connector="notes", server=SERVER)
    assert process(file=again).load() == offering("kept")
