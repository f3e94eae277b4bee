import logging

import pytest

from omni_connector.log_output import show_log

PART = logging.getLogger("omni_connector.part")


@pytest.fixture
def nothing_set_up(monkeypatch):
    """Remove all handlers, pytest's own included, which are there from when a test begins; to be called in the test."""
    package = logging.getLogger("omni_connector")
    level = package.level

    def forget():
        for logger in (logging.getLogger(), package):
            monkeypatch.setattr(logger, "handlers", [])

    yield forget
    package.setLevel(level)


@pytest.fixture
def application_log():
    """Set up logging as an application does; return the lines that it shows."""
    lines = []

    class Lines(logging.Handler):
        def emit(self, record):
            lines.append(record.getMessage())

    def set_up():
        logging.getLogger().addHandler(Lines())
        return lines

    return set_up


def test_the_log_is_shown_where_nobody_has_set_up_logging(capsys, nothing_set_up):
    nothing_set_up()
    show_log()
    show_log()
    PART.info("Synced")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("[INFO] omni_connector.part: Synced")


@pytest.mark.parametrize("is_late", [False, True])
def test_an_application_that_sets_up_logging_shows_each_line_once(
    capsys, nothing_set_up, application_log, is_late
):
    nothing_set_up()
    if is_late:
        show_log()
        lines = application_log()
    else:
        lines = application_log()
        show_log()
    PART.warning("Synced")
    assert (lines, capsys.readouterr().err) == (["Synced"], "")
