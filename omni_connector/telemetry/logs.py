"""The log, where the application has not configured one: one handler on the root logger, as text or JSON.

Our own lines need nothing of it: they go through ``logging`` like everyone's.
"""

import contextlib
import datetime as dt
import logging
import threading
from typing import Any, TextIO

from pythonjsonlogger.json import JsonFormatter

from omni_connector.config import LogSettings
from omni_connector.masking import mask
from omni_connector.telemetry.log_context import FIELDS, RunContextFilter
from omni_connector.telemetry.repeated_lines import RepeatedLines

_setting_up = threading.Lock()  # Runs may start at the same time.

SHORT_NAMES = {"source_id": "source", "source_name": "name", "sync_run_id": "run", "sync_mode": "mode"}
"""How text lines call the fields of a run; ``connector`` and ``partition`` keep their names."""


def set_up_logging(settings: LogSettings) -> None:
    """Log to standard error, unless somebody has configured the root logger; add the run to the lines either way."""
    root = logging.getLogger()
    with _setting_up:
        if not root.handlers:
            offered = logging.lastResort
            root.addHandler(offered if isinstance(offered, LogHandler) else LogHandler(settings))
            root.setLevel(settings.level)
    add_run_to_lines()


def offer_logging(settings: LogSettings) -> None:
    """As ``set_up_logging``, while the application may still be about to configure logging: it then finds no handler.

    ``logging`` itself asks its handler of last resort where none is configured.
    """
    root = logging.getLogger()
    if not root.handlers:
        logging.lastResort = LogHandler(settings)
        root.setLevel(settings.level)
    add_run_to_lines()


def add_run_to_lines() -> None:
    """Let every handler that there is now know of the run in which a record was made."""
    loggers = [logging.getLogger(), *logging.root.manager.loggerDict.values()]
    for logger in loggers:
        for handler in getattr(logger, "handlers", ()):  # Names without a logger have none.
            if not any(isinstance(each, RunContextFilter) for each in handler.filters):
                handler.addFilter(RunContextFilter())


def flush_repeated_lines() -> None:
    """Say now how often lines were repeated whose time is over."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LogHandler):
            handler.flush_repeated()


def formatter_of(settings: LogSettings) -> logging.Formatter:
    """Return what writes lines as the settings say."""
    return JsonLines() if settings.form == "json" else TextLines()


def iso_time(record: logging.LogRecord) -> str:
    """Return when a record was made: ISO 8601, milliseconds, local time with its offset."""
    return dt.datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")


class TextLines(logging.Formatter):
    """``time LEVEL [process] logger [connector=.. source=.. name='..' run=.. mode=..] message``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; a traceback follows it."""
        run = " ".join(_shown_fields(record))
        where = f"{record.name} [{run}]" if run else record.name
        record.message = record.getMessage()
        head = f"{iso_time(record)} {record.levelname:<7} [{record.process}] {where}"
        # Where a secret was masked in a traceback, there is its text alone.
        trace = self.formatException(record.exc_info) if record.exc_info else record.exc_text
        rest = [trace] if trace else []
        if record.stack_info:
            rest.append(self.formatStack(record.stack_info))
        return "\n".join([f"{head}: {record.message}", *rest])


class JsonLines(JsonFormatter):
    """One JSON object a line; what ``extra=`` gives are keys of their own."""

    def __init__(self) -> None:
        # The order is that of the keys.
        names = ["asctime", "levelname", "name", "message", "process", "threadName"]
        renamed = {"asctime": "time", "levelname": "level", "name": "logger", "threadName": "thread"}
        # ``taskName`` is what Python 3.12 adds to every record.
        super().__init__(names, rename_fields={**renamed, "exc_info": "traceback"})
        self.reserved_attrs.add("taskName")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's name.
        """Return the time as in text lines."""
        del datefmt
        return iso_time(record)

    def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
        """Return the object; values that JSON cannot hold (a circle, keys that are no strings) as text."""
        try:
            return super().jsonify_log_record(log_data)
        except (TypeError, ValueError, RecursionError):
            plain = {
                name: value if isinstance(value, str | int | float | None) else mask(repr(value))
                for name, value in log_data.items()
            }
            return super().jsonify_log_record(plain)


class LogHandler(logging.StreamHandler[TextIO]):
    """Writes to standard error, and counts repeated lines instead of repeating them.

    Args:
        settings: how lines look.
        stream: another place.
    """

    def __init__(self, settings: LogSettings, stream: TextIO | None = None) -> None:
        super().__init__(stream)
        self.setFormatter(formatter_of(settings))
        self.addFilter(RunContextFilter())
        self._repeated = RepeatedLines()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, unless it is one of many."""
        for each in self._repeated.lines(record):
            super().emit(each)

    def flush_repeated(self, *, all_of_them: bool = False) -> None:
        """Say how often lines were repeated whose time is over."""
        with contextlib.nullcontext() if self.lock is None else self.lock:
            for each in self._repeated.due(all_of_them=all_of_them):
                super().emit(each)

    def close(self) -> None:
        """Say what has not been said."""
        self.flush_repeated(all_of_them=True)
        super().close()


def _shown_fields(record: logging.LogRecord) -> list[str]:
    found: list[str] = []
    attributes: dict[str, Any] = record.__dict__
    for name in FIELDS:
        value = attributes.get(name)
        if value:
            shown = repr(value) if name in {"source_name", "partition"} else value
            found.append(f"{SHORT_NAMES.get(name, name)}={shown}")
    return found
