"""Processes that replace threads by greenlets are refused at the start, with the reason and what to use instead."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from support.processes import ListeningSocket, start_gunicorn

PATCHED = {
    "gevent": "import gevent.monkey; gevent.monkey.patch_all()",
    "eventlet": "import eventlet; eventlet.monkey_patch()",
}
MAKE = """
from support.scripted import Scripted
from omni_connector import ConfigurationError
from omni_connector.server import create_app
try:
    create_app(Scripted())
except ConfigurationError as error:
    print(error)
"""


def test_the_worker_of_gevent_is_refused_with_one_message():
    """That of eventlet has gone from gunicorn."""
    env = {"CONNECTOR_MANAGER_URL": "http://127.0.0.1:9"}
    options = ["--worker-class", "gevent", "--pythonpath", "tests"]
    with (
        ListeningSocket() as address,
        start_gunicorn(address, "support.scripted:Scripted", *options, env=env) as process,
    ):
        process.wait_for("gevent has replaced the threads of this process by greenlets")
        process.wait_for("gunicorn --worker-class gthread --threads 64")
        assert process.popen.wait(60) != os.EX_OK
        assert not any("Traceback" in line for line in process.lines)


@pytest.mark.parametrize("library", ["gevent", pytest.param("eventlet", marks=pytest.mark.slow)])
def test_an_application_of_a_patched_process_is_refused(library):
    program = f"import sys; sys.path.insert(0, 'tests')\n{PATCHED[library]}\n{MAKE}"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.startswith(f"{library} has replaced the threads"), done.stderr
