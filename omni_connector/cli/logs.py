"""The log of a command, in a form for people, on standard error."""

import logging
import sysconfig
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from omni_connector.cli.output import Output, one_line

REPEATS_SHOWN = 5
"""Messages of one kind; a run with a thousand broken documents must not scroll everything else away."""

_STANDARD_LIBRARY = sysconfig.get_path("stdlib")
_PACKAGE = str(Path(__file__).resolve().parent.parent)
_STYLES = {logging.WARNING: "yellow", logging.ERROR: "red", logging.CRITICAL: "red"}


@contextmanager
def brief_log(output: Output) -> Iterator[None]:
    """Show warnings and errors for the length of a block, one line each."""
    with _logging(_Brief(output), logging.WARNING):
        yield


@contextmanager
def full_log(output: Output) -> Iterator[None]:
    """Show the package's whole log for the length of a block, tracebacks included."""
    with _logging(_Full(output), logging.DEBUG):
        yield


@contextmanager
def service_log(output: Output) -> Iterator[None]:
    """Show what a service does for the length of a block, with times."""
    with _logging(_Full(output), logging.INFO):
        yield


@contextmanager
def _logging(handler: logging.Handler, level: int) -> Iterator[None]:
    root, package = logging.getLogger(), logging.getLogger("omni_connector")
    former = root.level, package.level
    root.addHandler(handler)
    root.setLevel(max(level, logging.INFO))  # Libraries say too much below that.
    package.setLevel(level)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(former[0])
        package.setLevel(former[1])


class _Full(logging.Handler):
    """Everything there is."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S"))

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        self._output.say(self.format(record), _STYLES.get(record.levelno, "dim"))


class _Brief(logging.Handler):
    """One line a record, with the place in the author's code instead of a traceback."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output
        self._seen: Counter[tuple[str, str]] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, unless there were many of its kind."""
        kind = record.name, str(record.msg)
        self._seen[kind] += 1
        if self._seen[kind] > REPEATS_SHOWN:
            return
        text = one_line(record.getMessage(), longest=1000)
        if record.exc_info and record.exc_info[1] is not None:
            text += (
                f" ({type(record.exc_info[1]).__name__}{_where(record.exc_info[2])}; -v shows the traceback)"
            )
        label = record.levelname.capitalize()
        self._output.say(f"{label}: {text}", _STYLES.get(record.levelno, ""))
        if self._seen[kind] == REPEATS_SHOWN:
            self._output.say("More messages of this kind are not shown; -v shows all.", "dim")


def _where(trace: TracebackType | None) -> str:
    """Return the innermost place in nobody's library: usually the line that the author wants to see."""
    frames = [frame for frame in traceback.extract_tb(trace) if not frame.filename.startswith(_PACKAGE)]
    own = [frame for frame in frames if not _is_library(frame.filename)] or frames
    return f" in {own[-1].filename}, line {own[-1].lineno}" if own else ""


def _is_library(filename: str) -> bool:
    return "site-packages" in filename or filename.startswith(_STANDARD_LIBRARY)
