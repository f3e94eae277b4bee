"""``check_connection``: as an action, for typed and untyped connectors, in both colours; and settings in actions."""

from __future__ import annotations

import attrs
import pytest
from support.scripted import Scripted

from omni_connector import ActionDefinition, action, secret
from omni_connector.event_loop import EventLoop
from omni_connector.models import ActionRequest
from omni_connector.runtime.actions import run_action
from omni_connector.runtime.connection import connection_problem, offers_connection_check
from omni_connector.runtime.hooks import HookCaller
from omni_connector.testing import call_action

SECRET = "t0p-secret"


@attrs.define
class Settings:
    folder: str
    key: str = secret(default="")


@attrs.define
class Token:
    token: str = secret()


class Typed(Scripted):
    config = Settings
    credentials = Token

    def check_connection(self, config, credentials):
        if config.folder == "raise":
            raise PermissionError(f"{credentials.token} is refused")
        return (
            None
            if config.folder == "right"
            else f"There is no {config.folder}; {credentials.token} was used."
        )

    @action(mode="read")
    def show(self, part: str, *, config, credentials):
        """Show what came."""
        return [part, config.folder, credentials.token]

    @action(mode="read")
    def plain(self, part: str):
        """Show what came."""
        return part


class Untyped(Scripted):
    async def check_connection(self, config, credentials):
        return f"{config} {len(credentials)}" if config else None


class Helper(Scripted):
    """Has a method of the name that it uses by itself."""

    def check_connection(self):
        return False


@pytest.fixture
def ask():
    loop = EventLoop("test-loop")

    def ask(connector, name="check_connection", params=None, source=None, credentials=None):
        request = ActionRequest(action=name, params=params or {}, source=source, credentials=credentials)
        return run_action(HookCaller(connector, loop), request)

    yield ask
    loop.close()


@pytest.mark.parametrize(
    ("connector", "config", "credentials", "said"),
    [
        (Typed(), {"folder": "right"}, {"token": SECRET}, None),
        (Typed(), {"folder": "wrong"}, {"token": SECRET}, "There is no wrong; *** was used."),
        (Typed(), {"folder": "raise"}, {"token": SECRET}, "PermissionError: *** is refused"),
        (Typed(), {"foldr": SECRET}, {}, "credentials.token: text is required, and missing"),
        (Untyped(), {}, {}, None),
        (Untyped(), {"a": 1}, {"token": SECRET}, "{'a': 1} 1"),
        (Helper(), {}, {}, "check_connection returned False"),
        (Scripted(), {}, {}, None),
    ],
)
def test_what_keeps_a_connector_from_its_source(connector, config, credentials, said):
    loop = EventLoop("test-loop")
    try:
        problem = connection_problem(HookCaller(connector, loop), config, credentials)
    finally:
        loop.close()
    assert problem == said if said is None else said in problem


def test_the_action_is_offered_where_the_hook_is_overridden():
    names = [action.name for action in Typed().get_manifest().actions]
    assert names == ["show", "plain", "check_connection"]
    assert Scripted().get_manifest().actions == []
    assert Typed().get_manifest().actions[-1].mode == "read"


def test_an_action_of_that_name_by_hand_or_by_decorator_is_the_authors():
    class ByHand(Typed):
        actions = [ActionDefinition(name="check_connection", description="Mine.")]

        def execute_action(self, action, params, credentials):
            return {"mine": params}

    class Decorated(Scripted):
        config = Settings

        @action(mode="read")
        def check_connection(self, config):
            """Mine as well."""
            return config.folder

    assert not offers_connection_check(ByHand())
    for connector, description in ((ByHand(), "Mine."), (Decorated(), "Mine as well.")):
        found = [each for each in connector.get_manifest().actions if each.name == "check_connection"]
        assert [each.description for each in found] == [description]


def test_the_action_is_about_its_source_or_about_what_a_setup_dialog_has_sent(ask):
    row = {"id": "transient", "auth_type": "api_key", "credentials": {"token": SECRET}}
    assert ask(Typed(), source={"config": {"folder": "right"}}, credentials=row).result == {"connected": True}
    assert ask(Typed(), credentials={**row, "config": {"folder": "right"}}).status == "success"
    assert ask(Typed(), params={"folder": "right"}, credentials={**row, "config": None}).status == "success"
    refused = ask(Typed(), params={"folder": "wrong"}, credentials=row)
    assert refused.error == "There is no wrong; *** was used."


def test_typed_actions_are_given_instances_through_the_manager(omni_manager):
    connector = Typed()
    answer = call_action(
        connector,
        "show",
        {"part": "a"},
        config={"folder": "notes"},
        credentials={"token": SECRET},
        manager=omni_manager,
    )
    assert answer.json()["result"] == ["a", "notes", SECRET]


def test_an_action_is_told_what_is_wrong_with_the_settings_that_it_asks_for(ask):
    source = {"config": {"foldr": "notes"}}
    refused = ask(Typed(), "show", {"part": "a"}, source, {})
    assert refused.status_code == 400
    assert refused.error.splitlines() == [
        "folder: text is required, and missing",
        "foldr: there is no such key; did you mean folder?",
        "credentials.token: text is required, and missing",
    ]
    assert ask(Typed(), "plain", {"part": "a"}, source, {}).result == "a"
