"""What a manager is too old for: noticed once, said once, done the old way, tried again later (PROTOCOL, section 18)."""

from __future__ import annotations

import io
import logging

import pytest
from support.scripted_manager import Answer

from omni_connector import ExtractionError, NotFoundError, SdkClientError, UnsupportedByManagerError
from omni_connector.manager.compatibility import FORGOTTEN_SECONDS, Compatibility, Feature
from omni_connector.models import PersonRecord
from omni_connector.models.events import encode_delete, encode_group, encode_person, encode_person_deletion
from omni_connector.models.people import GroupMembership
from omni_connector.models.sync import ABSENT

IDS = {"sync_run_id": "run-1", "source_id": "s-1"}
MISSING = Answer(404, b"")
JSON = {"Content-Type": "application/json"}
NOT_FOUND = Answer(404, {"error": "Source not found: s-1"}, JSON)


def delete(number):
    return encode_delete(f"doc-{number}", **IDS).body


PERSON = encode_person(PersonRecord(external_id="E1", email="ada@example.com"), **IDS).body
PERSON_GONE = encode_person_deletion("bob@example.com", **IDS).body
GROUP = encode_group(GroupMembership(group_email="eng@example.com", member_emails=[]), **IDS).body


def unknown(variant, path="events[0].type"):
    text = (
        f"Failed to deserialize the JSON body into the target type: {path}: unknown variant `{variant}`, "
        "expected one of `document_created`, `document_updated`, `document_deleted` at line 1 column 66"
    )
    return Answer(422, text.encode(), {"Content-Type": "text/plain; charset=utf-8"})


HEALTHY = Answer(body=b'{"status":"healthy"}')


class OldManager:
    """Answers 404 without a body on the paths that end with one of ``lacks``, 422 for kinds that it does not know."""

    def __init__(self, manager, lacks=(), unknown_kinds=()):
        self.lacks, self.unknown_kinds = list(lacks), list(unknown_kinds)
        self.manager = manager
        self.answers = {}
        manager.otherwise = self

    def __call__(self, request):
        if any(request.path.endswith(path) for path in self.lacks):
            return MISSING
        if request.path.startswith("/sdk/events"):
            sent = request.json.get("events") or [request.json.get("event") or {}]
            for kind in self.unknown_kinds:
                if kind in {event.get("type") for event in sent}:
                    return unknown(kind)
        return HEALTHY if request.path == "/health" else self.answers.get(request.path, Answer())

    def paths(self):
        return [f"{request.method} {request.path}" for request in self.manager.requests]


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO, "omni_connector.manager.compatibility")
    return lambda: [record.getMessage() for record in caplog.records if "This manager" in record.getMessage()]


# -- events -----------------------------------------------------------------------------------------------------


def test_without_batches_events_are_sent_one_by_one(client, manager, said):
    old = OldManager(manager, ["/sdk/events/batch"])
    for _ in range(2):
        assert client.send_events("run-1", "s-1", [delete(1), delete(2)]) == []
    assert old.paths() == ["POST /sdk/events/batch", *["POST /sdk/events"] * 4]
    assert [request.json["event"]["document_id"] for request in manager.requests[1:]] == [
        "doc-1",
        "doc-2",
    ] * 2
    assert said() == [
        "This manager is older than 23 April 2026 and has no batches of events: events are sent one by one"
    ]


def test_without_batches_an_empty_one_asks_whether_the_manager_is_well(client, manager):
    old = OldManager(manager, ["/sdk/events/batch"])
    client.send_events("run-1", "s-1", [])
    assert old.paths() == ["POST /sdk/events/batch", "POST /sdk/sync/run-1/heartbeat"]


def test_an_event_that_is_refused_among_single_ones_is_an_error(client, manager):
    OldManager(manager, ["/sdk/events/batch"])
    manager.script(MISSING, Answer(), Answer(422, b"missing field `permissions`"))
    with pytest.raises(SdkClientError, match="missing field"):
        client.send_events("run-1", "s-1", [delete(1), delete(2), delete(3)], patient=False)
    assert len(manager.requests) == 3


@pytest.mark.parametrize("lacks", [[], ["/sdk/events/batch"]], ids=["batches", "single events"])
def test_kinds_that_the_manager_does_not_know_are_left_out_and_the_rest_arrives(client, manager, said, lacks):
    OldManager(manager, lacks, ["person_sync", "person_deleted", "group_membership_sync"])
    events = [delete(1), PERSON, delete(2), GROUP, PERSON_GONE]
    assert client.send_events("run-1", "s-1", events) == [1, 3, 4]
    before = len(manager.requests)
    assert client.send_events("run-1", "s-1", events) == [1, 3, 4]
    sent = [request.json for request in manager.requests[before:]]
    arrived = [event for body in sent for event in body.get("events") or [body["event"]]]
    assert [event["document_id"] for event in arrived] == ["doc-1", "doc-2"]
    assert len([line for line in said() if "events: they are left out" in line]) == 2


