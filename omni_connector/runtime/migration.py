"""Converts states that were saved by the other way of reading: by ``sync``, or in partitions."""

from typing import Any

from attrs import evolve

from omni_connector.exceptions import ConfigurationError
from omni_connector.models.codec import checkpoint_of
from omni_connector.models.json_values import JsonValue
from omni_connector.partitions.layout import PartitionCheckpoint, is_partitioned
from omni_connector.runtime.hooks import HookCaller
from omni_connector.sync.run_info import RunInfo
from omni_connector.typed.state_class import plain_state


def migrated(hooks: HookCaller, state: JsonValue) -> dict[str, Any] | None:
    """Return a state of the other kind in the form that the connector reads now; None to begin from nothing.

    Raises:
        ConfigurationError: the connector does not say how, or what it returns is none.
    """
    connector = hooks.connector
    given = PartitionCheckpoint.of(state).states if is_partitioned(state) else state
    new = hooks.call(connector.migrate_state, {"state": given})
    if new is None:
        return None
    new = plain_state(new)
    if isinstance(new, dict) and connector.reads_partitions:
        new = {key: plain_state(each) for key, each in new.items()}
    wanted = "the partitions' states by key" if connector.reads_partitions else "the state for sync()"
    name = f"{type(connector).__name__}.migrate_state"
    states = new.values() if isinstance(new, dict) and connector.reads_partitions else ()
    if not isinstance(new, dict) or not all(isinstance(each, dict) for each in states):
        raise ConfigurationError(
            f"{name} returned {type(new).__name__}: return {wanted}, or None to begin anew."
        )
    return checkpoint_of(new, name=name)


def with_states(info: RunInfo) -> RunInfo:
    """Return ``info`` with the partitions' states by key in place of the checkpoint, which only the SDK reads."""
    if not is_partitioned(info.checkpoint):
        return info
    try:
        return evolve(info, checkpoint=PartitionCheckpoint.of(info.checkpoint).states)
    except ConfigurationError:
        return info  # Of a later release; the run itself fails and says so.
