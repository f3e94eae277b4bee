import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
from cli_cases import NOTES

from omni_connector.cli import follow
from omni_connector.cli.follow import RunFollower
from omni_connector.cli.output import Output
from omni_connector.cli.progress import progress_view
from omni_connector.cli.signals import StopSignals
from omni_connector.cli.summary import RunSummary
from omni_connector.local import LocalManager
from omni_connector.runtime.run import RunReport
from omni_connector.target import load_connector
from omni_connector.testing import serve_connector


@pytest.fixture
def manager(tmp_path):
    with LocalManager(tmp_path / "data", schedule=False) as manager:
        yield manager


@pytest.fixture
def served(manager):
    with serve_connector(load_connector(NOTES), manager) as served:
        yield served


@pytest.fixture
def signals():
    with StopSignals() as signals:
        signals.defer()
        yield signals


def running_at_the_manager(manager, sync_type="full"):
    """Return a run that the manager believes in and the connector does not know."""
    source = manager.add_source(source_type="local_files")
    body = {"source_id": source.id, "sync_type": sync_type}
    return manager.app.test_client().post("/sdk/sync/create", json=body).get_json()["sync_run_id"]


def test_a_run_that_the_connector_left_without_a_word_is_not_waited_for(
    manager, served, signals, monkeypatch
):
    monkeypatch.setattr(follow, "FINAL_CALL_SECONDS", 0.05)
    run_id = running_at_the_manager(manager)
    follower = RunFollower(run_id, served=served, view=progress_view(Output()), signals=signals)
    report = follower.until_ended("full sync", None)
    assert report == RunReport(sync_run_id=run_id, outcome="running")
    run = manager.run(run_id)
    assert run.status == "running"
    summary = RunSummary(
        connector_name="notes",
        connector_version="1",
        source=manager.source(run.source_id),
        requested_mode="full",
        resumed=False,
        run=run,
        report=report,
        dead_letters=[],
        documents_in_index=0,
        data_dir=Path("data"),
        seconds=0.0,
    )
    assert (summary.exit_code, summary.to_json()["status"]) == (1, "interrupted")
    rows = {label: text.plain for label, text in summary.rows()}
    assert rows["Result"].startswith(
        "interrupted after 0.0 s: the connector ended it without reporting to the manager"
    )
    assert rows["Checkpoint"] == "none saved"


def test_a_realtime_run_is_waited_for_although_the_connector_has_returned(
    manager, served, signals, monkeypatch
):
    monkeypatch.setattr(follow, "STOPPING_SECONDS", 0.05)
    run_id = running_at_the_manager(manager, "realtime")
    follower = RunFollower(run_id, served=served, view=progress_view(Output()), signals=signals)
    follower.until_ended("realtime sync", 0.2)
    assert follower.timed_out
    assert manager.run(run_id).status == "cancelled"


class Lagging:
    """A service that has not noticed yet that its run is over."""

    def __init__(self, run_id):
        self._report = RunReport(sync_run_id=run_id, outcome="running", scanned=7)

    def is_running(self, run_id):
        return True

    def report(self, run_id):
        return self._report


def test_a_run_that_ends_while_it_is_being_cancelled_has_ended(manager, signals):
    run_id = running_at_the_manager(manager)
    manager.app.test_client().post(f"/sdk/sync/{run_id}/complete", json={})
    signal.raise_signal(signal.SIGINT)
    follower = RunFollower(
        run_id,
        served=SimpleNamespace(service=Lagging(run_id), manager=manager, connector=None),
        view=progress_view(Output()),
        signals=signals,
    )
    assert follower.until_ended("full sync", None).scanned == 7
    assert manager.run(run_id).status == "completed"
