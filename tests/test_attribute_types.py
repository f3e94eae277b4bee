"""A connector's attributes in every form in which authors write them pass both type checkers in their strict or usual mode."""

from __future__ import annotations

from support.type_checkers import BY_EACH_CHECKER, type_problems

PROGRAM = """
from functools import cached_property
from typing import Any

from omni_connector import Connector, ErrorLimits, StdioMcpServer, SyncContext


class Syncs(Connector):
    def sync(
        self, source_config: dict[str, Any], credentials: dict[str, Any], state: dict[str, Any] | None, ctx: SyncContext
    ) -> None: ...


class Plain(Syncs):
    name = "plain"
    version = "1.0.0"
    sync_modes = ["full", "incremental"]
    source_types = ["web"]
    description = "Plain."
    read_only = True
    error_limits = ErrorLimits()
    mcp_server = StdioMcpServer(command="server")


class Annotated(Syncs):
    name: str = "annotated"
    version: str = "1.0.0"
    sync_modes: list[str] = ["full"]
    description: str | None = None


class Properties(Syncs):
    @property
    def name(self) -> str:
        return "properties"

    @property
    def version(self) -> str:
        return "1.0.0"

    @property
    def sync_modes(self) -> list[str]:
        return ["full"]

    @cached_property
    def source_types(self) -> list[str]:
        return [self.name]

    @property
    def mcp_server(self) -> StdioMcpServer:
        return StdioMcpServer(command="server")


class OfInstance(Syncs):
    name = "instance"
    version = "1.0.0"

    def __init__(self, kind: str) -> None:
        self.source_types = [kind]


for connector in (Plain(), Annotated(), Properties(), OfInstance("web")):
    connector.get_manifest()
"""


@BY_EACH_CHECKER
def test_every_form_of_an_attribute_passes(checker, tmp_path):
    assert type_problems(checker, tmp_path / "program.py", PROGRAM) == ""


def test_every_form_of_an_attribute_works():
    made = {}
    exec(PROGRAM, made)
    assert made["OfInstance"]("web").get_manifest().source_types == ["web"]
    assert made["Properties"]().get_manifest().source_types == ["properties"]
    assert made["Plain"]().get_manifest().sync_modes == ["full", "incremental"]
    assert made["Annotated"]().display_name == "annotated"
