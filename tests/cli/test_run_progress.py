import io

import pytest
from rich.console import Console
from rich.text import Text

from omni_connector.cli import progress
from omni_connector.cli.output import Output
from omni_connector.cli.progress import (
    MovingLine,
    PlainLines,
    Rate,
    _cells,
    _fitting,
    average_rate,
    elapsed,
    progress_view,
)
from omni_connector.runtime.run import RunReport


def report(**figures):
    return RunReport(sync_run_id="run", outcome="running", **figures)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal():
    output = Output()
    output.messages = Console(file=Terminal(), force_terminal=True, width=60, highlight=False)
    return output


def written(output):
    return output.messages.file.getvalue()


def test_the_line_is_rewritten_but_not_more_often_than_eight_times_a_second(terminal, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    view = MovingLine(terminal)
    for step in range(100):
        now[0] = 100.0 + step / 100
        view.show("full sync", report(emitted=step, seconds=step / 100))
    view.close()
    assert 7 <= written(terminal).count("full sync") <= 9
    assert written(terminal).endswith("\x1b[2K")  # It is gone at the end.
    assert "\x1b[?25h" in written(terminal)  # And the cursor is back.


def test_a_narrow_terminal_shows_fewer_figures_and_always_the_time(terminal):
    view = MovingLine(terminal)
    view.show(
        "incremental sync",
        report(scanned=10**9, emitted=10**9, deleted=10**9, error_count=10**6, seconds=9999),
    )
    view.close()
    assert "…" not in written(terminal)
    assert "deleted" not in written(terminal)
    assert "2:46:39" in written(terminal)


@pytest.mark.parametrize("figure", [0, 1_234_567, 10**12])
@pytest.mark.parametrize("label", ["full sync", "cancelling", "incremental sync"])
def test_the_line_fits_into_80_columns(label, figure):
    figures = report(scanned=figure, emitted=figure, deleted=figure, error_count=figure, seconds=7200)
    line = _fitting([Text("⠋"), Text(label)], _cells(figures, figure), 80)
    assert line.cell_len <= 80
    assert line.plain.endswith("2:00:00")


def test_whoever_prints_meanwhile_does_not_tear_the_line(terminal):
    view = MovingLine(terminal)
    view.show("full sync", report(emitted=1, seconds=1))
    terminal.say("Warning: something")
    view.close()
    assert "Warning: something\n" in written(terminal)


def test_abandoned_the_cursor_comes_back_at_once(terminal, capfd):
    view = MovingLine(terminal)
    view.abandon()
    view.close()
    assert capfd.readouterr().err == "\x1b[?25h\n"


def test_without_a_terminal_there_is_a_line_every_five_seconds(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    view = progress_view(Output())
    assert isinstance(view, PlainLines)
    for second in range(12):
        now[0] = 100.0 + second
        view.show("full sync", report(scanned=1000 * second, emitted=10 * second, seconds=float(second)))
    view.abandon()
    view.close()
    assert capsys.readouterr().err.splitlines() == [
        "full sync: 5,000 scanned, 50 emitted, 0 deleted, 0 errors, 10/s, 5.0 s",
        "full sync: 10,000 scanned, 100 emitted, 0 deleted, 0 errors, 10/s, 10.0 s",
    ]


def test_without_a_terminal_what_is_said_is_said_once(capsys):
    view = PlainLines(Output())
    view.show("full sync", report())
    view.say("Cancelling.")
    view.show("cancelling", report(error_count=1))
    view.show("cancelling", report())
    assert capsys.readouterr().err == "Cancelling.\n"


def test_on_a_terminal_what_is_said_stays_above_the_line(terminal):
    view = MovingLine(terminal)
    view.show("full sync", report(seconds=1))
    view.say("Cancelling.")
    view.close()
    assert "Cancelling." in written(terminal)


def test_the_rate_is_that_of_the_last_seconds():
    rate = Rate()
    assert rate.per_second(report(emitted=100, seconds=2.0)) == 50
    for second in range(3, 20):
        now = rate.per_second(report(emitted=100 + 10 * (second - 2), deleted=0, seconds=float(second)))
    assert now == 10


def test_the_average_counts_deletions_and_survives_no_time_at_all():
    assert average_rate(report(emitted=6, deleted=4, seconds=2.0)) == 5
    assert average_rate(report(emitted=6)) == 0


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (59.9, "59.9 s"), (62.4, "1:02"), (3723, "1:02:03")]
)
def test_elapsed_time_is_shown_in_the_units_that_matter(seconds, text):
    assert elapsed(seconds) == text


def test_a_share_and_a_remaining_time_are_shown_where_the_connector_says_how_many_there_are(terminal):
    terminal.messages.width = 120
    view = MovingLine(terminal)
    view.show("full sync", report(scanned=3, phase="pages", total=12, share=0.25, remaining_seconds=125))
    view.close()
    shown = Text.from_ansi(written(terminal)).plain
    assert "pages  25% of 12  2:05 left  3 scanned" in shown


def test_without_a_total_only_the_phase_is_shown(terminal):
    terminal.messages.width = 120
    view = MovingLine(terminal)
    view.show("full sync", report(scanned=3, phase="users"))
    view.close()
    shown = Text.from_ansi(written(terminal)).plain
    assert "users  3 scanned" in shown
    assert " of " not in shown
