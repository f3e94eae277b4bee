"""Celery workers and the web processes that send to them, as real processes."""

from __future__ import annotations

import base64
import re
import subprocess
import sys

import redis

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


INSPECT = """
import sys
from celery.bin.celery import celery
for command in sys.argv[1:]:
    celery.main(["-A", "omni_connector.worker", "inspect", "-d", "one@here", "-t", "20", command], standalone_mode=False)
"""


def inspect(commands, environ):
    """Return what these commands of ``celery inspect`` show of the worker ``one``."""
    found = subprocess.run(
        [sys.executable, "-c", INSPECT, *commands],
        env=child_environ(environ),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout + found.stderr


def content_of(client: redis.Redis) -> str:
    """Return everything that Redis holds, as text."""
    read = {
        b"string": client.get,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1),
        b"hash": client.hgetall,
    }
    keys = client.keys("*")
    assert keys
    text = repr([(key, read[client.type(key)](key)) for key in keys if client.type(key) in read])
    decoded = [base64.b64decode(found) for found in re.findall(r'"body": "([A-Za-z0-9+/=]+)"', text)]
    return text + repr(decoded)