def test_nothing_is_sent_where_every_event_is_of_an_unknown_kind(client, manager):
    OldManager(manager, [], ["person_sync"])
    assert client.send_events("run-1", "s-1", [PERSON]) == [0]
    assert client.send_event("run-1", "s-1", PERSON) == [0]
    assert len(manager.requests) == 1


def test_a_kind_that_nobody_sent_is_a_refusal_like_any_other(client, manager):
    manager.script(unknown("document_deleted"), unknown("person_sync"))
    for _ in range(2):
        with pytest.raises(SdkClientError, match="unknown variant"):
            client.send_events("run-1", "s-1", [delete(1)])
    assert len(manager.requests) == 2


# -- checkpoints and connector state ----------------------------------------------------------------------------

NO_CHECKPOINTS = ["/checkpoint"]
NOTHING = ["/checkpoint", "/connector-state"]


def test_without_checkpoints_the_cursor_is_kept_as_connector_state(client, manager, said):
    old = OldManager(manager, NO_CHECKPOINTS)
    for page in (1, 2):
        client.save_checkpoint("run-1", {"page": page}, source_id="s-1")
    assert old.paths() == [
        "PUT /sdk/sync/run-1/checkpoint",
        "PUT /sdk/source/s-1/connector-state",
        "PUT /sdk/source/s-1/connector-state",
    ]
    assert manager.requests[-1].json == {"page": 2}
    (line,) = said()
    assert line.startswith("This manager is older than 8 June 2026 and has no checkpoints: they are kept as")


def test_without_either_a_checkpoint_is_a_heartbeat(client, manager, said):
    old = OldManager(manager, NOTHING)
    client.save_checkpoint("run-1", {"page": 1}, source_id="s-1")
    assert old.paths() == [
        "PUT /sdk/sync/run-1/checkpoint",
        "PUT /sdk/source/s-1/connector-state",
        "POST /sdk/sync/run-1/heartbeat",
    ]
    assert len(said()) == 2


def test_a_checkpoint_of_an_unknown_run_is_no_missing_route(client, manager):
    manager.script(Answer(404, {"error": "no such run"}, JSON))
    with pytest.raises(NotFoundError):
        client.save_checkpoint("run-1", {}, source_id="s-1")
    assert len(manager.requests) == 1


def test_an_empty_answer_with_a_content_type_is_no_missing_route(client, manager):
    manager.script(Answer(404, b"", {"Content-Type": "text/html"}))
    with pytest.raises(SdkClientError) as caught:
        client.save_checkpoint("run-1", {}, source_id="s-1")
    assert type(caught.value) is SdkClientError
    assert len(manager.requests) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.connector_config("google"),
        lambda c: c.sync_config("s-1"),
        lambda c: c.credentials("s-1"),
        lambda c: c.sources_by_type("web"),
        lambda c: c.send_events("run-1", "s-1", []),
        lambda c: c.add_updated("run-1", 1),
        lambda c: c.save_checkpoint("run-1", {}, source_id="s-1"),
        lambda c: c.save_connector_state("s-1", {}),
    ],
)
def test_a_page_of_a_proxy_says_nothing_about_the_manager(client, manager, call, said):
    manager.otherwise = Answer(404, b"<html>Not Found</html>", {"Content-Type": "text/html"})
    with pytest.raises(SdkClientError) as caught:
        call(client)
    assert (type(caught.value), caught.value.status, len(manager.requests)) == (SdkClientError, 404, 1)
    assert said() == []


def test_notes_never_take_the_place_of_the_cursor(client, manager):
    old = OldManager(manager, NO_CHECKPOINTS)
    client.save_checkpoint("run-1", {"page": 1}, source_id="s-1")
    client.save_connector_state("s-1", {"hook": 1})
    client.register({"name": "n"})  # Forgets what is missing, but nobody has seen a checkpoint saved yet.
    client.save_connector_state("s-1", {"hook": 1})
    assert [path for path in old.paths() if path.endswith("connector-state")] == [
        "PUT /sdk/source/s-1/connector-state"
    ]
    assert manager.requests[1].json == {"page": 1}


def test_a_config_without_the_key_tells_a_manager_without_checkpoints(client, manager):
    old = OldManager(manager, NO_CHECKPOINTS)
    old.answers["/sdk/source/s-1/sync-config"] = Answer(
        body={"config": {}, "credentials": {}, "connector_state": {"c": 1}}
    )
    assert client.sync_config("s-1").checkpoint is ABSENT
    client.save_connector_state("s-1", {"hook": 1})
    client.save_checkpoint("run-1", {"page": 1}, source_id="s-1")
    assert old.paths() == ["GET /sdk/source/s-1/sync-config", "PUT /sdk/source/s-1/connector-state"]
    assert manager.requests[-1].json == {"page": 1}


