"""The manifest and its actions, as they are registered."""

from __future__ import annotations

import pytest
from support.openapi import document, problems

from omni_connector.exceptions import InvalidValueError
from omni_connector.models import (
    ActionDefinition,
    ActionResponse,
    ConnectorManifest,
    SearchOperator,
    SyncMode,
)
from omni_connector.models.codec import decode, encode
from omni_connector.models.manifest import BUILT_IN_SOURCE_TYPES


def manifest(**changes):
    values = {
        "name": "notes",
        "version": "1.0",
        "display_name": "Notes",
        "sync_modes": ["full"],
        "source_types": ["web"],
        "connector_url": "http://notes:8000",
    }
    return ConnectorManifest(**{**values, **changes})


def action(**changes):
    return ActionDefinition(**{"name": "ping", "description": "Check.", **changes})


@pytest.mark.parametrize("side", ["manager", "connector"])
def test_a_manifest_keeps_to_the_schema_of_both_sides(side):
    whole = manifest(
        description="All notes",
        sync_modes=[SyncMode.FULL, "incremental", "realtime"],
        source_types=("web", "notion"),
        actions=[
            action(),
            action(
                name="write",
                mode="write",
                input_schema={"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}]}}},
                source_types={"web"},
                admin_only=True,
                hidden=True,
                required_scopes=["read"],
            ),
        ],
        search_operators=[SearchOperator(operator="status", attribute_key="status")],
    )
    for wire in (manifest().to_wire(), whole.to_wire()):
        assert problems(side, "ConnectorManifest", decode(encode(wire))) == []


def test_every_key_of_the_schema_is_written():
    documented = set(document("connector")["components"]["schemas"]["ConnectorManifest"]["properties"])
    assert set(manifest().to_wire()) == documented


def test_the_connector_s_name_is_its_id():
    assert manifest().to_wire()["connector_id"] == "notes"


def test_an_action_without_source_types_gets_the_connector_s_built_in_ones():
    wire = manifest(source_types=["web", "acme", "notion"], actions=[action()]).to_wire()
    assert wire["actions"][0]["source_types"] == ["web", "notion"]


def test_an_action_keeps_the_source_types_it_names():
    wire = manifest(source_types=["web", "notion"], actions=[action(source_types=["notion"])]).to_wire()
    assert wire["actions"][0]["source_types"] == ["notion"]


def test_writing_a_manifest_does_not_alter_its_actions():
    ping = action()
    manifest(actions=[ping]).to_wire()
    assert ping == action()


def test_an_action_is_written_for_old_managers_too():
    schema = {"type": "object", "properties": {"id": {"type": "string"}}}
    wire = action(input_schema=schema).to_wire(["web"])
    assert wire["parameters"] == wire["input_schema"] == schema


def test_what_old_connectors_call_parameters_becomes_the_schema_and_stays_for_old_managers():
    declared = {"url": {"type": "string", "required": True, "description": "Where."}}
    schema = {
        "type": "object",
        "properties": {"url": {"type": "string", "description": "Where."}},
        "required": ["url"],
    }
    ping = action(parameters=declared)
    assert ping.input_schema == schema
    wire = ping.to_wire(["web"])
    assert (wire["input_schema"], wire["parameters"]) == (schema, declared)
    assert action(parameters=schema).to_wire([])["input_schema"] == schema
    both = action(parameters=declared, input_schema={"type": "object"}).to_wire([])
    assert (both["input_schema"], both["parameters"]) == ({"type": "object"}, declared)


def test_local_references_are_written_out_when_an_action_is_announced():
    generated = {"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "string"}}}
    ping = action(input_schema=generated)
    wire = ping.to_wire(["web"])
    assert wire["input_schema"] == wire["parameters"] == {"properties": {"a": {"type": "string"}}}
    assert "$defs" in ping.input_schema


def test_an_action_writes_and_takes_no_parameters_by_default():
    assert action().to_wire(["web"]) == {
        "name": "ping",
        "description": "Check.",
        "input_schema": {"type": "object", "properties": {}},
        "parameters": {"type": "object", "properties": {}},
        "mode": "write",
        "source_types": ["web"],
        "admin_only": False,
        "hidden": False,
        "required_scopes": None,
    }


def test_the_built_in_types_are_those_of_the_protocol():
    for side in ("manager", "connector"):
        assert set(document(side)["components"]["schemas"]["SourceType"]["enum"]) == BUILT_IN_SOURCE_TYPES


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, r"ConnectorManifest\.name: .*not empty"),
        ({"name": None}, r"ConnectorManifest\.name: .*give a string"),
        ({"version": 1}, r"ConnectorManifest\.version"),
        ({"display_name": None}, r"ConnectorManifest\.display_name"),
        ({"description": 1}, r"ConnectorManifest\.description"),
        ({"sync_modes": "full"}, r"ConnectorManifest\.sync_modes: 'full'.*list of strings"),
        ({"sync_modes": ["ful"]}, r"ConnectorManifest\.sync_modes: \['ful'\].*full, incremental, realtime"),
        ({"source_types": "web"}, r"ConnectorManifest\.source_types: 'web'.*list of strings"),
        (
            {"source_types": [1]},
            r"ConnectorManifest\.source_types: .*1 is not a string: give a list of strings only",
        ),
        ({"actions": [{"name": "ping"}]}, r"ConnectorManifest\.actions: .*list of ActionDefinition"),
        ({"actions": None}, r"ConnectorManifest\.actions"),
        ({"search_operators": ["status"]}, r"ConnectorManifest\.search_operators: .*list of SearchOperator"),
    ],
)
def test_a_manifest_refuses_what_the_manager_would_refuse(changes, message):
    with pytest.raises(InvalidValueError, match=message):
        manifest(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, r"ActionDefinition\.name"),
        ({"description": None}, r"ActionDefinition\.description"),
        ({"input_schema": []}, r"ActionDefinition\.input_schema: \[\] .*give a dict"),
        ({"input_schema": None}, r"ActionDefinition\.input_schema: None .*give a dict"),
        ({"parameters": []}, r"ActionDefinition\.parameters: \[\] .*give a dict"),
        ({"mode": "execute"}, r"ActionDefinition\.mode: .*read, write"),
        ({"mode": None}, r"ActionDefinition\.mode"),
        ({"source_types": "web"}, r"ActionDefinition\.source_types"),
        ({"admin_only": 1}, r"ActionDefinition\.admin_only: .*True or False"),
        ({"hidden": None}, r"ActionDefinition\.hidden"),
        ({"required_scopes": "read"}, r"ActionDefinition\.required_scopes"),
    ],
)
def test_an_action_refuses_a_wrong_value(changes, message):
    with pytest.raises(InvalidValueError, match=message):
        action(**changes)


