import asyncio
import json
import logging
import threading
import traceback

import pytest

from omni_connector.cli.logs import brief_log, full_log, service_log
from omni_connector.cli.output import Output
from omni_connector.exceptions import SdkClientError
from omni_connector.manager import SdkClient
from omni_connector.runtime.failure_text import failure_text

log = logging.getLogger("omni_connector.somewhere")
foreign = logging.getLogger("somebody.else")


def logged_error():
    try:
        json.loads("{")
    except ValueError:
        log.exception("It failed")


def test_brief_shows_warnings_and_errors_in_one_line_each(capsys):
    with brief_log(Output()):
        log.info("not shown")
        log.warning("two\nlines of %s", "text")
        foreign.error("also \x1b[2J others")
    assert capsys.readouterr().err == "Warning: two lines of text\nError: also \ufffd[2J others\n"


def test_brief_names_the_place_outside_of_libraries_instead_of_a_traceback(capsys):
    with brief_log(Output()):
        logged_error()
    text = capsys.readouterr().err
    assert text.startswith("Error: It failed: JSONDecodeError: Expecting property name ")
    assert "test_log_lines.py, line " in text
    assert text.endswith("; -v shows the traceback)\n")


def test_brief_shortens_a_traceback_inside_of_a_message(capsys):
    with brief_log(Output()):
        try:
            json.loads("{")
        except ValueError:
            told = traceback.format_exc()
        log.error("It failed: %s", told)
    text = capsys.readouterr().err
    assert text.startswith("Error: It failed: json.decoder.JSONDecodeError: Expecting property name ")
    assert "test_log_lines.py, line " in text
    assert "Traceback" not in text
    assert text.count("\n") == 1


@pytest.mark.parametrize(
    ("source_config", "credentials", "remedy"),
    [
        ({}, {}, "KeyError: 'folder'. It is not in the source's settings: --set folder=... (in "),
        ({"folder": "a"}, {}, "KeyError: 'token'. It is not in the credentials: --credentials FILE (in "),
        ({"folder": "a"}, {"token": "b"}, "KeyError: 'other' (in "),
    ],
)
def test_brief_says_what_to_do_about_a_key_that_a_source_lacks(capsys, source_config, credentials, remedy):
    with brief_log(Output()):
        try:
            source_config["folder"], credentials["token"], {}["other"]
        except KeyError as error:
            log.error("Failed: %s", failure_text(error))  # noqa: TRY400 - as a run does it.
    assert f"Error: Failed: {remedy}" in capsys.readouterr().err


class RefusedError(Exception):
    pass


def refuse():
    try:
        json.loads("{")
    except ValueError as error:
        raise RefusedError(
            "403 for https://example.com\n  indented\nFor more: https://example.org"
        ) from error


async def refuse_in_a_task():
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.to_thread(refuse))


@pytest.mark.parametrize("fail", [refuse, lambda: asyncio.run(refuse_in_a_task())], ids=["chain", "group"])
def test_brief_shows_type_and_first_line_of_an_error_of_several_lines(capsys, fail):
    with brief_log(Output()):
        with pytest.raises((RefusedError, ExceptionGroup)) as caught:
            fail()
        log.error("It failed: %s", "".join(traceback.format_exception(caught.value)))
    text = capsys.readouterr().err
    assert text.startswith("Error: It failed: test_log_lines.RefusedError: 403 for https://example.com (in /")
    line = refuse.__code__.co_firstlineno + 4
    assert text.endswith(f"test_log_lines.py, line {line}; -v shows the traceback)\n")


def test_brief_says_the_error_alone_where_there_is_no_place(capsys):
    with brief_log(Output()):
        log.error("It failed", exc_info=ValueError("never raised"))
    assert capsys.readouterr().err == "Error: It failed: ValueError: never raised (-v shows the traceback)\n"


def test_brief_is_silent_about_what_a_wanted_stop_brings_with_it(capsys):
    stop = threading.Event()
    stop.set()
    with brief_log(Output()), SdkClient("http://127.0.0.1:9") as client:
        with pytest.raises(SdkClientError) as caught:
            client.for_run(stop).add_scanned("run", 1)
        log.warning("Could not report 1 scanned documents: %s", caught.value)
    assert capsys.readouterr().err == ""


def test_brief_stops_repeating_itself(capsys):
    with brief_log(Output()):
        for number in range(10):
            log.warning("document %d", number)
        log.warning("another kind")
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        *(f"Warning: document {number}" for number in range(5)),
        "More messages of this kind are not shown; -v shows all.",
        "Warning: another kind",
    ]


def test_full_shows_everything(capsys):
    with full_log(Output()):
        log.debug("detail")
        foreign.debug("not shown")
        logged_error()
    text = capsys.readouterr().err
    assert "] omni_connector.somewhere: detail" in text
    assert "Traceback (most recent call last)" in text
    assert "not shown" not in text


def test_a_service_shows_what_it_does(capsys):
    with service_log(Output()):
        log.debug("not shown")
        log.info("started")
    assert capsys.readouterr().err.endswith("] omni_connector.somewhere: started\n")


@pytest.mark.parametrize("show", [brief_log, full_log, service_log])
def test_afterwards_the_log_is_as_it_was(show):
    root, package = logging.getLogger(), logging.getLogger("omni_connector")
    before = root.level, package.level, list(root.handlers)
    with show(Output()):
        assert len(root.handlers) == len(before[2]) + 1
    assert (root.level, package.level, list(root.handlers)) == before


def test_a_log_that_cannot_be_written_stops_nobody(capsys):
    output = Output()
    output.messages = None
    with brief_log(output):
        log.warning("nobody sees this")
    assert "--- Logging error ---" in capsys.readouterr().err


def test_brief_shows_what_the_connector_itself_says(capsys):
    with brief_log(Output()) as shown:
        shown.show_more_of("somebody.else.deeper")
        foreign.info("Reading page %d", 3)
        log.info("not shown")
    assert capsys.readouterr().err == "Info: Reading page 3\n"
