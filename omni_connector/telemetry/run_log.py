"""What the log says of a run: that it started, how far it is, how it ended."""

import logging
import threading
from typing import Any

from attrs import define

from omni_connector.config import LogSettings
from omni_connector.telemetry.figures import (
    Figures,
    Progress,
    RunEnd,
    RunFigures,
    Stage,
    documents_per_second,
)
from omni_connector.telemetry.log_context import RunIdentity, in_run
from omni_connector.telemetry.logs import flush_repeated_lines, set_up_logging

log = logging.getLogger(__name__)

STAGE_NAMES = {
    Stage.READING: "reading the source",
    Stage.STORING_CONTENTS: "storing contents",
    Stage.SENDING_EVENTS: "sending events",
    Stage.WAITING_MANAGER: "waiting for the manager",
    Stage.WAITING_RATE_LIMIT: "waiting for a rate limit",
}

SHORTEST_SHOWN_SECONDS = 0.05


@define
class _Said:
    """What was said of a run last."""

    seconds: float = 0.0
    documents: int = 0


class RunLog:
    """Writes the lines; implements ``RunObserver``.

    Args:
        settings: how lines look where the application has not configured that.
        progress_seconds: between two lines on how far a run is; 0 writes none.
    """

    def __init__(self, settings: LogSettings, progress_seconds: float) -> None:
        self._settings = settings
        self._progress_seconds = progress_seconds
        self._lock = threading.Lock()  # Protects _said.
        self._said: dict[RunIdentity, _Said] = {}

    def run_started(self, run: RunIdentity) -> None:
        """Say so; by now the application has configured logging, or never will."""
        set_up_logging(self._settings)
        with self._lock:
            self._said[run] = _Said()
        resumed = "resumed" if run.is_resume else "started"
        log.info(
            "%s sync of source %s %s, from %s",
            run.sync_mode.capitalize(),
            run.source,
            resumed,
            run.starts_from,
            extra={"event": "sync_started", "is_resume": run.is_resume, "starts_from": run.starts_from},
        )

    def run_moved(self, run: RunIdentity, figures: RunFigures) -> None:
        """Say how far it is, when it is time."""
        flush_repeated_lines()
        with self._lock:
            said = self._said.get(run)
        if not self._progress_seconds or said is None:
            return
        passed = figures.seconds - said.seconds
        if passed < self._progress_seconds:
            return
        documents = _given(figures.documents)
        rate = max(0, documents - said.documents) / passed
        said.seconds, said.documents = figures.seconds, documents
        with in_run(run):
            log.info(
                "Sync of source %s goes on: %s",
                run.source,
                _line(figures, rate, goes_on=True),
                extra={"event": "sync_progress", **_extra(figures, rate)},
            )

    def run_ended(self, run: RunIdentity, figures: RunFigures, end: RunEnd) -> None:
        """Say how, with the report."""
        with self._lock:
            self._said.pop(run, None)
        counts = figures.documents
        rate = documents_per_second(counts.emitted, counts.deleted, figures.seconds)
        log.info(
            "Sync of source %s %s: %s",
            run.source,
            end.outcome,
            _line(figures, rate, goes_on=False),
            extra={"event": "sync_ended", "outcome": end.outcome, **_extra(figures, rate)},
        )


def duration(seconds: float) -> str:
    """Return ``3.2 s``, ``2 min 5 s``, ``1 h 2 min``."""
    if seconds < 60:  # noqa: PLR2004 - a minute.
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:  # noqa: PLR2004 - an hour.
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _line(figures: RunFigures, rate: float, *, goes_on: bool) -> str:
    counts = figures.documents
    counted = f"{counts.scanned} scanned, {counts.emitted} emitted, {counts.deleted} deleted"
    parts = [
        f"{counted}, {counts.errors} error{'' if counts.errors == 1 else 's'} in {duration(figures.seconds)}",
        f"{rate:.1f} documents/s",
    ]
    spent = [
        f"{name} {duration(figures.stages[stage])}"
        for stage, name in STAGE_NAMES.items()
        if figures.stages.get(stage, 0.0) >= SHORTEST_SHOWN_SECONDS
    ]
    if spent:
        parts.append(", ".join(spent))
    if figures.buffered_documents or figures.parallel_uploads:
        parts.append(
            f"{figures.buffered_documents} documents buffered, {figures.parallel_uploads} uploads at once"
        )
    if figures.progress is not None:
        parts.append(progress_text(figures.progress, goes_on=goes_on))
    return "; ".join(filter(None, parts))


def progress_text(progress: Progress, *, goes_on: bool) -> str:
    """Return ``pages: 40% of 1200, 3 min 5 s left``, as far as it is known; of a run that has ended, no time is left."""
    phase = f"{progress.phase}: " if progress.phase else ""
    if progress.share is None:
        return f"{phase}{progress.done} done"
    remaining = progress.remaining_seconds if goes_on else None
    left = f", {duration(remaining)} left" if remaining else ""
    return f"{phase}{progress.share:.0%} of {progress.total}{left}"


def _extra(figures: RunFigures, rate: float) -> dict[str, Any]:
    counts, progress = figures.documents, figures.progress
    found: dict[str, Any] = {
        "seconds": round(figures.seconds, 3),
        "scanned": counts.scanned,
        "emitted": counts.emitted,
        "deleted": counts.deleted,
        "errors": counts.errors,
        "documents_per_second": round(rate, 1),
        "stage_seconds": {str(stage): round(spent, 3) for stage, spent in figures.stages.items()},
        "buffered_documents": figures.buffered_documents,
        "buffered_bytes": figures.buffered_bytes,
        "parallel_uploads": figures.parallel_uploads,
        "batches": figures.batches,
        "bytes_delivered": figures.bytes_delivered,
    }
    if progress is not None:
        share, remaining = progress.share, progress.remaining_seconds
        found["phase"], found["total"], found["done"] = progress.phase, progress.total, progress.done
        found["share"] = None if share is None else round(share, 4)
        found["remaining_seconds"] = None if remaining is None else round(remaining, 1)
    return found


def _given(counts: Figures) -> int:
    return counts.emitted + counts.deleted
