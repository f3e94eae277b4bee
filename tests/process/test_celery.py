"""Runs that are executed by real Celery workers, with a real Redis as broker and run store."""

from __future__ import annotations

import functools
import os
import re
import signal
import time

import pytest
import redis
import requests
from support.celery_processes import celery, content_of, inspect, start_web, start_worker
from support.pausing import meet
from support.ports import free_port
from support.processes import Process
from support.redis_server import RedisServer
from support.thorough import thorough
from support.waiting import QUICKLY, eventually

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d"
SECRET = "s3cr3t-Passw0rd-of-the-source"


def is_running(address, run):
    answer = requests.get(f"{address.url}/sync/{run}", timeout=60)
    return answer.json().get("running", answer.status_code)


def notes(folder, count):
    (folder / "notes").mkdir()
    for number in range(count):
        (folder / "notes" / f"{number}.txt").write_text(f"Note {number}")
    return {"path": str(folder / "notes")}


KILLED = thorough(
    [("prefork", 120), ("threads", 400)],
    [(pool, at) for pool in ("prefork", "threads") for at in (1, 120, 400)],
)
"""In which pool a process is killed, and at which document."""

POOLS = ["prefork", pytest.param("threads", marks=pytest.mark.slow)]


@pytest.mark.parametrize("pool", POOLS)
def test_a_run_is_executed_by_a_worker_and_cancelled_there(manager, address, environ, pipe, pool):
    target = "support.pausing:Endless"
    with start_web(address, environ, target) as web, start_worker(target, environ, "--pool", pool) as worker:
        manager.wait_for_connector(web, "web")
        source = manager.add_source("web", {}, {"password": SECRET})
        run = manager.trigger(source)
        meet(pipe)
        worker.wait_for(
            rf"^{TIME} INFO    \[\d+\] \S+ \[connector=\w+ source={source} run={run} mode=full.*\]: Full sync of source"
        )
        assert is_running(address, run) is True
        body = {"sync_run_id": "another", "source_id": source, "sync_mode": "full"}
        assert requests.post(f"{address.url}/sync", json=body, timeout=60).status_code == 409
        began = time.monotonic()
        manager.cancel(run)
        assert is_running(address, run) is False
        worker.wait_for(rf"Sync of source .*{source}\)? cancelled: ")
        assert time.monotonic() - began < QUICKLY
        assert not [line for line in web.lines if "ync of source" in line]


@pytest.mark.slow
@pytest.mark.parametrize(("pool", "at"), KILLED)
def test_the_run_of_a_process_that_is_killed_goes_on_in_another(
    tmp_path, manager, address, environ, pipe, pool, at
):
    """Of ``prefork``, a process of the pool is killed, as the kernel does; of ``threads``, the worker."""
    target = "support.pausing:NamingItsProcess"
    env = {**environ, "TEST_PAUSE_AT": str(at), "TEST_FILES_PER_CHECKPOINT": "100"}
    with start_web(address, env, target) as web, start_worker(target, env, "--pool", pool) as worker:
        manager.wait_for_connector(web, "file_system")
        source = manager.add_source("file_system", notes(tmp_path, 500))
        run = manager.trigger(source)
        meet(pipe)
        pipe.unlink()  # When it is resumed, it does not stop.
        os.kill(int(worker.wait_for(r"sync in (\d+)")[1]), signal.SIGKILL)
        died = time.monotonic()
        eventually(lambda: is_running(address, run) is False)
        assert time.monotonic() - died < 17 + QUICKLY
        with start_worker(target, env, name="another"):
            manager.tick()
            assert manager.wait(run)["status"] == "completed"
        assert len(manager.documents(source)) == 500


@pytest.mark.slow
@pytest.mark.parametrize("pool", POOLS)
def test_a_worker_that_is_asked_to_end_leaves_its_run_to_another(
    tmp_path, manager, address, environ, pipe, pool
):
    """Warm shutdown: nothing is reported as failed, and what was taken is delivered."""
    target = "support.pausing:PausingFilesystem"
    env = {**environ, "TEST_PAUSE_AT": "400", "OMNI_SHUTDOWN_SECONDS": "4"}
    with start_web(address, env, target) as web:
        manager.wait_for_connector(web, "file_system")
        source = manager.add_source("file_system", notes(tmp_path, 500))
        with start_worker(target, env, "--pool", pool) as worker:
            run = manager.trigger(source)
            meet(pipe)
            pipe.unlink()
            began = time.monotonic()
            assert worker.terminate() == 0
            assert time.monotonic() - began < 4 + QUICKLY
            assert [
                line for line in worker.lines if re.search(rf"Sync of source .*{source}\)? interrupted", line)
            ]
        assert is_running(address, run) is False
        assert manager.count_events(run) >= 399
        with start_worker(target, env, "--pool", pool):
            manager.tick()
            assert manager.wait(run)["status"] == "completed"
        assert len(manager.documents(source)) == 500


@pytest.mark.slow
def test_a_second_delivery_by_the_broker_is_dropped(manager, address, environ, pipe, redis_url):
    target = "support.pausing:Endless"
    with start_web(address, environ, target) as web, redis.Redis.from_url(redis_url) as client:
        manager.wait_for_connector(web, "web")
        source = manager.add_source("web", {})
        run = manager.trigger(source)
        message = eventually(lambda: client.lindex("omni.endless", 0))
        with start_worker(target, environ, "--pool", "threads") as worker:
            meet(pipe)
            client.lpush("omni.endless", message)
            worker.wait_for(f"Run {run} is dropped: it was delivered before")
            assert is_running(address, run) is True
            manager.cancel(run)
            worker.wait_for(rf"Sync of source .*{source}\)? cancelled")
            assert len([line for line in worker.lines if "Full sync of source" in line]) == 1


