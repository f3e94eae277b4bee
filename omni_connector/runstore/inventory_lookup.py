"""Whether an inventory knows what a source has sent, without opening it for writing."""

import contextlib
import sqlite3
from pathlib import Path

from omni_connector.inventory.standing import NO_CHECKPOINT
from omni_connector.models.codec import decode
from omni_connector.runstore.inventory_opening import FILE_NAME


def knows_what_was_sent(data_dir: Path, source_id: str) -> bool:
    """Say whether a run without a checkpoint leaves out what was sent before, as ``run`` and ``dev`` keep inventories.

    It does not after a reset that has forgotten a checkpoint: the inventory was right for that one.

    Args:
        data_dir: of the embedded manager.
        source_id: the source; the name of its note ends with its id, or with the key of a partition after that.
    """
    file = data_dir / FILE_NAME
    if not file.is_file():
        return False
    # One that cannot be read says nothing.
    with (
        contextlib.suppress(sqlite3.Error, ValueError),
        contextlib.closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as db,
    ):
        found = db.execute("SELECT value FROM notes WHERE instr(name || '/', '/' || ? || '/')", (source_id,))
        notes = [decode(row[0]) for row in found]
        return any("next" in note and NO_CHECKPOINT in note.get("basis", [NO_CHECKPOINT]) for note in notes)
    return False


def without_checkpoint(data_dir: Path, source_id: str) -> str:
    """Return what the next run of a source without a checkpoint starts from."""
    if knows_what_was_sent(data_dir, source_id):
        return f"none needed: what was sent is in the inventory, {data_dir / FILE_NAME}"
    return "none: the next run is given no checkpoint"
