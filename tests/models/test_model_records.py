"""Rows that are dicts and have attributes."""

from __future__ import annotations

import copy
import json
import pickle

import pytest
from support.scripted import Scripted

from omni_connector import ActionDefinition, ActionParameter, Source, UserFilterMode
from omni_connector.event_loop import EventLoop
from omni_connector.models import ActionRequest
from omni_connector.models.codec import decode, encode
from omni_connector.runtime.actions import run_action
from omni_connector.runtime.hooks import HookCaller

ROW = {"id": "s-1", "name": "Docs", "source_type": "web", "config": {"url": "https://x"}, "items": 3}


def test_the_filter_mode_of_a_source_is_one_of_the_enumeration():
    assert Source({}).user_filter_mode is UserFilterMode.ALL
    assert Source({"user_filter_mode": "whitelist"}).user_filter_mode is UserFilterMode.WHITELIST
    assert Source({"user_filter_mode": "later"}).user_filter_mode == "later"


def test_a_source_is_its_row_and_its_columns_are_attributes():
    source = Source(ROW)
    assert source == ROW
    assert (source.id, source.config["url"], source["name"]) == ("s-1", "https://x", "Docs")
    assert Source(id="s-2", config={}).id == "s-2"
    assert (source or {}) is source


def test_what_older_managers_leave_out_has_its_usual_value():
    source = Source(ROW)
    assert (source.user_filter_mode, source.user_whitelist, source.checkpoint) == ("all", None, None)
    assert source == ROW, "it is not added to the row"


def test_an_attribute_that_is_not_there_is_named():
    with pytest.raises(
        AttributeError, match="Source has no 'cofig'; it has config, id, items, name, source_type"
    ):
        _ = Source(ROW).cofig
    with pytest.raises(AttributeError, match="it has nothing"):
        _ = Source().id


def test_a_record_may_be_changed_and_copied_and_sent():
    source = Source(ROW)
    source.name = "Other"
    assert source["name"] == "Other"
    assert decode(encode(source)) == json.loads(json.dumps(source)) == {**ROW, "name": "Other"}
    for made in (copy.deepcopy(source), pickle.loads(pickle.dumps(source))):
        assert (type(made), made) == (Source, source)


def test_a_record_is_validated_and_dumped_like_a_model():
    source = Source.model_validate(ROW)
    assert Source.model_validate(source) is source
    dumped = source.model_dump(mode="json")
    dumped["config"]["url"] = "changed"
    assert (type(dumped), source.config["url"]) == (dict, "https://x")
    assert Source(a=None, b=1).model_dump(exclude_none=True) == {"b": 1}


def test_an_action_is_given_its_source_as_such_a_record():
    class Acting(Scripted):
        def execute_action(self, action, params, credentials, source=None):
            return {"url": source.config["url"] if source else None}

    loop = EventLoop("test-loop")
    assert run_action(HookCaller(Acting(), loop), ActionRequest(action="a", source=dict(ROW))) == {
        "url": "https://x"
    }
    assert run_action(HookCaller(Acting(), loop), ActionRequest(action="a")) == {"url": None}
    loop.close()


def test_a_parameter_says_what_was_said_of_it():
    parameter = ActionParameter(type="string", description="What to look for")
    assert parameter == {"type": "string", "description": "What to look for"}
    assert (parameter.type, parameter.required, ActionParameter().description) == ("string", False, None)


def test_parameters_as_actions_once_declared_them_become_a_schema():
    action = ActionDefinition(
        name="search",
        description="Search",
        parameters={
            "query": ActionParameter(type="string", required=True, description="What to look for"),
            "limit": ActionParameter(type="integer"),
        },
    )
    assert action.input_schema == {
        "type": "object",
        "properties": {
            "query": {"type": "string", "description": "What to look for"},
            "limit": {"type": "integer"},
        },
        "required": ["query"],
    }
