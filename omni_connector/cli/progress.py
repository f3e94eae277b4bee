"""Shows a run while it goes on: a moving line on a terminal, now and then a plain line elsewhere."""

import os
import time
from collections import deque
from typing import Protocol

from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from omni_connector.cli.output import Output, counted
from omni_connector.runtime.run import RunReport
from omni_connector.telemetry.figures import documents_per_second

REFRESH_SECONDS = 0.125
PLAIN_LINE_SECONDS = 5.0
RATE_WINDOW_SECONDS = 3.0
STANDARD_ERROR = 2
LEFT_OUT_FIRST = ("deleted", "scanned", "rate", "phase", "errors")
"""Figures that a narrow terminal does not show, the least important first; the elapsed time always fits."""

SHOW_CURSOR = b"\x1b[?25h\n"


class ProgressView(Protocol):
    """Is shown the figures of a run, again and again."""

    def show(self, label: str, report: RunReport) -> None:
        """Show what the run does and how far it is; cheap to call often."""

    def say(self, text: str) -> None:
        """Write a line that stays."""

    def close(self) -> None:
        """Leave the terminal as it was."""

    def abandon(self) -> None:
        """The same without waiting: the process ends."""


def progress_view(output: Output) -> ProgressView:
    """Return the view that suits where the output goes."""
    return MovingLine(output) if output.is_interactive else PlainLines(output)


class MovingLine:
    """One line that is rewritten, at most eight times a second, below whatever is printed meanwhile."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._rate = Rate()
        self._spinner = Spinner("dots")
        self._shown = 0.0
        self._live = Live(console=output.messages, auto_refresh=False, transient=True)
        self._live.start()

    def show(self, label: str, report: RunReport) -> None:
        """Rewrite the line, unless that was done a moment ago."""
        now = time.monotonic()
        if now - self._shown < REFRESH_SECONDS:
            return
        self._shown = now
        turning = self._spinner.render(now)
        head = turning if isinstance(turning, Text) else Text()
        cells = _cells(report, self._rate.per_second(report))
        line = _fitting([head, Text(label, "bold")], cells, self._output.messages.width)
        line.no_wrap, line.overflow = True, "ellipsis"  # A second line would make the terminal jump.
        self._live.update(line, refresh=True)

    def say(self, text: str) -> None:
        """Write a line above."""
        self._output.say(text, "yellow")

    def close(self) -> None:
        """Remove the line and bring the cursor back."""
        self._live.stop()

    def abandon(self) -> None:
        """Bring the cursor back."""
        os.write(STANDARD_ERROR, SHOW_CURSOR)


class PlainLines:
    """A line on standard error every few seconds; a short run shows none."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._rate = Rate()
        self._shown = time.monotonic()

    def show(self, label: str, report: RunReport) -> None:
        """Write a line, if the last one is old enough."""
        now = time.monotonic()
        if now - self._shown < PLAIN_LINE_SECONDS:
            return
        self._shown = now
        cells = ", ".join(cell.plain for cell in _cells(report, self._rate.per_second(report)).values())
        self._output.say(f"{label}: {cells}")

    def say(self, text: str) -> None:
        """Write a line; the next figures have time."""
        self._shown = time.monotonic()
        self._output.say(text)

    def close(self) -> None:
        """Nothing is left to undo."""

    def abandon(self) -> None:
        """Here neither."""


class Rate:
    """Documents per second over the last moments."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, int]] = deque()

    def per_second(self, report: RunReport) -> float:
        """Return the rate, the report's figures included."""
        self._points.append((report.seconds, report.emitted + report.deleted))
        while len(self._points) > 2 and report.seconds - self._points[1][0] >= RATE_WINDOW_SECONDS:  # noqa: PLR2004 - a line needs two points.
            self._points.popleft()
        (began, before), (ended, after) = self._points[0], self._points[-1]
        if ended <= began:
            return average_rate(report)
        return (after - before) / (ended - began)


def average_rate(report: RunReport) -> float:
    """Return the documents per second of the whole run so far."""
    return documents_per_second(report.emitted, report.deleted, report.seconds)


def elapsed(seconds: float) -> str:
    """Return ``3.2 s``, ``1:02``, ``1:02:03``."""
    if seconds < 60:  # noqa: PLR2004 - a minute.
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _cells(report: RunReport, rate: float) -> dict[str, Text]:
    cells = _said(report)
    return cells | {
        "scanned": Text(f"{report.scanned:,} scanned"),
        "emitted": Text(f"{report.emitted:,} emitted", "green"),
        "deleted": Text(f"{report.deleted:,} deleted"),
        "errors": Text(counted(report.error_count, "error"), "red" if report.error_count else ""),
        "rate": Text(f"{rate:,.0f}/s", "cyan"),
        "elapsed": Text(elapsed(report.seconds), "dim"),
    }


def _said(report: RunReport) -> dict[str, Text]:
    """Return what the connector says with ``ctx.progress``."""
    cells = {"phase": Text(report.phase)} if report.phase else {}
    if report.share is not None:
        cells["share"] = Text(f"{report.share:.0%} of {report.total:,}", "bold")
    if report.remaining_seconds is not None:
        cells["remaining"] = Text(f"{elapsed(report.remaining_seconds)} left", "cyan")
    return cells


def _fitting(head: list[Text], cells: dict[str, Text], width: int) -> Text:
    """Return one line of at most ``width`` columns, if leaving out the figures in ``LEFT_OUT_FIRST`` is enough."""
    shown = dict(cells)
    line = Text("  ").join([*head, *shown.values()])
    for name in LEFT_OUT_FIRST:
        if line.cell_len <= width:
            break
        shown.pop(name, None)
        line = Text("  ").join([*head, *shown.values()])
    return line