def test_without_connector_state_notes_are_left_out(client, manager, said):
    old = OldManager(manager, ["/connector-state"])
    for _ in range(2):
        client.save_connector_state("s-1", {"hook": 1})
    assert old.paths() == ["PUT /sdk/source/s-1/connector-state"]
    assert len(said()) == 1


# -- the rest ---------------------------------------------------------------------------------------------------


def test_without_sync_config_it_is_put_together(client, manager):
    old = OldManager(manager, ["/sync-config"])
    old.answers["/sdk/source/s-1"] = Answer(
        body={"id": "s-1", "source_type": "web", "config": {"a": 1}, "connector_state": {"c": 1}}
    )
    old.answers["/sdk/credentials/s-1"] = Answer(body={"credentials": {"token": "t"}})
    for _ in range(2):
        config = client.sync_config("s-1")
    assert (config.config, config.credentials, config.source_type) == ({"a": 1}, {"token": "t"}, "web")
    assert (config.connector_state, config.checkpoint) == ({"c": 1}, ABSENT)
    assert [path.rpartition("/")[2] for path in old.paths()] == ["sync-config", "s-1", "s-1", "s-1", "s-1"]


def test_a_source_without_credentials_has_none(client, manager):
    old = OldManager(manager, ["/sync-config"])
    old.answers["/sdk/source/s-1"] = Answer(body={"id": "s-1", "source_type": "web"})
    old.answers["/sdk/credentials/s-1"] = Answer(
        404, {"error": "Credentials not found for source: s-1"}, JSON
    )
    assert client.sync_config("s-1").credentials == {}


def test_an_unknown_source_is_not_found_on_any_manager(client, manager):
    old = OldManager(manager, ["/sync-config"])
    old.answers["/sdk/source/s-1"] = NOT_FOUND
    with pytest.raises(NotFoundError, match="Source not found"):
        client.sync_config("s-1")


def test_a_source_of_a_type_that_sync_config_does_not_serve_is_read_from_its_rows(client, manager, said):
    old = OldManager(manager)
    refused = "Source s-1 cannot be served to a native connector SDK: unknown source type: acme"
    old.answers["/sdk/source/s-1/sync-config"] = Answer(400, {"error": refused}, JSON)
    old.answers["/sdk/source/s-1"] = Answer(
        body={"id": "s-1", "source_type": "acme", "checkpoint": {"page": 1}}
    )
    old.answers["/sdk/credentials/s-1"] = Answer(body={"credentials": {"token": "t"}})
    config = client.sync_config("s-1")
    assert (config.source_type, config.checkpoint, config.credentials) == (
        "acme",
        {"page": 1},
        {"token": "t"},
    )
    assert said() == []


def test_without_the_count_of_updates_it_is_left_out(client, manager, said):
    old = OldManager(manager, ["/updated"])
    for _ in range(3):
        client.add_updated("run-1", 5)
    assert old.paths() == ["POST /sdk/sync/run-1/updated"]
    assert len(said()) == 1


@pytest.mark.parametrize(("name", "since"), [("extract_content", "24 March"), ("extract_text", "12 April")])
def test_without_extraction_a_file_costs_its_document_with_a_remedy(client, manager, said, name, since):
    old = OldManager(manager, ["/sdk/extract-content", "/sdk/extract-text"])
    for _ in range(2):
        with pytest.raises(
            ExtractionError, match=rf"older than {since} 2026 and extracts no text from files: extract it"
        ):
            getattr(client, name)("run-1", io.BytesIO(b"x"), mime_type="application/pdf")
    assert len(old.paths()) == len(said()) == 1


def test_without_connector_configs_they_are_empty(client, manager):
    old = OldManager(manager, ["/sdk/connector-configs/google"])
    assert [client.connector_config("google") for _ in range(2)] == [{}, {}]
    assert len(old.paths()) == 1


def test_without_lists_of_sources_there_is_no_old_way(client, manager):
    OldManager(manager, ["/sdk/sources/by-type/web"])
    with pytest.raises(
        UnsupportedByManagerError, match=r"GET /sdk/sources/by-type/web: this manager is older"
    ):
        client.sources_by_type("web")


def test_without_registration_the_error_says_what_to_do(client, manager):
    OldManager(manager, ["/sdk/register"])
    with pytest.raises(
        UnsupportedByManagerError, match=r"takes no registrations\. Tell it this connector's address"
    ):
        client.register({"name": "n"})


