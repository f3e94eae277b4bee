"""The connector that ``benchmarks.crash`` kills: a scripted source, as large as its config says."""

from __future__ import annotations

from typing import Any

from benchmarks.scripted import EMIT, SAVED, Scripted, Step, script
from omni_connector import SyncContext

KINDS = (*[EMIT] * 9, SAVED)


class CrashSource(Scripted):
    """Reads its script from the source's config: ``documents``, ``seed`` and ``save_every``."""

    def __init__(self) -> None:
        super().__init__([])

    def sync(
        self,
        source_config: dict[str, Any],
        credentials: dict[str, Any],
        state: dict[str, Any] | None,
        ctx: SyncContext,
    ) -> None:
        """Take one step after the other."""
        self.steps = steps(source_config)
        super().sync(source_config, credentials, state, ctx)


def steps(source_config: dict[str, Any]) -> list[Step]:
    """Return the script of a source with this config."""
    config = source_config
    return script(config["seed"], config["documents"], save_every=config["save_every"], kinds=KINDS)
