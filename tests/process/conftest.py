"""What the processes of these tests talk to: a manager in this one, and an address whose port is known beforehand."""

from __future__ import annotations

import os
import signal

import pytest
import redis
from support.manager_http import ManagerClient
from support.processes import ListeningSocket
from support.redis_server import RedisServer

from omni_connector.local import LocalManager


@pytest.fixture(autouse=True, scope="session")
def _heeding_interrupts():
    """A shell that starts pytest in the background has it ignore SIGINT, and every server that is started here, too."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def manager(tmp_path):
    with LocalManager(tmp_path / "data") as local, ManagerClient(local.url, tmp_path / "data") as client:
        yield client


@pytest.fixture
def address():
    with ListeningSocket() as address:
        yield address


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory):
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture
def pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


@pytest.fixture
def environ(manager, redis_url, pipe):
    """What web processes and workers have in common."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    return {
        "CONNECTOR_MANAGER_URL": manager.url,
        "OMNI_EXECUTOR": "celery",
        "OMNI_BROKER_URL": redis_url,
        "OMNI_RUN_STORE": redis_url,
        "TEST_MEETING_POINT": str(pipe),
    }
