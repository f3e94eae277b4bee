from __future__ import annotations

import json
import sqlite3

import pytest
from cli_cases import NOTES

from omni_connector.local import LocalManager, open_store


@pytest.fixture
def notes(run_notes):
    return run_notes({"notes": 2})["source"]["id"]


def states(omni, *args):
    result = omni("state", "--json", *args)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["sources"]


def test_the_checkpoint_of_each_source_is_shown(omni, notes):
    assert omni("state").stdout == ('notes (local_files)\nCheckpoint  {"next": 2}\nConnector   none\n')
    assert states(omni) == [
        {
            "id": notes,
            "name": "notes",
            "source_type": "local_files",
            "has_checkpoint": True,
            "checkpoint": {"next": 2},
            "connector_state": None,
            "running_sync_run_id": None,
        }
    ]
    result = omni("state", "--source", "note")
    assert (result.exit_code, "did you mean notes?" in result.stderr) == (3, True)


def test_after_a_reset_everything_is_read_again(omni, notes, run_notes):
    assert states(omni, "--reset", "--yes")[0]["has_checkpoint"] is False
    assert "none: the next run is given no checkpoint" in omni("state").stdout
    assert run_notes({"notes": 2})["upgraded_to_full"] is False
    assert states(omni)[0]["checkpoint"] == {"next": 2}


def test_a_reset_asks_first(omni, notes):
    result = omni("state", "--reset")
    assert (result.exit_code, "Nothing was changed" in result.stderr) == (3, True)
    assert states(omni)[0]["has_checkpoint"]
    assert omni("state", "--reset", "--json").exit_code == 2
    assert omni("state", "--yes").exit_code == 2


def test_a_reset_goes_through_the_manager_that_uses_the_data(omni, notes):
    with LocalManager(".omni", schedule=False) as manager:
        manager.set_source(notes, connector_state={"token": "v3ry-s3cret", "page": 1})
        shown = omni("state").stdout
        assert ("v3ry-s3cret" in shown, '"page": 1' in shown) == (False, True)
        assert states(omni, "--reset", "--yes")[0]["connector_state"] == {"token": "***", "page": 1}
        assert states(omni, "--reset", "--yes", "--connector-state")[0]["connector_state"] is None
        assert not manager.source(notes).has_checkpoint


def test_a_reset_while_a_run_is_in_progress_is_refused_and_one_that_was_killed_is_given_up(omni, notes):
    with sqlite3.connect(".omni/manager.sqlite3") as db:
        db.execute("UPDATE runs SET status = 'running'")
    with LocalManager(".omni", schedule=False):
        result = omni("state", "--reset", "--yes")
        assert (result.exit_code, "is in progress: wait for its end, or cancel it" in result.stderr) == (
            3,
            True,
        )
    assert omni("state", "--reset", "--yes").exit_code == 0
    [run] = open_store(".omni").runs(notes)
    assert run.status == "cancelled"
    assert omni("run", NOTES).exit_code == 0
