"""A connector that mirrors an MCP server, behind real HTTP, registered with the embedded manager."""

from __future__ import annotations

import json
import os
import signal
import threading
import time

import pytest
import requests
from flask import g, request
from support.mcp_servers import WAIT, Mirror, children, http_library, python_server, wait_until_gone
from support.openapi import problems, response_problems

from omni_connector import (
    ActionDefinition,
    ActionResponse,
    ConfigurationError,
    Connector,
    Document,
    DocumentPermissions,
    McpRefusedError,
    OAuthManifestConfig,
    SkillDefinition,
)
from omni_connector.models.mcp_servers import HttpMcpServer, StdioMcpServer
from omni_connector.runtime import manifest as announcing
from omni_connector.testing import serve_connector

CREDENTIALS = {"token": "t0p-secret"}
SOURCE = "source-of-mirror"


def until(condition, seconds=WAIT):
    """Ask again and again until it is true; what is waited for happens in another process or thread."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not become true"
        time.sleep(0.005)
    return found


class Manager:
    """The embedded manager as its callers see it; counts registrations."""

    def __init__(self, manager):
        self.manager = manager
        self.registrations = []
        manager.app.before_request(
            lambda: setattr(g, "body", request.get_data())
        )  # Read once, kept for later.
        manager.app.after_request(self._note)
        self.client = manager.app.test_client()

    def _note(self, response):
        if request.path == "/sdk/register":
            self.registrations.append(json.loads(g.body))
        return response

    def actions(self):
        return {each["name"]: each for each in self.client.get("/actions").json["actions"]}

    def get(self, path):
        return self.client.get(path).json

    def post(self, path, **body):
        answer = self.client.post(path, json={"source_id": SOURCE, **body})
        return answer.status_code, answer.json

    def act(self, action, **params):
        return self.post("/action", action=action, params=params)

    def add_source(self, credentials=CREDENTIALS, config=None):
        self.manager.add_source(
            source_id=SOURCE,
            source_type="web",
            credentials=credentials,
            config=config or {"base_url": "https://x"},
        )

    def sync(self):
        self.manager.wait_for_run(self.manager.trigger(SOURCE), WAIT)


@pytest.fixture
def omni(omni_manager):
    return Manager(omni_manager)


@pytest.fixture
def mirrored(omni, omni_manager):
    """Serve connectors with a source, and sync once, so that what the server offers is known."""
    with_connectors = []

    def serve(connector, *, sync=True, **source):
        served = serve_connector(connector, omni_manager)
        with_connectors.append(served)
        omni.add_source(**source)
        if sync:
            omni.sync()
            until(lambda: omni.registrations[-1]["mcp_catalog_loaded"])
        return served

    yield serve
    for served in with_connectors:
        served.close()


# -- the manifest -----------------------------------------------------------------------------------------------


def test_before_a_sync_the_manifest_says_that_the_catalogue_is_not_known(mirrored, awkward):
    served = mirrored(Mirror(awkward), sync=False)
    wire = requests.get(f"{served.url}/manifest", timeout=WAIT).json()
    assert (wire["mcp_enabled"], wire["mcp_catalog_loaded"], wire["actions"]) == (True, False, [])


def test_after_a_sync_everything_is_announced_at_once(omni, mirrored, awkward):
    mirrored(Mirror(awkward))
    actions = omni.actions()
    assert {"pid", "hang", "say", "recursive", "conditional"} <= set(actions)
    assert "unspeakable" not in actions
    assert (actions["pid"]["mode"], actions["say"]["mode"]) == ("read", "write")
    manifest = omni.registrations[-1]
    assert problems("manager", "ConnectorManifest", manifest) == []
    assert all(action["source_types"] == ["web"] for action in manifest["actions"])
    assert [each["uri_template"] for each in omni.get("/resources")["resources"]][:2] == [
        "awkward://1",
        "awkward://2",
    ]
    assert [each["name"] for each in omni.get("/prompts")["prompts"]] == ["first", "second", "third"]
    assert [each["id"] for each in omni.get("/skills")["skills"]] == ["mcp:first", "mcp:second", "mcp:third"]


def test_what_the_connector_declares_wins(omni, mirrored, awkward):
    class Declaring(Mirror):
        actions = [ActionDefinition(name="pid", description="The connector's own")]
        skills = [SkillDefinition(id="mcp:first", title="Own", content="By hand")]

        def execute_action(self, action, params, credentials):
            return ActionResponse.success("own") if action == "pid" else ActionResponse.not_supported(action)

    mirrored(Declaring(awkward))
    assert omni.actions()["pid"]["description"] == "The connector's own"
    assert omni.act("pid")[1]["result"] == "own"
    assert omni.act("environment", name="TOKEN")[1]["result"] == {"content": "t0p-secret"}
    assert omni.post("/skill", skill_id="mcp:first")[1]["content"] == "By hand"


def test_a_sync_is_answered_at_once_even_if_the_server_hangs(mirrored, silent_address, omni):
    served = mirrored(Mirror(HttpMcpServer(silent_address, connect_timeout_seconds=60)), sync=False)
    began = time.monotonic()
    omni.sync()
    assert time.monotonic() - began < 30
    assert served.service.manifest()["mcp_catalog_loaded"] is False


def test_a_sync_whose_server_fails_completes_and_the_log_says_why(omni, mirrored, caplog):
    mirrored(Mirror(StdioMcpServer("no-such-program")), sync=False)
    omni.sync()
    until(lambda: "is not known: MCP server no-such-program" in caplog.text)
    assert omni.manager.runs(SOURCE)[0].status == "completed"


def test_a_server_that_needs_no_credentials_is_asked_at_the_start(omni, mirrored):
    mirrored(Mirror(python_server("awkward", needs_credentials=False)), sync=False)
    until(lambda: omni.registrations[-1]["mcp_catalog_loaded"])
    assert "pid" in omni.actions()


def test_a_change_of_the_lists_is_registered_at_once(omni, mirrored, awkward):
    mirrored(Mirror(awkward))
    assert omni.act("grow")[0] == 200
    until(lambda: "grown" in omni.actions())


def test_a_second_start_knows_the_catalogue_from_the_disk(awkward, tmp_path, manager_in_memory):
    first = manager_in_memory(Mirror(awkward), catalog_cache_dir=tmp_path / "cache")
    first.mirror.bridge.discover(CREDENTIALS)
    names = {action["name"] for action in first.manifest()["actions"]}
    first.close()
    second = manager_in_memory(Mirror(awkward), catalog_cache_dir=tmp_path / "cache")
    wire = second.manifest()
    assert wire["mcp_catalog_loaded"] is True
    assert {action["name"] for action in wire["actions"]} == names
    third = manager_in_memory(
        Mirror(awkward), catalog_cache_dir=tmp_path / "cache", catalog_cache_ttl_seconds=0
    )
    assert third.manifest()["mcp_catalog_loaded"] is False


# -- requests ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def library_url():
    with http_library() as url:
        yield url


@pytest.fixture
def library(library_url):
    """The library over HTTP, one process for all: importing the ``mcp`` package takes longer than these tests."""
    return HttpMcpServer(library_url)


@pytest.fixture
def whole(omni, mirrored, library):
    """A connector with a library, and its manager."""
    mirrored(Mirror(library))
    return omni


def test_a_tool_is_run_as_an_action(whole):
    status, body = whole.act("find_book", title="Boats")
    assert status == 200
    assert response_problems("post", "/action", 200, body) == []
    assert body["status"] == "success"
    assert body["result"]["structured_content"] == {"title": "Boats", "year": 1984}
    assert json.loads(body["result"]["content"]) == {"title": "Boats", "year": 1984}


def test_a_tool_that_fails_or_is_given_wrong_arguments_answers_400(whole):
    status, body = whole.act("burn", title="Boats")
    assert (status, body["status"]) == (400, "error")
    assert "burn" in body["error"]
    assert response_problems("post", "/action", 400, body) == []
    status, body = whole.act("lend", book="no object")
    assert (status, body["status"]) == (400, "error")
    assert "book" in body["error"]


def test_a_resource_is_read(whole):
    status, body = whole.post("/resource", uri="library://books/Boats")
    assert (status, body["contents"][0]["text"]) == (200, "The text of Boats.")
    assert response_problems("post", "/resource", 200, body) == []
    status, body = whole.post("/resource", uri="library://nothing")
    assert status == 500
    assert "library://nothing" in body["error"]


def test_a_prompt_is_fetched_also_as_a_skill(whole):
    status, body = whole.post("/prompt", name="recommend", arguments={"subject": "boats", "mood": 3})
    assert status == 200
    assert response_problems("post", "/prompt", 200, body) == []
    assert body["messages"][0]["content"]["text"] == "Recommend a book about boats for a 3 mood."
    assert whole.post("/prompt", name="nothing")[0] == 500
    status, body = whole.post("/skill", skill_id="mcp:recommend", arguments={"subject": "boats"})
    assert response_problems("post", "/skill", 200, body) == []
    assert body == {
        "skill_id": "mcp:recommend",
        "title": "Recommend a book",
        "content": "Ask for a recommendation.\n\nRecommend a book about boats for a any mood.",
    }
    assert whole.post("/skill", skill_id="mcp:nothing")[0] == 404


def test_a_skill_that_is_no_prompt_of_the_server_is_unknown(mirrored, awkward):
    served = mirrored(Mirror(awkward))
    body = {"skill_id": "mcp:nothing", "arguments": None, "credentials": CREDENTIALS}
    answer = requests.post(f"{served.url}/skill", json=body, timeout=WAIT)
    assert (answer.status_code, answer.json()) == (404, {"error": "Unknown skill: mcp:nothing"})


def test_failures_are_answered_in_the_documented_shape(mirrored, awkward):
    served = mirrored(Mirror(awkward), sync=False)
    for path, body in [("/resource", {"uri": "a://b"}), ("/prompt", {"name": "unknown"})]:
        answer = requests.post(served.url + path, json={**body, "credentials": {}}, timeout=WAIT)
        assert answer.status_code == 500, answer.text
        assert response_problems("post", path, 500, answer.json()) == []
    answer = requests.post(f"{served.url}/prompt", json={"name": "x", "arguments": [1]}, timeout=WAIT)
    assert (answer.status_code, answer.json()["field"]) == (400, "arguments")


def test_a_server_that_hangs_answers_500_in_time_and_holds_no_thread(omni, mirrored):
    mirrored(Mirror(python_server("awkward", call_timeout_seconds=2)))
    before = threading.active_count()
    status, body = omni.act("hang")
    assert (status, body["error"]) == (500, "MCP server python did not answer within 2 s")
    assert omni.act("pid")[0] == 200
    assert threading.active_count() <= before + 2


def test_a_server_that_was_killed_is_started_again(omni, mirrored, awkward):
    mirrored(Mirror(awkward))
    first = int(omni.act("pid")[1]["result"]["content"])
    os.kill(first, signal.SIGKILL)
    wait_until_gone(first)
    assert int(omni.act("pid")[1]["result"]["content"]) != first


def test_the_source_s_config_and_the_manager_s_names_do_not_reach_the_tool(omni, mirrored, awkward):
    mirrored(Mirror(awkward), config={"base_url": "https://x", "read_only": False})
    _, body = omni.act("arguments", document_id="unknown", count=2)
    assert json.loads(body["result"]["content"]) == {"document_id": "unknown", "count": 2}
    _, body = omni.act("arguments", file_id="x")
    assert json.loads(body["result"]["content"]) == {"document_id": "x"}


def test_a_tool_is_run_although_nothing_was_discovered_in_this_process(mirrored, awkward):
    served = mirrored(Mirror(awkward), sync=False)
    body = {"action": "environment", "params": {"name": "TOKEN"}, "credentials": CREDENTIALS}
    answer = requests.post(f"{served.url}/action", json=body, timeout=WAIT)
    assert answer.json()["result"] == {"content": "t0p-secret"}
    answer = requests.post(f"{served.url}/action", json={**body, "action": "nothing"}, timeout=WAIT)
    assert (answer.status_code, answer.json()["error"]) == (404, "Action not supported: nothing")


# -- credentials ------------------------------------------------------------------------------------------------

WRAPPER = {"credentials": CREDENTIALS, "config": {"region": "eu"}, "auth_type": "api_key"}


def test_the_hook_is_given_the_secrets_whatever_the_endpoint(mirrored, awkward):
    seen = []

    class Curious(Mirror):
        def prepare_mcp_env(self, credentials, config=None, *, wrapper):
            seen.append((credentials, config, wrapper and wrapper["auth_type"]))
            return {}

    served = mirrored(Curious(awkward), sync=False)
    row = {**WRAPPER, "id": "c", "source_id": "s"}
    bodies = {
        "/action": {"action": "pid", "params": {}, "credentials": row},
        "/resource": {"uri": "a://b", "credentials": WRAPPER},
        "/prompt": {"name": "first", "credentials": WRAPPER},
        "/skill": {"skill_id": "mcp:first", "credentials": WRAPPER},
        "/oauth/credential-ready": {
            "source_id": "s",
            "user_id": None,
            "provider": "p",
            "flow": "user_read",
            "credentials": WRAPPER,
        },
    }
    for path, body in bodies.items():
        seen.clear()
        requests.post(served.url + path, json=body, timeout=WAIT)
        assert set(map(json.dumps, seen)) == {json.dumps((CREDENTIALS, {"region": "eu"}, "api_key"))}, path


def test_secrets_that_have_a_key_called_credentials_are_not_unwrapped(mirrored, awkward, omni):
    seen = []

    class Curious(Mirror):
        def prepare_mcp_env(self, credentials):
            seen.append(credentials)
            return {}

    odd = {"credentials": "a string", "token": "t"}
    mirrored(Curious(awkward), credentials=odd)
    assert seen == [odd]


# -- accounts that are connected --------------------------------------------------------------------------------


class WithOAuth(Mirror):
    def oauth_config(self):
        return OAuthManifestConfig(
            provider="acme",
            auth_endpoint="https://a",
            token_endpoint="https://t",
            userinfo_endpoint="https://u",
        )


def connect_account(omni, credentials=CREDENTIALS):
    ann = omni.manager.add_user("ann@example.com")
    omni.manager.add_credential(SOURCE, credentials, user_id=ann.id, provider="acme", auth_type="oauth")
    return ann


def test_a_new_account_has_the_catalogue_loaded_and_announced(omni, mirrored, awkward):
    served = mirrored(WithOAuth(awkward), sync=False, credentials=None)
    body = {
        "source_id": SOURCE,
        "user_id": None,
        "provider": "acme",
        "flow": "user_read",
        "credentials": {**WRAPPER, "auth_type": "oauth"},
    }
    answer = requests.post(f"{served.url}/oauth/credential-ready", json=body, timeout=WAIT)
    assert answer.status_code == 200
    assert answer.json()["mcp_catalog_loaded"] is True
    assert response_problems("post", "/oauth/credential-ready", 200, answer.json()) == []
    until(lambda: omni.registrations[-1]["mcp_catalog_loaded"])
    answer = requests.post(f"{served.url}/oauth/credential-ready", json=body, timeout=WAIT)
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_server_that_takes_long_is_announced_when_it_is_there(omni, mirrored, monkeypatch):
    monkeypatch.setattr(announcing, "BOOTSTRAP_SECONDS", 0.05)
    served = mirrored(WithOAuth(python_server("awkward", "slow")), sync=False, credentials=None)
    body = {"source_id": SOURCE, "provider": "acme", "flow": "user_read", "credentials": WRAPPER}
    answer = requests.post(f"{served.url}/oauth/credential-ready", json=body, timeout=WAIT)
    assert answer.status_code == 204
    until(lambda: omni.registrations[-1]["mcp_catalog_loaded"])


def test_a_manager_that_knows_an_account_recovers_the_catalogue_and_that_is_the_end_of_it(
    omni, omni_manager, awkward
):
    omni.add_source(credentials=None)
    connect_account(omni)
    with serve_connector(WithOAuth(awkward), omni_manager):
        until(lambda: omni.registrations[-1]["mcp_catalog_loaded"])
        count = len(omni.registrations)
        omni_manager.tick()
        assert count <= 3
        assert len(omni.registrations) == count


def test_an_account_that_is_no_use_leads_to_no_circle(omni, omni_manager, caplog):
    omni.add_source(credentials=None)
    connect_account(omni)
    with serve_connector(WithOAuth(StdioMcpServer("no-such-program")), omni_manager):
        until(lambda: len(omni.registrations) == 2)  # The test kit's, and the first by itself.
        with pytest.raises(AssertionError):  # A circle would go round many times.
            until(lambda: len(omni.registrations) > 2, 0.3)
        assert not omni.registrations[-1]["mcp_catalog_loaded"]


# -- the author's own calls and overrides -----------------------------------------------------------------------


def test_a_blocking_sync_may_call_the_server(run_sync, library):
    class Reading(Mirror):
        def sync(self, source_config, credentials, state, ctx):
            book = self.mcp.call_tool("find_book", {"title": "Boats"}, credentials)
            rules = self.mcp.read_resource("library://rules", credentials)
            asked = self.mcp.get_prompt("recommend", {"subject": "boats"}, credentials)
            text = rules["contents"][0]["text"] + asked["messages"][0]["content"]["text"]
            ctx.emit(note(book.structured_content["title"], text))

    result = run_sync(Reading(library), credentials=CREDENTIALS)
    assert result.documents["Boats"].content.startswith("No fire.Recommend a book about boats")


def test_an_async_sync_awaits_the_same_calls(run_sync, library):
    class Reading(Mirror):
        async def sync(self, source_config, credentials, state, ctx):
            book = await self.mcp.call_tool("find_book", {"title": "Boats"}, credentials)
            rules = await self.mcp.read_resource("library://rules", credentials)
            await ctx.emit(note(book.structured_content["title"], rules["contents"][0]["text"]))

    result = run_sync(Reading(library), credentials=CREDENTIALS)
    assert result.documents["Boats"].content == "No fire."


def note(key, text):
    return Document(external_id=key, title=key, content=text, permissions=DocumentPermissions(public=True))


def test_a_tool_that_fails_raises_in_a_sync(run_sync, library):
    class Burning(Mirror):
        def sync(self, source_config, credentials, state, ctx):
            with pytest.raises(McpRefusedError, match="burn"):
                self.mcp.call_tool("burn", {"title": "Boats"}, credentials)

    assert run_sync(Burning(library)).status == "completed"


def test_there_is_nothing_to_call_where_no_server_is_declared_or_nothing_is_served(awkward, run_sync):
    with pytest.raises(ConfigurationError, match=r"declare Mirror\.mcp_server"):
        _ = Mirror(awkward).mcp

    class Plain(Mirror):
        def sync(self, source_config, credentials, state, ctx):
            _ = self.mcp

    assert "declare Plain.mcp_server" in run_sync(Plain(None)).error


def test_overrides_may_ask_the_default_to_run_a_tool(omni, mirrored, awkward):
    class Asynchronous(Mirror):
        async def execute_action(self, action, params, credentials):
            told = await super().execute_action(action, params, credentials)
            told.result = {**told.result, "seen": True}
            return told

        async def bootstrap_mcp(self, credentials):
            return await super().bootstrap_mcp(credentials)

        async def prepare_mcp_env(self, credentials):
            return {**await Connector.prepare_mcp_env(self, credentials), "REGION": "eu"}

    mirrored(Asynchronous(awkward))
    assert omni.act("environment", name="REGION")[1]["result"] == {"content": "eu", "seen": True}


def test_a_bootstrap_that_looks_at_the_credentials_may_refuse_them(omni, mirrored, awkward):
    class Picky(Mirror):
        def bootstrap_mcp(self, credentials):
            return "token" in credentials and super().bootstrap_mcp(credentials)

    served = mirrored(Picky(awkward), sync=False, credentials={"other": "x"})
    before = children()
    omni.sync()
    served.service.mirror.bridge.in_background(lambda: None).result(WAIT)
    assert children() == before
    omni.manager.add_credential(SOURCE, CREDENTIALS)
    omni.sync()
    until(lambda: omni.registrations[-1]["mcp_catalog_loaded"])


def test_a_bootstrap_that_raises_costs_nothing_but_a_line(omni, mirrored, awkward, caplog):
    class Broken(Mirror):
        def bootstrap_mcp(self, credentials):
            raise RuntimeError(f"no: {credentials['token']}")

    mirrored(Broken(awkward), sync=False)
    omni.sync()
    until(lambda: "Broken.bootstrap_mcp failed: RuntimeError: no: ***" in caplog.text)


# -- the end ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_sync_that_waits_for_the_server_ends_when_the_connector_does(omni, mirrored, awkward):
    began = threading.Event()

    class Waiting(Mirror):
        def sync(self, source_config, credentials, state, ctx):
            began.set()
            self.mcp.call_tool("hang", {}, credentials)

    served = mirrored(Waiting(awkward), sync=False)
    run_id = omni.manager.trigger(SOURCE)
    assert began.wait(WAIT)
    before = time.monotonic()
    served.close()
    # It waits for a checkpoint for half of the time that there is, and interrupts the call then.
    assert time.monotonic() - before < 60
    assert omni.manager.run(run_id).status == "running"  # The manager resumes it.
