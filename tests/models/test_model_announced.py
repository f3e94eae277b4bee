"""What a manifest announces beside actions: MCP, skills, OAuth; and the requests that come for it."""

from __future__ import annotations

import pytest
from support.openapi import document, problems

import omni_connector
from omni_connector.exceptions import InvalidValueError, MalformedRequestError
from omni_connector.models import (
    ConnectorManifest,
    CredentialReadyRequest,
    McpPrompt,
    McpPromptArgument,
    McpResource,
    OAuthManifestConfig,
    OAuthScopeSet,
    PromptRequest,
    ResourceRequest,
    SkillDefinition,
    SkillRequest,
    SkillResponse,
)
from omni_connector.models.codec import decode, encode, structure

MCP_CREDENTIALS = {"credentials": {"token": "t0p-secret"}, "config": {}, "auth_type": "oauth"}


def manifest(**changes):
    values = {"name": "notes", "version": "1.0", "display_name": "Notes", "sync_modes": ["full"]}
    return ConnectorManifest(**{**values, "connector_url": "http://notes:8000", **changes})


def oauth(**changes):
    values = {
        "provider": "clickup",
        "auth_endpoint": "https://example.com/authorize",
        "token_endpoint": "https://example.com/token",
        "userinfo_endpoint": "https://example.com/me",
    }
    return OAuthManifestConfig(**{**values, **changes})


def whole():
    return manifest(
        source_types=["web"],
        read_only=True,
        extra_schema={"type": "object"},
        attributes_schema={"type": "object", "properties": {"by": {"type": "string", "format": "email"}}},
        mcp_enabled=True,
        mcp_catalog_loaded=True,
        resources=[
            McpResource(uri_template="repo://{owner}/{name}", name="Repository"),
            McpResource(uri_template="a://b", name="", description="B", mime_type="text/plain"),
        ],
        prompts=[
            McpPrompt(name="plain"),
            McpPrompt(name="sum", description="", arguments=[McpPromptArgument(name="n", required=True)]),
        ],
        skills=[
            SkillDefinition(id="a", title="A", content="Do it.", source_types={"web"}),
            SkillDefinition(id="mcp:sum", title="sum", description="Sum up.", mcp_prompt="sum"),
        ],
        oauth=oauth(scopes={"web": OAuthScopeSet(read=["r"], write=("w",))}),
    )


@pytest.mark.parametrize("side", ["manager", "connector"])
def test_all_that_is_announced_keeps_to_the_schema_of_both_sides(side):
    assert problems(side, "ConnectorManifest", decode(encode(whole().to_wire()))) == []


def test_what_is_announced_is_on_the_wire():
    wire = decode(encode(whole().to_wire()))
    assert (wire["read_only"], wire["mcp_enabled"], wire["mcp_catalog_loaded"]) == (True, True, True)
    assert wire["extra_schema"] == {"type": "object"}
    assert wire["attributes_schema"]["properties"]["by"]["format"] == "email"
    assert wire["resources"] == [
        {"uri_template": "repo://{owner}/{name}", "name": "Repository", "description": None, "mime_type": None},
        {"uri_template": "a://b", "name": "", "description": "B", "mime_type": "text/plain"},
    ]  # fmt: skip
    assert wire["prompts"] == [
        {"name": "plain", "description": None, "arguments": []},
        {"name": "sum", "description": "", "arguments": [{"name": "n", "description": None, "required": True}]},
    ]  # fmt: skip
    assert wire["skills"] == [
        {"id": "a", "title": "A", "description": None, "source_types": ["web"], "content": "Do it.", "mcp_prompt": None},
        {"id": "mcp:sum", "title": "sum", "description": "Sum up.", "source_types": [], "content": None, "mcp_prompt": "sum"},
    ]  # fmt: skip


def test_every_key_of_the_oauth_configuration_is_written_with_the_documented_default():
    documented = document("manager")["components"]["schemas"]["OAuthManifestConfig"]["properties"]
    wire = oauth().to_wire()
    assert set(wire) == set(documented)
    for key, rule in documented.items():
        if "default" in rule:
            assert wire[key] == rule["default"], key
    assert (wire["scopes"], wire["extra_auth_params"], wire["resource"]) == ({}, {}, None)


def test_scopes_are_written_by_source_type_and_may_be_given_as_they_are_written():
    written = {"web": {"read": ["a", "b"], "write": []}, "notion": {"read": [], "write": ["c"]}}
    given = {"web": OAuthScopeSet(read=("a", "b")), "notion": {"write": {"c"}}}
    assert oauth(scopes=given).to_wire()["scopes"] == written
    assert oauth(scopes=written) == oauth(scopes=given)


