import pytest
from cli_cases import connector

from omni_connector.cli.errors import ManagerRefusedError
from omni_connector.cli.local_manager import WaitingSources
from omni_connector.cli.manager_calls import ManagerCalls
from omni_connector.cli.source import differences, parse_sources, stable_source_id
from omni_connector.local import LocalManager
from omni_connector.target import load_connector
from omni_connector.testing import serve_connector


def test_the_id_of_a_source_depends_on_connector_and_name_alone():
    first = stable_source_id("notes", "mine")
    assert first == stable_source_id("notes", "mine")
    assert len({first, stable_source_id("notes", "yours"), stable_source_id("note", "smine")}) == 3
    assert len(first) == 26
    assert set(first) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
    assert first[0] in "01234567"  # As in every ULID: 128 bits in 26 characters.


def test_a_source_given_by_name_and_type_is_synced_every_hour():
    (source,) = parse_sources(["team:notes:web"])
    assert (source["name"], source["source_type"], source["sync_interval_seconds"]) == (
        "team:notes",
        "web",
        3600,
    )
    assert source["source_id"] == stable_source_id("", "team:notes")


def test_a_source_given_as_json_may_say_everything():
    (source,) = parse_sources(['{"source_type": "web", "source_id": "S", "sync_interval_seconds": null}'])
    assert (source["source_id"], source["name"], source["sync_interval_seconds"]) == ("S", "web", None)


def test_differences_are_named_by_their_keys():
    before = {"a": 1, "b": {"c": 1, "d": [1]}, "e": {}}
    after = {"a": 1, "b": {"c": 2, "d": [1], "f": 3}, "g": None}
    assert differences(before, after) == ["changed b.c", "added b.f", "removed e", "added g"]
    assert differences(before, dict(before)) == []
    assert differences(None, {"a": 1}) == ["added a"]


def test_a_refusal_of_the_manager_says_what_it_answered(tmp_path):
    with (
        LocalManager(tmp_path / "data", schedule=False) as manager,
        pytest.raises(ManagerRefusedError) as caught,
    ):
        ManagerCalls(manager.url).start_sync("unknown", "full")
    assert caught.value.status == 404
    assert str(caught.value) == "The manager answered 404 to POST /sync: Source not found: unknown"


def test_a_source_waits_for_its_connector_and_is_then_started_at_once(tmp_path):
    with LocalManager(tmp_path / "data", schedule=False) as manager:
        waiting = WaitingSources(manager, parse_sources(["a:own_type", "b:web"]))
        own, web = waiting.sources
        waiting.look()
        assert manager.source(own.id).sync_interval_seconds is None
        with serve_connector(load_connector(connector("OwnType")), manager):
            waiting.look()
            waiting.look()
            (run,) = manager.runs(own.id)
            assert manager.wait_for_run(run.id).status == "completed"
        assert manager.source(own.id).sync_interval_seconds == 3600
        assert manager.runs(web.id) == []
