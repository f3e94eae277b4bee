"""An override is called with what it takes, however its parameters are written."""

from __future__ import annotations

import functools
from unittest.mock import AsyncMock, MagicMock

import pytest
from support.scripted import Scripted

from omni_connector.models import ActionRequest
from omni_connector.runtime.actions import run_action
from omni_connector.runtime.arguments import fitted
from omni_connector.runtime.hooks import HookCaller

REQUIRED = {"action": "A", "params": "P", "credentials": "C"}
OPTIONAL = {"source": "S", "actor_email": "E"}


def newest(action, params, credentials, source=None, actor_email=None):
    """The signature of today."""


def oldest(action, params, credentials):
    """The signature of the beginning."""


def fewer(action, params):
    """It needs no credentials."""


def none_at_all():
    """It needs nothing."""


def other_names(what, values, secrets):
    """The order is what counts."""


def other_names_for_all(what, values, secrets, row, who):
    """The newest ones as well."""


def own_parameter(action, params, credentials, timeout=30):
    """A parameter of the author's own, which is none of ours."""


def own_parameter_before(action, params, credentials, timeout=30, *, actor_email=None):
    """The same, before one of ours."""


def own_parameter_between(action, params, credentials, timeout=30, source=None):
    """The same; what follows can only be named."""


def with_defaults(what="ping", values=None, secrets=None):
    """Defaults of what is always given do not matter."""


def last_only(action, params, credentials, actor_email):
    """By its name."""


def swapped(action, params, credentials, actor_email, source):
    """By their names."""


def positional_only(action, params, credentials, /):
    """As the base declares sync."""


def positional_only_all(action, params, credentials, source, actor_email, /):
    """All of today."""


def keyword_only(*, action, params, credentials, source=None):
    """By name alone."""


def keywords(**kwargs):
    """Whatever there is."""


def anything(*args, **kwargs):
    """What has always been there by position, the rest by name."""


def positions(*args):
    """All by position."""


def first_and_rest(action, *args):
    """All but one by position."""


def first_and_rest_by_name(action, *, source, **kwargs):
    """All but two by name."""


def own_parameter_and_positions(action, params, credentials, timeout=30, *args):
    """What came later must not become the timeout."""


class Callable:
    def __call__(self, action, params):
        """An object."""


class Methods:
    def bound(self, action, credentials):
        """A method."""

    @classmethod
    def of_class(cls, action):
        """A method of the class."""

    @staticmethod
    def static(action, params):
        """No method."""


def decorated_with_wraps(method):
    @functools.wraps(method)
    def call(*args, **kwargs):
        return method(*args, **kwargs)

    return call


@pytest.mark.parametrize(
    ("hook", "args", "kwargs"),
    [
        (newest, "APCSE", {}),
        (oldest, "APC", {}),
        (fewer, "AP", {}),
        (none_at_all, "", {}),
        (other_names, "APC", {}),
        (other_names_for_all, "APCSE", {}),
        (own_parameter, "APC", {}),
        (own_parameter_before, "APC", {"actor_email": "E"}),
        (own_parameter_between, "APC", {"source": "S"}),
        (with_defaults, "APC", {}),
        (last_only, "APCE", {}),
        (swapped, "APCES", {}),
        (positional_only, "APC", {}),
        (positional_only_all, "APCSE", {}),
        (keyword_only, "", {"action": "A", "params": "P", "credentials": "C", "source": "S"}),
        (keywords, "", {**REQUIRED, **OPTIONAL}),
        (anything, "APC", OPTIONAL),
        (positions, "APCSE", {}),
        (first_and_rest, "APCSE", {}),
        (first_and_rest_by_name, "A", {"source": "S", "params": "P", "credentials": "C", "actor_email": "E"}),
        (own_parameter_and_positions, "APC", {}),
        (functools.partial(newest, "bound"), "PCSE", {}),
        (functools.partial(own_parameter, timeout=5), "APC", {}),
        (Callable(), "AP", {}),
        (Methods().bound, "AC", {}),
        (Methods().of_class, "A", {}),
        (Methods().static, "AP", {}),
        (decorated_with_wraps(oldest), "APC", {}),
        (MagicMock(), "APC", OPTIONAL),
        (getattr, "APC", {}),  # Written in C, without a signature on some versions.
    ],
    ids=lambda case: getattr(case, "__name__", None),
)
def test_a_hook_is_given_what_it_takes(hook, args, kwargs):
    given, named = fitted(hook, REQUIRED, OPTIONAL)
    assert ("".join(given), named) == (args, kwargs)