def test_a_manifest_may_be_changed_after_it_was_made_but_not_into_nonsense():
    changed = manifest()
    changed.skills = [SkillDefinition(id="a", title="A")]
    changed.connector_id = "notes-2"
    assert (changed.to_wire()["skills"][0]["id"], changed.to_wire()["connector_id"]) == ("a", "notes-2")
    with pytest.raises(InvalidValueError, match=r"ConnectorManifest\.skills: .*list of SkillDefinition"):
        changed.skills = None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: manifest(read_only="no"), r"ConnectorManifest\.read_only: 'no'.*True or False"),
        (lambda: manifest(extra_schema=[]), r"ConnectorManifest\.extra_schema: .*give a dict"),
        (lambda: manifest(attributes_schema="{}"), r"ConnectorManifest\.attributes_schema: .*give a dict"),
        (lambda: manifest(mcp_enabled=None), r"ConnectorManifest\.mcp_enabled"),
        (lambda: manifest(mcp_catalog_loaded=1), r"ConnectorManifest\.mcp_catalog_loaded"),
        (lambda: manifest(resources=None), r"ConnectorManifest\.resources: None .*list of McpResource"),
        (lambda: manifest(prompts=["sum"]), r"ConnectorManifest\.prompts: .*list of McpPrompt"),
        (lambda: manifest(skills=[{"id": "a"}]), r"ConnectorManifest\.skills: .*list of SkillDefinition"),
        (lambda: manifest(oauth={"provider": "x"}), r"ConnectorManifest\.oauth: .*give an OAuthManifestConfig"),
        (lambda: manifest(connector_id=""), r"ConnectorManifest\.connector_id: .*not empty"),
        (lambda: McpResource(uri_template="", name="x"), r"McpResource\.uri_template"),
        (lambda: McpResource(uri_template="a://b", name=None), r"McpResource\.name"),
        (lambda: McpPrompt(name=""), r"McpPrompt\.name"),
        (lambda: McpPrompt(name="a", arguments=None), r"McpPrompt\.arguments: None .*list of McpPromptArgument"),
        (lambda: McpPromptArgument(name="a", required=None), r"McpPromptArgument\.required"),
        (lambda: SkillDefinition(id="", title="A"), r"SkillDefinition\.id: .*not empty"),
        (lambda: SkillDefinition(id="a", title="A", source_types="web"), r"SkillDefinition\.source_types: 'web'"),
        (lambda: SkillDefinition(id="a", title="A", content=b"x"), r"SkillDefinition\.content"),
        (lambda: SkillResponse(skill_id="a", title="A", content=None), r"SkillResponse\.content"),
        (lambda: oauth(provider=""), r"OAuthManifestConfig\.provider"),
        (lambda: oauth(token_endpoint=None), r"OAuthManifestConfig\.token_endpoint"),
        (lambda: oauth(identity_scopes="email"), r"OAuthManifestConfig\.identity_scopes: 'email'"),
        (lambda: oauth(scopes={"web": ["a"]}), r"OAuthManifestConfig\.scopes: .*dict of OAuthScopeSet"),
        (lambda: oauth(scopes={"web": {"all": []}}), r"OAuthManifestConfig\.scopes: .*dict of OAuthScopeSet"),
        (lambda: oauth(scopes=["web"]), r"OAuthManifestConfig\.scopes"),
        (lambda: oauth(extra_auth_params={"a": 1}), r"OAuthManifestConfig\.extra_auth_params: .*dict of strings"),
        (lambda: oauth(token_endpoint_auth_method="post"), r"token_endpoint_auth_method: 'post'.*client_secret_post"),
        (lambda: OAuthScopeSet(read="all"), r"OAuthScopeSet\.read: 'all'"),
    ],
)  # fmt: skip
def test_what_is_announced_refuses_wrong_values(make, message):
    with pytest.raises(InvalidValueError, match=message):
        make()


REQUESTS = {
    "/skill": (SkillRequest, {"skill_id": "mcp:sum", "arguments": None, "credentials": MCP_CREDENTIALS}),
    "/resource": (ResourceRequest, {"uri": "repo://a/b", "credentials": MCP_CREDENTIALS}),
    "/prompt": (PromptRequest, {"name": "sum", "arguments": {"n": 1}, "credentials": MCP_CREDENTIALS}),
    "/oauth/credential-ready": (
        CredentialReadyRequest,
        {"source_id": "s", "user_id": None, "provider": "clickup", "flow": "user_read", "credentials": MCP_CREDENTIALS},
    ),
}  # fmt: skip


@pytest.mark.parametrize("path", REQUESTS)
def test_a_request_is_read_and_does_not_show_its_credentials(path):
    kind, body = REQUESTS[path]
    read = structure(kind, {**body, "of_tomorrow": 1})
    assert {key: getattr(read, key) for key in body} == body
    assert "t0p-secret" not in repr(read)
    documented = document("connector")["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    assert set(documented["schema"]["properties"]) == set(body)


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/skill", {"credentials": {}}, "skill_id: required field is missing"),
        ("/skill", {"skill_id": 1}, "skill_id: a string is required"),
        ("/resource", {"uri": None}, "uri: a string is required"),
        ("/prompt", {}, "name: required field is missing"),
        ("/oauth/credential-ready", {"source_id": "s", "provider": "p"}, "flow: required field is missing"),
        ("/oauth/credential-ready", [], "body: a JSON object is required"),
    ],
)
def test_a_request_that_lacks_something_is_refused_by_field(path, body, message):
    with pytest.raises(MalformedRequestError, match=message):
        structure(REQUESTS[path][0], body)


def test_a_skill_response_has_the_documented_shape():
    answers = document("connector")["paths"]["/skill"]["post"]["responses"]
    example = answers["200"]["content"]["application/json"]["example"]
    assert SkillResponse(**example).to_wire() == example


def test_the_names_of_the_protocol_s_documents_can_be_imported():
    assert omni_connector.ConnectorSkillDefinition is SkillDefinition
    assert omni_connector.McpPromptDefinition is McpPrompt
    assert omni_connector.McpResourceDefinition is McpResource
