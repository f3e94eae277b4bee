"""Connectors that declare actions and override the new hooks pass mypy in strict mode, in both colours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = '''
import enum
from typing import Annotated, Any

from omni_connector import (
    ActionResponse,
    Connector,
    ConnectorManifest,
    OAuthManifestConfig,
    SearchOperator,
    SkillDefinition,
    SkillResponse,
    SyncContext,
    SyncRefusedError,
    SyncUnavailableError,
    action,
)


class Order(enum.Enum):
    NEWEST = "newest"


class Blocking(Connector):
    name = "typed"
    version = "1"
    source_types = ["web"]
    read_only = True
    extra_schema = {"type": "object"}
    search_operators = [SearchOperator(operator="by", attribute_key="by")]
    skills = [SkillDefinition(id="s", title="S")]

    @property
    def attributes_schema(self) -> dict[str, Any]:
        return {"type": "object"}

    def sync(
        self, source_config: dict[str, Any], credentials: dict[str, Any], state: dict[str, Any] | None, ctx: SyncContext
    ) -> None:
        ctx.complete()

    @action
    def plain(self) -> int:
        """Plain."""
        return 1

    @action(mode="read", description="Find.", required_scopes=["read"], source_types=["web"])
    def find(self, text: Annotated[str, "words"], order: Order = Order.NEWEST, *, credentials: dict[str, Any]) -> list[str]:
        return [text, order.value, *credentials]

    def oauth_config(self) -> OAuthManifestConfig | None:
        return None

    def load_skill(self, skill_id: str, arguments: dict[str, Any]) -> str | None:
        return f"{skill_id} {arguments}"

    def validate_sync_request(self, source_config: dict[str, Any], sync_mode: str) -> None:
        if sync_mode == "realtime":
            raise SyncUnavailableError
        if not source_config:
            raise SyncRefusedError("no folder")

    def on_credential_ready(self, source_id: str, user_id: str | None) -> bool:
        return user_id is None


class Async(Connector):
    name = "async"
    version = "1"

    async def sync(
        self, source_config: dict[str, Any], credentials: dict[str, Any], state: dict[str, Any] | None, ctx: SyncContext
    ) -> None:
        await ctx.complete()

    @action
    async def later(self, count: int = 1) -> ActionResponse:
        """Later."""
        return ActionResponse.success(count)

    async def oauth_config(self) -> OAuthManifestConfig | None:
        return None

    async def load_skill(self, skill_id: str, arguments: dict[str, Any]) -> SkillResponse:
        return SkillResponse(skill_id=skill_id, title="T", content="c")

    async def validate_sync_request(self, source_config: dict[str, Any], sync_mode: str) -> None:
        return None

    async def on_credential_ready(self, source_id: str, user_id: str | None) -> ConnectorManifest | None:
        manifest: ConnectorManifest = await self.get_manifest()
        return manifest


found: list[str] = Blocking().find("x", credentials={})
wrong: list[int] = Blocking().find("x", credentials={})  # E
Blocking().find(5, credentials={})  # E
'''


@pytest.mark.types
def test_declared_actions_and_hooks_type_check(tmp_path):
    program = tmp_path / "typed.py"
    program.write_text(PROGRAM)
    command = [sys.executable, "-m", "mypy", "--strict", str(program)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    wanted = {number for number, line in enumerate(PROGRAM.splitlines(), 1) if line.endswith("# E")}
    told = {int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error:" in line}
    assert told == wanted, done.stdout