@pytest.mark.parametrize(
    "hook",
    [
        newest, oldest, fewer, none_at_all, other_names, other_names_for_all, own_parameter, own_parameter_before,
        own_parameter_between, with_defaults, last_only, swapped, positional_only, positional_only_all, keyword_only,
        keywords, anything, positions, first_and_rest, first_and_rest_by_name, own_parameter_and_positions,
        functools.partial(own_parameter, timeout=5), Callable(), Methods().bound, decorated_with_wraps(oldest),
    ],
    ids=lambda case: getattr(case, "__name__", None),
)  # fmt: skip
def test_the_call_can_be_made(hook):
    args, kwargs = fitted(hook, REQUIRED, OPTIONAL)
    assert hook(*args, **kwargs) is None, "as each of them returns"


def test_a_required_parameter_that_nobody_knows_is_an_error_of_the_author(loop):
    def odd(action, params, credentials, source, actor_email, flavour):
        """Never called."""

    with pytest.raises(TypeError, match="flavour"):
        HookCaller(Scripted(), loop).call(odd, REQUIRED, OPTIONAL)


def test_a_mock_in_place_of_a_hook_is_awaited(loop):
    hook = AsyncMock(return_value={"a": 1})
    assert HookCaller(Scripted(), loop).call(hook, {"action": "A"}) == {"a": 1}
    hook.assert_awaited_once_with("A")


@pytest.mark.parametrize(
    "cancel",
    [
        lambda self: True,
        lambda self, sync_run_id: sync_run_id == "run-1",
        lambda self, run: run == "run-1",
        lambda self, run, /: run == "run-1",
        lambda self, *, sync_run_id: sync_run_id == "run-1",
        lambda self, *args: args == ("run-1",),
        lambda self, **kwargs: kwargs == {"sync_run_id": "run-1"},
        staticmethod(lambda sync_run_id: sync_run_id == "run-1"),
    ],
)
def test_cancel_is_called_with_what_it_takes(serve, cancel):
    connector = type("Cancelling", (Scripted,), {"cancel": cancel})()
    assert serve(connector).cancel("run-1") is True


def test_an_async_cancel_with_another_name_is_called(serve):
    async def cancel(self, run):
        return run == "run-1"

    assert serve(type("Cancelling", (Scripted,), {"cancel": cancel})()).cancel("run-1") is True


@pytest.mark.parametrize(
    "get_manifest",
    [
        lambda self: {"url": "none"},
        lambda self, connector_url: {"url": connector_url},
        lambda self, address: {"url": address},
        lambda self, address="": {"url": address},
        lambda self, *, connector_url, source_context=None: {"url": connector_url},
    ],
)
def test_get_manifest_is_called_with_what_it_takes(serve, get_manifest):
    service = serve(type("Own", (Scripted,), {"get_manifest": get_manifest})())
    assert service.manifest()["url"] in {"", "none"}


def test_an_action_with_fewer_parameters_runs(loop):
    connector = type("Acting", (Scripted,), {"execute_action": lambda self, name, values: {name: values}})()
    assert run_action(HookCaller(connector, loop), ActionRequest(action="ping", params={"a": 1})) == {
        "ping": {"a": 1}
    }


def test_an_action_with_other_names_gets_the_newest_as_well(loop):
    async def execute_action(self, name, values, secrets, row, who):
        return {"row": row, "who": who}

    connector = type("Acting", (Scripted,), {"execute_action": execute_action})()
    request = ActionRequest(action="ping", source={"id": "s"}, actor_email="a@x.org")
    assert run_action(HookCaller(connector, loop), request) == {"row": {"id": "s"}, "who": "a@x.org"}
