"""The embedded manager passing for older ones, day by day (PROTOCOL, section 18)."""

from __future__ import annotations

import re

import attrs
import pytest
from flask import Response
from support.local_manager import QUICK, manifest
from support.openapi import document

from omni_connector.local import LocalManagerError, LocalSettings, Since
from omni_connector.local.manager_dates import ROUTES, ManagerDate, to_manager_date

SEED = "2026-02-13"
OLDEST_DAY = "2026-01-11"
"""Every other route was there by then."""


@pytest.fixture
def day():
    return SEED


@pytest.fixture
def settings(day):
    return attrs.evolve(QUICK, revision=day)


def before(text):
    return pytest.mark.parametrize("day", [text])


# -- days -------------------------------------------------------------------------------------------------------


def test_a_day_has_what_came_on_the_days_before_it():
    assert to_manager_date(None).has(Since.PERSON_EVENTS)
    assert to_manager_date("2026-06-09").has(Since.CHECKPOINTS)
    assert not to_manager_date("2026-06-08").has(Since.CHECKPOINTS)
    assert not to_manager_date(SEED).has(Since.OPTIONAL_DATES)
    assert to_manager_date("2026-02-14").has(Since.OPTIONAL_DATES)
    assert to_manager_date(SEED).has_route("/sdk/source/<source_id>/sync-config")
    assert to_manager_date(ManagerDate()) == ManagerDate()


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", ""])
def test_what_is_no_day_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="such as 2026-02-13"):
        LocalSettings(revision=text)


def test_the_days_of_the_routes_are_those_of_the_protocol():
    documented = {
        re.sub(r"\{(\w+)\}", r"<\1>", path): operation["x-since"]["date"]
        for path, operations in document("manager")["paths"].items()
        for method, operation in operations.items()
        if method in {"get", "post", "put"}
    }
    assert {rule: day for rule, day in documented.items() if day >= OLDEST_DAY} == ROUTES


# -- the manager of 13 February 2026 ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/sdk/register"),
        ("POST", "/sdk/events/batch"),
        ("POST", "/sdk/extract-content"),
        ("POST", "/sdk/sync/r/updated"),
        ("PUT", "/sdk/sync/r/checkpoint"),
        ("PUT", "/sdk/source/s/connector-state"),
        ("GET", "/sdk/sources/by-type/web"),
        ("GET", "/sdk/connector-configs/google"),
        ("GET", "/sources"),
        ("POST", "/skill"),
    ],
)
def test_a_later_route_is_an_empty_404(api, method, path):
    answer = api(method, path, json={})
    assert (answer.status_code, answer.content) == (404, b"")
    assert "Content-Type" not in answer.headers


def test_sync_config_has_three_keys_and_the_row_no_later_ones(api, source):
    assert set(api.get(f"/sdk/source/{source.id}/sync-config").json()) == {
        "config",
        "credentials",
        "connector_state",
    }
    row = api.get(f"/sdk/source/{source.id}").json()
    assert not {"checkpoint", "user_filter_mode", "user_whitelist", "user_blacklist"} & set(row)


def test_complete_needs_its_body_and_uses_it(api, manager, source, run_id):
    api.post(f"/sdk/sync/{run_id}/scanned", {"count": 5})
    answer = api.raw(f"/sdk/sync/{run_id}/complete", b"")
    assert (answer.status_code, manager.run(run_id).status) == (400, "running")
    body = {"documents_scanned": 7, "documents_updated": None, "new_state": {"cursor": 1}}
    assert api.post(f"/sdk/sync/{run_id}/complete", body).json() == {"status": "ok"}
    run = manager.run(run_id)
    assert (run.status, run.documents_scanned, run.documents_updated) == ("completed", 7, 0)
    assert (manager.source(source.id).connector_state, manager.cursor(source.id)) == ({"cursor": 1},) * 2
    api.post(f"/sdk/sync/{run_id}/complete", {"new_state": None})
    assert manager.cursor(source.id) == {"cursor": 1}


def test_final_calls_act_whatever_the_run_s_status_is(api, manager, run_id):
    api.post("/sdk/sync/cancel", {"sync_run_id": run_id})
    assert manager.run(run_id).status == "cancelled"
    api.post(f"/sdk/sync/{run_id}/complete", {})
    assert (manager.run(run_id).status, manager.run(run_id).error_message) == ("completed", None)
    api.post(f"/sdk/sync/{run_id}/fail", {"error": "late"})
    assert (manager.run(run_id).status, manager.run(run_id).error_message) == ("failed", "late")


def test_scanned_does_not_renew_activity(api, manager, run_id, clock):
    before_it = manager.run(run_id).last_activity_at
    clock.advance(minutes=1)
    api.post(f"/sdk/sync/{run_id}/scanned", {"count": 1})
    assert manager.run(run_id).last_activity_at == before_it
    api.post(f"/sdk/sync/{run_id}/heartbeat")
    assert manager.run(run_id).last_activity_at == clock.now()


def event(emitter, **changes):
    dates = {"created_at": "2026-08-01 12:00:00+0200", "updated_at": None}
    return emitter.event(metadata={"title": "T", **dates}) | changes


