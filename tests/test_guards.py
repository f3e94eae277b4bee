"""The suite's guards are themselves tested: each fails the test that deserves it, and no other, in every worker."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SUITE = """
import os
import socket
import threading

import pytest

release = threading.Event()
kept = []


def test_leaves_a_thread():
    threading.Thread(target=release.wait, name="left-over", daemon=True).start()


def test_releases_the_thread():
    release.set()


def test_leaves_a_socket():
    kept.append(socket.socket())


def test_closes_the_socket():
    kept.pop().close()


def test_abandons_a_socket():
    socket.socket()


def test_ends_what_it_starts():
    thread = threading.Thread(target=int)
    thread.start()
    with socket.socket():
        thread.join()


def test_sees_no_settings_of_the_machine(tmp_path):
    assert not [name for name in os.environ if name.startswith(("CONNECTOR_", "OMNI_")) or name == "PORT"]
    assert os.path.expanduser("~") == str(tmp_path / "home")


def test_warns():
    import warnings
    warnings.warn("unexpected")
"""


WORKERS = ["one", "two"]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    """Run the small suite above under our conftest, with short patience; return its report, line by line."""
    directory = tmp_path_factory.mktemp("guarded")
    conftest = (Path(__file__).parent / "conftest.py").read_text(encoding="utf-8")
    assert "GRACE_SECONDS = 10.0" in conftest
    (directory / "conftest.py").write_text(conftest.replace("GRACE_SECONDS = 10.0", "GRACE_SECONDS = 0.05"))
    for name in WORKERS:
        (directory / f"test_{name}.py").write_text(SUITE)
    options = [
        "-rA",
        "-W",
        "error",
        "-p",
        "no:cacheprovider",
        "-p",
        "xdist",
        "-n",
        str(len(WORKERS)),
        "--dist",
        "loadscope",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(directory)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=directory,
        env={
            "CONNECTOR_MANAGER_URL": "http://real",
            "OMNI_CONNECTOR": "real:One",
            "PORT": "1",
            "HOME": "/real",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # Loading the others takes most of the time.
        },
    )
    return done.stdout


def verdict(outcome, name):
    """What became of a test, in all workers the same; an error in a guard is named beside the test's own success."""
    words = {
        worker: {
            line.split(" ")[0]
            for line in outcome.splitlines()
            if line.split(" - ")[0].endswith(f" test_{worker}.py::{name}")
        }
        for worker in WORKERS
    }
    first, *others = words.values()
    assert others == [first] * len(others)
    return (first - {"PASSED"} or first).pop()


def test_a_thread_left_behind_is_an_error(outcome):
    assert verdict(outcome, "test_leaves_a_thread") == "ERROR"
    assert "threads left behind: ['left-over']" in outcome


def test_a_socket_left_open_is_an_error(outcome):
    assert verdict(outcome, "test_leaves_a_socket") == "ERROR"
    assert "sockets left open: ['socket:[" in outcome


def test_a_socket_that_is_only_forgotten_is_an_error_too(outcome):
    assert verdict(outcome, "test_abandons_a_socket") == "FAILED"


@pytest.mark.parametrize(
    "name", ["test_releases_the_thread", "test_closes_the_socket", "test_ends_what_it_starts"]
)
def test_the_test_that_cleans_up_passes(outcome, name):
    assert verdict(outcome, name) == "PASSED"


def test_the_machine_s_settings_and_home_are_kept_out(outcome):
    assert verdict(outcome, "test_sees_no_settings_of_the_machine") == "PASSED"


def test_a_warning_is_an_error(outcome):
    assert verdict(outcome, "test_warns") == "FAILED"


def test_a_mark_that_ci_asks_for_stands_in_the_file_of_the_test():
    """Or that of one of two helpers: ``conftest.pytest_ignore_collect`` leaves out the other files."""
    helpers = [path for path in Path(__file__).parent.rglob("*.py") if not path.name.startswith("test_")]
    marking = [path.name for path in helpers if re.search(r"mark\.(slow|docs|types)\b", path.read_text())]
    assert sorted(marking) == ["real_system.py", "type_checkers.py"]
