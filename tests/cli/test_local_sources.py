import json

import pytest
from cli_cases import connector

from omni_connector.cli.errors import ManagerRefusedError
from omni_connector.cli.local_manager import WaitingSources
from omni_connector.cli.manager_calls import ManagerCalls
from omni_connector.cli.source import (
    SourceOptions,
    differences,
    known_source,
    parse_sources,
    put_source,
    stable_source_id,
)
from omni_connector.exceptions import ConfigurationError
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
    assert (source.whole["name"], source.whole["source_type"]) == ("team:notes", "web")
    assert (source.interval_seconds(None), source.interval_seconds(600)) == (3600, 600)


def test_a_source_given_as_json_may_say_everything():
    (source,) = parse_sources(['{"source_type": "web", "source_id": "S", "sync_interval_seconds": null}'])
    assert (source.whole["source_id"], source.whole["name"]) == ("S", "web")
    assert source.interval_seconds(600) is None


NOTES = SourceOptions(config={"folder": "notes"}, credentials={"token": "t0ken"})
WHOLE = json.dumps(
    {"name": "notes", "source_type": "web", "config": NOTES.config, "credentials": NOTES.credentials}
)
ADD = ["sources", "add", "notes", "--source-type", "web"]


@pytest.mark.parametrize("first", ["run", "manager", "add"])
def test_one_name_is_one_source_for_all_commands_and_what_is_not_typed_stays(tmp_path, omni, first):
    data = tmp_path / "data"
    secret = tmp_path / "token"
    secret.write_text("t0ken")
    with LocalManager(data, schedule=False) as manager:
        makes = {
            "run": lambda: put_source(manager, "notes", ["web"], NOTES),
            "manager": lambda: WaitingSources(manager, parse_sources([WHOLE])),
            "add": lambda: omni(
                *ADD, "--set", "folder=notes", "--secret", f"token=@{secret}", "--data", data
            ),
        }
        makes[first]()
        (made,) = manager.sources()
        manager.set_source(
            made.id,
            checkpoint={"page": 1},
            user_filter_mode="whitelist",
            user_whitelist=[],
        )
        assert omni("sources", "add", "notes", "--every", "600", "--data", data).exit_code == 0
        put_source(manager, "notes", ["web"], SourceOptions(config={"folder": "notes"}))
        WaitingSources(manager, parse_sources(["notes:web"])).close()
        (source,) = manager.sources()
        assert (source.id, source.source_type, source.sync_interval_seconds) == (made.id, "web", 600)
        assert (source.checkpoint, source.user_filter_mode) == ({"page": 1}, "whitelist")
        assert (source.config, manager.credential(source.id).credentials) == (
            {"folder": "notes"},
            {"token": "t0ken"},
        )


def test_of_several_sources_of_a_name_a_command_means_its_own_or_asks_for_an_id(tmp_path):
    with LocalManager(tmp_path / "data", schedule=False) as manager:
        own, _ = put_source(manager, "notes", ["web"], NOTES)
        other = manager.add_source(source_type="web", name="notes")
        jira = manager.add_source(source_type="jira", name="notes")
        sources = manager.sources()
    assert known_source(sources, "notes", ["web"], "notes") == own
    assert known_source(sources, "notes", ["jira"]) == jira
    assert known_source(sources, other.id, ["web"]) == other
    assert known_source(sources, "elsewhere", None) is None
    with pytest.raises(ConfigurationError, match="Several sources are called notes") as caught:
        known_source(sources, "notes", ["web"])
    assert own.id in str(caught.value)
    assert other.id in str(caught.value)


def test_a_deleted_source_that_comes_back_has_no_checkpoint(tmp_path):
    with LocalManager(tmp_path / "data", schedule=False) as manager:
        source, _ = put_source(manager, "notes", ["web"], NOTES)
        manager.set_source(source.id, checkpoint={"page": 1}, is_deleted=True)
        again, _ = put_source(manager, "notes", ["web"], NOTES)
    assert (again.id, again.is_deleted, again.has_checkpoint) == (source.id, False, False)


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
