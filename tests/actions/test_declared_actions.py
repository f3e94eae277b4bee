"""Methods with ``@action`` as a connector declares, inherits and overrides them."""

from __future__ import annotations

import enum
import functools
import typing
from typing import TYPE_CHECKING, Annotated

import attrs
import pytest
from support.scripted import Scripted

from omni_connector import ActionDefinition, ConfigurationError, action
from omni_connector.actions import declared_actions
from omni_connector.exceptions import MalformedRequestError

if TYPE_CHECKING:
    from nowhere import Hidden


class Order(enum.Enum):
    NEWEST = "newest"
    OLDEST = "oldest"


@attrs.define
class Filter:
    text: str = attrs.field(validator=attrs.validators.max_len(20))
    open_only: bool = True


class Tickets(Scripted):
    @action(
        mode="read", required_scopes=("tickets.read",), source_types={"web"}, admin_only=True, hidden=True
    )
    def find(
        self,
        text: str,
        limit: int = 10,
        order: Order = Order.NEWEST,
        owner: str = None,  # noqa: RUF013 - as authors write it.
        *,
        labels: list[str] | None = None,
        where: Annotated[Filter | None, "told by Annotated"] = None,
        credentials: dict,
        source: Hidden,
        actor_email: str | None = None,
        anything=5,
    ) -> Hidden:
        """Find tickets.

        Args:
            text: words to look for.
            limit: how many at most.
            where: told by the docstring.
            credentials: not told.
        """
        return locals()

    @action
    async def close_all(self):
        """Close everything."""

    def helper(self, text):
        """No action."""

    @action(name="renamed", description="A static one.")
    @staticmethod
    def of_no_instance(number: int):
        """Not this text."""
        return number

    @classmethod
    @action
    def of_the_class(cls, number: int):
        """A method of the class."""
        return number


FIND = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "description": "words to look for."},
        "limit": {"type": "integer", "description": "how many at most.", "default": 10},
        "order": {"type": "string", "enum": ["newest", "oldest"], "default": "newest"},
        "owner": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        "labels": {
            "anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}],
            "default": None,
        },
        "where": {
            "anyOf": [
                {
                    "type": "object",
                    "properties": {
                        "text": {"type": "string"},
                        "open_only": {"type": "boolean", "default": True},
                    },
                    "required": ["text"],
                },
                {"type": "null"},
            ],
            "description": "told by Annotated",
            "default": None,
        },
        "anything": {"default": 5},
    },
    "required": ["text"],
}


def names(kind):
    return list(declared_actions(kind).by_name)


def definition(kind, name):
    return declared_actions(kind).by_name[name].definition


def test_a_definition_is_made_from_signature_docstring_and_options():
    assert definition(Tickets, "find") == ActionDefinition(
        name="find",
        description="Find tickets.",
        input_schema=FIND,
        mode="read",
        source_types=["web"],
        admin_only=True,
        hidden=True,
        required_scopes=["tickets.read"],
    )


def test_every_form_of_method_can_be_an_action():
    assert names(Tickets) == ["find", "close_all", "renamed", "of_the_class"]
    assert declared_actions(Tickets).problems == ()
    assert definition(Tickets, "close_all") == ActionDefinition(
        name="close_all", description="Close everything."
    )
    assert definition(Tickets, "renamed").description == "A static one."
    for name in ("renamed", "of_the_class"):
        assert definition(Tickets, name).input_schema == {
            "type": "object",
            "properties": {"number": {"type": "integer"}},
            "required": ["number"],
        }


def test_a_decorated_method_is_still_a_method():
    assert Tickets().of_the_class(5) == Tickets.of_no_instance(5) == 5
    assert Tickets().find("x", credentials={}, source=None)["text"] == "x"


# -- inheriting ---------------------------------------------------------------------------------------------------


class Mixin:
    @action(mode="read")
    def ping(self, text: str = "a"):
        """Ping."""
        return text


class Base(Mixin, Scripted):
    @action
    def pong(self):
        """Pong."""
        return "base"


class Overriding(Base):
    def ping(self, text="b"):
        """Not this text."""
        return f"overridden {text}"

    @action(mode="read")
    def pong(self, more: int):
        """Pong anew."""
        return more

    @action
    def third(self):
        """Third."""


class Without(Overriding):
    pong = None


