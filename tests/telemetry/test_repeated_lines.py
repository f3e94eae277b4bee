import logging

import pytest

from omni_connector.telemetry.repeated_lines import SHOWN_OF_A_KIND, RepeatedLines


class Log:
    """Feeds records, and keeps what would be written."""

    def __init__(self):
        self.now = 0.0
        self.repeated = RepeatedLines(clock=lambda: self.now)
        self.written = []

    def write(self, level, message, *args, **more):
        record = logging.LogRecord("x", level, "x.py", 1, message, args, more.pop("exc_info", None))
        record.__dict__.update(more)
        self.written += [each.getMessage() for each in self.repeated.lines(record)]


@pytest.fixture
def log():
    return Log()


@pytest.mark.parametrize("level", [logging.INFO, logging.ERROR])
def test_the_same_text_is_written_once_a_minute(log, level):
    for _ in range(3):
        log.write(level, "Page %d", 1)
    log.now = 61
    log.write(level, "Page %d", 1)
    assert log.written == ["Page 1", "Page 1 [repeated 2 times in 61 s]", "Page 1"]


def test_different_texts_of_one_template_are_information(log):
    for number in range(100):
        log.write(logging.INFO, "Page %d", number)
    assert len(log.written) == 100


def test_of_many_warnings_of_one_kind_the_first_are_written_and_the_last_is_counted(log):
    for number in range(1000):
        log.write(logging.WARNING, "Document %d", number)
    log.now = 60
    log.write(logging.INFO, "Something else")
    assert log.written == [
        *(f"Document {number}" for number in range(SHOWN_OF_A_KIND)),
        "Document 999 [repeated 995 times in 60 s]",
        "Something else",
    ]


def test_errors_that_differ_are_told_apart(log):
    for error in (ValueError("a"), ValueError("b"), ValueError("b")):
        log.write(logging.ERROR, "Failed", exc_info=(type(error), error, None))
    assert log.written == ["Failed", "Failed"]


def test_runs_are_counted_each_for_itself(log):
    for run in ("1", "2", "1"):
        log.write(logging.INFO, "Started", sync_run_id=run)
    assert log.written == ["Started", "Started"]


def test_debug_messages_are_all_written(log):
    for _ in range(3):
        log.write(logging.DEBUG, "Attempt")
    assert log.written == ["Attempt"] * 3


def test_a_line_that_came_once_more_says_so(log):
    log.write(logging.INFO, "Page")
    log.write(logging.INFO, "Page")
    assert [each.getMessage() for each in log.repeated.due(all_of_them=True)] == [
        "Page [repeated once in 0 s]"
    ]


def test_what_is_kept_is_bounded(log):
    for number in range(3000):
        log.write(logging.WARNING, f"Kind {number}")
    assert len(log.written) == 3000
    assert len(log.repeated._kinds) == 1000
