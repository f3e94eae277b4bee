"""Listings over manifests, and the calls that are handed on to MCP."""

import pytest

ACTION = {"name": "fetch", "description": "Fetch.", "input_schema": {"type": "object"}, "mode": "read"}
OAUTH = {"provider": "clickup"}


def names(api, **params):
    return sorted(
        (each["source_type"], each["name"]) for each in api.get("/actions", params=params).json()["actions"]
    )


def test_actions_are_listed_per_type(api, manager, register):
    register(
        source_types=["web", "jira"],
        actions=[
            {**ACTION, "name": "everywhere"},
            {**ACTION, "name": "jira-only", "source_types": ["jira"]},
            {**ACTION, "name": "hidden", "hidden": True},
            {**ACTION, "name": "write", "mode": "write", "source_types": ["web"]},
        ],
    )
    listed = [("jira", "everywhere"), ("jira", "jira-only"), ("web", "everywhere"), ("web", "write")]
    assert names(api) == listed
    read_only = manager.add_source(source_type="web", config={"read_only": True})
    assert names(api, source_id=read_only.id) == listed[:-1]
    assert names(api, source_id="unknown") == listed
    assert api.get("/actions").json()["actions"][0] == {
        "source_type": "web",
        "name": "everywhere",
        "description": "Fetch.",
        "input_schema": {"type": "object"},
        "mode": "read",
        "admin_only": False,
    }


def test_write_actions_of_a_read_only_manifest_are_left_out(api, register):
    register(read_only=True, actions=[ACTION, {**ACTION, "name": "write", "mode": "write"}])
    assert names(api) == [("web", "fetch")]


@pytest.mark.parametrize("enabled", [True, False])
def test_resources_and_prompts_of_mcp_manifests(api, register, enabled):
    register(
        mcp_enabled=enabled,
        resources=[{"uri_template": "repo://{x}", "name": "repo"}],
        prompts=[{"name": "summarise", "arguments": [{"name": "topic"}]}],
    )
    resource = {
        "source_type": "web",
        "uri_template": "repo://{x}",
        "name": "repo",
        "description": None,
        "mime_type": None,
    }
    argument = {"name": "topic", "description": None, "required": False}
    prompt = {"source_type": "web", "name": "summarise", "description": None, "arguments": [argument]}
    assert api.get("/resources").json() == {"resources": [resource] if enabled else []}
    assert api.get("/prompts").json() == {"prompts": [prompt] if enabled else []}


def test_skills_are_listed_per_source_or_without_one(api, manager, register):
    first, second = (manager.add_source(source_type="web") for _ in range(2))
    register(
        source_types=["web", "jira"],
        skills=[
            {"id": "a", "title": "A"},
            {"id": "b", "title": "B", "source_types": ["web"], "content": "text"},
        ],
    )
    listed = api.get("/skills").json()["skills"]
    keys = sorted((each["id"], each["source_type"], each["source_id"] or "") for each in listed)
    assert keys == sorted(
        [("a", "jira", ""), *((skill, "web", source.id) for skill in "ab" for source in (first, second))]
    )
    assert set(listed[0]) == {
        "connector_id",
        "source_type",
        "source_id",
        "id",
        "title",
        "description",
        "mcp_prompt",
    }


def test_an_unhealthy_connector_is_listed_as_such(api, connector, register):
    register()
    connector.answers["/health"] = ("down", 500)
    (entry,) = api.get("/connectors").json()
    assert entry["healthy"] is False


def refusal(answer):
    return answer.status_code, answer.json()["error"]


HANDED_ON = [
    ("/resource", {"uri": "repo://a"}, {"uri": "repo://a"}),
    ("/prompt", {"name": "p"}, {"name": "p", "arguments": None}),
    ("/prompt", {"name": "p", "arguments": {"x": 1}}, {"name": "p", "arguments": {"x": 1}}),
    ("/skill", {"skill_id": "mcp:p"}, {"skill_id": "mcp:p", "arguments": None}),
]


@pytest.mark.parametrize(("path", "body", "sent"), HANDED_ON)
def test_calls_are_handed_on_with_the_owners_credential(
    *, api, manager, connector, register, path, body, sent
):
    source = manager.add_source(
        source_type="web", credentials={"token": "t0"}, principal_email="bot@example.com"
    )
    register(skills=[{"id": "mcp:p", "title": "P"}])
    connector.answers[path] = {"any": ["json"]}
    answer = api.post(path, {"source_id": source.id, **body})
    assert (answer.status_code, answer.json()) == (200, {"any": ["json"]})
    wrapper = {
        "credentials": {"token": "t0"},
        "config": {},
        "auth_type": "api_key",
        "principal_email": "bot@example.com",
    }
    assert connector.bodies(path) == [{**sent, "credentials": wrapper}]


@pytest.mark.parametrize(("path", "body", "sent"), HANDED_ON)
def test_what_is_not_json_success_is_a_500(*, api, connector, register, source, path, body, sent):
    register(skills=[{"id": "mcp:p", "title": "P"}])
    connector.answers[path] = ({"error": "MCP not enabled for this connector"}, 404)
    status, error = refusal(api.post(path, {"source_id": source.id, **body}))
    assert status == 500
    assert error.startswith('Connector returned error: status=404, message={"error":"MCP not enabled')
    connector.answers[path] = "no json"
    assert refusal(api.post(path, {"source_id": source.id, **body}))[0] == 500


