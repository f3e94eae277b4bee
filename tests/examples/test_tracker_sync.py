"""The tracker of ``examples/everything`` without its neighbours: what becomes of documents that the manager rejects."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from everything.tracker import Project
from everything.tracker_connector import TrackerConnector
from support.refusing import refusing

SAMPLE = Path(__file__).parents[2] / "examples" / "everything" / "projects" / "apollo"


class WithoutServer(TrackerConnector):
    """Mirrors nothing: its runs do not need the MCP server."""

    mcp_server = None


@pytest.mark.slow
def test_what_the_manager_rejects_is_emitted_again_by_the_next_run(run_sync, tmp_path):
    shutil.copytree(SAMPLE, tmp_path / "apollo")
    token = "apollo-token"
    project = Project(tmp_path, "apollo", token)
    project.save("AP-2", text="A text that is rejected.")
    settings = {"config": {"project": "apollo"}, "credentials": {"token": token}}

    with refusing("AP-2"):
        first = run_sync(WithoutServer(tmp_path), **settings)
        assert first.state["refused"] == ["AP-2"]
        assert "AP-2" not in first.index
        still = run_sync(WithoutServer(tmp_path), mode="incremental", **settings)
        assert still.state["refused"] == ["AP-2"]
    last = run_sync(WithoutServer(tmp_path), mode="incremental", **settings)
    assert last.index["AP-2"].content == "A text that is rejected."
    assert last.state["refused"] == []