def send(api, emitter, one):
    envelope = {"sync_run_id": emitter.run_id, "source_id": emitter.source_id, "event": one}
    return api.post("/sdk/events", envelope)


def test_dates_have_to_be_there_in_any_form_with_an_offset(api, manager, emitter):
    assert send(api, emitter, event(emitter)).status_code == 200
    stored = manager.document(emitter.source_id, "page-1").metadata
    assert stored["created_at"] == "2026-08-01T12:00:00+02:00"
    answer = send(api, emitter, event(emitter, metadata={"title": "T", "created_at": None}))
    assert (answer.status_code, "missing field `updated_at`" in answer.text) == (422, True)
    naive = {"created_at": "2026-08-01T12:00:00", "updated_at": None}
    assert send(api, emitter, event(emitter, metadata=naive)).status_code == 422


@pytest.mark.parametrize("kind", ["group_membership_sync", "person_sync", "person_deleted"])
def test_later_kinds_of_events_are_unknown_variants(api, emitter, kind):
    answer = send(api, emitter, {"type": kind})
    assert answer.status_code == 422
    assert f"event.type: unknown variant `{kind}`, expected one of `document_created`, " in answer.text
    assert answer.text.split(" at line ")[0].endswith("`document_updated`, `document_deleted`")


def test_events_are_taken_without_a_look_at_run_and_source(api, manager, emitter):
    api.post("/sdk/sync/cancel", {"sync_run_id": emitter.run_id})
    assert send(api, emitter, event(emitter)).status_code == 200
    assert manager.document(emitter.source_id, "page-1") is not None
    stray = {"sync_run_id": "nothing", "source_id": "nowhere", "event": event(emitter)}
    assert api.post("/sdk/events", stray).status_code == 200


def test_bodies_beyond_two_mebibytes_are_refused_in_plain_text(api, run_id):
    content = {"sync_run_id": run_id, "content": "x" * 2_097_152}
    answer = api.post("/sdk/content", content)
    assert (answer.status_code, answer.text) == (
        413,
        "Failed to buffer the request body: length limit exceeded",
    )
    assert answer.headers["Content-Type"].startswith("text/plain")
    content["content"] = "x" * 2_000_000
    assert api.post("/sdk/content", content).status_code == 200


def test_contents_are_never_shared(emitter):
    assert emitter.content("the same") != emitter.content("the same")


def test_connectors_are_known_by_their_address_and_asked_for_their_manifest(api, manager, connector):
    with pytest.raises(TimeoutError):
        manager.wait_for_connector("web", timeout_seconds=0)
    manager.configure_connector("web", f"{connector.url}/")
    manager.wait_for_connector("web", timeout_seconds=0)
    assert api.get("/actions").json() == {"actions": []}  # It answers no manifest.
    ping = {"name": "ping", "description": "Check.", "parameters": {"a": 1}}
    connector.answers["/manifest"] = {"name": "n", "version": "1", "sync_modes": ["full"], "actions": [ping]}
    (listed,) = api.get("/actions").json()["actions"]
    assert (listed["source_type"], listed["name"], listed["input_schema"]) == ("web", "ping", {"a": 1})
    (known,) = api.get("/connectors").json()
    assert (known["url"], known["healthy"], known["manifest"]["name"]) == (connector.url, True, "n")
    connector.answers["/manifest"]["actions"] = [
        {"name": "ping", "description": "Check.", "input_schema": {}}
    ]
    assert api.get("/actions").json() == {"actions": []}  # One without parameters spoils all.


@pytest.fixture
def configured(manager, connector, source):
    manager.configure_connector("web", connector.url)
    return source


def test_a_dispatch_says_little_and_is_tried_once(manager, connector, configured):
    manager.set_source(configured.id, connector_state={"cursor": 1}, checkpoint={"later": 1})
    run_id = manager.trigger(configured.id)
    assert connector.bodies("/sync") == [
        {"sync_run_id": run_id, "source_id": configured.id, "sync_mode": "full"}
    ]
    manager.configure_connector("web", "http://127.0.0.1:9")
    manager.cancel(run_id)
    with pytest.raises(LocalManagerError, match="Request failed"):
        manager.trigger(configured.id)


def test_there_is_no_realtime(manager, configured):
    with pytest.raises(LocalManagerError, match="unknown variant `realtime`"):
        manager.trigger(configured.id, "realtime")


def test_runs_are_not_asked_about_and_go_stale_in_silence(manager, connector, configured, clock):
    run_id = manager.trigger(configured.id)
    connector.answers["/status"] = {"running": False}
    manager.tick()
    clock.advance(minutes=9)
    manager.tick()
    assert manager.run(run_id).is_running
    clock.advance(minutes=2)
    manager.tick()
    assert (manager.run(run_id).status, connector.bodies("/cancel")) == ("failed", [])
    assert [path for _, path, _ in connector.calls] == ["/sync"]


def test_runs_of_a_disabled_source_go_on(manager, configured):
    run_id = manager.trigger(configured.id)
    manager.set_source(configured.id, is_active=False)
    manager.tick()
    assert manager.run(run_id).is_running


