"""The connectors that ``benchmarks.crash`` kills: a scripted source, as large as its config says, in one piece or in partitions."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from benchmarks.scripted import EMIT, SAVED, Scripted, Step, perform, script
from omni_connector import Connector, Partition, SyncContext

KINDS = (*[EMIT] * 9, SAVED)
WHOLE = ""
"""In the place of a partition's key, for a source that is read in one piece."""


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
        self.steps = scripts(source_config)[WHOLE]
        super().sync(source_config, credentials, state, ctx)


class CrashPartitions(Connector):
    """The same in as many ``partitions`` as the config says, each with a script of its own."""

    name = "scripted"
    version = "1.0.0"
    sync_modes = ["full", "incremental"]
    source_types = ["web"]

    def partitions(
        self,
        source_config: dict[str, Any],
        credentials: dict[str, Any],
        state: dict[str, Any] | None,
        ctx: SyncContext,
    ) -> list[Partition]:
        """List them."""
        del credentials, state, ctx
        return [Partition(key=key) for key in scripts(source_config)]

    def sync_partition(
        self,
        partition: Partition,
        source_config: dict[str, Any],
        credentials: dict[str, Any],
        state: dict[str, Any] | None,
        ctx: SyncContext,
    ) -> None:
        """Go on from the step that was saved."""
        del credentials
        steps = scripts(source_config)[partition.key]
        for number in range((state or {}).get("step", 0), len(steps)):
            perform(steps[number], number + 1, ctx)
        ctx.complete({"step": len(steps)})


def scripts(config: dict[str, Any]) -> dict[str, list[Step]]:
    """Return the scripts of a source with this config, by partition."""
    parts = config.get("partitions")
    if parts is None:
        return {WHOLE: _script(config, 0, config["documents"])}
    return {
        f"part-{number}": _script(config, number, config["documents"] // parts) for number in range(parts)
    }


def _script(config: dict[str, Any], number: int, documents: int) -> list[Step]:
    steps = script(config["seed"] * 1000 + number, documents, save_every=config["save_every"], kinds=KINDS)
    if "partitions" not in config:
        return steps
    return [
        evolve(step, document_id=f"part-{number}/{step.document_id}") if step.document_id else step
        for step in steps
    ]
