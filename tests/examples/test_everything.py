"""The connectors that use everything, with every part in a process of its own: gunicorn, manager, wiki, MCP servers."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
import requests
from everything.tracker import Project
from support.everything import started
from support.manager_http import ManagerClient
from support.waiting import eventually

SAMPLE = Path(__file__).parents[2] / "examples" / "everything" / "projects" / "apollo"
TOKEN = "apollo-token"
SECRET = "s3cret"
OWNER = "owner@example.com"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with started(tmp_path_factory.mktemp("everything")) as world:
        yield world
        assert world.app.terminate() == 0, "with sessions open to both MCP servers"


@pytest.fixture
def manager(world):
    with ManagerClient(world.manager_url, world.data) as client:
        yield client


numbers = itertools.count(1)


@pytest.fixture
def project(world):
    """A copy of the sample project for one test, with a group of its own."""
    name = f"apollo-{next(numbers)}"
    shutil.copytree(SAMPLE, world.projects / name)
    set_facts(world.projects / name, group=f"{name}@example.com")
    return Project(world.projects, name, TOKEN)


def set_facts(folder, **changes):
    path = folder / "project.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.fixture
def add_source(manager, project):
    """Add a source for the project."""

    def add(config=(), **more):
        credentials = {"token": TOKEN, "webhook_secret": SECRET}
        return manager.add_source("linear", {"project": project.name, **dict(config)}, credentials, **more)

    return add


@pytest.fixture
def source(add_source):
    return add_source()


@pytest.fixture
def user(manager):
    """Add a user; return the id."""

    def add(email, *, is_admin=False):
        return manager.request("POST", "/local/users", {"email": email, "is_admin": is_admin}).json()["id"]

    return add


@pytest.fixture
def act(manager, source):
    """Run an action; return status and body of the answer."""

    def run(action, user_id=None, **params):
        body = {"source_id": source, "action": action, "params": params, "user_id": user_id}
        answer = manager.request("POST", "/action", body)
        return answer.status_code, answer.json()

    return run


def sync(manager, source, mode):
    ended = manager.wait(manager.trigger(source, mode))
    assert ended["status"] == "completed", ended
    return ended


def kinds(manager, run_id):
    """Return what kinds of events a run brought, and about which documents."""
    events = manager.store.events(run_id)
    assert {event.status for event in events} <= {"processed"}, events
    return sorted((event.type, event.payload.get("document_id", "")) for event in events)


def test_a_full_run_brings_documents_groups_and_people(world, manager, project, source):
    ended = sync(manager, source, "full")

    documents = manager.documents(source)
    overview, plan = documents.pop("overview"), documents.pop("AP-1/plan.html")
    assert "lander to the moon" in plain(overview)
    assert overview.endswith("Who works on it: Ann Archer, Bob Brown")
    assert "First the booster, then the capsule." in plain(plan)
    assert documents == {
        "AP-1": "It stutters at full thrust.",
        "AP-2": "White, with a red stripe.",
        "AP-3": "Raise them before the launch.",
    }
    assert (ended["documents_scanned"], ended["documents_updated"]) == (4, 5)
    counts = Counter(kind for kind, _ in kinds(manager, ended["sync_run_id"]))
    assert counts == {
        "document_created": 5,
        "document_deleted": 1,
        "person_sync": 2,
        "person_deleted": 1,
        "group_membership_sync": 1,
    }
    world.app.wait_for(r"AP-1/lost\.html.*FileNotFoundError")
    (group,) = [each for each in manager.store.groups() if each.source_id == source]
    assert (group.email, group.name) == (project.group, "Apollo")
    assert group.members == ("ann@example.com", "bob@example.com")
    bob = next(each for each in manager.store.people() if each.email == "bob@example.com")
    assert bob.entries[source] == {
        "external_id": "2",
        "email": "bob@example.com",
        "display_name": "Bob Brown",
        "job_title": "Engineer",
        "manager_external_id": "1",
    }
    issue = manager.store.document(source, "AP-1")
    assert issue.attributes == {"status": "open", "assignee": "ann@example.com", "due": "2026-09-01"}
    assert issue.metadata["extra"] == {"revision": 1}

    row = manager.source(source)
    assert row["checkpoint"] == {"revision": 5, "refused": []}
    assert row["connector_state"] == {"subscription": f"{project.name}-1"}
    assert json.loads((world.projects / project.name / "webhook.json").read_text()) == {"subscriber": source}


def plain(markdown):
    return markdown.replace("*", "")


def test_people_find_what_they_may(manager, source):
    sync(manager, source, "full")

    assert manager.search("thrust", source, person="bob@example.com") == ["AP-1"]
    assert manager.search("booster", source, person="ann@example.com") == ["AP-1/plan.html"]
    assert manager.search("lander", source, person="ann@example.com") == ["overview"]
    assert manager.search("thrust", source, person="cyd@example.com") == [], "who has left is in no group"
    assert manager.search("launch", source, person="ann@example.com") == [], "a private issue"
    assert manager.search("launch", source, person=OWNER) == ["AP-3"]


def test_an_incremental_run_brings_what_has_changed(world, manager, project, source):
    sync(manager, source, "full")
    project.save("AP-2", text="Blue.")
    project.save("AP-5", title="Lunch", text="Soup.", updated_at="2026-08-05T09:00:00Z")
    project.save("AP-1", is_deleted=True)

    second = sync(manager, source, "incremental")

    assert [each for each in kinds(manager, second["sync_run_id"]) if each[1]] == [
        ("document_created", "AP-5"),
        ("document_deleted", "AP-1"),
        ("document_deleted", "AP-1/lost.html"),
        ("document_deleted", "AP-1/plan.html"),
        ("document_updated", "AP-2"),
    ]
    assert manager.documents(source).keys() == {"overview", "AP-2", "AP-3", "AP-5"}
    assert manager.documents(source)["AP-2"] == "Blue."
    assert manager.source(source)["checkpoint"] == {"revision": 8, "refused": []}
    world.app.wait_for(r"Apollo was last synced at 20\d\d-")


def test_a_realtime_run_watches_beside_a_full_one_until_it_is_cancelled(world, manager, project, source):
    run = manager.trigger(source, "realtime")
    eventually(lambda: manager.documents(source).keys() >= {"AP-1", "AP-2", "AP-3"})
    sync(manager, source, "full")
    project.save("AP-6", title="Leak", text="Oxygen, again.", updated_at="2026-08-06T09:00:00Z")
    eventually(lambda: manager.search("oxygen", source, person="ann@example.com") == ["AP-6"])
    eventually(lambda: revision_of(manager, run) == 6)

    manager.cancel(run)

    assert manager.wait(run)["status"] == "cancelled"
    world.app.wait_for(rf"Sync of source .*{source}\)? cancelled")
    url = f"{world.app_url}/connectors/tracker/sync/{run}"
    eventually(lambda: requests.get(url, timeout=60).json() == {"running": False})
    assert manager.source(source)["checkpoint"] == {"revision": 5, "refused": []}
    assert sync(manager, source, "incremental")["documents_scanned"] == 1


def revision_of(manager, run):
    checkpoint = manager.request("GET", f"/local/runs/{run}").json()["checkpoint"]
    return checkpoint and checkpoint["revision"]


def test_what_cannot_be_synced_is_refused_before_it_begins(world, manager, project, add_source):
    set_facts(world.projects / project.name, is_archived=True)
    archived, lost = add_source(), add_source({"project": "gemini"})

    refusals = {}
    for source, mode in ((archived, "realtime"), (lost, "full")):
        answer = manager.request("POST", "/sync", {"source_id": source, "sync_mode": mode})
        (run,) = manager.store.runs(source)
        refusals[source] = (answer.status_code, run.status)
        assert run.documents_scanned == 0
    assert refusals == {archived: (400, "cancelled"), lost: (500, "failed")}
    (run,) = manager.store.runs(lost)
    assert "no project 'gemini'" in run.error_message
    sync(manager, archived, "full")


def test_only_the_people_whom_the_administrator_wants_are_indexed(manager, add_source):
    source = add_source(user_filter_mode="blacklist", user_blacklist=["Bob@Example.com"])

    sync(manager, source, "full")

    assert "AP-2" not in manager.documents(source), "Bob's issue"
    assert "AP-1" in manager.documents(source), "Ann's issue"
    entered = [person.email for person in manager.store.people() if source in person.entries]
    assert entered == ["ann@example.com"]


def test_the_manifest_tells_what_can_be_searched_and_done(manager):
    tracker, wiki = manager.manifest("linear"), manager.manifest("notion")

    assert [each["operator"] for each in tracker["search_operators"]] == ["status", "assignee", "due"]
    assert tracker["attributes_schema"]["properties"]["assignee"] == {"type": "string", "format": "email"}
    assert tracker["extra_schema"]["properties"] == {"revision": {"type": "integer"}}
    assert tracker["oauth"] is None
    assert wiki["oauth"]["scopes"] == {"notion": {"read": ["pages.read"], "write": ["pages.write"]}}
    listed = manager.request("GET", "/actions").json()["actions"]
    modes = {each["name"]: each["mode"] for each in listed if each["source_type"] == "linear"}
    assert modes == {
        "find_issues": "read",
        "close_issue": "write",
        "delete_issue": "write",
        "download_file": "read",
        "count_issues": "read",
        "assign_issue": "write",
    }
    scopes = {each["name"]: each["required_scopes"] for each in wiki["actions"]}
    assert scopes["write_page"] == ["pages.write"]


def test_declared_actions_read_and_write_the_source(project, act, user):
    assert act("find_issues", text="capsule") == (
        200,
        success([{"id": "AP-2", "title": "Paint the capsule", "status": "done"}]),
    )
    assert act("find_issues", status="open")[1]["result"][0]["id"] == "AP-1"
    status, body = act("find_issues", status="lost")
    assert (status, body["status"], body["error"].startswith("status:")) == (400, "error", True)
    status, body = act("close_issue", issue="AP-1")
    assert (status, "reason" in body["error"]) == (400, True)

    ann = user("ann@example.com")
    assert act("close_issue", ann, issue="AP-1", reason="Fuel.") == (200, success("AP-1 is closed."))
    assert project.issue("AP-1").status == "done"
    assert project.issue("AP-1").text.endswith("Closed by ann@example.com: Fuel.")
    assert act("close_issue", ann, issue="AP-9", reason="")[0] == 400


def test_some_actions_are_for_administrators_or_hidden(manager, project, act, user):
    status, body = act("delete_issue", user("ann@example.com"), issue="AP-1")
    assert (status, "admin" in body["error"]) == (400, True)
    boss = user("boss@example.com", is_admin=True)
    assert act("delete_issue", boss, issue="AP-1") == (200, success({"deleted": "AP-1"}))
    assert project.issue("AP-1").is_deleted

    setting_up = {
        "action": "check_project",
        "params": {"project": project.name},
        "source_type": "linear",
        "user_id": boss,
        "transient_credentials": {
            "provider": "linear",
            "auth_type": "api_key",
            "credentials": {"token": TOKEN},
        },
    }
    answer = manager.request("POST", "/action", setting_up)
    assert answer.json() == success({"title": "Apollo", "issues": 4, "is_archived": False}), answer.text


def test_a_read_only_source_refuses_to_write(manager, add_source):
    source = add_source({"read_only": True})
    body = {"source_id": source, "action": "close_issue", "params": {"issue": "AP-1", "reason": ""}}
    answer = manager.request("POST", "/action", body)
    assert (answer.status_code, "read-only" in answer.text) == (400, True)
    assert manager.request("POST", "/action", {**body, "action": "find_issues"}).status_code == 200


def test_an_action_answers_a_file_by_the_id_of_its_document(manager, source, act):
    sync(manager, source, "full")
    document = manager.store.document(source, "AP-1/plan.html")
    body = {"source_id": source, "action": "download_file", "params": {"document_id": document.id}}

    answer = manager.request("POST", "/action", body)

    assert (answer.status_code, answer.content) == (
        200,
        (SAMPLE / "files" / "AP-1" / "plan.html").read_bytes(),
    )
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Disposition"] == "attachment; filename=AP-1-plan.html"
    assert act("download_file", file_id="AP-1/other.html") == (
        404,
        {"status": "error", "result": None, "error": "AP-1 has no file 'other.html'."},
    )


def test_tools_of_the_stdio_server_are_actions(manager, project, source, act):
    """``project`` is a setting of the source, which the manager adds to the parameters."""
    counted = act("count_issues")[1]["result"]["structured_content"]
    assert counted == {"open": 2, "done": 1}
    status, body = act("assign_issue", issue="AP-3", person="bob@example.com")
    assert (status, body["result"]["content"]) == (200, "bob@example.com has AP-3 now.")
    assert project.issue("AP-3").assignee == "bob@example.com"
    status, body = act("assign_issue", issue="AP-3", person="cyd@example.com")
    assert (status, "does not work on Apollo" in body["error"]) == (400, True)
    sync(manager, source, "full")
    assert manager.search("launch", source, person="bob@example.com") == ["AP-3"]


def test_resources_and_prompts_come_from_the_stdio_server(manager, project, source):
    listed = manager.request("GET", "/resources").json()["resources"]
    assert {"tracker://statuses", "tracker://{project}/issues/{issue}"} <= {
        each["uri_template"] for each in listed
    }
    for uri, text in (
        ("tracker://statuses", "open: somebody has to do something.\ndone: nobody has."),
        (f"tracker://{project.name}/issues/AP-2", "White, with a red stripe."),
    ):
        answer = manager.request("POST", "/resource", {"source_id": source, "uri": uri}).json()
        assert [each["text"] for each in answer["contents"]] == [text]

    listed = manager.request("GET", "/prompts").json()["prompts"]
    assert "triage" in [each["name"] for each in listed if each["source_type"] == "linear"]
    body = {"source_id": source, "name": "triage", "arguments": {"issue": "AP-1", "urgency": "high"}}
    (message,) = manager.request("POST", "/prompt", body).json()["messages"]
    assert message["content"]["text"].startswith("Who should look at AP-1? Its urgency is high.")


def test_skills_are_static_computed_or_made_of_a_prompt(manager, project, source):
    listed = manager.request("GET", "/skills").json()["skills"]
    assert {"write-an-issue", "open-issues", "triage", "mcp:triage"} <= {each["id"] for each in listed}

    def load(skill_id, **arguments):
        body = {"skill_id": skill_id, "source_id": source, "arguments": arguments}
        return manager.request("POST", "/skill", body).json()["content"]

    assert load("write-an-issue").startswith("An issue has one sentence as its title")
    assert load("open-issues", project=project.name) == (
        "Open in Apollo:\n- AP-1 The engine stutters (ann@example.com)\n- AP-3 Salaries (nobody)"
    )
    for skill_id in ("triage", "mcp:triage"):
        assert "Who should look at AP-3? Its urgency is usual." in load(skill_id, issue="AP-3")


def test_a_webhook_has_the_manager_start_an_incremental_run(world, manager, project, source):
    sync(manager, source, "full")
    project.save("AP-7", title="Hatch", text="It squeaks.", updated_at="2026-08-07T09:00:00Z")
    body = json.dumps({"type": "issue.created"}).encode()

    def send(source_id, secret):
        signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Signature": signature, "Content-Type": "application/json"}
        url = f"{world.app_url}/webhooks/tracker/{source_id}"
        return requests.post(url, body, headers=headers, timeout=60)

    assert send(source, "wrong").status_code == 401
    assert send("nowhere", SECRET).status_code == 404
    answer = send(source, SECRET)

    assert answer.status_code == 202, answer.text
    assert manager.wait(answer.json()["sync_run_id"])["status"] == "completed"
    run = manager.request("GET", f"/local/runs/{answer.json()['sync_run_id']}").json()
    assert (run["trigger_type"], run["sync_type"]) == ("webhook", "incremental")
    assert manager.search("squeaks", source, person="bob@example.com") == ["AP-7"]


def test_the_wiki_is_known_once_an_account_is_connected(world, manager, user):
    """Its server, over HTTP, tells nobody without an account what it offers: the whole story in one test."""
    source = manager.add_source("notion", {}, {"access_token": "office-token"}, auth_type="oauth")
    ann, bob = user("ann@example.com"), user("bob@example.com")

    def act(user_id, action, **params):
        body = {"source_id": source, "user_id": user_id, "action": action, "params": params}
        answer = manager.request("POST", "/action", body)
        return answer.status_code, answer.json()

    assert manager.manifest("notion")["mcp_catalog_loaded"] is False
    status, body = act(ann, "write_page", name="moon", text="It is cold.")
    assert (status, body["error"], body["provider"]) == (412, "needs_user_auth", "notion")

    announced = {"source_id": source, "user_id": ann, "provider": "notion", "flow": "user_read"}
    ready = manager.request("POST", "/oauth/credential-ready", announced).json()
    assert ready == {"status": "missing_credentials"}
    account = {"source_id": source, "user_id": ann, "auth_type": "oauth"}
    for token, expected in (
        ("forged-token", {"status": "delivery_failed"}),
        ("ann-token", {"status": "completed", "catalog_updated": True}),
    ):
        stored = {**account, "credentials": {"access_token": token}}
        assert manager.request("POST", "/local/credentials", stored).ok
        ready = manager.request("POST", "/oauth/credential-ready", announced).json()
        assert ready == expected
    world.app.wait_for(f"ann@example.com connected an account for source {source}")

    manifest = manager.manifest("notion")
    assert manifest["mcp_catalog_loaded"] is True
    assert {each["name"] for each in manifest["actions"]} == {"write_page", "who_am_i", "list_pages"}
    assert act(ann, "who_am_i")[1]["result"]["content"] == "ann@example.com"
    assert act(None, "who_am_i")[1]["result"]["content"] == "office@example.com"
    assert act(bob, "who_am_i")[0] == 412
    written = act(ann, "write_page", name="moon", text="It is cold.")
    assert written == (200, success("ann@example.com wrote moon."))
    read = manager.request("POST", "/resource", {"source_id": source, "uri": "wiki://pages/moon"}).json()
    assert read["contents"][0]["text"] == "It is cold."

    sync(manager, source, "full")

    assert manager.documents(source) == {
        "holidays": "Everybody has thirty days.",
        "moon": "It is cold.",
        "welcome": "Hello, and mind the step.",
    }
    assert manager.search("cold", source, person="eve@example.org") == ["moon"]


def success(result):
    return {"status": "success", "result": result, "error": None}