def test_calls_need_source_connector_and_credential(api, manager, register, source):
    body = {"source_id": source.id, "uri": "x"}
    assert refusal(api.post("/resource", {**body, "source_id": "unknown"})) == (
        404,
        "Source not found: unknown",
    )
    assert refusal(api.post("/resource", body)) == (404, 'Connector not registered for type: "web"')
    register()
    bare = manager.add_source(source_type="web")
    missing = f"Credentials not found for source: {bare.id}"
    assert refusal(api.post("/resource", {**body, "source_id": bare.id})) == (404, missing)


def test_a_skill_with_content_is_answered_by_the_manager(api, connector, register):
    register(skills=[{"id": "s", "title": "S", "content": "Do it so."}, {"id": "mcp:p", "title": "P"}])
    assert api.post("/skill", {"skill_id": "s"}).json() == {
        "skill_id": "s",
        "title": "S",
        "content": "Do it so.",
    }
    assert connector.bodies("/skill") == []
    assert refusal(api.post("/skill", {"skill_id": "x"})) == (404, "Skill not found: x")
    needed = "source_id is required to load connector skill: mcp:p"
    assert refusal(api.post("/skill", {"skill_id": "mcp:p"})) == (400, needed)


READY = "/oauth/credential-ready"


def announce(api, source, user_id=None):
    body = {
        "source_id": source.id,
        "user_id": user_id,
        "provider": "clickup",
        "flow": "user_read",
        "credentials": 1,
    }
    return api.post(READY, body).json()


def test_an_announced_credential_is_delivered(api, manager, connector, register, source):
    user = manager.add_user("ada@example.com")
    register()
    connector.answers[READY] = ("", 204)
    assert announce(api, source) == {"status": "delivered", "catalog_updated": False}
    assert announce(api, source, user.id) == {"status": "missing_credentials"}
    manager.add_credential(source.id, {"access_token": "u"}, user_id=user.id, auth_type="oauth")
    connector.answers[READY] = {"status": "thanks"}
    assert announce(api, source, user.id) == {"status": "delivered", "catalog_updated": False}
    assert connector.bodies(READY)[-1] == {
        "source_id": source.id,
        "user_id": user.id,
        "provider": "clickup",
        "flow": "user_read",
        "credentials": {"credentials": {"access_token": "u"}, "config": {}, "auth_type": "oauth"},
    }
    bare = manager.add_source(source_type="web")
    assert announce(api, bare) == announce(api, bare, user.id) == {"status": "no_credentials"}


def test_a_failed_delivery_is_told(api, connector, register, source, unused_url):
    register()
    assert announce(api, source) == {"status": "delivery_failed"}
    from flask import Response

    connector.answers[READY] = lambda _: Response(status=307, headers={"Location": unused_url})
    assert announce(api, source) == {"status": "delivery_failed"}


def test_an_answered_manifest_replaces_the_registration(api, connector, register, source):
    from support.local_manager import manifest

    register()
    bad = manifest(connector.url, actions=[{**ACTION, "input_schema": 5}])
    connector.answers[READY] = bad
    assert announce(api, source) == {"status": "invalid_manifest"}
    assert names(api) == []
    connector.answers[READY] = manifest("http://localhost:1", actions=[ACTION])
    assert announce(api, source) == {"status": "completed", "catalog_updated": True}
    assert names(api) == [("web", "fetch")]


def test_credential_ready_needs_source_and_connector(api, source):
    body = {"source_id": source.id, "provider": "p", "flow": "f"}
    assert refusal(api.post(READY, {**body, "source_id": "unknown"})) == (404, "Source not found: unknown")
    assert refusal(api.post(READY, body)) == (404, 'Connector not registered for type: "web"')


def test_registration_without_a_catalogue_announces_the_latest_user_credential(
    *, api, manager, connector, register, source, clock
):
    ada, bob = manager.add_user("ada@example.com"), manager.add_user("bob@example.com")
    other = manager.add_source(source_type="jira")
    register(mcp_enabled=True, oauth=OAUTH)
    assert connector.bodies(READY) == []
    for user, owner in ((ada, source), (bob, source), (bob, other)):
        manager.add_credential(
            owner.id, {"t": user.email}, user_id=user.id, auth_type="oauth", provider="clickup"
        )
        clock.advance(seconds=1)
    register(mcp_enabled=True, mcp_catalog_loaded=True, oauth=OAUTH)
    register(mcp_enabled=False, oauth=OAUTH)
    register(mcp_enabled=True, oauth="clickup")
    assert connector.bodies(READY) == []
    connector.answers[READY] = {"name": "ignored"}
    register(mcp_enabled=True, oauth=OAUTH)
    (body,) = connector.bodies(READY)
    assert (body["source_id"], body["user_id"], body["flow"]) == (source.id, bob.id, "user_read")
    assert body["credentials"]["credentials"] == {"t": "bob@example.com"}


def test_a_registration_succeeds_although_the_announcement_fails(
    manager, connector, register, source, unused_url
):
    from flask import Response

    user = manager.add_user("ada@example.com")
    manager.add_credential(source.id, {}, user_id=user.id, auth_type="oauth", provider="clickup")
    connector.answers[READY] = lambda _: Response(status=307, headers={"Location": unused_url})
    register(mcp_enabled=True, oauth=OAUTH)
    assert len(connector.bodies(READY)) == 1
