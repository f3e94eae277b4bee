"""The checkpoint of a run that is read in partitions, as it is stored. Only the SDK reads it.

    {"omni_connector.partitions": 1,
     "run": "01J...",
     "partitions": {"drive-7": {"state": {"page": 3}, "saved": true, "done": true, "scanned": 150, "updated": 150}}}

``run`` is the run that wrote it. For a run with another id only the states count: what is saved, done and counted is about
the run that wrote it. Keys of an entry that have their default are left out.
"""

from typing import Any, Self

from attrs import field, frozen

from omni_connector.exceptions import ConfigurationError
from omni_connector.models.json_values import JsonValue

LAYOUT_KEY = "omni_connector.partitions"
VERSION = 1


@frozen(kw_only=True)
class SavedPartition:
    """One partition in a checkpoint.

    Attributes:
        state: the last that was saved for it, by any run; None when there is none.
        is_saved: the run that wrote the checkpoint has saved the state; otherwise one before it.
        is_done: that run has read the partition to its end.
        scanned: documents that run had counted in it when the state was saved.
        updated: documents that were accepted from it until then.
    """

    state: JsonValue = None
    is_saved: bool = False
    is_done: bool = False
    scanned: int = 0
    updated: int = 0

    @classmethod
    def of(cls, entry: Any) -> Self:
        """Read an entry of the checkpoint."""
        return cls(
            state=entry.get("state"),
            is_saved=entry.get("saved", False),
            is_done=entry.get("done", False),
            scanned=entry.get("scanned", 0),
            updated=entry.get("updated", 0),
        )

    def to_json(self) -> dict[str, JsonValue]:
        """Return the entry."""
        entry = {
            "state": self.state,
            "saved": self.is_saved,
            "done": self.is_done,
            "scanned": self.scanned,
            "updated": self.updated,
        }
        return {name: value for name, value in entry.items() if name == "state" or value}


@frozen(kw_only=True)
class PartitionCheckpoint:
    """A whole checkpoint.

    Attributes:
        run_id: of the run that wrote it; empty for one that was made of another checkpoint.
        partitions: by key.
    """

    run_id: str = ""
    partitions: dict[str, SavedPartition] = field(factory=dict)

    @classmethod
    def of(cls, checkpoint: JsonValue) -> Self:
        """Read a checkpoint for which ``is_partitioned`` is true.

        Raises:
            ConfigurationError: it was saved by a later release.
        """
        version = checkpoint[LAYOUT_KEY]
        if version != VERSION:
            raise ConfigurationError(
                f"The source's checkpoint was saved by a later release of omni-connector (layout {version}; this one knows "
                f"{VERSION}): use that release, or one after it."
            )
        entries = checkpoint["partitions"]
        return cls(
            run_id=checkpoint["run"],
            partitions={key: SavedPartition.of(entry) for key, entry in entries.items()},
        )

    @classmethod
    def of_states(cls, states: dict[str, JsonValue]) -> Self:
        """Return the checkpoint that a run with these states, by key, would have left."""
        return cls(partitions={key: SavedPartition(state=state) for key, state in states.items()})

    def to_json(self) -> dict[str, JsonValue]:
        """Return the checkpoint as it is stored."""
        return {
            LAYOUT_KEY: VERSION,
            "run": self.run_id,
            "partitions": {key: partition.to_json() for key, partition in self.partitions.items()},
        }

    @property
    def states(self) -> dict[str, JsonValue]:
        """The states, by key."""
        return {key: each.state for key, each in self.partitions.items() if each.state is not None}


def is_partitioned(checkpoint: JsonValue) -> bool:
    """Say whether a checkpoint was saved by a run that was read in partitions."""
    return isinstance(checkpoint, dict) and LAYOUT_KEY in checkpoint
