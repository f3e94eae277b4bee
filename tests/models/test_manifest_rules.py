"""What makes the manager refuse a manifest is found before it is sent, all at once."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omni_connector.local.errors import LocalManagerError
from omni_connector.local.manifest_shapes import MANIFEST
from omni_connector.local.registry import check_manifest
from omni_connector.local.shapes import ShapeError
from omni_connector.models import (
    ActionDefinition,
    ConnectorManifest,
    McpPrompt,
    McpPromptArgument,
    McpResource,
    OAuthManifestConfig,
    SearchOperator,
    SkillDefinition,
)
from omni_connector.models.manifest_rules import manifest_problems, undispatchable_actions


def whole():
    """Return a manifest with something in every list, as it is sent."""
    return ConnectorManifest(
        name="notes",
        version="1",
        display_name="Notes",
        sync_modes=["full"],
        source_types=["web"],
        connector_url="http://notes",
        actions=[ActionDefinition(name="ping", description="Check.")],
        search_operators=[SearchOperator(operator="by", attribute_key="author")],
        resources=[McpResource(uri_template="a://b", name="B")],
        prompts=[McpPrompt(name="sum", arguments=[McpPromptArgument(name="n")])],
        skills=[SkillDefinition(id="s", title="S")],
        oauth=OAuthManifestConfig(provider="p", auth_endpoint="a", token_endpoint="t", userinfo_endpoint="u"),
    ).to_wire()


def changed(*path, value):
    wire = copy.deepcopy(whole())
    inner = wire
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return wire


def test_nothing_is_found_in_what_the_manager_takes():
    assert manifest_problems(whole()) == []
    assert manifest_problems(changed("connector_url", value="")) == []


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("name",), None, "name: None cannot be used; give a string"),
        (("connector_id",), "", "connector_id: '' cannot be used; give a string that is not empty"),
        (("sync_modes",), ["ful"], "sync_modes: ['ful'] cannot be used; give one of full, incremental, realtime"),
        (("sync_modes",), None, "sync_modes: None cannot be used; give a list"),
        (("source_types",), [1], "source_types: [1] cannot be used; 1 is not a string"),
        (("read_only",), None, "read_only: None cannot be used; give True or False"),
        (("integration_type",), "sdk", "integration_type: 'sdk' cannot be used; give one of connector"),
        (("actions",), None, "actions: None cannot be used; give a list; without entries it is empty, not None"),
        (("skills",), {}, "skills: {} cannot be used; give a list"),
        (("actions", 0), "ping", "actions[0]: 'ping' cannot be used; give an object"),
        (("actions", 0, "mode"), None, "action ping: mode: None cannot be used; give one of read, write"),
        (("actions", 0, "name"), None, "action number 1: name: None cannot be used"),
        (("actions", 0, "hidden"), 1, "action ping: hidden: 1 cannot be used; give True or False"),
        (("actions", 0, "required_scopes"), "r", "action ping: required_scopes: 'r' cannot be used; give a list"),
        (("actions", 0, "source_types"), ["slak"], "knows no source type slak; give its built-in types only, such as slack"),
        (("actions", 0, "source_types"), [""], "action ping: source_types: [''] cannot be used"),
        (("actions", 0, "input_schema"), None, "action ping: input_schema must be a JSON object"),
        (("actions", 0, "input_schema"), {"not": {}}, "action ping: input_schema.not is not supported"),
        (("search_operators", 0, "operator"), 1, "search operator 1: operator: 1 cannot be used"),
        (("resources", 0, "mime_type"), 1, "resource B: mime_type: 1 cannot be used; give a string"),
        (("prompts", 0, "arguments"), None, "prompt sum: arguments: None cannot be used; give a list"),
        (("prompts", 0, "arguments", 0), 1, "prompt sum: arguments[0]: 1 cannot be used; give an object"),
        (("prompts", 0, "arguments", 0, "required"), None, "prompt sum: argument n: required: None cannot be used"),
        (("skills", 0, "source_types"), ["acme"], "skill s: source_types: ['acme'] cannot be used"),
        (("skills", 0, "title"), None, "skill s: title: None cannot be used"),
        (("extra_schema",), object(), "JSON.manifest.extra_schema: <object"),
    ],
)  # fmt: skip
def test_what_the_manager_refuses_is_named(path, value, problem):
    (said,) = manifest_problems(changed(*path, value=value))
    for part in problem.split(" .*"):
        assert part in said


def test_everything_is_said_at_once():
    wire = whole()
    del wire["version"]
    wire["sync_modes"] = ["never"]
    wire["actions"] = [{"name": "a", "input_schema": {"if": {}, "allOf": []}}]
    assert [problem.partition(" cannot")[0].partition(" is")[0] for problem in manifest_problems(wire)] == [
        "version",
        "sync_modes: ['never']",
        "action a: description",
        "action a: input_schema.allOf",
        "action a: input_schema.if",
    ]


def test_names_that_come_twice_are_found():
    action, skill = whole()["actions"][0], whole()["skills"][0]
    wire = {**whole(), "actions": [action, action, {**action, "name": "pong"}], "skills": [skill] * 3}
    assert manifest_problems(wire) == [
        "action ping: 2 actions have this name, and only the first would be found; rename the others",
        "skill s: 3 skills have this id, and only the first would be found; rename the others",
    ]


@pytest.mark.parametrize("value", [None, [], "manifest", object()])
def test_what_is_no_manifest_is_said_to_be_none(value):
    (said,) = manifest_problems(value)
    assert "get_manifest must return" in said


def test_actions_without_any_type_are_found():
    wire = whole()
    wire["actions"] += [{**wire["actions"][0], "name": "lost", "source_types": []}]
    assert undispatchable_actions(wire) == ["lost"]


VALUES = st.sampled_from(
    [None, "", "x", "web", "full", "read", 1, True, [], [None], ["web"], [1], {}, {"if": 1}, "remote_mcp"]
)


def paths(value, path=()):
    if path:
        yield path
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, item in entries:
        yield from paths(item, (*path, key))


PATHS = [path for path in paths(whole()) if path[0] not in {"oauth", "connector_url"}]


@settings(max_examples=500, derandomize=True, database=None, deadline=None)
@given(path=st.sampled_from(PATHS), value=VALUES | st.just(KeyError))
def test_the_embedded_manager_refuses_exactly_what_is_named(path, value):
    wire = changed(*path, value=value)
    if value is KeyError:  # Left out.
        inner = wire
        for step in path[:-1]:
            inner = inner[step]
        del inner[path[-1]]
    try:
        check_manifest(MANIFEST(wire, ""))
        refusal = None
    except (ShapeError, LocalManagerError) as error:
        refusal = str(error)
    problems = manifest_problems(wire)
    if refusal is None:  # A name without text is of no use to anybody, though the manager takes it.
        problems = [problem for problem in problems if "give a string that is not empty" not in problem]
    assert bool(problems) == (refusal is not None), (problems, refusal)
