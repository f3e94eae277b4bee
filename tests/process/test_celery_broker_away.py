"""A Redis that is really stopped for a while: what callers see meanwhile, and that all is right when it is back."""

from __future__ import annotations

import functools

import pytest
import requests
from support.celery_processes import start_web, start_worker
from support.redis_server import RedisServer
from support.waiting import eventually
from support.waiting_drives import expected

TARGET = "support.waiting_drives:WaitingDrives"
CONFIG = {"drives": 3, "pages": 2, "size": 3, "seconds": 0.05}


@pytest.fixture
def broker(tmp_path):
    """One that is no run store: that is another Redis, which stays."""
    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture
def environ(environ, broker):
    return {**environ, "OMNI_BROKER_URL": broker.url}


def status(address, run):
    return requests.get(f"{address.url}/sync/{run}", timeout=60).json().get("running")


def assert_arrived(manager, source, run):
    progress = manager.wait(run)
    assert progress["status"] == "completed", progress
    assert set(manager.documents(source)) == expected(CONFIG)
    assert progress["documents_scanned"] == len(expected(CONFIG))


@pytest.mark.slow
def test_a_run_that_is_dispatched_while_the_broker_is_away_waits_for_it(manager, address, environ, broker):
    with start_web(address, environ, TARGET) as web:
        manager.wait_for_connector(web, "web")
        source = manager.add_source("web", CONFIG)
        broker.stop()
        run = manager.trigger(source)  # Answered as started.
        web.wait_for("The broker .* cannot be used now.* Runs wait until it can be used again")
        assert status(address, run) is True
        assert requests.get(f"{address.url}/health", timeout=60).status_code == 200
        broker.start()
        with start_worker(TARGET, environ):
            assert_arrived(manager, source, run)


@pytest.mark.slow
def test_a_message_that_the_broker_lost_is_given_back_and_the_run_resumed(manager, address, environ, broker):
    """It is stopped between the answer to ``POST /sync`` and the worker, and comes back empty."""
    with start_web(address, environ, TARGET, OMNI_QUEUE_SECONDS="3") as web:
        manager.wait_for_connector(web, "web")
        source = manager.add_source("web", CONFIG)
        run = manager.trigger(source)
        web.wait_for(f"Run {run} waits for a worker|waits for a worker")
        broker.stop()
        broker.start()
        assert status(address, run) is True
        with start_worker(TARGET, environ):
            eventually(functools.partial(is_given_back, address, run))
            manager.tick()
            assert_arrived(manager, source, run)


def is_given_back(address, run):
    return status(address, run) is False


@pytest.mark.slow
def test_a_worker_goes_on_while_the_broker_is_away_and_takes_the_next_run_when_it_is_back(
    manager, address, environ, broker
):
    """A run in progress reads its partitions itself, one by one."""
    config = {"drives": 6, "pages": 4, "size": 2, "seconds": 0.3}
    with start_web(address, environ, TARGET) as web, start_worker(TARGET, environ) as worker:
        manager.wait_for_connector(web, "web")
        source = manager.add_source("web", config)
        run = manager.trigger(source)
        worker.wait_for("is read here")
        broker.stop()
        progress = manager.wait(run)
        assert progress["status"] == "completed", progress
        assert set(manager.documents(source)) == expected(config)
        broker.start()
        other = manager.add_source("web", CONFIG)
        assert_arrived(manager, other, manager.trigger(other))
