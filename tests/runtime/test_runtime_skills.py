"""Skills: static, computed by the connector, made of prompts; and what is answered when there is none."""

from __future__ import annotations

import pytest
from support.openapi import response_problems
from support.scripted import Scripted

from omni_connector import ConnectorError, SkillDefinition, SkillResponse
from omni_connector.exceptions import HookFailedError, UnknownSkillError
from omni_connector.models import SkillRequest
from omni_connector.runtime.skills import load_skill
from omni_connector.testing import serve_connector

CREDENTIALS = {"credentials": {"token": "t0p-secret"}, "config": {}, "auth_type": "oauth"}


class Prompts:
    """A source of prompts that remembers what it was asked for."""

    def __init__(self, **texts):
        self.texts = texts
        self.asked = []

    def add_to_manifest(self, wire):
        return wire

    def close(self):
        """Nothing."""

    def prompt_text(self, name, arguments, credentials):
        self.asked.append((name, arguments, credentials))
        return self.texts.get(name)


class Skilled(Scripted):
    skills = [
        SkillDefinition(id="static", title="Static", content="As announced."),
        SkillDefinition(id="computed", title="Computed"),
        SkillDefinition(id="prompted", title="Prompted", mcp_prompt="sum"),
        SkillDefinition(id="nowhere", title="Nowhere"),
        SkillDefinition(id="mcp:titled", title="With a title"),
    ]

    def load_skill(self, skill_id, arguments, credentials):
        if skill_id == "own":
            return SkillResponse(skill_id="own", title="Own title", content="own")
        if skill_id in {"computed", "static"}:
            return f"{skill_id} {arguments} {credentials['credentials']}"
        return None


@pytest.fixture
def load(serve):
    """Load a skill; keyword arguments change the request."""

    def load(skill_id, connector=None, prompts=None, **changes):
        connector = connector or Skilled()
        service = serve(connector)
        return load_skill(
            service._hooks,
            SkillRequest(skill_id=skill_id, **{"credentials": CREDENTIALS, **changes}),
            definitions=service.manifest()["skills"],
            prompts=prompts,
        )

    return load


def test_static_content_is_the_first_choice(load):
    assert load("static") == SkillResponse(skill_id="static", title="Static", content="As announced.")


def test_the_connector_computes_a_skill(load):
    answer = load("computed", arguments={"a": 1})
    assert answer == SkillResponse(
        skill_id="computed", title="Computed", content="computed {'a': 1} {'token': 't0p-secret'}"
    )
    assert type(answer.content) is str


@pytest.mark.parametrize("arguments", [None, [1], "x"])
def test_arguments_that_are_no_object_are_empty(load, arguments):
    assert load("computed", arguments=arguments).content.startswith("computed {} ")


def test_the_connector_may_answer_for_skills_that_it_does_not_announce(load):
    assert load("own") == SkillResponse(skill_id="own", title="Own title", content="own")


@pytest.mark.parametrize(
    ("skill_id", "prompt", "title"),
    [
        ("prompted", "sum", "Prompted"),
        ("mcp:titled", "titled", "With a title"),
        ("mcp:other", "other", "other"),
    ],
)
def test_a_prompt_is_a_skill(load, skill_id, prompt, title):
    prompts = Prompts(**{prompt: "text of the prompt"})
    assert load(skill_id, prompts=prompts, arguments={"n": 1}) == SkillResponse(
        skill_id=skill_id, title=title, content="text of the prompt"
    )
    assert prompts.asked == [(prompt, {"n": 1}, CREDENTIALS)]


@pytest.mark.parametrize("skill_id", ["nowhere", "unknown", "prompted", "mcp:sum", "sum", ""])
@pytest.mark.parametrize("prompts", [None, Prompts()])
def test_what_is_found_nowhere_is_unknown(load, skill_id, prompts):
    with pytest.raises(UnknownSkillError, match=f"^Unknown skill: {skill_id}$") as caught:
        load(skill_id, prompts=prompts)
    assert caught.value.skill_id == skill_id