def test_source_types_that_the_manager_does_not_know_are_left_out_of_the_registration(client, manager, said):
    def strict(request):
        types = request.json["source_types"]
        return unknown("acme", "source_types[0]") if "acme" in types else Answer()

    manager.otherwise = strict
    manifest = {"name": "n", "source_types": ["acme", "web"]}
    for _ in range(2):
        client.register(manifest)
    assert [request.json["source_types"] for request in manager.requests] == [
        ["acme", "web"],
        ["web"],
        ["web"],
    ]
    assert manifest["source_types"] == ["acme", "web"]
    assert len(said()) == 1


def test_where_no_built_in_type_remains_the_refusal_stands(client, manager):
    manager.otherwise = unknown("acme", "source_types[0]")
    with pytest.raises(SdkClientError, match="unknown variant `acme`"):
        client.register({"name": "n", "source_types": ["acme"]})


# -- remembering ------------------------------------------------------------------------------------------------


def test_a_registration_makes_the_client_try_again(client, manager, said):
    old = OldManager(manager, ["/updated"])
    client.add_updated("run-1", 5)
    client.register({"name": "n"})
    client.add_updated("run-1", 5)
    assert len(said()) == 1  # It is still missing: that was said.
    old.lacks.clear()
    client.register({"name": "n"})
    client.add_updated("run-1", 5)
    assert [path for path in old.paths() if path.endswith("updated")] == ["POST /sdk/sync/run-1/updated"] * 3
    assert said()[1:] == ["This manager knows count of updates now"]


@pytest.mark.parametrize(
    ("health", "found"),
    [
        (MISSING, "GET /health does not answer as a manager does"),
        (Answer(404, b"<html>no such page</html>"), "GET /health does not answer as a manager does"),
        (Answer(200, b"<html>Welcome</html>"), "GET /health does not answer as a manager does"),
        (Answer(body=b'{"status":"healthy","service":"wiki"}'), "it is the connector 'wiki'"),
    ],
)
@pytest.mark.parametrize("refusal", [MISSING, Answer(404, b"<html>no such page</html>")])
def test_an_address_where_no_manager_is_is_no_old_manager(client, manager, refusal, health, found):
    manager.otherwise = lambda request: health if request.path == "/health" else refusal
    with pytest.raises(NotFoundError) as caught:
        client.register({"name": "n"})
    message = str(caught.value)
    assert message.startswith(f"what answers at {manager.url} is not the connector-manager (")
    assert found in message
    assert "Set CONNECTOR_MANAGER_URL" in message
    assert "older" not in message


def test_a_failed_registration_changes_nothing(client, manager):
    old = OldManager(manager, ["/updated", "/sdk/register"])
    client.add_updated("run-1", 5)
    with pytest.raises(UnsupportedByManagerError):
        client.register({"name": "n"})
    client.add_updated("run-1", 5)
    assert len([path for path in old.paths() if path.endswith("updated")]) == 1


def test_kinds_of_events_are_found_again(client, manager, said):
    old = OldManager(manager, [], ["person_sync"])
    assert client.send_events("run-1", "s-1", [PERSON, delete(1)]) == [0]
    old.unknown_kinds.clear()
    client.register({"name": "n"})
    assert client.send_events("run-1", "s-1", [PERSON, delete(1)]) == []
    assert said()[1:] == ["This manager knows person events now"]


def test_a_finding_is_believed_for_some_minutes():
    now = [0.0]
    compatibility = Compatibility(clock=lambda: now[0])
    believed = []
    for moment in (0, 1, FORGOTTEN_SECONDS - 1, FORGOTTEN_SECONDS + 1):
        now[0] = moment
        believed.append(compatibility.lacks(Feature.BATCHES) or not compatibility.missed(Feature.BATCHES))
    assert believed == [False, True, True, False]


def test_runs_share_what_their_client_has_found(client, manager):
    import threading

    old = OldManager(manager, ["/updated"])
    client.for_run(threading.Event()).add_updated("run-1", 1)
    client.for_run(threading.Event()).add_updated("run-2", 1)
    assert len(old.paths()) == 1


def test_a_route_that_was_there_a_moment_ago_is_missed_twice_before_that_is_believed(client, manager, said):
    """A proxy that answers in the manager's place once must not turn it into an old one."""
    old = OldManager(manager)
    client.save_checkpoint("run-1", {"page": 1}, source_id="source-1")
    old.lacks.append("/checkpoint")
    with pytest.raises(UnsupportedByManagerError):
        client.save_checkpoint("run-1", {"page": 2}, source_id="source-1")
    assert said() == []
    client.save_checkpoint("run-1", {"page": 2}, source_id="source-1")
    assert old.paths()[-1] == "PUT /sdk/source/source-1/connector-state"
    assert len(said()) == 1
