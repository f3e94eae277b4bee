"""What a connector announces, and what stops its start because a manager would refuse it."""

from __future__ import annotations

import logging
import threading

import pytest
from support.scripted import Scripted

from omni_connector import (
    ActionDefinition,
    ConfigurationError,
    ConnectorManifest,
    OAuthManifestConfig,
    OAuthScopeSet,
    SearchOperator,
    Settings,
    SkillDefinition,
    action,
)
from omni_connector.exceptions import InvalidValueError
from omni_connector.models.mcp_servers import StdioMcpServer
from omni_connector.server import create_app
from omni_connector.testing import MemoryManager

OAUTH = OAuthManifestConfig(
    provider="clickup",
    auth_endpoint="https://example.com/authorize",
    token_endpoint="https://example.com/token",
    userinfo_endpoint="https://example.com/me",
    scopes={"web": OAuthScopeSet(read=["read"])},
)
SKILLS = [SkillDefinition(id="s", title="S", content="Do it.")]
SCHEMA = {"type": "object", "properties": {"by": {"type": "string", "format": "email"}}}


def of(**members):
    return type("Declared", (Scripted,), members)()


def ping(**changes):
    return ActionDefinition(**{"name": "ping", "description": "Check.", **changes})


def problems(serve, connector):
    with pytest.raises(ConfigurationError) as caught:
        serve(connector).start()
    return [problem.removeprefix("scripted cannot be announced: ") for problem in caught.value.problems]


ANNOUNCED = {
    "read_only": True,
    "extra_schema": {"type": "object"},
    "attributes_schema": SCHEMA,
    "search_operators": [SearchOperator(operator="by", attribute_key="by", value_type="person")],
    "skills": SKILLS,
}


@pytest.mark.parametrize("form", [lambda value: value, lambda value: property(lambda self: value)])
def test_what_is_declared_is_announced_as_attribute_and_as_property(serve, form):
    wire = serve(of(**{name: form(value) for name, value in ANNOUNCED.items()})).manifest()
    assert (wire["read_only"], wire["extra_schema"], wire["attributes_schema"]) == (
        True,
        {"type": "object"},
        SCHEMA,
    )
    assert wire["search_operators"] == [{"operator": "by", "attribute_key": "by", "value_type": "person"}]
    assert [skill["id"] for skill in wire["skills"]] == ["s"]


def test_a_manifest_that_is_asked_for_directly_says_whether_there_is_an_mcp_server():
    class Mirrored(Scripted):
        mcp_server = StdioMcpServer("server")

    assert Mirrored().get_manifest().mcp_enabled is True
    assert Scripted().get_manifest().mcp_enabled is False


def test_nothing_of_it_is_announced_unless_declared(serve):
    wire = serve(Scripted()).manifest()
    assert (wire["read_only"], wire["extra_schema"], wire["attributes_schema"]) == (False, None, None)
    assert (wire["search_operators"], wire["skills"], wire["oauth"]) == ([], [], None)


async def in_async(self):
    return OAUTH


def hiding(self):
    return in_async(self)


async def none_in_async(self):
    return None


@pytest.mark.parametrize(
    ("hook", "announced"),
    [
        (lambda self: OAUTH, OAUTH.to_wire()),
        (in_async, OAUTH.to_wire()),
        (hiding, OAUTH.to_wire()),
        (lambda self: None, None),
        (none_in_async, None),
        (Scripted.oauth_config, None),
    ],
)
def test_the_oauth_configuration_is_announced_in_both_colours(serve, hook, announced):
    service = serve(of(oauth_config=hook))
    service.start()
    assert service.manifest()["oauth"] == announced


def test_an_override_of_get_manifest_may_change_what_it_inherits(serve):
    def get_manifest(self, connector_url=""):
        manifest = Scripted.get_manifest(self, connector_url)
        manifest.actions = [ping(mode="read")]
        manifest.read_only = True
        return manifest

    wire = serve(of(get_manifest=get_manifest)).manifest()
    assert (wire["actions"][0]["mode"], wire["read_only"]) == ("read", True)


def test_everything_that_is_wrong_is_said_at_once(serve):
    def broken(self):
        return ActionDefinition(name="", description="")

    connector = of(
        sync_modes=["ful"],
        read_only="no",
        search_operators=None,
        actions=property(broken),
        oauth_config=lambda self: {"provider": "x"},
    )
    assert [problem.partition(":")[0] for problem in problems(serve, connector)] == [
        "ActionDefinition.name",
        "ConnectorManifest.sync_modes",
        "ConnectorManifest.search_operators",
        "ConnectorManifest.read_only",
        "ConnectorManifest.oauth",
    ]


