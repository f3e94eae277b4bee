"""Celery workers and the web processes that send to them, as real processes."""

from __future__ import annotations

import subprocess
import sys

from support.processes import ROOT, Process, child_environ, start_gunicorn


def celery(*options, **env):
    """Return a command line of Celery, and its environment."""
    command = [sys.executable, "-m", "celery", "-A", "omni_connector.worker", *options]
    return command, env


def start_worker(target, environ, *options, name="one", **env):
    """Start a worker and wait until it is ready."""
    command, env = celery(
        "worker",
        "--hostname",
        f"{name}@here",
        "--concurrency",
        "2",
        *options,
        **environ,
        OMNI_CONNECTOR=target,
        **env,
    )
    process = Process(*command, env=env)
    try:
        process.wait_for("This Celery worker executes the syncs of")
    except BaseException:
        process.end()
        raise
    return process


def start_web(address, environ, target, **env):
    """Start a web process."""
    return start_gunicorn(address, target, env={**environ, **env})


def inspect(command, environ):
    """Return what ``celery inspect`` shows of the worker ``one``."""
    found = subprocess.run(
        [
            sys.executable,
            "-m",
            "celery",
            "-A",
            "omni_connector.worker",
            "inspect",
            "-d",
            "one@here",
            "-t",
            "20",
            command,
        ],
        env=child_environ(environ),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout + found.stderr
