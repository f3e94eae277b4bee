"""An override of a hook uses the base's blocking default, at once or awaited, whatever its colour."""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading

import pytest
from support.scripted import Scripted

from omni_connector import ActionResponse, Connector, ConnectorError, ConnectorManifest
from omni_connector.awaitables import (
    AwaitableValue,
    MayAwait,
    Ready,
    awaitable,
    hook,
    plain,
)
from omni_connector.blocking_hooks import blocking_hook
from omni_connector.models import ActionRequest
from omni_connector.runtime.actions import run_action
from omni_connector.runtime.hooks import HookCaller


def call_hook(loop, hook, *args):
    return HookCaller(Scripted(), loop).value_of(hook(*args))


OBJECT = object()
VALUES = [None, True, False, "text", {"a": 1}, [1, 2], 5, ("a",), OBJECT, ActionResponse.success(1)]


def returning(value, method=None):
    """Return a connector whose base's ``prepare`` returns ``value``, overridden by ``method``."""

    class Base(Scripted):
        @hook
        def prepare(self, credentials):
            """Say what it prepares."""
            return value

    members = {} if method is None else {"prepare": method}
    return type("Own", (Base,), members)()


# -- hooks that only look at memory ------------------------------------------------------------------------------


@pytest.mark.parametrize("value", VALUES)
def test_an_async_override_awaits_the_default(loop, value):
    async def prepare(self, credentials):
        given = await super(type(self), self).prepare(credentials)
        assert type(given) is type(value)
        return given

    given = call_hook(loop, returning(value, prepare).prepare, {})
    assert given == value


@pytest.mark.parametrize("value", VALUES)
def test_a_blocking_override_uses_the_default_at_once(loop, value):
    def prepare(self, credentials):
        given = super(type(self), self).prepare(credentials)
        assert isinstance(given, type(value))
        assert given == value
        assert (given is None) is (value is None)
        return given

    assert call_hook(loop, returning(value, prepare).prepare, {}) == value
    assert loop._thread is None, "nothing had to be awaited"


@pytest.mark.parametrize("value", VALUES)
def test_a_default_that_is_not_overridden_is_what_it_is(loop, value):
    given = call_hook(loop, returning(value).prepare, {})
    assert given == value
    assert (given is None) is (value is None)


@pytest.mark.parametrize("value", [None, True, {"a": 1}, 5])
def test_an_async_override_may_forget_to_await(loop, value):
    async def prepare(self, credentials):
        return super(type(self), self).prepare(credentials)

    assert call_hook(loop, returning(value, prepare).prepare, {}) == value


def test_a_decorated_async_override_awaits_the_default(loop):
    def logged(method):
        @functools.wraps(method)
        def call(*args, **kwargs):
            return method(*args, **kwargs)

        return call

    @logged
    async def prepare(self, credentials):
        return await super(type(self), self).prepare(credentials)

    assert call_hook(loop, returning(None, prepare).prepare, {}) is None


def test_an_async_override_between_two_blocking_ones_still_awaits(loop):
    class Base(Scripted):
        @hook
        def prepare(self):
            return None

    class Middle(Base):
        async def prepare(self):
            assert await super().prepare() is None
            return ["middle"]

    class Own(Middle):
        def prepare(self):
            return super().prepare()

    assert call_hook(loop, Own().prepare) == ["middle"]


def test_a_hook_keeps_its_name_its_text_and_its_signature():
    default = type(returning(None)).prepare
    assert (default.__name__, default.__doc__) == ("prepare", "Say what it prepares.")
    assert default.__wrapped__.__code__.co_varnames == ("self", "credentials")


def test_what_a_default_raises_reaches_its_override(loop):
    class Base(Scripted):
        @hook
        def prepare(self):
            raise ValueError("no token")

    class Own(Base):
        async def prepare(self):
            try:
                await super().prepare()
            except ValueError as error:
                return str(error)

    assert call_hook(loop, Own().prepare) == "no token"


def test_a_value_that_can_be_awaited_is_not_wrapped_again():
    class Own(AwaitableValue):
        pass

    own = Own()
    assert awaitable(own) is own
    assert isinstance(awaitable(5), Ready)
    assert plain(awaitable(5)) == 5
    assert plain(5) == 5


# -- hooks that wait for something -------------------------------------------------------------------------------


class Slow(Scripted):
    """The default waits for what a coroutine does meanwhile: on the loop it would wait for ever."""

    def __init__(self):
        self.gate = threading.Event()

    @blocking_hook
    def fetch(self, name: str) -> MayAwait[str]:
        assert self.gate.wait(60), "the loop stood still"
        return f"{name} in {threading.current_thread().name.rsplit('-', 1)[0]}"


def test_a_slow_default_leaves_the_loop_free(loop):
    class Own(Slow):
        async def fetch(self, name):
            started = super().fetch(name)
            self.gate.set()  # Only now can the default go on.
            return await started

    assert call_hook(loop, Own().fetch, "x") == "x in test-loop-call"


