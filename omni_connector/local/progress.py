"""Server-sent events with a run's progress (manager.openapi.yaml, ``/sync/{sync_run_id}/progress``)."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from omni_connector.local.errors import LocalError
from omni_connector.local.rows import SyncRunRow
from omni_connector.local.runs import Runs


def progress_events(runs: Runs, run_id: str, interval_seconds: float) -> Iterator[bytes]:
    """Yield an event at once, then one each interval and one when the run ends.

    Ends without an event for an unknown run, and at once when the manager closes.
    """
    try:
        run = runs.find(run_id)
        while run is not None:
            yield b"data: " + orjson.dumps(run.to_progress()) + b"\n\n"
            if not run.is_running:
                return
            run = runs.wait_until(run_id, _has_ended, interval_seconds)
    except LocalError:
        return  # An id that cannot be stored is unknown; a closed manager sends nothing more.


def _has_ended(run: SyncRunRow | None) -> bool:
    return run is None or not run.is_running
