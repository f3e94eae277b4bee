"""The log of a command, in a form for people, on standard error."""

import logging
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from omni_connector.cli.output import Output, one_line
from omni_connector.code_location import author_location, innermost_author_frame
from omni_connector.config import LogSettings
from omni_connector.masking import error_text
from omni_connector.telemetry.log_context import RunContextFilter
from omni_connector.telemetry.logs import formatter_of

REPEATS_SHOWN = 5
"""Messages of one kind; a run with a thousand broken documents must not scroll everything else away."""

_TRACEBACK = re.compile(r"(?:  \+ Exception Group )?Traceback \(most recent call last\):\n")
_FRAME = re.compile(r'^[ |]+File "(.+)", line (\d+)', re.MULTILINE)
_MISSING_KEY = re.compile(r"^KeyError: '([\w.-]+)'$", re.MULTILINE)
_GROUP = re.compile(r"^ *\| ", re.MULTILINE)
"""What the traceback of an exception group puts before each line."""

_STOPPED = "not sent, because the run was stopped"
"""What the SDK's client says of calls that a cancelled run would have made (``manager/transport.py``)."""

_STYLES = {logging.WARNING: "yellow", logging.ERROR: "red", logging.CRITICAL: "red"}


@contextmanager
def brief_log(output: Output, *, summarised: str = "") -> Iterator["BriefLog"]:
    """Show warnings and errors for the length of a block, one line each; ``summarised`` as for ``BriefLog``."""
    handler = BriefLog(output, summarised)
    with _logging(handler, logging.WARNING):
        yield handler


@contextmanager
def no_log() -> Iterator[None]:
    """Show nothing for the length of a block."""
    with _logging(logging.NullHandler(), logging.WARNING):
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
    root.setLevel(logging.INFO)  # Libraries say too much below that.
    package.setLevel(level)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(former[0])
        package.setLevel(former[1])


class _Handler(logging.Handler):
    """Writes records; an error in that must not reach the code that logs."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        try:
            self.write(record)
        except Exception:  # The thread that logs has other work to do.  # noqa: BLE001
            self.handleError(record)

    def write(self, record: logging.LogRecord) -> None:
        """Write a record in this handler's form."""
        self._output.say(self.format(record), _STYLES.get(record.levelno, "dim"))


class LastSourceWarning(logging.Handler):
    """Keeps what was said last about requests to the source: why a run takes long.

    Attributes:
        text: the message; empty while there is none.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message."""
        self.text = record.getMessage()

    def __enter__(self) -> Self:
        logging.getLogger("omni_connector.sources").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("omni_connector.sources").removeHandler(self)


class _Full(_Handler):
    """Everything there is, in the form of a served connector's log."""

    def __init__(self, output: Output) -> None:
        super().__init__(output)
        self.setFormatter(formatter_of(LogSettings.from_environ()))
        self.addFilter(RunContextFilter())


class BriefLog(_Handler):
    """One line a record, with the place in the author's code instead of a traceback.

    Args:
        output: where it writes.
        summarised: an event whose lines are left out, because the summary of the run says the same.
    """

    def __init__(self, output: Output, summarised: str = "") -> None:
        super().__init__(output)
        self._summarised = summarised
        self._seen: Counter[tuple[str, str]] = Counter()
        self._talkative: set[str] = set()

    def show_more_of(self, package: str) -> None:
        """Show what the loggers of this package say from INFO on: the connector's own."""
        self._talkative.add(package.partition(".")[0])

    def write(self, record: logging.LogRecord) -> None:
        """Write a record, unless there were many of its kind, or it only follows from a stop that was wanted."""
        if record.levelno < logging.WARNING and record.name.partition(".")[0] not in self._talkative:
            return
        if self._summarised and getattr(record, "event", None) == self._summarised:
            return
        if record.levelno <= logging.WARNING and _STOPPED in record.getMessage():
            return
        kind = record.name, str(record.msg)
        self._seen[kind] += 1
        if self._seen[kind] > REPEATS_SHOWN:
            if self._seen[kind] == REPEATS_SHOWN + 1:
                self._output.say("More messages of this kind are not shown; -v shows all.", "dim")
            return
        text = _brief_text(record)
        label = record.levelname.capitalize()
        self._output.say(f"{label}: {text}", _STYLES.get(record.levelno, ""))


def _brief_text(record: logging.LogRecord) -> str:
    """Return the message, and of a traceback that it holds or comes with only the error and the place."""
    message, *traces = _TRACEBACK.split(record.getMessage())
    if traces:  # The SDK writes tracebacks into messages, because secrets have to be taken out of them.
        frames = [(name, int(line)) for trace in traces for name, line in _FRAME.findall(trace)]
        # Most messages have named the error already, in their line.
        named = message if message.endswith("\n") else f"{message}{_error_line(traces[-1])}"
        named = f"{named.rstrip()}{_remedy(traces[-1])}"
        return f"{one_line(named, longest=1000)} ({_in(innermost_author_frame(frames))})"
    text = one_line(message, longest=1000)
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        return f"{text}: {one_line(error_text(error))} ({_in(author_location(error))})"
    return text


def _remedy(trace: str) -> str:
    """Return what to do about a key that an author has looked for in the settings or the credentials, and not found."""
    missing = _MISSING_KEY.search(trace)
    read = missing and re.search(rf"(\w+)\[(['\"]){re.escape(missing[1])}\2\]", trace)
    if missing is None or read is None:
        return ""
    if "config" in read[1]:
        return f". It is not in the source's settings: --set {missing[1]}=..."
    return ". It is not in the credentials: --credentials FILE" if "credentials" in read[1] else ""


def _error_line(trace: str) -> str:
    """Return type and first line of the error at the end of a traceback; its message may have more lines."""
    lines = _GROUP.sub("", trace).splitlines()
    return next((line for line in lines if line and not line.startswith(" ")), "")


def _in(place: str) -> str:
    return f"in {place}; -v shows the traceback" if place else "-v shows the traceback"
