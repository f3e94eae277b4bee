"""What a connector's own log says of its runs: lines and figures, kept for the console while it is open."""

import functools
import re
import threading
from collections import OrderedDict, deque
from collections.abc import Mapping
from typing import Any, Final

from attrs import define, field, frozen

from omni_connector.run_reports import WITHHELD

KEPT_RUNS = 30
KEPT_LINES = 1000
KEPT_ERRORS = 200
LONGEST_TEXT = 4000
"""Characters of a line that are kept."""
LONGEST_ERROR = 20_000
"""Characters of an error that are kept: the end of its traceback says the most."""

OUTPUT = "OUTPUT"
"""The level of what a connector prints."""

LEVELS = ("DEBUG", OUTPUT, "INFO", "WARNING", "ERROR", "CRITICAL")
"""The least important first."""

STARTED: Final = "sync_started"
ENDED: Final = "sync_ended"
_PROGRESS = "sync_progress"
_WITHHELD = "deletions_withheld"

_ABOUT_DOCUMENT = re.compile(r" did not arrive as it should \((?P<stage>\w+)\): (?P<reason>.*)", re.DOTALL)
"""The end of a line that says what happened to a document, and where."""

_OF_SOURCE = re.compile(r"\ASource (?:.*? \(\S+\)|\S+): ")
"""The beginning of a line that names the source."""


@frozen(kw_only=True)
class LogLine:
    """One line.

    Attributes:
        number: increases from line to line of all runs, from 1.
        time: ISO 8601; empty for what is printed.
        logger: its name; of what is printed, the stream.
        text: the message; masked by the connector's process.
        traceback: what follows it, or nothing.
        partition: the part of the source that was being read, or nothing.
        document_id: the document that it is about, or nothing.
        withheld: the scope or source of which it says that deletions were withheld, or nothing.
    """

    number: int
    time: str = ""
    level: str
    logger: str = ""
    text: str
    traceback: str = ""
    partition: str = ""
    document_id: str = ""
    withheld: str = ""

    def problem(self) -> dict[str, str]:
        """Return what happened to the document as reports say it: ``document_id``, ``stage`` and ``reason``."""
        if self.withheld:
            reason = _OF_SOURCE.sub("", self.text)
            return {"document_id": self.withheld, "stage": WITHHELD, "reason": reason}
        found = _ABOUT_DOCUMENT.search(self.text)
        stage, reason = (found["stage"], found["reason"]) if found else ("", self.text)
        return {"document_id": self.document_id, "stage": stage, "reason": reason}


@frozen(kw_only=True)
class RunLog:
    """What is kept of one run.

    Attributes:
        lines: the last ones, the oldest first.
        dropped: number of older ones.
        errors: those of the last lines that are about a document, or about deletions that were withheld.
        figures: what the connector has said last about how far it is, by the names of its log (docs/logging.md); empty before
            the first such line.
        outcome: how the connector says that the run ended; empty while it is in progress.
        starts: how often the connector was asked to do it: more than once when it was resumed.
    """

    lines: tuple[LogLine, ...] = ()
    dropped: int = 0
    errors: tuple[LogLine, ...] = ()
    figures: Mapping[str, Any] = field(factory=dict)
    outcome: str = ""
    starts: int = 0

    def report(self) -> dict[str, Any]:
        """Return the errors that the connector has reported, the last first, as ``run_reports`` keeps them."""
        errors = [line.problem() for line in reversed(self.errors)]
        return {"error_count": max(len(errors), int(self.figures.get("errors", 0))), "errors": errors}


@define
class _Kept:
    lines: deque[LogLine] = field(factory=functools.partial(deque, maxlen=KEPT_LINES))
    errors: deque[LogLine] = field(factory=functools.partial(deque, maxlen=KEPT_ERRORS))
    written: int = 0
    figures: dict[str, Any] = field(factory=dict)
    outcome: str = ""
    starts: int = 0
    is_open: bool = False


class RunLogs:
    """Keeps the lines of the last runs in memory. Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # Protects everything below.
        self._runs: OrderedDict[str, _Kept] = OrderedDict()  # The one that was written to longest ago first.
        self._last_number = 0

    def add(self, record: Mapping[str, Any]) -> None:
        """Keep a line of the JSON log; lines without a run, and those that only say how far a run is, are not shown."""
        run_id, event = record.get("sync_run_id"), record.get("event")
        if not isinstance(run_id, str):
            return
        with self._lock:
            run = self._run(run_id)
            if event == STARTED:
                run.starts, run.is_open, run.outcome, run.figures = run.starts + 1, True, "", {}
            if event in {_PROGRESS, ENDED}:
                run.figures = dict(record)
            if event == ENDED:
                run.is_open, run.outcome = False, str(record.get("outcome", ""))
            if event == _PROGRESS:
                return
            longest = LONGEST_ERROR if record.get("level") in {"ERROR", "CRITICAL"} else LONGEST_TEXT
            self._write(
                run,
                time=str(record.get("time", "")),
                level=str(record.get("level", "INFO")),
                logger=str(record.get("logger", "")),
                text=str(record.get("message", ""))[:longest],
                traceback=str(record.get("traceback") or "")[:longest],
                partition=str(record.get("partition") or ""),
                document_id=str(record.get("document_id") or ""),
                withheld=str(record.get("scope") or "") if event == _WITHHELD else "",
            )

    def add_output(self, text: str, stream: str) -> None:
        """Keep a line that the connector has printed, with the runs in progress: it may be of any of them."""
        with self._lock:
            for run in [each for each in self._runs.values() if each.is_open]:
                self._write(run, level=OUTPUT, logger=stream, text=text[:LONGEST_TEXT])

    def end(self) -> None:
        """The process of the connector has ended: no run is in progress there any longer."""
        with self._lock:
            for run in self._runs.values():
                run.is_open = False

    def of(self, run_id: str, *, after: int = 0) -> RunLog | None:
        """Return what is kept of a run, of its lines those after the number ``after``; None where nothing is."""
        with self._lock:
            run = self._runs.get(run_id)
            if run is None:
                return None
            return RunLog(
                lines=tuple(line for line in run.lines if line.number > after),
                dropped=run.written - len(run.lines),
                errors=tuple(run.errors),
                figures=run.figures,
                outcome=run.outcome,
                starts=run.starts,
            )

    def _run(self, run_id: str) -> _Kept:
        run = self._runs.setdefault(run_id, _Kept())
        self._runs.move_to_end(run_id)
        if len(self._runs) > KEPT_RUNS:
            self._runs.popitem(last=False)
        return run

    def _write(self, run: _Kept, **values: Any) -> None:
        self._last_number += 1
        line = LogLine(number=self._last_number, **values)
        run.lines.append(line)
        if line.document_id or line.withheld:
            run.errors.append(line)
        run.written += 1
