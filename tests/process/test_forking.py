"""A process that forks after it has synced: the child starts threads of its own."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).with_name("forking.py")
TESTS = SCRIPT.parent.parent


def said(case):
    found = subprocess.run(
        [sys.executable, str(SCRIPT), case],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("colour", ["blocking", pytest.param("async", marks=pytest.mark.slow)])
def test_a_process_that_forks_after_a_run_runs_others_on_both_sides(colour):
    assert said(colour) == "completed completed completed\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_run_stays_in_the_process_that_began_it():
    told = said("middle")
    assert told.startswith("completed ['1', '3'] ['False this run belongs to the process from which")
