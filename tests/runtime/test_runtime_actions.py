"""Actions and hooks, in both colours and with as many parameters as an author likes."""

from __future__ import annotations

import functools

import pytest
from flask import Response
from support.scripted import Scripted

from omni_connector import ActionResponse, Connector
from omni_connector.awaitables import DONE, AwaitableBool, AwaitableStr, Ready
from omni_connector.models import ActionRequest, ConnectorManifest
from omni_connector.runtime.actions import run_action
from omni_connector.runtime.asgi_answer import RawResponse
from omni_connector.runtime.hooks import HookCaller, is_async_hook

SOURCE = {"id": "s", "name": "Docs"}
REQUEST = ActionRequest(
    action="ping",
    params={"a": 1},
    credentials={"id": "c", "credentials": {"token": "t0p-secret"}},
    source=SOURCE,
    actor_email="ada@example.com",
)


@pytest.fixture
def act(loop):
    """Run an action whose method is given."""

    def run(method, request=REQUEST):
        kind = type("Acting", (Scripted,), {"execute_action": method})
        return run_action(HookCaller(kind(), loop), request)

    return run


def three(self, action, params, credentials):
    return [action, params, credentials]


def with_source(self, action, params, credentials, source):
    return [action, params, credentials, source]


def with_email(self, action, params, credentials, *, actor_email=None):
    return [action, params, credentials, actor_email]


def with_both(self, action, params, credentials, *, actor_email, source):
    return [action, params, credentials, source, actor_email]


def with_everything(self, *args, **kwargs):
    return [*args, kwargs["source"], kwargs["actor_email"]]


async def asynchronous(self, action, params, credentials, source=None):
    return [action, params, credentials, source]


@functools.wraps(asynchronous)
def decorated(*args, **kwargs):
    return asynchronous(*args, **kwargs)


FIRST = ["ping", REQUEST.params, REQUEST.credentials]


@pytest.mark.parametrize(
    ("method", "given"),
    [
        (three, FIRST),
        (with_source, [*FIRST, SOURCE]),
        (with_email, [*FIRST, "ada@example.com"]),
        (with_both, [*FIRST, SOURCE, "ada@example.com"]),
        (with_everything, [*FIRST, SOURCE, "ada@example.com"]),
        (asynchronous, [*FIRST, SOURCE]),
        (decorated, [*FIRST, SOURCE]),
    ],
)
def test_an_action_is_given_what_it_accepts(act, method, given):
    assert act(method) == given


def test_null_params_and_credentials_become_empty_ones(act):
    assert act(with_both, ActionRequest(action="ping")) == ["ping", {}, {}, None, None]


def test_params_that_are_no_object_come_through(act):
    assert act(three, ActionRequest(action="ping", params=[1]))[1] == [1]


def test_a_connector_without_actions_supports_none(loop):
    answer = run_action(HookCaller(Scripted(), loop), REQUEST)
    assert answer == ActionResponse.not_supported("ping")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("401 for t0p-secret"), "ValueError: 401 for ***"),
        (
            SystemExit("t0p-secret"),
            "it tried to end the process (SystemExit: ***); raise another exception to report an error",
        ),
        (KeyboardInterrupt("t0p-secret"), "it was interrupted (KeyboardInterrupt)"),
    ],
)
@pytest.mark.parametrize("colour", ["blocking", "async"])
def test_an_action_that_raises_answers_500_without_secrets(act, caplog, error, text, colour):
    def blocking(self, action, params, credentials):
        raise error

    async def in_async(self, action, params, credentials):
        raise error

    answer = act(blocking if colour == "blocking" else in_async)
    assert (answer.status, answer.status_code) == ("error", 500)
    assert answer.error == text
    assert "Action ping failed: " in caplog.text
    assert "Traceback (most recent call last)" in caplog.text
    assert "t0p-secret" not in caplog.text + answer.error


def test_an_action_that_requires_what_nobody_knows_answers_500(act):
    answer = act(lambda self, action, params, credentials, *, flavour: None)
    assert answer.status_code == 500
    assert "TypeError" in answer.error


@pytest.mark.parametrize("value", [{"a": 1}, ActionResponse.success(1), Response("x"), None, [1], "text", 5])
def test_what_an_action_returns_is_handed_on(act, value):
    assert act(lambda self, action, params, credentials: value) is value


class Foreign:
    """Shaped like a response of an ASGI framework."""

    status_code = 201

    def __init__(self, **parts):
        vars(self).update(parts)


class Headers:
    """Shaped like their headers: pairs by ``items``, a name may come twice."""

    def __init__(self, *pairs):
        self._pairs = pairs

    def items(self):
        return list(self._pairs)


async def chunks():
    yield b"one "
    yield "two"