def test_the_hook_may_be_async_and_take_less(load):
    class Async(Scripted):
        async def load_skill(self, skill_id):
            assert await super().load_skill(skill_id) is None
            return f"async {skill_id}"

    assert load("any", Async()) == SkillResponse(skill_id="any", title="any", content="async any")


def test_an_empty_text_is_a_text(load):
    class Empty(Scripted):
        def load_skill(self, *args):
            return ""

    assert load("any", Empty(), Prompts(any="never asked")).content == ""


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (5, "load_skill failed: TypeError: it returned int; return text, a SkillResponse, or None"),
        (ValueError("for t0p-secret"), "load_skill failed: ValueError: for ***"),
        (
            SystemExit("t0p-secret"),
            "load_skill failed: it tried to end the process (SystemExit: ***); raise another exception to report an error",
        ),
    ],
)
def test_a_hook_that_fails_is_told_without_secrets(load, caplog, returned, message):
    class Failing(Scripted):
        def load_skill(self, *args):
            if isinstance(returned, BaseException):
                raise returned
            return returned

    with pytest.raises(HookFailedError) as caught:
        load("any", Failing())
    assert (str(caught.value), caught.value.hook) == (message, "load_skill")
    assert "load_skill failed: " in caplog.text
    assert "Traceback (most recent call last)" in caplog.text
    assert "t0p-secret" not in caplog.text


# -- the endpoint -------------------------------------------------------------------------------------------------


@pytest.fixture
def post(serve):
    from flask import Flask

    from omni_connector.web.blueprint import build_blueprint

    def post(body, connector=None, prompts=None):
        service = serve(connector or Skilled())
        service.calls.mirror = prompts
        app = Flask("test")
        app.register_blueprint(build_blueprint(service))
        response = app.test_client().post("/skill", json=body)
        if response.status_code in {200, 404}:
            assert response_problems("post", "/skill", response.status_code, response.json) == []
        return response.status_code, response.json

    return post


def request_of(skill_id):
    return {"skill_id": skill_id, "arguments": None, "credentials": CREDENTIALS}


def test_the_endpoint_answers_as_documented(post):
    content = {"skill_id": "static", "title": "Static", "content": "As announced."}
    assert post(request_of("static")) == (200, content)
    assert post(request_of("x")) == (404, {"error": "Unknown skill: x"})
    assert post(request_of("prompted"), prompts=Prompts(sum="text"))[1]["content"] == "text"
    status, body = post({"arguments": None})
    assert (status, body["error"]) == (400, "skill_id: required field is missing")


def test_the_endpoint_tells_what_failed_once_and_without_secrets(post, caplog):
    class Failing(Scripted):
        def load_skill(self, skill_id):
            raise ValueError("t0p-secret")

    status, body = post(request_of("x"), Failing())
    assert (status, body["error"]) == (500, "load_skill failed: ValueError: ***")
    assert "t0p-secret" not in caplog.text
    assert caplog.text.count("Traceback") == 1


def test_a_prompt_that_cannot_be_had_answers_500(post):
    class Broken(Prompts):
        def prompt_text(self, name, arguments, credentials):
            raise ConnectorError("connection closed")

    status, body = post(request_of("mcp:x"), prompts=Broken())
    assert (status, body["error"]) == (500, "connection closed")


def test_skills_are_listed_and_loaded_through_the_manager(omni_manager):
    with serve_connector(Skilled(), omni_manager) as served:
        source = served.put_source(credentials={"token": "t"})
        client = omni_manager.app.test_client()
        listed = [skill["id"] for skill in client.get("/skills").json["skills"]]
        assert listed == ["static", "computed", "prompted", "nowhere", "mcp:titled"]
        static = client.post("/skill", json={"skill_id": "static"})
        assert static.json["content"] == "As announced."
        asked = {"skill_id": "computed", "source_id": source, "arguments": {"a": 1}}
        computed = client.post("/skill", json=asked)
        assert computed.json["content"] == "computed {'a': 1} {'token': 't'}"
        unknown = client.post("/skill", json={"skill_id": "nowhere", "source_id": source})
        assert unknown.status_code == 500
        assert "Unknown skill: nowhere" in unknown.json["error"]