def test_actions_are_inherited_from_bases_and_mixins():
    assert names(Base) == ["ping", "pong"]
    assert names(Overriding) == ["ping", "pong", "third"]


def test_an_override_without_decorator_keeps_what_is_announced():
    assert definition(Overriding, "ping") == definition(Base, "ping")


def test_an_override_with_decorator_is_announced_anew():
    assert definition(Overriding, "pong").description == "Pong anew."
    assert definition(Overriding, "pong").input_schema["required"] == ["more"]
    assert definition(Base, "pong").input_schema["properties"] == {}


def test_none_takes_an_action_away():
    assert names(Without) == ["ping", "third"]


def test_other_decorators_may_stand_on_either_side():
    def logged(method):
        @functools.wraps(method)
        def call(*args, **kwargs):
            return method(*args, **kwargs)

        return call

    class Decorated(Scripted):
        @logged
        @action
        def outside(self, a: int):
            """Outside."""

        @action
        @logged
        def inside(self, a: int):
            """Inside."""

    for name in ("outside", "inside"):
        assert definition(Decorated, name).input_schema["properties"] == {"a": {"type": "integer"}}


def test_types_of_the_class_itself_can_be_used():
    class Own(Scripted):
        class Kind(enum.Enum):
            A = "a"

        @action
        def go(self, kind: Kind, kinds: list[Own.Kind] = ()):
            """Go."""

    (said,) = declared_actions(Own).problems
    assert "action go (Own.go): parameter kinds: its annotation" in said

    class Fine(Scripted):
        class Kind(enum.Enum):
            A = "a"

        @action
        def go(self, kind: Kind):
            """Go."""

    assert definition(Fine, "go").input_schema["properties"]["kind"]["enum"] == ["a"]


# -- what cannot be an action -------------------------------------------------------------------------------------


def problem(*methods):
    """Return what is said of a connector with these methods."""
    members = {getattr(method, "__name__", "method"): method for method in methods}
    with pytest.raises(ConfigurationError) as caught:
        type("Bad", (Scripted,), members)().get_manifest()
    return "\n".join(caught.value.problems)


def documented(function):
    function.__doc__ = "Do it."
    return function


@action
@documented
def many(self, *args): ...


@action
@documented
def unnamed(self, a, /): ...


@action
@documented
def untyped(self, a: complex): ...


@action
@documented
def unreadable(self, a: Hidden): ...


@action
@documented
def yielding(self):
    yield 1


@action
@documented
def selfless(): ...


@action
def silent(self): ...


@action(mode="execute")
@documented
def moded(self): ...


@action
@documented
def cancel(self): ...


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (many, "scripted cannot be announced: action many (Bad.many): parameter *args: it has no name to be given by"),
        (unnamed, "action unnamed (Bad.unnamed): parameter a: it has no name to be given by"),
        (untyped, "action untyped (Bad.untyped): parameter a: complex has no JSON Schema; use text"),
        (unreadable, "parameter a: its annotation 'Hidden' cannot be read (name 'Hidden' is not defined); use types that"),
        (yielding, "action yielding (Bad.yielding): it contains yield; return a list instead"),
        (selfless, "action selfless (Bad.selfless): it takes no self"),
        (silent, "action silent (Bad.silent): nothing says what it does; give the method a docstring"),
        (moded, "action moded (Bad.moded): ActionDefinition.mode: 'execute' cannot be used; give one of read, write"),
        (cancel, "action cancel: cancel is a member of every connector; give Bad.cancel another name"),
    ],
)  # fmt: skip
def test_a_method_that_cannot_be_an_action_is_named(method, message):
    assert message in problem(method)


def test_everything_that_is_wrong_is_said_at_once():
    class Bad(Scripted):
        sync_modes = ["ful"]
        skills = None
        actions = [ActionDefinition(name="made", description="", input_schema={"not": {}})]

        @action
        def silent(self): ...

        @action
        def conditional(self, **rest: typing.Any):
            """Fine."""

        @action(name="made")
        @documented
        def again(self): ...

        @action(name="if")
        @documented
        def keyword(self, then: int): ...

    with pytest.raises(ConfigurationError) as caught:
        Bad().get_manifest()
    found = [said.removeprefix("scripted cannot be announced: ") for said in caught.value.problems]
    assert [said.split(";")[0] for said in found] == [
        "action silent (Bad.silent): nothing says what it does",
        "action made: it is declared by Bad.again and in actions as well",
        "ConnectorManifest.sync_modes: ['ful'] cannot be used",
        "ConnectorManifest.skills: None cannot be used",
        "action made: input_schema.not is not supported: say it in the description, and check it when the action runs",
        "action if: input_schema.properties.then is not supported: the manager takes it for a keyword wherever it stands",
    ]