@pytest.mark.parametrize(
    ("parts", "headers", "body"),
    [
        ({"headers": {"X-A": "1"}, "body": b"bytes"}, (("X-A", "1"),), b"bytes"),
        ({"headers": [("X-A", "1"), ("X-A", "2")], "body": "text"}, (("X-A", "1"), ("X-A", "2")), b"text"),
        ({"headers": Headers(("X-A", "1"), ("X-A", "2")), "body": b""}, (("X-A", "1"), ("X-A", "2")), b""),
        (
            {"headers": {}, "raw_headers": [(b"x-a", b"1"), (b"set-cookie", b"\xe4")], "body": b"raw"},
            (("x-a", "1"), ("set-cookie", "ä")),
            b"raw",
        ),
        ({"headers": None, "body": None}, (), b""),
        ({"headers": {}, "body": memoryview(b"view")}, (), b"view"),
        ({"headers": {}, "body_iterator": [b"one ", "two"]}, (), b"one two"),
        ({"headers": {}, "body_iterator": iter([b"x"]), "body": b"ignored"}, (), b"x"),
    ],
)
def test_responses_of_asgi_frameworks_are_recognised_by_their_shape(act, parts, headers, body):
    answer = act(lambda self, action, params, credentials: Foreign(**parts))
    assert answer == RawResponse(201, headers, body)


def test_a_stream_of_an_asgi_framework_is_collected(act):
    async def streaming(self, action, params, credentials):
        return Foreign(headers={}, body_iterator=chunks())

    assert act(streaming) == RawResponse(201, (), b"one two")


def test_a_stream_that_breaks_answers_500(act):
    async def broken():
        yield b"one"
        raise OSError("gone")

    answer = act(lambda self, action, params, credentials: Foreign(headers={}, body_iterator=broken()))
    assert (answer.status_code, answer.error) == (500, "OSError: gone")


# -- hooks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "told"), [(DONE, None), (AwaitableStr("x"), "x"), (AwaitableBool(True), True), (Ready(5), 5)]
)
def test_values_that_may_be_awaited_are_told_plainly(loop, value, told):
    async def asynchronous():
        return value  # Not awaited on the way.

    hooks = HookCaller(Scripted(), loop)
    assert hooks.value_of(value) == told
    assert type(hooks.value_of(value)) in {type(told), AwaitableStr}
    assert loop._thread is None, "nothing has to be awaited"
    assert hooks.value_of(asynchronous()) == told


def test_a_hook_is_given_its_arguments_in_both_colours(loop):
    async def asynchronous(a, *, b):
        return (a, b)

    hooks = HookCaller(Scripted(), loop)
    assert hooks.call(asynchronous, {"a": 1, "b": 2}) == (1, 2)
    assert hooks.call(lambda a, *, b: (a, b), {"a": 1, "b": 2}) == (1, 2)


def test_async_hooks_are_recognised_behind_decorators_that_say_what_they_wrap():
    async def hook():
        """Async."""

    @functools.wraps(hook)
    def wrapped():
        return hook()

    def hiding():
        return hook()

    assert is_async_hook(hook)
    assert is_async_hook(wrapped)
    assert is_async_hook(functools.partial(hook))
    assert not is_async_hook(hiding)


# -- the manifest -----------------------------------------------------------------------------------------------


def manifest_of(**members):
    return type("Declared", (Scripted,), members)()


def test_a_manifest_is_made_from_the_properties(serve):
    connector = manifest_of(
        display_name="My notes", description="All of them", sync_modes=("full", "incremental")
    )
    wire = serve(connector).manifest()
    assert (wire["name"], wire["display_name"], wire["description"]) == (
        "scripted",
        "My notes",
        "All of them",
    )
    assert wire["sync_modes"] == ["full", "incremental"]
    assert wire["connector_url"] == ""


def test_defaults_follow_the_name():
    class Bare(Connector):
        name = "bare"
        version = "1"

        def sync(self, source_config, credentials, state, ctx):
            """Nothing."""

    manifest = Bare().get_manifest("http://me")
    assert manifest == ConnectorManifest(
        name="bare",
        version="1",
        display_name="bare",
        sync_modes=["full"],
        source_types=["bare"],
        connector_url="http://me",
    )
    assert not Bare().cancel("run-1")


@pytest.mark.parametrize(
    "method",
    [
        lambda self: {"name": "own"},
        lambda self, connector_url: {"name": "own", "url": connector_url},
    ],
)
def test_an_override_of_get_manifest_may_return_a_dict_and_take_what_it_likes(serve, method):
    assert serve(manifest_of(get_manifest=method)).manifest()["name"] == "own"


def test_get_manifest_may_be_async(serve):
    async def get_manifest(self, connector_url=""):
        return Scripted.get_manifest(self, "http://async")

    assert serve(manifest_of(get_manifest=get_manifest)).manifest()["connector_url"] == "http://async"