def test_an_oauth_configuration_that_cannot_be_made_is_told_beside_the_rest(serve):
    def oauth_config(self):
        raise InvalidValueError(model="OAuthManifestConfig", field="provider", value="", remedy="give one")

    assert problems(serve, of(oauth_config=oauth_config, version=1)) == [
        "OAuthManifestConfig.provider: '' cannot be used; give one",
        "ConnectorManifest.version: 1 cannot be used; give a string",
    ]


def test_a_list_that_is_none_is_told_beside_declared_actions(serve):
    @action
    def count(self):
        """Count."""

    assert problems(serve, of(count=count, actions=None)) == [
        "ConnectorManifest.actions: None cannot be used; give a list of ActionDefinition"
    ]


def test_a_manifest_that_an_override_cannot_make_is_told(serve):
    def get_manifest(self):
        return ConnectorManifest(name="", version="1", display_name="S", sync_modes=[])

    assert problems(serve, of(get_manifest=get_manifest)) == [
        "ConnectorManifest.name: '' cannot be used; give a string that is not empty"
    ]


def test_what_the_manager_refuses_is_said_with_action_keyword_and_remedy(serve):
    connector = of(
        actions=[
            ping(source_types=["slak"], input_schema={"properties": {"to": {"not": {}}}}),
            ping(name="pong", input_schema={"anyOf": []}),
            ping(),
        ],
        skills=[SkillDefinition(id="s", title="S", source_types=["acme"])] * 2,
    )
    found = problems(serve, connector)
    for said, parts in zip(
        found,
        [
            ("action ping: source_types: ['slak']", "such as slack"),
            ("action ping: input_schema.properties.to.not is not supported", "say it in the description"),
            ("action pong: input_schema.anyOf is not supported at the top level", "in properties"),
            ("action ping: 2 actions have this name", "rename"),
            ("skill s: source_types: ['acme']", "built-in types only"),
            ("skill s: source_types: ['acme']", "built-in types only"),
            ("skill s: 2 skills have this id", "rename"),
        ],
        strict=True,
    ):
        assert all(part in said for part in parts), said


def test_a_schema_with_references_is_no_reason_to_stop(serve):
    generated = {"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "string"}}}
    service = serve(of(actions=[ping(input_schema=generated)]))
    service.start()
    (announced,) = service.manifest()["actions"]
    assert announced["input_schema"] == {"properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    ("manifest", "problem"),
    [
        ({"name": "scripted"}, "version is missing"),
        (None, "get_manifest must return a ConnectorManifest"),
        (
            {**Scripted().get_manifest().to_wire(), "prompts": None},
            "prompts: None cannot be used; give a list",
        ),
    ],
)
def test_what_an_override_returns_is_looked_at_as_well(serve, manifest, problem):
    assert problem in problems(serve, of(get_manifest=lambda self: manifest))[0]


def test_mounting_stops_and_leaves_nothing_open():
    manager = MemoryManager()
    with pytest.raises(
        ConfigurationError, match=r"scripted cannot be announced: action ping: input_schema\.if"
    ):
        create_app(
            of(actions=[ping(input_schema={"if": {}})]),
            settings=Settings(manager_url="http://manager", connector_url="http://me"),
            manager=manager,
        )
    assert manager.closed


def test_checking_leaves_no_thread_behind(serve):
    async def get_manifest(self, connector_url=""):
        return ConnectorManifest(name="scripted", version="1", display_name="S", sync_modes=["full"])

    before = set(threading.enumerate())
    assert serve(of(get_manifest=get_manifest)).checked_manifest()["name"] == "scripted"
    assert set(threading.enumerate()) == before


# -- actions that no manager can run ----------------------------------------------------------------------------


def test_actions_of_a_connector_without_built_in_types_are_named_once(serve, caplog):
    service = serve(of(source_types=["acme"], actions=[ping(), ping(name="pong")]))
    with caplog.at_level(logging.WARNING):
        service.start()
        service.start()
        service.manifest()
    messages = [record.getMessage() for record in caplog.records]
    (said,) = [message for message in messages if "no manager of Omni" in message]
    assert "scripted: no manager of Omni can run ping, pong" in said
    assert "(source_types: acme)" in said
    assert 'source_types = ["web"]' in said


@pytest.mark.parametrize(
    "members",
    [
        {"source_types": ["acme", "web"], "actions": [ping()]},
        {"source_types": ["acme"], "actions": [ping(source_types=["web"])]},
        {"source_types": ["acme"]},
    ],
)
def test_actions_that_can_be_run_are_no_reason_to_warn(serve, caplog, members):
    serve(of(**members)).start()
    assert "no manager of Omni" not in caplog.text
