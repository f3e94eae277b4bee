"""Foreign schemas: what the manager would refuse is said in other words, or not at all."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_connector.local.manifest_shapes import check_action_schemas
from omni_connector.mcp.schemas import DEEPEST, UnacceptableSchemaError, acceptable_schema
from omni_connector.models.action_schema import REFUSED_ANYWHERE, REFUSED_AT_TOP

TEXT = {"type": "string"}


def of(properties, **more):
    return {"type": "object", "properties": properties, **more}


def test_what_is_fine_comes_through_as_it_is():
    schema = of(
        {"a": TEXT, "b": {"anyOf": [TEXT, {"type": "null"}]}}, required=["a"], additionalProperties=False
    )
    assert acceptable_schema(schema) == schema


@pytest.mark.parametrize(
    "schema", [{}, {"type": "object"}, {"type": ["object", "null"]}, {"properties": None}]
)
def test_what_is_missing_is_filled_in(schema):
    assert acceptable_schema(schema) == of({})


def test_references_are_replaced_by_what_they_refer_to():
    schema = of({"a": {"$ref": "#/$defs/A", "description": "an A"}}, **{"$defs": {"A": {"enum": [1]}}})
    assert acceptable_schema(schema) == of({"a": {"enum": [1], "description": "an A"}})


def test_a_type_that_contains_itself_is_written_out_once_and_then_left_open():
    tree = of({"children": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}})
    schema = of({"tree": {"$ref": "#/$defs/Tree"}}, required=["tree"], **{"$defs": {"Tree": tree}})
    assert acceptable_schema(schema) == of(
        {"tree": of({"children": {"type": "array", "items": {}}})}, required=["tree"]
    )


@pytest.mark.parametrize("reference", ["https://example.com/a.json", "#/$defs/Missing", "#anchor", "#"])
def test_references_that_lead_nowhere_are_left_open(reference):
    assert acceptable_schema(of({"a": {"$ref": reference, "title": "A"}})) == of({"a": {"title": "A"}})


@pytest.mark.parametrize(
    "keyword",
    [
        {"if": {"properties": {"a": {"const": 1}}}, "then": {"required": ["a"]}, "else": {}},
        {"not": {"required": ["a"]}},
        {"dependentRequired": {"a": ["b"]}},
        {"dependentSchemas": {"a": of({})}},
        {"$dynamicRef": "#node"},
    ],
)
def test_conditions_are_left_out(keyword):
    assert acceptable_schema(of({"a": TEXT}, **keyword)) == of({"a": TEXT})
    assert acceptable_schema(of({"a": {**TEXT, **keyword}})) == of({"a": TEXT})
    assert acceptable_schema(of({"a": {"items": keyword}})) == of({"a": {"items": {}}})


def test_a_parameter_with_a_name_that_is_refused_is_hidden_if_the_tool_can_do_without():
    assert acceptable_schema(of({"not": TEXT, "a": TEXT})) == of({"a": TEXT})
    with pytest.raises(
        UnacceptableSchemaError, match="not is the name of a required parameter, at input_schema"
    ):
        acceptable_schema(of({"not": TEXT}, required=["not"]))
    with pytest.raises(UnacceptableSchemaError, match=r"at input_schema\.properties\.a\.properties"):
        acceptable_schema(of({"a": of({"if": TEXT}, required=["if"])}))


def test_values_with_such_keys_are_left_out_and_other_values_stay():
    schema = of(
        {
            "a": {"default": {"if": 1}, "examples": [{"x": {"not": 1}}], "title": "A"},
            "b": {"default": {"x": 1}},
        }
    )
    assert acceptable_schema(schema) == of({"a": {"title": "A"}, "b": {"default": {"x": 1}}})


def test_all_of_at_the_top_is_joined():
    schema = {"allOf": [of({"a": TEXT}, required=["a"]), of({"b": TEXT}, required=["b"])], "title": "Both"}
    assert acceptable_schema(schema) == of({"a": TEXT, "b": TEXT}, required=["a", "b"], title="Both")


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf"])
def test_of_alternatives_at_the_top_every_parameter_is_kept_and_what_all_require_is_required(keyword):
    by_id = of({"id": TEXT, "verbose": TEXT}, required=["id"], additionalProperties=False)
    by_name = of(
        {"name": TEXT, "id": {"type": "integer"}}, required=["name", "id"], additionalProperties=False
    )
    schema = {"type": "object", keyword: [by_id, by_name]}
    assert acceptable_schema(schema) == of(
        {"id": {"anyOf": [TEXT, {"type": "integer"}]}, "verbose": TEXT, "name": TEXT}, required=["id"]
    )


def test_alternatives_of_required_parameters_only_keep_the_parameters():
    schema = of({"a": TEXT, "b": TEXT}, anyOf=[{"required": ["a"]}, {"required": ["b"]}])
    assert acceptable_schema(schema) == of({"a": TEXT, "b": TEXT}, required=[])


@pytest.mark.parametrize("schema", [None, [], "text", {"type": "array"}, {"type": ["string", "null"]}])
def test_what_describes_no_object_is_refused(schema):
    with pytest.raises(UnacceptableSchemaError):
        acceptable_schema(schema)


def test_definitions_that_double_at_every_step_are_refused_in_no_time():
    definitions = {
        f"D{n}": of({"left": {"$ref": f"#/$defs/D{n + 1}"}, "right": {"$ref": f"#/$defs/D{n + 1}"}})
        for n in range(40)
    }
    schema = of({"a": {"$ref": "#/$defs/D0"}}, **{"$defs": {**definitions, "D40": TEXT}})
    with pytest.raises(UnacceptableSchemaError, match=r"more than \d+ (objects|levels)"):
        acceptable_schema(schema)


@pytest.mark.parametrize("levels", [20, 59])
def test_references_that_lead_too_deep_are_refused(levels):
    def nested(inner):
        for _ in range(levels):
            inner = {"items": inner}
        return inner

    definitions = {f"D{n}": nested({"$ref": f"#/$defs/D{n + 1}"}) for n in range(50)}
    schema = of({"a": {"$ref": "#/$defs/D0"}}, **{"$defs": definitions})
    with pytest.raises(UnacceptableSchemaError, match=r"levels|too deep"):
        acceptable_schema(schema)


def test_nesting_beyond_what_a_manifest_holds_is_refused():
    schema = TEXT
    for _ in range(DEEPEST):
        schema = {"items": schema}
    with pytest.raises(UnacceptableSchemaError, match=f"more than {DEEPEST} levels"):
        acceptable_schema(of({"a": schema}))


names = st.sampled_from(
    ["a", "b", *sorted(REFUSED_ANYWHERE), *REFUSED_AT_TOP, "items", "properties", "default"]
)
schemas = st.recursive(
    st.sampled_from(
        [{}, TEXT, True, {"$ref": "#/$defs/A"}, {"$ref": "#"}, {"$ref": "#/properties/a"}, ["a"], "a", 1]
    ),
    lambda inner: st.dictionaries(names, inner, max_size=4) | st.lists(inner, max_size=3),
    max_leaves=20,
)


@given(st.dictionaries(names, schemas, max_size=5))
def test_whatever_is_announced_is_taken_by_the_manager(schema):
    before = copy.deepcopy(schema)
    try:
        found = acceptable_schema(schema)
    except UnacceptableSchemaError:
        found = of({})
    check_action_schemas({"name": "m", "actions": [{"name": "a", "input_schema": found}]})
    assert schema == before