@pytest.mark.slow
def test_no_secret_is_in_redis_or_shown_by_celery_inspect(tmp_path, manager, address, environ, pipe):
    """Neither those of the source nor the password of the broker."""
    with RedisServer(tmp_path) as server, redis.Redis.from_url(server.url) as client:
        client.config_set("requirepass", SECRET)
        url = server.url.replace("redis://", f"redis://:{SECRET}@")
        env = {**environ, "OMNI_BROKER_URL": url, "OMNI_RUN_STORE": url}
        assert_that_no_secret_is_seen(manager, address, env, pipe, client)


def assert_that_no_secret_is_seen(manager, address, env, pipe, client):
    target = "support.pausing:Endless"
    with start_web(address, env, target) as web:
        manager.wait_for_connector(web, "web")
        source = manager.add_source("web", {"token": SECRET}, {"password": SECRET})
        run = manager.trigger(source)
        eventually(lambda: client.llen("omni.endless"))
        seen = content_of(client)
        with start_worker(target, env, "--pool", "threads") as worker:
            meet(pipe)
            seen += content_of(client)
            commands = ["active", "reserved", "stats", "conf", "report", "registered", "active_queues"]
            shown = inspect(commands, {**env, "OMNI_CONNECTOR": target})
            manager.cancel(run)
            worker.wait_for(rf"Sync of source .*{source}\)? cancelled")
        assert run in seen
        assert SECRET not in seen
        assert SECRET not in shown
        # Runs are shown by source and mode.
        for text in (run, source, "full", "omni_connector.worker.sync", "omni.endless"):
            assert text in shown
        assert SECRET not in "\n".join(worker.lines + web.lines)


def test_a_run_in_a_queue_that_no_worker_reads_is_given_back(manager, address, environ):
    target = "support.pausing:Endless"
    with start_web(address, environ, target, OMNI_QUEUE_SECONDS="1") as web:
        manager.wait_for_connector(web, "web")
        run = manager.trigger(manager.add_source("web", {}))
        web.wait_for(rf"No worker took run {run} within 1 s \(OMNI_QUEUE_SECONDS\)")
        assert is_running(address, run) is False


@pytest.mark.parametrize(
    ("options", "env", "says"),
    [
        pytest.param(
            ["--pool", "gevent"],
            {},
            "gevent has replaced the threads .* celery -A omni_connector.worker worker --pool threads",
            marks=pytest.mark.slow,
        ),
        ([], {"OMNI_RUN_STORE": "memory"}, "OMNI_RUN_STORE must be a store that this process shares"),
        pytest.param([], {"OMNI_BROKER_URL": ""}, "OMNI_BROKER_URL is not set", marks=pytest.mark.slow),
    ],
)
def test_a_worker_that_cannot_be_right_does_not_start(options, env, says):
    environ = {
        "OMNI_CONNECTOR": "support.pausing:Endless",
        "CONNECTOR_MANAGER_URL": "http://127.0.0.1:9",
        "OMNI_BROKER_URL": "redis://127.0.0.1:9",
        "OMNI_RUN_STORE": "redis://127.0.0.1:9",
        **env,
    }
    command, environ = celery("worker", *options, **environ)
    with Process(*command, env=environ) as process:
        process.wait_for(f"The connector cannot start: {says}")
        assert process.popen.wait(60) == 1
        assert not any("Traceback" in line for line in process.lines)


@pytest.mark.slow
@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_metrics_of_the_runs_that_a_worker_executes(manager, address, environ, pool):
    target = "support.pausing:InTwoHalves"
    port = free_port()
    environ = {**environ, "TEST_MEETING_POINT": ""}
    options = ("--pool", pool, "--max-tasks-per-child", "1")
    served = {"OMNI_METRICS_PORT": str(port)}
    with (
        start_web(address, environ, target) as web,
        start_worker(target, environ, *options, **served) as worker,
    ):
        manager.wait_for_connector(web, "web")
        worker.wait_for(f"Metrics of this worker: http://0.0.0.0:{port}/metrics")
        for number in range(1, 4):  # Each in a process of its own, in the pool that forks.
            source = manager.add_source("web", {})
            assert manager.wait(manager.trigger(source))["status"] == "completed"
            expected = {
                'omni_connector_runs_total{connector="halves",mode="full",outcome="completed"}': number,
                'omni_connector_documents_total{connector="halves",kind="updated"}': number * 200,
            }
            eventually(functools.partial(shows, port, expected))
        success = f'omni_connector_last_success_timestamp_seconds{{connector="halves",source_id="{source}"}}'
        assert scraped(f"http://127.0.0.1:{port}/metrics", {success})[success] > time.time() - 600
        # The web process executes none.
        assert scraped(f"{address.url}/metrics", expected) == dict.fromkeys(expected, 0)


def shows(port, expected):
    return scraped(f"http://127.0.0.1:{port}/metrics", expected) == expected


def scraped(url, wanted):
    """Return the wanted ones of the values that a scrape brings."""
    values = dict(line.rsplit(" ", 1) for line in requests.get(url, timeout=60).text.splitlines())
    return {name: float(values[name]) for name in wanted if name in values}