def test_a_slow_default_can_be_awaited_on_a_foreign_loop():
    slow = Slow()

    async def use():
        waiting = asyncio.ensure_future(slow.fetch("x"))
        await asyncio.sleep(0)
        slow.gate.set()
        return await waiting

    assert asyncio.run(use()).startswith("x in ")


def test_a_slow_default_is_used_at_once_by_a_blocking_override(loop):
    class Own(Slow):
        def fetch(self, name):
            self.gate.set()
            return super().fetch(name).upper()

    assert call_hook(loop, Own().fetch, "x") == "X IN MAINTHREAD"


def test_waiting_for_the_loop_on_the_loop_is_refused_rather_than_for_ever(loop):
    async def inner():
        """Never reached."""

    async def outer():
        coroutine = inner()
        try:
            loop.run(coroutine)
        finally:
            coroutine.close()

    with pytest.raises(RuntimeError, match="waits for its own event loop"):
        loop.run(outer())


# -- the hooks of Connector --------------------------------------------------------------------------------------


class Awaiting(Scripted):
    """As existing connectors are written."""

    async def execute_action(self, action, params, credentials):
        if action == "own":
            return ActionResponse.success("own")
        return await super().execute_action(action, dict(params), dict(credentials))

    async def cancel(self, sync_run_id):
        return await super().cancel(sync_run_id) or sync_run_id == "mine"

    async def get_manifest(self, connector_url):
        manifest = await super().get_manifest(connector_url)
        manifest.description = "changed"
        return manifest


class Using(Scripted):
    """The same without await."""

    def execute_action(self, action, params, credentials):
        if action == "own":
            return ActionResponse.success("own")
        return super().execute_action(action, params, credentials)

    def cancel(self, sync_run_id):
        return super().cancel(sync_run_id) or sync_run_id == "mine"

    def get_manifest(self, connector_url):
        manifest = super().get_manifest(connector_url)
        manifest.description = "changed"
        return manifest


@pytest.mark.parametrize("kind", [Awaiting, Using])
def test_every_hook_of_the_connector_can_be_overridden_on_top_of_its_default(kind, serve, loop):
    service = serve(kind())
    assert service.manifest()["description"] == "changed"
    assert (service.cancel("mine"), service.cancel("other")) == (True, False)
    assert run_action(HookCaller(kind(), loop), ActionRequest(action="own")) == ActionResponse.success("own")
    assert run_action(HookCaller(kind(), loop), ActionRequest(action="else")) == ActionResponse.not_supported(
        "else"
    )


def test_the_defaults_can_be_awaited_by_a_connectors_own_tests():
    async def use():
        manifest = await Scripted().get_manifest("http://me")
        answer = await Scripted().execute_action("x", {}, {})
        return manifest, answer

    manifest, answer = asyncio.run(use())
    assert isinstance(manifest, ConnectorManifest)
    assert answer == ActionResponse.not_supported("x")


EXEMPT = {"sync", "partitions", "sync_partition", "serve", "http"}
"""The first have no default, the last two are no hooks."""

HOOKS = {
    name: member
    for base in reversed(Connector.__mro__)
    if base.__module__.startswith("omni_connector.")
    for name, member in vars(base).items()
    if inspect.isfunction(member) and not name.startswith("_") and name not in EXEMPT
}
GIVEN = {
    "action": "a",
    "sync_run_id": "r",
    "connector_url": "http://me",
    "skill_id": "s",
    "uri": "x://y",
    "name": "n",
}
"""What required parameters get; others get an empty dict."""


def required(method):
    parameters = list(inspect.signature(method).parameters.values())[1:]
    kinds = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    needed = [one for one in parameters if one.kind not in kinds and one.default is one.empty]
    return [GIVEN.get(one.name, {}) for one in needed]


def overriding(name, colour):
    """Return a connector that overrides a hook on top of its default."""

    def blocking(self, *args):
        return getattr(super(kind, self), name)(*args)

    async def in_async(self, *args):
        return await getattr(super(kind, self), name)(*args)

    kind = type("Own", (Scripted,), {name: blocking if colour == "blocking" else in_async})
    return kind()


def test_every_public_method_with_a_default_is_a_hook():
    """A new one that is not cannot be awaited: decorate it with ``hook`` or ``blocking_hook``."""
    assert {"execute_action", "cancel", "get_manifest"} <= HOOKS.keys()
    assert [name for name, member in HOOKS.items() if not hasattr(member, "__wrapped__")] == []


@pytest.mark.parametrize("colour", ["blocking", "async"])
@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_can_be_overridden_in_either_colour_on_top_of_its_default(name, colour, loop):
    def value_of(connector):
        try:
            return call_hook(loop, getattr(connector, name), *required(HOOKS[name]))
        except ConnectorError as error:  # What the default says of itself.
            return type(error)

    assert value_of(overriding(name, colour)) == value_of(Scripted())
