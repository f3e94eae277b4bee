"""Schemas of actions: what is refused, what is written out, what old connectors declared."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omni_connector.local.errors import LocalManagerError
from omni_connector.local.manifest_shapes import _REFUSED_EVERYWHERE, check_action_schemas
from omni_connector.models.action_schema import (
    MAX_INLINED,
    REFUSED_ANYWHERE,
    inline_references,
    no_parameters,
    schema_of_parameters,
    schema_problems,
)
from omni_connector.models.codec import encode

ADDRESS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
GENERATED = {
    "type": "object",
    "$defs": {
        "Address": ADDRESS,
        "Person": {
            "type": "object",
            "properties": {"home": {"$ref": "#/$defs/Address"}, "name": {"type": "string"}},
        },
    },
    "properties": {
        "who": {"$ref": "#/$defs/Person", "description": "Whom to write to."},
        "others": {"type": "array", "items": {"$ref": "#/$defs/Person"}, "default": []},
        "maybe": {"anyOf": [{"$ref": "#/$defs/Address"}, {"type": "null"}], "default": None},
    },
    "required": ["who"],
}
PERSON = {"type": "object", "properties": {"home": ADDRESS, "name": {"type": "string"}}}


def test_references_to_definitions_are_written_out():
    given = copy.deepcopy(GENERATED)
    done = inline_references(given)
    assert done.problems == ()
    assert done.schema == {
        "type": "object",
        "properties": {
            "who": {**PERSON, "description": "Whom to write to."},
            "others": {"type": "array", "items": PERSON, "default": []},
            "maybe": {"anyOf": [ADDRESS, {"type": "null"}], "default": None},
        },
        "required": ["who"],
    }
    assert given == GENERATED
    assert schema_problems(done.schema) == []


@pytest.mark.parametrize(
    ("schema", "inlined"),
    [
        ({"$ref": "#/definitions/A", "definitions": {"A": ADDRESS}}, ADDRESS),
        ({"$ref": "#/$defs/a~1b%20c~0", "$defs": {"a/b c~": ADDRESS}}, ADDRESS),
        ({"properties": {"a": {"$ref": "#/properties/b"}, "b": ADDRESS}}, {"properties": {"a": ADDRESS, "b": ADDRESS}}),
        (
            {"properties": {"a": {"$ref": "#/$defs/L/prefixItems/1"}}, "$defs": {"L": {"prefixItems": [{}, ADDRESS]}}},
            {"properties": {"a": ADDRESS}},
        ),
        (
            {"properties": {"a": {"$ref": "#/$defs/Any", "title": "A"}}, "$defs": {"Any": True}},
            {"properties": {"a": {"title": "A"}}},
        ),
        (
            {"properties": {"a": {"$ref": "#/$defs/S", "maxLength": 3}}, "$defs": {"S": {"type": "string"}}},
            {"properties": {"a": {"type": "string", "maxLength": 3}}},
        ),
        (  # Both hold: neither rule may replace the other.
            {
                "properties": {"a": {"$ref": "#/$defs/S", "maxLength": 3, "title": "mine"}},
                "$defs": {"S": {"maxLength": 9, "title": "its"}},
            },
            {"properties": {"a": {"title": "mine", "allOf": [{"maxLength": 9, "title": "its"}, {"maxLength": 3}]}}},
        ),
        (  # The same rule on both sides is one rule.
            {"properties": {"a": {"$ref": "#/$defs/S", "type": "string", "title": "A"}}, "$defs": {"S": {"type": "string"}}},
            {"properties": {"a": {"type": "string", "title": "A"}}},
        ),
        (  # Used beside each other, not inside each other.
            {"properties": {"a": {"$ref": "#/$defs/S"}, "b": {"$ref": "#/$defs/S"}}, "$defs": {"S": {}}},
            {"properties": {"a": {}, "b": {}}},
        ),
    ],
)  # fmt: skip
def test_what_is_referred_to_takes_the_reference_s_place(schema, inlined):
    done = inline_references(schema)
    assert (done.schema, done.problems) == (inlined, ())


def test_names_and_values_are_no_references():
    schema = {
        "properties": {"$ref": {"type": "string"}, "definitions": {"type": "object", "default": {"$ref": "#/x"}}},
    }  # fmt: skip
    done = inline_references(schema)
    assert (done.schema, done.problems) == (schema, ())
    assert len(schema_problems(schema)) == 2  # Refused all the same, for the manager looks at every key.


NODE = {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/Node"}}}}


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        (
            {"properties": {"root": {"$ref": "#/$defs/Node"}}, "$defs": {"Node": NODE}},
            "input_schema.properties.root.properties.children.items.$ref: Node contains itself",
        ),
        ({"properties": {"me": {"$ref": "#"}}}, "input_schema.properties.me.$ref: the schema contains itself"),
        ({"properties": {"a": {"$ref": "#/properties/a"}}}, "input_schema.properties.a.$ref: a contains itself"),
        ({"properties": {"a": {"$ref": "#/$defs/B"}}}, "input_schema.properties.a.$ref: #/$defs/B is not in the schema"),
        ({"properties": {"a": {"$ref": "other.json#/B"}}}, "other.json#/B is not part of the schema"),
        ({"properties": {"a": {"$ref": "#/properties/5"}}}, "#/properties/5 is not in the schema"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_out_is_named(schema, problem):
    (said,) = inline_references(schema).problems
    assert problem in said
    assert [each for each in schema_problems(schema) if problem in each]
    assert not [each for each in schema_problems(schema) if ".$defs" in each]  # Said once is enough.


def test_a_small_schema_cannot_fill_the_memory():
    definitions = {
        f"L{n}": {"properties": {"a": {"$ref": f"#/$defs/L{n + 1}"}, "b": {"$ref": f"#/$defs/L{n + 1}"}}}
        for n in range(40)
    }
    schema = {"properties": {"x": {"$ref": "#/$defs/L0"}}, "$defs": {**definitions, "L40": {}}}
    done = inline_references(schema)
    assert done.problems
    assert all(f"more than {MAX_INLINED} references" in problem for problem in done.problems)
    assert len(encode(done.schema)) < 100_000


@pytest.mark.parametrize(
    ("schema", "problems"),
    [
        ({}, []),
        (no_parameters(), []),
        ({"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}, []),
        ([], ["input_schema must be a JSON object"]),
        (None, ["input_schema must be a JSON object"]),
        ({"anyOf": [], "allOf": []}, ["input_schema.anyOf is not supported at the top level", "input_schema.allOf is not"]),
        ({"type": "array"}, ['input_schema.type must be "object"']),
        ({"type": ["object"]}, ['input_schema.type must be "object"']),
        (
            {"properties": {"a": {"not": {}}, "b": {"anyOf": [{}, {"if": {}, "then": {}}]}}},
            [
                "input_schema.properties.a.not is not supported: say it in the description",
                "input_schema.properties.b.anyOf[1].if is",
                "input_schema.properties.b.anyOf[1].then is",
            ],
        ),
        ({"properties": {"if": {}}}, ["input_schema.properties.if is not supported: .*give the parameter another name"]),
        ({"properties": {"a": {"default": {"else": 1}}}}, ["input_schema.properties.a.default.else .*out of the value"]),
        ({"properties": {"a": {"enum": [{"not": 1}]}}}, ["input_schema.properties.a.enum[0].not .*out of the value"]),
        ({"dependentRequired": {}}, ["input_schema.dependentRequired is"]),
        ({"$defs": {"A": {}}}, ["input_schema.$defs is not supported: write what it refers to in its place"]),
    ],
)  # fmt: skip
def test_every_violation_is_named_with_its_path(schema, problems):
    found = schema_problems(schema)
    assert len(found) == len(problems), found
    for said, expected in zip(found, problems, strict=True):
        for part in expected.split(" .*"):
            assert part in said


def test_the_keywords_are_those_of_the_embedded_manager():
    assert REFUSED_ANYWHERE == _REFUSED_EVERYWHERE


NAMES = st.sampled_from(
    [*sorted(REFUSED_ANYWHERE), "anyOf", "oneOf", "allOf", "type", "properties", "items", "a", "default"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.sampled_from(["object", "string", "#/$defs/a", "#"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=400, derandomize=True, database=None, deadline=None)
@given(schema=JSON)
def test_the_embedded_manager_refuses_exactly_what_is_named(schema):
    try:
        check_action_schemas({"name": "n", "actions": [{"name": "a", "input_schema": schema}]})
        refusal = None
    except LocalManagerError as error:
        refusal = str(error)
    problems = schema_problems(schema)
    assert bool(problems) == (refusal is not None), (problems, refusal)
    done = inline_references(schema)
    if not done.problems and isinstance(schema, dict) and not schema_problems(schema):
        assert done.schema == schema  # What is accepted is not changed.


# -- what old connectors declared -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "schema"),
    [
        ({}, {"type": "object", "properties": {}}),
        (
            {
                "url": {"type": "string", "required": True, "description": "Where."},
                "limit": {"type": "integer", "required": False, "default": 10},
                "nested": {"type": "object", "required": ["a"], "properties": {"a": {}}},
            },
            {
                "type": "object",
                "properties": {
                    "url": {"type": "string", "description": "Where."},
                    "limit": {"type": "integer", "default": 10},
                    "nested": {"type": "object", "required": ["a"], "properties": {"a": {}}},
                },
                "required": ["url"],
            },
        ),
        (ADDRESS, ADDRESS),
        (GENERATED, GENERATED),
        ({"properties": {"a": {"type": "string"}}}, {"properties": {"a": {"type": "string"}}}),
        ({"properties": {}}, {"properties": {}}),
        ({"type": "object"}, {"type": "object"}),
        ({"anyOf": []}, {"anyOf": []}),
        (  # Parameters that are called like keywords.
            {"type": {"type": "string", "required": True}, "properties": {"type": "object"}},
            {
                "type": "object",
                "properties": {"type": {"type": "string"}, "properties": {"type": "object"}},
                "required": ["type"],
            },
        ),
    ],
)
def test_what_old_connectors_declared_becomes_a_schema(parameters, schema):
    given = copy.deepcopy(parameters)
    assert schema_of_parameters(given) == schema
    assert given == parameters
