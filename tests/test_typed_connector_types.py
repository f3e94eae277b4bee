"""Connectors with typed settings, half typed and bare ones pass both type checkers; wrong ones do not."""

from __future__ import annotations

from support.type_checkers import BY_EACH_CHECKER, type_problems

PROGRAM = """
import dataclasses
from collections.abc import Iterator
from typing import Any, ClassVar

from attrs import define, field

from omni_connector import Connector, Partition, SyncContext, secret, setting
from omni_connector.sources import HttpOptions, TimeOuts, http_session


@define
class Settings:
    folder: str
    api_key: str = secret("Made in the account's settings.")
    include: list[str] = field(factory=lambda: ["*.md"])
    pages: int = setting("At most.", default=5)


@dataclasses.dataclass
class Token:
    token: str = secret()


@define
class Cursor:
    version: ClassVar[int] = 2
    since: str

    @classmethod
    def migrate(cls, old: dict[str, Any], version: int) -> "Cursor | None":
        return cls(since=old["at"]) if version == 1 else None


class Typed(Connector[Settings, Token, Cursor]):
    name = "typed"
    version = "1.0.0"

    def sync(self, config: Settings, credentials: Token, state: Cursor | None, ctx: SyncContext) -> None:
        ctx.save_state(Cursor(since=state.since if state else config.folder))
        slow: HttpOptions = {"rate": 1, "timeout_seconds": TimeOuts(total=600)}
        ctx.http("https://api.example.com", auth=("ann", credentials.token), raise_for_status=True).get("/x").json()
        http_session(ctx, base_url="https://api.example.com", **slow)
        self.http(ctx.source_id, "https://api.example.com", retries=0)

    def check_connection(self, config: Settings, credentials: Token) -> str | None:
        return None if credentials.token else "The token is empty."


class HalfTyped(Connector[Settings]):
    name = "half"
    version = "1.0.0"

    async def sync(
        self, config: Settings, credentials: dict[str, Any], state: dict[str, Any] | None, ctx: SyncContext
    ) -> None:
        await ctx.save_state({"folder": config.folder})

    async def check_connection(self, config: Settings, credentials: dict[str, Any]) -> None: ...


class ByAttributes(Connector):
    name = "attributes"
    version = "1.0.0"
    config = Settings
    credentials = Token
    state = Cursor

    def sync(self, config: Settings, credentials: Token, state: Cursor | None, ctx: SyncContext) -> None: ...


class InParts(Connector[Settings, Token, Cursor]):
    name = "parts"
    version = "1.0.0"

    def partitions(
        self, config: Settings, credentials: Token, state: dict[str, Cursor] | None, ctx: SyncContext
    ) -> Iterator[Partition]:
        yield Partition(key=config.folder)

    def sync_partition(
        self, partition: Partition, config: Settings, credentials: Token, state: Cursor | None, ctx: SyncContext
    ) -> None: ...


class Bare(Connector):
    name = "bare"
    version = "1.0.0"

    def sync(
        self, source_config: dict[str, Any], credentials: dict[str, Any], state: dict[str, Any] | None, ctx: SyncContext
    ) -> None: ...

    def config(self) -> str:
        return "a member of its own"


def serve(connector: Connector) -> None:
    connector.serve()


connectors: list[Connector] = [Typed(), HalfTyped(), ByAttributes(), InParts(), Bare()]
for connector in connectors:
    connector.get_manifest()
"""

WRONG = """
from attrs import define

from omni_connector import Connector, SyncContext


@define
class Settings:
    folder: str


class Other(Connector[Settings]):
    name = "other"
    version = "1.0.0"

    def sync(self, config: int, credentials: object, state: object, ctx: SyncContext) -> None: ...
"""


@BY_EACH_CHECKER
def test_typed_half_typed_and_bare_connectors_pass(checker, tmp_path):
    assert type_problems(checker, tmp_path / "program.py", PROGRAM) == ""


@BY_EACH_CHECKER
def test_a_sync_with_other_settings_does_not(checker, tmp_path):
    assert "sync" in type_problems(checker, tmp_path / "program.py", WRONG)


def test_what_they_declare_is_known():
    made = {}
    exec(PROGRAM, made)
    Settings, Token, Cursor = made["Settings"], made["Token"], made["Cursor"]
    declared = {
        name: tuple(
            getattr(each, "kind", None)
            for each in (types.config, types.credentials, types.state and types.state.typed)
        )
        for name, types in (
            (name, made[name].declared_types)
            for name in ("Typed", "HalfTyped", "ByAttributes", "InParts", "Bare")
        )
    }
    assert declared == {
        "Typed": (Settings, Token, Cursor),
        "HalfTyped": (Settings, None, None),
        "ByAttributes": (Settings, Token, Cursor),
        "InParts": (Settings, Token, Cursor),
        "Bare": (None, None, None),
    }
