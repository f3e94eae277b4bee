"""Whether an inventory knows what a source has sent, without opening it for writing."""

import contextlib
import sqlite3
from pathlib import Path

from omni_connector.runstore.inventory_opening import FILE_NAME


def inventory_of_source(data_dir: Path, source_id: str) -> Path | None:
    """Return the inventory that ``run`` and ``dev`` keep in their data directory, if the source is in it.

    Args:
        data_dir: of the embedded manager.
        source_id: the source; the name of its note ends with its id, or with the key of a partition after that.
    """
    file = data_dir / FILE_NAME
    if not file.is_file():
        return None
    # One that cannot be read says nothing.
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as db,
    ):
        found = db.execute(
            "SELECT 1 FROM notes WHERE instr(name || '/', '/' || ? || '/') LIMIT 1", (source_id,)
        ).fetchone()
        return None if found is None else file
    return None


def without_checkpoint(data_dir: Path, source_id: str) -> str:
    """Return what the next run of a source without a checkpoint starts from."""
    file = inventory_of_source(data_dir, source_id)
    if file is None:
        return "the next run is given no checkpoint"
    return f"the next run is given no checkpoint; what was sent before is known to the connector's inventory, {file}"
