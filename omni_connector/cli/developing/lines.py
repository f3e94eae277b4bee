"""What the connector's process writes: read, shown in the terminal in a form for people, and kept for the console."""

import json
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from omni_connector.cli.output import Output
from omni_connector.console.run_logs import ENDED, STARTED, RunLog, RunLogs
from omni_connector.console.tracebacks import folded
from omni_connector.run_reports import write_report

PROGRESS_SECONDS = 10.0
"""Between two lines in the terminal on how far a run is; the console shows each."""

LAST_LINES = 30
"""Kept of what is printed, to be shown when the process ends."""

SHOWN_DOCUMENTS = 5
"""Lines about documents in the terminal, of one run."""

_STYLES = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red", "DEBUG": "dim"}


class ConnectorLines:
    """Takes lines from the threads that read them.

    Args:
        output: the terminal.
        logs: kept for the console.
        data_dir: where reports of runs are kept; None keeps none.
        is_verbose: show what the SDK says below warnings, too.
        on_run: is called with the line that says that a run was started or has ended, and what is kept of that run.
        name_of: returns what people call the source with this id; None where that is not known.
    """

    def __init__(
        self,
        output: Output,
        logs: RunLogs,
        *,
        data_dir: Path | None = None,
        is_verbose: bool = False,
        on_run: Callable[[Mapping[str, Any], RunLog], None] | None = None,
        name_of: Callable[[str], str | None] | None = None,
    ) -> None:
        self._output = output
        self._logs = logs
        self._data_dir = data_dir
        self._is_verbose = is_verbose
        self._on_run = on_run
        self._name_of = name_of
        self._lock = threading.Lock()  # Two threads write to one terminal. Protects everything below.
        self._printed: deque[str] = deque(maxlen=LAST_LINES)
        self._shown_progress: dict[str, float] = {}
        self._shown_documents: Counter[str] = Counter()

    def read(self, stream: IO[str], name: str) -> None:
        """Life of a thread: take all lines of a stream."""
        try:
            for line in stream:
                self.take(line.rstrip("\n"), name)
        except ValueError:  # Closed, because the process has left another one behind that holds it open.
            return

    def take(self, line: str, stream: str = "stdout") -> None:
        """Take a line: JSON of the log, or whatever the connector prints."""
        record = _record(line)
        with self._lock:
            if record is None:
                self._printed.append(line)
                self._logs.add_output(line, stream)
                self._output.say(line)
                return
            self._name_source(record)
            self._logs.add(record)
            run_log = self._logs.of(str(record.get("sync_run_id")))
            if run_log is not None and record.get("event") == ENDED and self._data_dir is not None:
                write_report(self._data_dir, str(record["sync_run_id"]), run_log.report())
            if run_log is not None and self._on_run is not None and record.get("event") in {STARTED, ENDED}:
                self._on_run(record, run_log)
            if self._is_shown(record):
                self._show(record)

    def last_output(self) -> str:
        """Return what was printed last: what Python writes when a process ends in an error, among others."""
        with self._lock:
            return "\n".join(self._printed)

    def end(self) -> None:
        """The process has ended."""
        with self._lock:
            self._printed.clear()
            self._shown_progress.clear()
            self._shown_documents.clear()
            self._logs.end()

    def _name_source(self, record: dict[str, Any]) -> None:
        """Put the source's name into a line that has only its id, as the first ones of a run do."""
        source_id, known = record.get("source_id"), record.get("source_name")
        message = str(record["message"])
        if self._name_of is None or known or not source_id or f"source {source_id}" not in message:
            return
        name = self._name_of(str(source_id))
        if name:
            record["message"] = message.replace(f"source {source_id}", f"source {name!r} ({source_id})", 1)

    def _is_shown(self, record: dict[str, Any]) -> bool:
        """Say whether a line is for the terminal: of the SDK's, what warns and what says how a run goes."""
        event = record.get("event")
        if event == "sync_progress":
            run_id, now = str(record.get("sync_run_id")), time.monotonic()
            if now - self._shown_progress.setdefault(run_id, now) < PROGRESS_SECONDS:
                return False
            self._shown_progress[run_id] = now
            return True
        if record.get("document_id"):
            self._shown_documents[str(record.get("sync_run_id"))] += 1
            shown = self._shown_documents[str(record.get("sync_run_id"))]
            if shown == SHOWN_DOCUMENTS + 1:
                self._output.say("Further documents are shown in the console.", "dim")
            if shown > SHOWN_DOCUMENTS:
                return False
        is_ours = str(record.get("logger", "")).partition(".")[0] == "omni_connector"
        level = logging.getLevelNamesMapping().get(str(record.get("level")), logging.INFO)
        return self._is_verbose or not is_ours or level >= logging.WARNING or event is not None

    def _show(self, record: dict[str, Any]) -> None:
        clock = str(record.get("time", "")).partition("T")[2][:8]
        level = str(record.get("level", "INFO"))
        label = f"{level.capitalize()}: " if level in {"WARNING", "ERROR", "CRITICAL"} else ""
        rest = f"\n{record['traceback']}" if record.get("traceback") else ""
        text = f"{record.get('message', '')}{rest}"
        shown = text if self._is_verbose else folded(text)
        if shown != text:
            shown += "\n-v shows all frames; so does the console."
        self._output.say(f"{clock} {label}{shown}", _STYLES.get(level, ""))


def _record(line: str) -> dict[str, Any] | None:
    """Return a line of the log; None for any other."""
    if not line.startswith("{"):
        return None
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "message" in found and "level" in found else None
