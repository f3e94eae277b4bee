"""Arguments for tools and prompts, and what becomes of their answers."""

from __future__ import annotations

import base64
from types import SimpleNamespace

import mcp_types as types
import pytest

from omni_connector import ActionDefinition, McpRefusedError
from omni_connector.mcp.messages import (
    prompt_arguments,
    prompt_messages,
    prompt_text,
    resource_contents,
    tool_arguments,
    tool_result,
)

SOURCE = {"id": "s", "config": {"base_url": "https://example.com", "read_only": False, "path": "/default"}}


def tool(properties, **more):
    schema = {"type": "object", "properties": properties, **more}
    return ActionDefinition(name="find", description="", input_schema=schema)


# -- arguments of tools -----------------------------------------------------------------------------------------


def test_what_the_manager_adds_from_the_source_s_config_does_not_reach_the_tool():
    params = {"path": "/mine", **{key: value for key, value in SOURCE["config"].items() if key != "path"}}
    assert tool_arguments(tool({"path": {}}), params, SOURCE) == {"path": "/mine"}


@pytest.mark.parametrize(
    "more", [{"additionalProperties": True}, {"additionalProperties": {}}, {"patternProperties": {"^x-": {}}}]
)
def test_a_tool_that_takes_anything_gets_what_the_caller_gave(more):
    params = {"path": "/mine", "x-other": 1, "base_url": "https://example.com", "read_only": True}
    assert tool_arguments(tool({"path": {}}, **more), params, SOURCE) == {
        "path": "/mine",
        "x-other": 1,
        "read_only": True,  # The caller's: the source says otherwise.
    }


def test_a_tool_that_names_no_parameters_gets_what_the_caller_gave():
    assert tool_arguments(tool({}), {"a": 1, "path": "/default"}, SOURCE) == {"a": 1}
    assert tool_arguments(tool({}, additionalProperties=False), {"a": 1}, None) == {}


def test_a_document_id_that_the_manager_has_renamed_gets_its_name_back():
    assert tool_arguments(tool({"document_id": {}}), {"file_id": "x"}, None) == {"document_id": "x"}
    assert tool_arguments(tool({"document_id": {}, "file_id": {}}), {"file_id": "x"}, None) == {
        "file_id": "x"
    }


@pytest.mark.parametrize("source", [None, {}, {"config": None}, {"config": []}])
def test_a_source_without_config_takes_nothing_away(source):
    assert tool_arguments(tool({"a": {}}), {"a": 1}, source) == {"a": 1}


def test_no_parameters_are_none_and_others_than_an_object_are_refused():
    assert tool_arguments(tool({"a": {}}), None, None) == {}
    with pytest.raises(McpRefusedError, match="find: params must be an object"):
        tool_arguments(tool({"a": {}}), [1], None)


# -- arguments of prompts ---------------------------------------------------------------------------------------


def test_arguments_of_prompts_are_texts():
    given = {"a": "text", "b": 3, "c": ["x"], "d": None, "e": True}
    assert prompt_arguments(given) == {"a": "text", "b": "3", "c": '["x"]', "e": "true"}
    assert prompt_arguments(None) == {}
    with pytest.raises(TypeError, match="must be an object"):
        prompt_arguments(["a"])


# -- answers ----------------------------------------------------------------------------------------------------


def text(said):
    return types.TextContent(text=said)


IMAGE = types.ImageContent(data=base64.b64encode(b"x").decode(), mime_type="image/png")
EMBEDDED = types.EmbeddedResource(resource=types.TextResourceContents(uri="a://b", text="embedded"))
BLOB = types.EmbeddedResource(resource=types.BlobResourceContents(uri="a://c", blob="eA=="))
LINK = types.ResourceLink(uri="a://d", name="D")


def test_the_texts_of_a_tool_are_joined_and_what_is_no_text_is_named():
    blocks = [text("one"), IMAGE, EMBEDDED, BLOB, LINK, text("two")]
    told = tool_result(types.CallToolResult(content=blocks))
    assert told.content.split("\n") == [
        "one",
        "[image image/png]",
        "embedded",
        "[resource of unknown type]",
        "[D](a://d)",
        "two",
    ]
    assert told.to_wire() == {"content": told.content}


def test_structured_content_comes_along_and_stands_for_texts_where_there_are_none():
    told = tool_result(types.CallToolResult(content=[text("hot")], structured_content={"degrees": 30}))
    assert told.to_wire() == {"content": "hot", "structured_content": {"degrees": 30}}
    told = tool_result(types.CallToolResult(content=[], structured_content={"degrees": 30}))
    assert told.content == '{"degrees":30}'


def test_the_contents_of_a_resource():
    contents = [
        types.TextResourceContents(uri="a://b", text="", mime_type="text/plain"),
        types.BlobResourceContents(uri="a://c", blob="eA=="),
    ]
    assert resource_contents(types.ReadResourceResult(contents=contents)) == {
        "contents": [
            {"uri": "a://b", "text": "", "mime_type": "text/plain"},
            {"uri": "a://c", "blob": "eA=="},
        ]
    }


def test_a_prompt_keeps_texts_and_names_what_is_none():
    messages = [
        types.PromptMessage(role="user", content=text("Look:")),
        types.PromptMessage(role="user", content=IMAGE),
        types.PromptMessage(role="assistant", content=EMBEDDED),
    ]
    prompt = prompt_messages(types.GetPromptResult(description="About", messages=messages))
    assert prompt == {
        "description": "About",
        "messages": [
            {"role": "user", "content": {"type": "text", "text": "Look:"}},
            {"role": "user", "content": {"type": "image"}},
            {"role": "assistant", "content": {"type": "text", "text": "embedded"}},
        ],
    }
    assert prompt_text(prompt) == "About\n\nLook:\n\nembedded"
    assert prompt_text({**prompt, "description": None}) == "Look:\n\nembedded"


def test_a_result_without_a_word_is_empty():
    assert tool_result(SimpleNamespace(content=[], structured_content=None)).content == ""
