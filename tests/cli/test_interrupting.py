"""Ctrl-C and SIGTERM, sent to real processes and to this one."""

import json
import os
import re
import signal
import threading
import time

import pytest
from cli_cases import CONNECTORS, NOTES, wait_for_line
from click.testing import CliRunner

from omni_connector.cli.follow import CANCELLING
from omni_connector.cli.main import cli
from omni_connector.local import open_store


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_cancels_the_sync_and_says_what_was_kept(process, run_notes, number, exit_code):
    popen = process("run", NOTES, "--set", "wait=true")
    wait_for_line(popen, "waiting")
    popen.send_signal(number)
    stdout, stderr = popen.communicate(timeout=60)
    assert popen.returncode == exit_code, stderr
    assert stderr == f"{CANCELLING}\n"
    assert "Result      cancelled after " in stdout
    assert "Kept        3 documents of this run arrived and can be found" in stdout
    assert "Checkpoint  not moved; the next run starts from the beginning" in stdout
    (run,) = open_store(".omni").runs(open_store(".omni").events()[0].source_id)
    assert (run.status, run.error_message) == ("cancelled", "Cancelled by user")
    assert run_notes()["resumed"] is False  # The slot is free, and nothing is left to take up.


def test_the_summary_of_a_cancelled_run_is_json_where_json_is_wanted(process):
    popen = process("run", NOTES, "--set", "wait=true", "--json")
    for line in popen.stderr:
        if "waiting" in line:
            break
    popen.send_signal(signal.SIGINT)
    stdout, _ = popen.communicate(timeout=60)
    summary = json.loads(stdout)
    assert (summary["status"], summary["exit_code"], popen.returncode) == ("cancelled", 130, 130)


def test_a_second_signal_ends_at_once(process, run_notes):
    popen = process("run", NOTES, "--set", "stubborn=true")
    wait_for_line(popen, "waiting")
    popen.send_signal(signal.SIGINT)
    for line in popen.stderr:  # Until the command has seen the first one: signals of a kind are merged.
        if CANCELLING in line:
            break
    popen.send_signal(signal.SIGINT)
    assert popen.wait(timeout=60) == 130, "before the 60 s of the connector are over"
    assert run_notes()["status"] == "completed"


def test_a_signal_before_the_run_ends_the_command(process):
    popen = process("run", CONNECTORS / "hanging.py")
    wait_for_line(popen, "importing")
    popen.send_signal(signal.SIGINT)
    _, stderr = popen.communicate(timeout=60)
    assert popen.returncode == 130
    assert stderr == "\nInterrupted before anything was started.\n"


def test_a_signal_to_this_process_cancels_the_run_that_it_follows():
    """As the first test, where coverage sees it."""
    reads, writes = os.pipe()

    def interrupt():
        os.read(reads, 1)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    result = CliRunner().invoke(cli, ["run", NOTES, "--set", f"tell={writes}", "--set", "wait=true"])
    thread.join()
    os.close(reads)
    os.close(writes)
    assert result.exit_code == 130, result.output
    assert "Result      cancelled after " in result.stdout


def test_a_connector_that_does_not_stop_is_shown_where_it_is_with_the_real_time(process):
    popen = process("run", NOTES, "--set", "stubborn=true")
    wait_for_line(popen, "waiting")
    popen.send_signal(signal.SIGINT)
    began = time.monotonic()
    stdout, stderr = popen.communicate(timeout=60)
    took = time.monotonic() - began
    assert "The connector has not stopped yet. It is here:" in stderr
    assert "time.sleep(60)" in stderr
    shown = float(re.search(r"Result +cancelled after ([0-9.]+) s", stdout)[1])
    assert shown > took / 2
