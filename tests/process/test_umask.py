"""Real processes without a umask write nothing that other accounts can read."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest
from support.processes import ROOT, child_environ, start_gunicorn

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")


@pytest.fixture(autouse=True)
def no_umask():
    before = os.umask(0)
    yield
    os.umask(before)


def readable_by_others(folder):
    found = {path: stat.S_IMODE(path.lstat().st_mode) for path in folder.rglob("*")}
    return {str(path): oct(mode) for path, mode in found.items() if mode & 0o077}


@pytest.mark.slow
def test_gunicorn_with_its_run_store(manager, address, tmp_path):
    """What is made in the folder for temporary files, and in the manager's directory."""
    source = manager.add_source("web", {"documents": 3, "seconds": 0})
    env = {"CONNECTOR_MANAGER_URL": manager.url}
    with start_gunicorn(address, "support.counting:Counting", "--workers", "2", env=env):
        manager.wait_until_registered("web")
        assert manager.wait(manager.trigger(source))["status"] == "completed"
        assert [path.name for path in (tmp_path / "tmp").rglob("runs.sqlite3*")] != []
        assert readable_by_others(tmp_path / "tmp") == {}
        assert readable_by_others(tmp_path / "data") == {}


def test_a_run_of_the_command_line_in_a_directory_that_is_open(tmp_path):
    (tmp_path / ".omni").mkdir(mode=0o777)
    (tmp_path / "notes").mkdir()
    command = ["run", "examples/filesystem_connector.py", "--set", f"path={tmp_path / 'notes'}"]
    data = ["--data", str(tmp_path / ".omni")]
    subprocess.run(
        [sys.executable, "-m", "omni_connector.cli", *command, *data],
        check=True,
        env=child_environ({}),
        cwd=ROOT,
        capture_output=True,
        timeout=120,
    )
    assert (tmp_path / ".omni" / "manager.sqlite3").is_file()
    assert readable_by_others(tmp_path / ".omni") == {}
