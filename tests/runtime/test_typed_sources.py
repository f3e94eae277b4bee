"""Runs of connectors that declare classes for settings, credentials and states."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import re
import threading
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

import attrs
import pytest
from support.scripted import Scripted

from omni_connector import ConfigurationError, Connector, Partition, secret
from omni_connector.connector_base.sync_signature import require_reader
from omni_connector.local import LocalManagerError

KeptToken = TypeVar("KeptToken")


class Depth(enum.Enum):
    FLAT = "flat"
    DEEP = "deep"


@attrs.define
class Server:
    url: str
    password: str = secret(default="")


def beginning_with_k(instance, attribute, value):
    if not value.startswith("k"):
        raise ValueError(f"{value} does not begin with k")


@attrs.define
class Settings:
    """Which notes are read.

    Attributes:
        folder: where they are.
    """

    folder: str
    api_key: str = secret("Made in the account's settings.")
    include: list[str] = attrs.field(factory=lambda: ["*.md"])
    since: dt.date | None = None
    depth: Depth = Depth.FLAT
    order: Literal["newest", "oldest"] = "newest"
    servers: dict[str, Server] = attrs.field(factory=dict)
    checked: str = attrs.field(default="k", validator=beginning_with_k)


@dataclasses.dataclass
class Token:
    token: str = secret()
    note: Annotated[str | None, "for people"] = None


@attrs.define
class Cursor:
    version: ClassVar[int] = 2
    since: dt.datetime
    seen: set[str] = attrs.field(factory=set)

    @classmethod
    def migrate(cls, old, version):
        return {"since": old["at"]} if version == 1 else None


@attrs.define
class Part:
    code: str = attrs.field(validator=attrs.validators.matches_re("[a-z]+"))


@attrs.define
class Rules:
    many: list[str] = attrs.field(validator=attrs.validators.min_len(1))
    key: Annotated[str, secret()] = attrs.field(validator=attrs.validators.in_(["first", "second"]))
    count: int = attrs.field(default=1, converter=lambda value: 10 // value)
    parts: list[Part] = attrs.field(factory=list)


NEW_YEAR = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
CONFIG = {"folder": "notes", "api_key": "k3y-for-notes"}
CREDENTIALS = {"token": "t0p-secret", "token_type": "bearer", "expires_in": 5}


class Typed(Scripted):
    config = Settings
    credentials = Token
    state = Cursor
    sync_modes = ["full", "incremental"]


def problems(config, credentials=CREDENTIALS, kind=Typed):
    with pytest.raises(ConfigurationError) as refused:
        kind.declared_types.made_of(config, credentials)
    return list(refused.value.problems)


def test_sync_is_given_instances(run_sync):
    config = {
        **CONFIG,
        "since": "2026-02-03",
        "depth": "deep",
        "servers": {"a": {"url": "http://a", "password": "s"}},
        "read_only": True,
    }
    connector = Typed()
    assert run_sync(connector, config=config, credentials=CREDENTIALS).error is None
    settings, token, state, _ = connector.syncs[0]
    servers = {"a": Server("http://a", "s")}
    assert settings == Settings(
        "notes", "k3y-for-notes", since=dt.date(2026, 2, 3), depth=Depth.DEEP, servers=servers
    )
    assert (token, state) == (Token("t0p-secret"), None)
    assert "k3y" not in repr(settings)
    assert "t0p" not in repr(token)


def test_everything_that_is_wrong_is_said_at_once():
    config = {
        "foldr": "notes",
        "api_key": 5,
        "include": "*.md",
        "depth": "deeper",
        "servers": {"a": {"ur1": "http://a"}},
    }
    assert problems(config, {"note": 5}) == [
        "folder: text is required, and missing",
        "api_key: text is required, not a whole number",
        "include: an array is required, not text",
        'depth: one of "flat", "deep" is required, not "deeper"',
        "servers.a.url: text is required, and missing",
        "servers.a.ur1: there is no such key; did you mean url?",
        "foldr: there is no such key; did you mean folder?",
        "credentials.token: text is required, and missing",
        "credentials.note: text or null is required, not a whole number",
    ]
    assert problems(["a"], None) == [
        "config: an object by name is required",
        "credentials: an object by name is required",
    ]


def test_what_an_own_validator_says_is_said_without_secrets_however_short_they_are():
    @attrs.define
    class Keys:
        pin: str = secret()
        checked: str = attrs.field(default="k", validator=beginning_with_k)

        def __attrs_post_init__(self):
            raise ValueError(f"{self.pin} is no pin")

    class Keyed(Scripted):
        config = Keys
        credentials = Keys

    assert problems({"pin": "12345", "checked": "x"}, {"pin": "1"}, Keyed) == [
        "checked: x does not begin with k",
        "credentials: its value is refused",
    ]
    assert problems({"pin": "12345"}, {"pin": "1"}, Keyed)[0] == "config: *** is no pin"


def test_what_the_validators_of_attrs_say_is_said_of_all_of_them_and_by_path():
    class Strict(Scripted):
        config = Rules

    assert problems({"many": [], "key": "quoted"}, {}, Strict) == [
        "many: Length of 'many' must be >= 1: 0",
        "key: 'key' must be in ['first', 'second'] (got '***')",
    ]
    [problem] = problems({"many": ["a"], "key": "first", "parts": [{"code": "1"}]}, {}, Strict)
    assert problem.startswith("parts[0].code: 'code' must match regex")
    assert problems({"many": ["a"], "key": "first", "count": 0}, {}, Strict) == [
        "config: integer division or modulo by zero"
    ]


def test_a_run_is_refused_before_it_is_accepted(run_sync):
    connector = Typed()
    with pytest.raises(LocalManagerError, match="did you mean folder") as refused:
        run_sync(connector, config={"foldr": "t0p-secret"}, credentials=CREDENTIALS)
    assert "status=400" in str(refused.value)
    assert "t0p-secret" not in str(refused.value)
    assert connector.syncs == []


def test_validate_sync_request_is_given_instances(run_sync):
    class Asked(Typed):
        def validate_sync_request(self, config, credentials, sync_mode, state):
            self.asked = (config, credentials, state)

    connector = Asked()
    run_sync(
        connector,
        config=CONFIG,
        credentials=CREDENTIALS,
        mode="incremental",
        state={"at": NEW_YEAR.isoformat(), "state_version": 1},
    )
    assert connector.asked == (Settings(**CONFIG), Token("t0p-secret"), Cursor(NEW_YEAR))
    assert connector.syncs[0][:3] == connector.asked


def test_states_are_saved_with_their_version_and_read_again(run_sync):
    connector = Typed(lambda ctx: ctx.save_state(Cursor(NEW_YEAR, {"b", "a"})))
    first = run_sync(connector, config=CONFIG, credentials=CREDENTIALS)
    assert first.state == {"since": "2026-01-01T00:00:00+00:00", "seen": ["a", "b"], "state_version": 2}
    run_sync(connector, mode="incremental")
    assert connector.syncs[1][2] == connector.ctx.state == Cursor(NEW_YEAR, {"a", "b"})


@pytest.mark.parametrize(
    ("saved", "said"),
    [
        ({"since": "2026-01-01", "state_version": 3}, "a newer release has saved it"),
        ({"state_version": 1}, "Cursor.migrate failed on the saved state of version 1: KeyError: 'at'"),
        (
            {"since": "soon", "state_version": 2},
            'state.since: an ISO 8601 date and time is required, not "soon"',
        ),
        ({"since": "2026-01-01", "sen": [], "state_version": 2}, "did you mean seen?"),
        (5, "the saved state is no object"),
    ],
)
def test_a_state_that_does_not_fit_is_named(saved, said):
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        Typed.declared_types.state_of(saved)


def test_a_state_before_versions_began_may_begin_anew():
    assert Typed.declared_types.state_of({"anything": 1}) is None


def test_an_older_state_without_migrate_is_an_error():
    @attrs.define
    class Later:
        version: ClassVar[int] = 4
        at: str = ""

    class Keeping(Scripted):
        state = Later

    with pytest.raises(ConfigurationError, match="of version 3, and the class of version 4"):
        Keeping.declared_types.state_of({"at": "", "state_version": 3})


@pytest.mark.parametrize("since", [dt.datetime(2026, 1, 1), "soon"])  # noqa: DTZ001 - what would come back otherwise.
def test_a_state_that_could_not_be_read_again_is_not_saved(run_sync, since):
    connector = Typed(lambda ctx: ctx.save_state(Cursor(since)))
    result = run_sync(connector, config=CONFIG, credentials=CREDENTIALS)
    assert "Cursor.since" in result.error
    assert result.state is None


def test_a_state_that_does_not_fit_is_no_failure_of_the_validation(run_sync):
    class Asked(Typed):
        def validate_sync_request(self, config, credentials, sync_mode, state):
            raise AssertionError("not asked")

    connector = Asked()
    with pytest.raises(LocalManagerError, match="a newer release has saved it") as refused:
        run_sync(
            connector, config=CONFIG, credentials=CREDENTIALS, mode="incremental", state={"state_version": 9}
        )
    assert "status=400" in str(refused.value)


def test_a_state_that_does_not_fit_fails_the_run(run_sync):
    result = run_sync(
        Typed(), config=CONFIG, credentials=CREDENTIALS, mode="incremental", state={"state_version": 9}
    )
    assert result.status == "failed"
    assert "a newer release has saved it" in result.error


def test_a_migration_to_partitions_may_return_instances(run_sync):
    class Before(Typed):
        name = "moving"

    class After(Connector):
        name = "moving"
        version = "2"
        source_types = ["web"]
        sync_modes = ["full", "incremental"]
        state = Cursor

        def migrate_state(self, state):
            return {"a": Cursor(dt.datetime.fromisoformat(state["since"]), {"moved"})}

        def partitions(self, config, credentials, state, ctx):
            return [Partition(key="a")]

        def sync_partition(self, partition, config, credentials, state, ctx):
            self.read = state

    run_sync(Before(lambda ctx: ctx.save_state(Cursor(NEW_YEAR))), config=CONFIG, credentials=CREDENTIALS)
    after = After()
    assert run_sync(after, mode="incremental").error is None
    assert after.read == Cursor(NEW_YEAR, {"moved"})


def test_partitions_have_typed_states(run_sync):
    class InParts(Connector):
        name = "parts"
        version = "1"
        source_types = ["web"]
        config = Settings
        state = Cursor
        sync_modes = ["full", "incremental"]

        def partitions(self, config, credentials, state, ctx):
            self.listed = (config, credentials, state, ctx.checkpoint)
            return [Partition(key="a")]

        def sync_partition(self, partition, config, credentials, state, ctx):
            self.read = (config, credentials, state, ctx.state)
            ctx.save_state(Cursor(NEW_YEAR))

    connector = InParts()
    run_sync(connector, config=CONFIG, credentials=CREDENTIALS)
    assert connector.listed == (Settings(**CONFIG), CREDENTIALS, None, None)
    assert run_sync(connector, mode="incremental").error is None
    assert connector.listed[2:] == ({"a": Cursor(NEW_YEAR)},) * 2
    assert connector.read == (Settings(**CONFIG), CREDENTIALS, Cursor(NEW_YEAR), Cursor(NEW_YEAR))


def test_the_schemas_name_what_is_secret():
    config = Typed.declared_types.schemas["config"]
    assert config["properties"]["folder"] == {"type": "string", "description": "where they are."}
    assert config["properties"]["api_key"] == {
        "type": "string",
        "description": "Made in the account's settings.",
        "format": "password",
        "writeOnly": True,
    }
    assert (config["required"], config["additionalProperties"]) == (["folder", "api_key"], False)
    assert "default" not in config["properties"]["servers"]["additionalProperties"]["properties"]["password"]
    assert Typed.declared_types.secret_names == {"api_key", "password"}
    assert Scripted.declared_types.schemas == {}


class Undecorated:
    folder: str


def test_a_class_that_cannot_be_made_is_refused_at_the_start():
    class Wrong(Scripted):
        config = Undecorated
        credentials = attrs.make_class("Sessions", {"session": attrs.field(type=threading.Thread)})

    with pytest.raises(ConfigurationError) as refused:
        require_reader(Wrong())
    first, second = refused.value.problems
    assert first == (
        "Wrong.config: Undecorated is neither an attrs class nor a dataclass: put @attrs.define above the class."
    )
    assert second.startswith("Wrong.credentials: Sessions: ")


def test_generic_bases_pass_classes_on():
    class Base(Connector[Settings, Any, Cursor]):
        pass

    class Between(Connector[Any, KeptToken], Generic[KeptToken]):
        pass

    class Made(Between[Token]):
        state = Cursor

    assert Base.declared_types.config.kind is Settings
    assert Base.declared_types.credentials is None
    assert Between.declared_types.credentials is None
    assert Made.declared_types.credentials.kind is Token
    assert Made.declared_types.state.typed.kind is Cursor
