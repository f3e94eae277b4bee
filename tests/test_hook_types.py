"""``mypy --strict`` users see sensible types on both sides of a hook."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.types

ROOT = Path(__file__).resolve().parents[1]

FINE = '''\
from typing import Any, assert_type

from omni_connector import ActionResponse, Connector, ConnectorManifest, SyncContext
from omni_connector.awaitables import MayAwait, hook


class Base(Connector):
    name = "typed"
    version = "1"

    def sync(
        self, source_config: dict[str, Any], credentials: dict[str, Any], state: dict[str, Any] | None, ctx: SyncContext
    ) -> None:
        """Nothing."""

    @hook
    def prepare(self, credentials: dict[str, Any]) -> MayAwait[dict[str, str]]:
        return {}

    @hook
    def config(self) -> MayAwait[ConnectorManifest | None]:
        return None


class Async(Base):
    async def execute_action(
        self, action: str, params: dict[str, Any], credentials: dict[str, Any], *_args: Any, **_kwargs: Any
    ) -> ActionResponse:
        return await super().execute_action(action, params, credentials)

    async def cancel(self, sync_run_id: str) -> bool:
        return await super().cancel(sync_run_id)

    async def get_manifest(self, connector_url: str = "") -> ConnectorManifest:
        manifest = await super().get_manifest(connector_url)
        manifest.description = "mine"
        return manifest

    async def prepare(self, credentials: dict[str, Any]) -> dict[str, str]:
        return await super().prepare(credentials) | {"A": "1"}

    async def config(self) -> ConnectorManifest | None:
        return await super().config()


class Blocking(Base):
    def execute_action(
        self, action: str, params: dict[str, Any], credentials: dict[str, Any], *_args: Any, **_kwargs: Any
    ) -> ActionResponse:
        return super().execute_action(action, params, credentials)

    def cancel(self, sync_run_id: str) -> bool:
        return super().cancel(sync_run_id)

    def get_manifest(self, connector_url: str = "") -> ConnectorManifest:
        manifest = super().get_manifest(connector_url)
        manifest.description = "mine"
        return manifest

    def prepare(self, credentials: dict[str, Any]) -> dict[str, str]:
        return {**super().prepare(credentials), "A": "1"}

    def config(self) -> ConnectorManifest | None:
        config = super().config()
        return None if config is None else config


async def awaited(base: Base) -> None:
    assert_type(await base.cancel("run"), bool | Any)
    assert_type(await base.prepare({}), dict[str, str] | Any)
    assert_type(await base.config(), ConnectorManifest | None | Any)
'''
WRONG = """

class Wrong(Base):
    async def get_manifest(self, connector_url: int = 0) -> ConnectorManifest:
        manifest = await super().get_manifest("http://me")
        manifest.actoins = []
        return manifest
"""


def mypy(program):
    command = [sys.executable, "-m", "mypy", "--strict", str(program)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_overrides_of_both_colours_pass_mypy_strict(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(FINE)
    done = mypy(program)
    assert done.returncode == 0, done.stdout


def test_what_is_wrong_is_found(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(FINE + WRONG)
    told = mypy(program).stdout
    assert 'incompatible with supertype "omni_connector.connector_base.base.ConnectorBase"' in told
    assert '"actoins"' in told
