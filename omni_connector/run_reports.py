"""Reports of the runs of ``omni-connector run`` and ``dev``: what only the connector knows, kept beside the manager's data.

An object with ``error_count`` and ``errors``, each of these with ``document_id``, ``stage`` and ``reason``; of ``run``, the whole summary.
"""

import contextlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from omni_connector.masking import mask_json
from omni_connector.private_files import make_private_file, make_private_folder

FOLDER: Final = "reports"
KEPT: Final = 200
WITHHELD: Final = "withheld"
"""The stage of deletions that an inventory has withheld; their ``document_id`` is that of the scope or the source."""
INVENTORY: Final = "inventory"
"""The stage of a remark that the inventory of a source is empty, although the source was synced before."""
OF_NO_DOCUMENT: Final = {WITHHELD: "deletions withheld", INVENTORY: "empty inventory"}
"""What stands in the place of a document's id, by stage."""

_NAME = re.compile(r"[0-9A-Za-z]+")


def write_report(data_dir: Path, run_id: str, report: Mapping[str, Any]) -> None:
    """Keep the report of a run; only the newest ones stay. That it cannot be kept is not the run's failure."""
    folder = data_dir / FOLDER
    with contextlib.suppress(OSError):
        make_private_folder(folder)
        path = folder / f"{run_id}.json"
        make_private_file(path)
        path.write_text(json.dumps(mask_json(report)), encoding="utf-8")
        for old in sorted(folder.glob("*.json"))[:-KEPT]:  # Ids of runs begin with their time.
            old.unlink(missing_ok=True)


def read_report(data_dir: Path, run_id: str) -> Mapping[str, Any]:
    """Return the report of a run; empty where there is none."""
    if not _NAME.fullmatch(run_id):
        return {}
    try:
        found = json.loads((data_dir / FOLDER / f"{run_id}.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def withheld(report: Mapping[str, Any]) -> set[str]:
    """Return of which scopes, or of which source, a run has withheld deletions."""
    return {each["document_id"] for each in report.get("errors", ()) if each["stage"] == WITHHELD}


def no_longer_withheld(data_dir: Path, name: str, later_runs: Iterable[str]) -> str:
    """Return in words that a later run has not withheld the deletions of a scope or source again; empty where all have.

    Args:
        data_dir: of the embedded manager.
        name: of the scope, or id of the source.
        later_runs: ids of the source's later runs that completed; one without a report says nothing.
    """
    reports = (read_report(data_dir, each) for each in later_runs)
    is_over = any(report and name not in withheld(report) for report in reports)
    return "a later run ended without withholding them" if is_over else ""
