"""``run --watch`` and ``run --every``."""

from __future__ import annotations

import json
import signal

import pytest
from cli_cases import wait_for_line

from omni_connector.cli.repeating import without_repetition

CONNECTOR = """
from omni_connector import Connector, Document, DocumentPermissions
from texts import TITLE

class One(Connector):
    name = "one"
    version = "1"
    source_types = ["web"]

    def sync(self, config, credentials, state, ctx):
        print("the token is", credentials.get("token"), flush=True)
        ctx.emit(Document(external_id="1", title=TITLE, content="c", permissions=DocumentPermissions(public=True)))
        if TITLE == "waiting":
            print("it waits", flush=True)
            ctx.sleep(60)
"""


@pytest.fixture
def texts(tmp_path):
    """The second file of the connector."""
    (tmp_path / "one.py").write_text(CONNECTOR)
    path = tmp_path / "texts.py"
    path.write_text("TITLE = 'first'\n")
    return path


def next_error(popen, text):
    said = []
    for line in popen.stderr:
        said.append(line)
        if text in line:
            return line
    raise AssertionError(f"ended without {text!r}: {said}")


@pytest.mark.slow
def test_it_is_run_again_when_a_file_changes_and_waits_out_what_cannot_be_loaded(process, texts, omni):
    popen = process("run", "one.py", "--watch", "--secret", "token=env:TOKEN", TOKEN="t0ken")
    wait_for_line(popen, "Result")
    next_error(popen, "Watching 2 files. Ctrl-C ends.")
    assert "first" in omni("show", "1").stdout
    texts.write_text("TITLE = 'second\n")
    assert next_error(popen, "Changed") == "Changed: texts.py. Running again.\n"
    assert "SyntaxError" in next_error(popen, "Error:")
    texts.write_text("TITLE = 'second, mended'\n")
    wait_for_line(popen, "Result")
    assert "second, mended" in omni("show", "1").stdout
    texts.write_text("TITLE = 'waiting'\n")
    wait_for_line(popen, "it waits")
    texts.write_text("TITLE = 'the last one'\n")
    assert "cancelled" in wait_for_line(popen, "Result")
    assert "completed" in wait_for_line(popen, "Result")
    popen.send_signal(signal.SIGINT)
    stdout, stderr = popen.communicate(timeout=60)
    assert (popen.returncode, "Traceback" in stdout + stderr) == (130, False)


@pytest.mark.slow
def test_it_is_run_again_at_intervals_with_the_same_input_and_a_signal_is_passed_on(process, texts):
    (texts.parent / "token").write_text("t0ken")
    popen = process("run", "one.py", "--every=0.1", "--secret", "token=@token", "--json")
    for _ in range(2):
        event = json.loads(popen.stdout.readline())
        assert (event["event"], event["status"], event["emitted"]) == ("run_ended", "completed", 1)
    texts.write_text("raise OSError('no disk')")
    event = json.loads(wait_for_line(popen, '"error"'))
    assert (event["event"], event["exit_code"], "no disk" in event["error"]) == ("error", 3, True)
    texts.write_text("TITLE = 'waiting'\n")
    next_error(popen, "it waits")
    popen.send_signal(signal.SIGTERM)
    stdout, _ = popen.communicate(timeout=60)
    *_, ended, stopped = map(json.loads, stdout.splitlines())
    assert (ended["status"], stopped["event"], popen.returncode) == ("cancelled", "stopped", 143)


def test_the_run_itself_is_not_repeated():
    typed = ["a.py", "--watch", "--every", "5", "--set", "a=1", "--every=2", "-v"]
    assert without_repetition(typed) == ["a.py", "--set", "a=1", "-v"]
