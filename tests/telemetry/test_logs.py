"""The log where nobody has configured one, and where somebody has."""

import datetime as dt
import json
import logging
import re

import pytest

from omni_connector.config import LogSettings
from omni_connector.telemetry.log_context import RunContextFilter, RunIdentity, in_run
from omni_connector.telemetry.logs import LogHandler, formatter_of, offer_logging, set_up_logging

PART = logging.getLogger("wiki.connector")
RUN = RunIdentity("wiki", "run-1", "source-1", "full", source_name="Team wiki", partition="a/b")
TEXT, JSON = LogSettings(), LogSettings(form="json")


@pytest.fixture
def nothing_set_up(monkeypatch):
    """Remove all handlers, pytest's own included, which are there from when a test begins; to be called in the test."""
    root = logging.getLogger()
    level = root.level

    def forget():
        monkeypatch.setattr(root, "handlers", [])
        monkeypatch.setattr(logging, "lastResort", None)
        root.setLevel(logging.WARNING)

    yield forget
    root.setLevel(level)


class Lines(logging.Handler):
    """An application's handler."""

    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)


def shown(settings, *arguments, **more):
    record = PART.makeRecord(PART.name, logging.INFO, "wiki.py", 1, *arguments, **more)
    RunContextFilter().filter(record)
    return formatter_of(settings).format(record)


@pytest.mark.parametrize("set_up", [set_up_logging, offer_logging])
def test_the_log_is_shown_where_nobody_has_configured_logging(capsys, nothing_set_up, set_up):
    nothing_set_up()
    set_up(TEXT)
    set_up(TEXT)
    PART.info("Page %d", 3)
    PART.debug("not shown")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("] wiki.connector: Page 3")


def test_there_is_one_handler_on_the_root_logger(capsys, nothing_set_up):
    nothing_set_up()
    offer_logging(TEXT)
    assert logging.getLogger().handlers == [], "the application may be about to configure logging"
    set_up_logging(TEXT)
    set_up_logging(TEXT)
    (handler,) = logging.getLogger().handlers
    assert isinstance(handler, LogHandler)


def test_the_level_is_that_of_the_settings(capsys, nothing_set_up):
    nothing_set_up()
    set_up_logging(LogSettings("WARNING"))
    PART.info("not shown")
    PART.warning("shown")
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("is_late", [False, True])
def test_an_application_that_configures_logging_keeps_its_configuration(capsys, nothing_set_up, is_late):
    nothing_set_up()
    lines = Lines()
    if is_late:
        offer_logging(JSON)
        logging.basicConfig(handlers=[lines], level=logging.ERROR)
    else:
        logging.basicConfig(handlers=[lines], level=logging.ERROR)
        offer_logging(JSON)
    set_up_logging(JSON)
    PART.warning("not shown")
    with in_run(RUN):
        PART.error("Synced")
    assert logging.getLogger().handlers == [lines]
    (record,) = lines.records
    assert (record.getMessage(), record.sync_run_id) == ("Synced", "run-1"), (
        "its lines carry the run all the same"
    )
    assert capsys.readouterr().err == ""


def test_a_line_of_text_names_the_run():
    with in_run(RUN):
        line = shown(TEXT, "Page %d", (3,), None)
    assert re.fullmatch(
        r"(\S+) INFO    \[\d+\] wiki\.connector \[connector=wiki source=source-1 name='Team wiki' run=run-1 mode=full "
        r"partition='a/b'\]: Page 3",
        line,
    )
    assert dt.datetime.fromisoformat(line.split()[0]).utcoffset() is not None


def test_a_line_of_json_has_a_key_for_each_fact():
    with in_run(RUN):
        line = shown(JSON, "Page %d\n\udcff", (3,), None, extra={"page": 3, "source_id": "of the author"})
    assert "\n" not in line
    found = json.loads(line)
    assert dt.datetime.fromisoformat(found.pop("time")).utcoffset() is not None
    assert found.pop("process") > 0
    assert found == {
        "level": "INFO",
        "logger": "wiki.connector",
        "message": "Page 3\n\udcff",
        "thread": "MainThread",
        "page": 3,
        "connector": "wiki",
        "source_id": "of the author",
        "source_name": "Team wiki",
        "sync_run_id": "run-1",
        "sync_mode": "full",
        "partition": "a/b",
    }


def test_both_forms_show_tracebacks():
    try:
        int("no")
    except ValueError as error:
        text, found = (
            shown(form, "Failed", (), (ValueError, error, error.__traceback__)) for form in (TEXT, JSON)
        )
    first, *rest = text.splitlines()
    assert first.endswith(": Failed")
    assert (rest[0], rest[-1]) == (
        "Traceback (most recent call last):",
        "ValueError: invalid literal for int() with base 10: 'no'",
    )
    assert json.loads(found)["traceback"].splitlines() == rest


def test_values_that_have_no_json_form_are_written_as_text():
    assert "object object" in json.loads(shown(JSON, "x", (), None, extra={"thing": object()}))["thing"]


def test_a_value_that_json_cannot_hold_costs_no_line():
    circle = {}
    circle["itself"] = circle
    found = json.loads(shown(JSON, "x", (), None, extra={"circle": circle, "pages": {(1, 2): 3}, "count": 4}))
    assert (found["circle"], found["pages"], found["count"]) == ("{'itself': {...}}", "{(1, 2): 3}", 4)


def test_what_was_not_repeated_is_said_at_the_end(capsys, nothing_set_up):
    nothing_set_up()
    set_up_logging(TEXT)
    for _ in range(4):
        PART.warning("Slow")
    logging.getLogger().handlers[0].close()
    first, last = capsys.readouterr().err.splitlines()
    assert first.endswith(": Slow")
    assert ": Slow [repeated 3 times in " in last