def test_two_methods_of_one_name_are_found():
    class Bad(Scripted):
        @action(name="same")
        @documented
        def one(self): ...

        @action(name="same")
        @documented
        def two(self): ...

    with pytest.raises(
        ConfigurationError, match=r"action same: declared by several methods \(Bad.one, Bad.two\)"
    ):
        Bad().get_manifest()


@pytest.mark.parametrize("wrong", ["Find tickets.", 5, property(lambda self: 1), Scripted])
def test_the_decorator_refuses_what_is_no_method(wrong):
    with pytest.raises(ConfigurationError, match=r"put it on a method.*@action\(description="):
        action(wrong)


# -- in the manifest ----------------------------------------------------------------------------------------------


def test_declared_actions_come_after_those_of_actions():
    class Both(Base):
        actions = (ActionDefinition(name="made", description="By hand."),)

    wire = Both().get_manifest().to_wire()
    assert [each["name"] for each in wire["actions"]] == ["made", "ping", "pong"]
    assert wire["actions"][1]["source_types"] == ["web"]
    assert wire["actions"][1]["parameters"] == wire["actions"][1]["input_schema"]


def test_changing_a_manifest_does_not_change_the_next():
    first = Base().get_manifest()
    first.actions[0].mode = "write"
    first.actions[0].input_schema["properties"].clear()
    assert Base().get_manifest().actions[0] == definition(Base, "ping")
    assert definition(Base, "ping").input_schema["properties"]


# -- arguments ----------------------------------------------------------------------------------------------------

SPECIAL = {"credentials": {"a": 1}, "source": {"id": "s"}, "actor_email": "a@example.com"}


def arguments(kind, name, params):
    return declared_actions(kind).by_name[name].parameters.arguments(params, SPECIAL)


def test_arguments_are_converted_and_undeclared_keys_left_out():
    params = {
        "text": "x",
        "order": "oldest",
        "where": {"text": "y"},
        "base_url": "https://example.com",
        "source": "mine",
    }
    assert arguments(Tickets, "find", params) == {
        "text": "x",
        "order": Order.OLDEST,
        "where": Filter("y"),
        **SPECIAL,
    }
    assert arguments(Base, "ping", {"credentials": "x"}) == {}


def test_what_a_class_of_the_author_s_refuses_is_named_as_well():
    params = {"text": "x", "where": {"text": "x" * 21}, "order": "oldest"}
    with pytest.raises(
        MalformedRequestError, match=r"^where.text: Length of 'text' must be <= 20: 21$"
    ) as caught:
        arguments(Tickets, "find", params)
    assert caught.value.field == "where.text"


def test_a_method_that_takes_everything_gets_undeclared_keys():
    class Open(Scripted):
        @action
        def go(self, a: int, credentials: dict, **rest):
            """Go."""

    assert arguments(Open, "go", {"a": 1, "b": [2], "credentials": "no", "source": "x"}) == {
        "a": 1,
        "b": [2],
        "credentials": {"a": 1},
        "source": "x",
    }
    schema = definition(Open, "go").input_schema
    assert (schema["properties"], schema["additionalProperties"]) == ({"a": {"type": "integer"}}, True)


@pytest.mark.parametrize(
    ("params", "message", "field"),
    [
        ([], "params: an object by name is required", "params"),
        ({}, "text: text is required, and missing", "text"),
        (
            {"limit": "5", "order": "random"},
            "text: text is required, and missing; limit: a whole number is required, not text; order: one of",
            "text",
        ),
        ({"text": None}, "text: text is required, not null", "text"),
        ({"text": "x", "where": {"open_only": 1}}, "where.text: text is required, and missing; where.open_only: true", "where.text"),
    ],
)  # fmt: skip
def test_everything_that_is_missing_or_mistyped_is_named(params, message, field):
    with pytest.raises(MalformedRequestError) as caught:
        arguments(Tickets, "find", params)
    assert str(caught.value).startswith(message)
    assert caught.value.field == field