def test_failures_do_not_back_off(manager, connector, configured):
    manager.set_source(configured.id, sync_interval_seconds=60)
    connector.answers["/sync"] = ({"status": "error"}, 500)
    for _ in range(3):
        manager.tick()
    assert len(connector.bodies("/sync")) == 3


def act(api, source, **more):
    return api.post("/action", {"source_id": source.id, "action": "ping", "params": {"a": 1}, **more})


def test_an_action_gets_the_bare_secrets_and_has_to_answer_as_expected(api, manager, connector, configured):
    manager.add_credential(configured.id, {"token": "t"})
    connector.answers["/action"] = {"status": "success", "result": {"n": 1}, "more": 1}
    answer = act(api, configured)
    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "success", "result": {"n": 1}, "error": None},
    )
    assert connector.bodies("/action") == [
        {"action": "ping", "params": {"a": 1}, "credentials": {"token": "t"}}
    ]
    for refused in (({"status": "error", "error": "no"}, 400), lambda _: Response(b"\x00file"), {"n": 1}):
        connector.answers["/action"] = refused
        assert act(api, configured).status_code == 500


# -- days between -----------------------------------------------------------------------------------------------


@before("2026-04-20")
def test_in_april_credentials_are_wrapped_and_files_pass(api, manager, connector, register, source):
    action = {"name": "ping", "description": "Check.", "input_schema": {}, "source_types": []}
    register(actions=[action])
    manager.add_credential(source.id, {"token": "t"}, principal_email="ada@example.com")
    connector.answers["/action"] = lambda _: Response(
        b"\x00file", headers={"X-File-Name": "a", "X-Other": "b"}, status=203
    )
    answer = act(api, source)
    assert (answer.status_code, answer.content, answer.headers["X-File-Name"]) == (200, b"\x00file", "a")
    assert "X-Other" not in answer.headers
    assert connector.bodies("/action")[0]["credentials"] == {
        "credentials": {"token": "t"},
        "config": {},
        "principal_email": "ada@example.com",
    }
    connector.answers["/action"] = ({"status": "error", "error": "no"}, 400)
    assert act(api, source).json() == {"status": "error", "result": None, "error": "no"}
    assert "source" not in connector.bodies("/action")[0]


@before("2026-06-02")
def test_in_may_complete_neither_reads_nor_publishes(api, manager, source, run_id):
    api.put(f"/sdk/source/{source.id}/connector-state", {"cursor": 1})
    body = {"documents_scanned": 7, "new_state": {"cursor": 2}}
    assert api.post(f"/sdk/sync/{run_id}/complete", body).status_code == 200
    run = manager.run(run_id)
    assert (run.status, run.documents_scanned) == ("completed", 0)
    assert manager.cursor(source.id) == {"cursor": 1}
    api.post(f"/sdk/sync/{run_id}/fail", {"error": "late"})
    assert manager.run(run_id).status == "completed"


@before("2026-06-02")
def test_in_may_a_lost_run_is_sent_again_without_saying_so(manager, connector, register, source):
    register()
    run_id = manager.trigger(source.id)
    connector.answers["/status"] = {"running": False}
    manager.tick()
    first, second = connector.bodies("/sync")
    assert first == second == {"sync_run_id": run_id, "source_id": source.id, "sync_mode": "full"}


@before("2026-06-02")
def test_in_may_registrations_last_90_seconds_and_types_are_built_in(api, manager, connector, clock):
    assert api.post("/sdk/register", manifest(connector.url)).status_code == 200
    manager.wait_for_connector("web", timeout_seconds=0)
    clock.advance(seconds=91)
    with pytest.raises(TimeoutError):
        manager.wait_for_connector("web", timeout_seconds=0)
    answer = api.post("/sdk/register", manifest(connector.url, source_types=["web", "acme"]))
    assert answer.status_code == 422
    assert "source_types[1]: unknown variant `acme`" in answer.text


@before("2026-03-30")
def test_in_march_files_beyond_two_mebibytes_are_unreadable(api, run_id):
    form = {"sync_run_id": run_id, "mime_type": "text/plain"}
    answer = api("POST", "/sdk/extract-content", data=form, files={"data": b"x" * 2_200_000})
    assert (answer.status_code, answer.json()["error"].startswith("Failed to read multipart field")) == (
        400,
        True,
    )
    assert api("POST", "/sdk/extract-content", data=form, files={"data": b"x"}).status_code == 200


@before("2026-08-02")
def test_on_the_last_day_before_people_all_else_is_as_today(api, emitter, source):
    batch = {"sync_run_id": emitter.run_id, "source_id": source.id, "events": [{"type": "person_sync"}]}
    answer = api.post("/sdk/events/batch", batch)
    assert (answer.status_code, "events[0].type: unknown variant" in answer.text) == (422, True)
    batch["events"] = [emitter.event()]
    assert api.post("/sdk/events/batch", batch).status_code == 200
    assert set(api.get(f"/sdk/source/{source.id}/sync-config").json()) >= {"checkpoint", "user_filter_mode"}
