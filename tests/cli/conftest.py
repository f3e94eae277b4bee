"""Running the command in this process, and as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cli_cases import NOTES
from click.testing import CliRunner, Result

from omni_connector.cli.main import cli

LONGEST_SECONDS = 180
"""How long a process may live: a test that waits for a line that never comes fails then, and does not hang."""


@pytest.fixture(autouse=True)
def in_directory_of_its_own(monkeypatch, tmp_path):
    """The default data directory is .omni in the current one."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def omni():
    """Run ``omni-connector`` with some arguments in this process."""

    def run(*args: str | Path) -> Result:
        return CliRunner().invoke(cli, [str(arg) for arg in args])

    return run


@pytest.fixture
def run_notes(omni):
    """Run the notes connector with a configuration and further options; return the JSON summary."""

    def run(config: dict[str, object] | None = None, *args: str, exit_code: int = 0) -> dict[str, object]:
        result = omni("run", NOTES, "--config", json.dumps(config or {}), "--json", *args)
        assert result.exit_code == exit_code, result.output
        return json.loads(result.stdout)

    return run


@pytest.fixture
def process(tmp_path):
    """Start ``omni-connector`` as a process; what is left of it is killed at the end, or when a test waits for too long."""
    started: list[subprocess.Popen[str]] = []
    limits: list[threading.Timer] = []

    def start(*args: str | Path, **environ: str) -> subprocess.Popen[str]:
        popen = subprocess.Popen(
            [sys.executable, "-m", "omni_connector.cli", *map(str, args)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environ},
        )
        started.append(popen)
        limits.append(threading.Timer(LONGEST_SECONDS, popen.kill))
        limits[-1].start()
        return popen

    yield start
    for limit in limits:
        limit.cancel()
        limit.join()
    for popen in started:
        if popen.poll() is None:
            popen.kill()
        popen.communicate()
