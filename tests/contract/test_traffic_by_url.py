"""The contract suite pointed at a manager by its address, as one would point it at a real one."""

from __future__ import annotations

import subprocess
import sys

import pytest
from support.processes import ROOT, child_environ

from omni_connector.local import LocalManager

pytestmark = pytest.mark.slow
"""The same suite as ``test_traffic.py``, with the same manager, in another process."""


def test_the_suite_runs_against_the_manager_at_an_address(tmp_path):
    with LocalManager(tmp_path / "data", schedule=False) as manager:
        source = manager.add_source(source_type="web", config={"base_url": "x"}, credentials={"token": "t0"})
        environ = child_environ(
            {
                "OMNI_CONTRACT_MANAGER_URL": manager.url,
                "OMNI_CONTRACT_SOURCE_ID": source.id,
                "OMNI_CONTRACT_USER_ID": manager.add_user("admin@example.com").id,
            }
        )
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "tests/contract/test_traffic.py",
        ]
        done = subprocess.run(
            command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=300
        )
        runs = manager.runs(source.id)
    assert done.returncode == 0, done.stdout[-3000:]
    assert " failed" not in done.stdout
    assert {run.status for run in runs} == {"completed", "failed", "cancelled"}
