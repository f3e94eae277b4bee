"""A manifest that the manager would refuse stops every way of starting, with one readable message."""

from __future__ import annotations

import sys

import pytest
from support.processes import ListeningSocket, Process, start_gunicorn

MANAGER = {"CONNECTOR_MANAGER_URL": "http://127.0.0.1:9", "CONNECTOR_URL": "http://127.0.0.1:8"}
REFUSED = "support.refused:Refused"


def assert_told(process: Process) -> None:
    process.wait_for("The connector cannot start:")
    process.wait_for(
        r"refused cannot be announced: action ping: input_schema\.properties\.a\.not is not supported"
    )
    process.wait_for("refused cannot be announced: skill s: 2 skills have this id")
    assert process.popen.wait(60) != 0
    assert not any("Traceback" in line for line in process.lines), process.lines


@pytest.mark.parametrize(
    "options", [(), pytest.param(("--preload",), marks=pytest.mark.slow)], ids=["worker", "preload"]
)
def test_gunicorn_does_not_start(options):
    with ListeningSocket() as address, start_gunicorn(address, REFUSED, *options, env=MANAGER) as process:
        assert_told(process)


def test_serve_does_not_start():
    program = "from support.refused import Refused; Refused().serve(port=0, host='127.0.0.1')"
    with Process(sys.executable, "-c", program, env=MANAGER) as process:
        assert_told(process)