def test_no_modes_and_no_types_are_allowed():
    wire = manifest(sync_modes=[], source_types=None).to_wire()
    assert (wire["sync_modes"], wire["source_types"]) == ([], [])


def test_a_search_operator_is_for_text_unless_said_otherwise():
    assert SearchOperator(operator="by", attribute_key="author").value_type == "text"
    with pytest.raises(InvalidValueError, match=r"SearchOperator\.attribute_key"):
        SearchOperator(operator="by", attribute_key="")


def test_action_responses_have_the_shape_of_the_protocol():
    answers = [
        (ActionResponse.success({"content": 1}), {"status": "success", "result": {"content": 1}, "error": None}, 200),
        (ActionResponse.success(), {"status": "success", "result": None, "error": None}, 200),
        (ActionResponse.failure("no"), {"status": "error", "result": None, "error": "no"}, 400),
        (ActionResponse.failure("gone", status_code=410), {"status": "error", "result": None, "error": "gone"}, 410),
        (
            ActionResponse.not_supported("x"),
            {"status": "error", "result": None, "error": "Action not supported: x"},
            404,
        ),
    ]  # fmt: skip
    for answer, wire, status in answers:
        assert (answer.to_wire(), answer.status_code) == (wire, status)
        assert problems("connector", "ActionResponse", wire) == []


def test_an_action_response_refuses_a_status_of_its_own():
    with pytest.raises(InvalidValueError, match=r"ActionResponse\.status: 'ok' .*success, error"):
        ActionResponse(status="ok")
    with pytest.raises(InvalidValueError, match=r"ActionResponse\.error"):
        ActionResponse(status="error", error=5)
