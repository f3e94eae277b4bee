"""gunicorn and uvicorn with several workers: whichever of them the manager reaches, what it hears is right."""

from __future__ import annotations

import os
import pwd
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest
import requests
from support.pausing import meet
from support.processes import Process, python_of_everybody, start_gunicorn
from support.redis_server import RedisServer
from support.waiting import QUICKLY, eventually

ASKED = 24
"""Requests on new connections: that one worker alone answers them all is as likely as 1 : 8 million."""

OUTAGE_SECONDS = [3, 60]


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory):
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def own_redis(tmp_path):
    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture(params=["default", pytest.param("redis", marks=pytest.mark.slow)])
def store(request, redis_server):
    """The variables for the store: none, which is a SQLite file, or a Redis."""
    return {} if request.param == "default" else {"OMNI_RUN_STORE": redis_server.url}


@pytest.fixture
def pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


@pytest.fixture
def open_folder():
    """A folder that every account may use; pytest's own are for one."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


def workers_of(address, manager, target, *options, bare=False, python=sys.executable, **env):
    environ = {"CONNECTOR_MANAGER_URL": manager.url, **env}
    return start_gunicorn(address, target, "--workers", "2", *options, env=environ, bare=bare, python=python)


def uvicorn_workers(address, manager, target, **env):
    command = ("-m", "uvicorn", "--workers", "2", "--fd", str(address.fd), "omni_connector.asgi:app")
    own = {"CONNECTOR_URL": address.url, "CONNECTOR_MANAGER_URL": manager.url, "OMNI_CONNECTOR": target}
    return Process(sys.executable, *command, env=own | env, pass_fds=(address.fd,))


def answers(address, run):
    """Ask all workers whether they have the run; return what they say."""
    found = [requests.get(f"{address.url}/sync/{run}", timeout=60) for _ in range(ASKED)]
    return {each.json().get("running", each.status_code) for each in found}


@pytest.mark.parametrize(
    "kind", ["bare", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("recommended", "preload"))]
)
def test_every_worker_knows_every_run(tmp_path, manager, address, pipe, store, kind):
    env = {"TEST_MEETING_POINT": str(pipe), **store}
    bare, options = kind == "bare", ["--preload"] if kind == "preload" else []
    with workers_of(address, manager, "support.pausing:Endless", *options, bare=bare, **env) as process:
        manager.wait_until_registered("web")
        source = manager.add_source("web", {})
        run = manager.trigger(source)
        meet(pipe)
        assert answers(address, run) == {True}
        assert answers(address, "unknown") == {False}
        body = {"sync_run_id": run, "source_id": source, "sync_mode": "full"}
        for _ in range(6):
            assert requests.post(f"{address.url}/sync", json=body, timeout=60).json()["status"] == "started"
            other = requests.post(f"{address.url}/sync", json={**body, "sync_run_id": "another"}, timeout=60)
            assert other.status_code == 409

        manager.cancel(run)
        assert answers(address, run) == {False}
        if not bare:  # Which shows no log.
            process.wait_for(rf"Sync of source .*{source}\)? cancelled: .*")
        following = manager.trigger_when_free(source)
        meet(pipe)
        assert answers(address, following) == {True}
        manager.cancel(following)


@pytest.mark.slow
def test_the_run_of_a_worker_that_is_killed_goes_on_in_another(tmp_path, manager, address, pipe, store):
    (tmp_path / "notes").mkdir()
    for number in range(500):
        (tmp_path / "notes" / f"{number}.txt").write_text(f"Note {number}")
    env = {"TEST_MEETING_POINT": str(pipe), "TEST_PAUSE_AT": "400", **store}
    with workers_of(address, manager, "support.pausing:NamingItsProcess", **env) as process:
        manager.wait_for_connector(process, "file_system")
        source = manager.add_source("file_system", {"path": str(tmp_path / "notes")})
        run = manager.trigger(source, "full")
        meet(pipe)
        pipe.unlink()  # When it is resumed, it does not stop.
        os.kill(int(process.wait_for(r"sync in (\d+)")[1]), signal.SIGKILL)
        eventually(lambda: answers(address, run) == {False})
        manager.tick()
        assert manager.wait(run)["status"] == "completed"
        assert len(manager.documents(source)) == 500


@pytest.mark.slow
def test_the_workers_of_uvicorn_share_a_store_without_being_asked_to(tmp_path, manager, address, pipe):
    with uvicorn_workers(
        address, manager, "support.pausing:Endless", TEST_MEETING_POINT=str(pipe), TMPDIR=str(tmp_path)
    ) as process:
        process.wait_for("Registered at ")
        eventually(lambda: sum("Application startup complete" in line for line in process.lines) == 2)
        source = manager.add_source("web", {})
        run = manager.trigger(source)
        meet(pipe)
        assert answers(address, run) == {True}
        body = {"sync_run_id": "another", "source_id": source, "sync_mode": "full"}
        for _ in range(6):
            assert requests.post(f"{address.url}/sync", json=body, timeout=60).status_code == 409
        manager.cancel(run)
        assert answers(address, run) == {False}
        process.wait_for(rf"Sync of source .*{source}\)? cancelled: .*")
        assert sum("Registered at " in line for line in process.lines) == 1


@pytest.mark.parametrize("start", [workers_of, pytest.param(uvicorn_workers, marks=pytest.mark.slow)])
def test_memory_is_refused_where_several_workers_would_not_know_each_others_runs(manager, address, start):
    with start(address, manager, "support.pausing:Endless", OMNI_RUN_STORE="memory") as process:
        process.wait_for(
            "OMNI_RUN_STORE=memory is for one process, and this server has 2: .* unset OMNI_RUN_STORE"
        )
        assert not any("Traceback" in line for line in process.lines)


@pytest.mark.slow
def test_a_run_that_waits_for_its_turn_is_executed_by_the_other_worker(manager, address, store):
    waits, taken = (
        "another one waits for its turn",
        r"Run (\S+), which waits in another process, is executed here",
    )
    env = {"OMNI_MAX_CONCURRENT_SYNCS": "1", **store}
    with workers_of(address, manager, "support.pausing:Busy", **env) as process:
        manager.wait_for_connector(process, "web")
        sources = [manager.add_source("web", {}) for _ in range(3)]
        for _ in range(20):  # Until one worker was asked to execute both.
            process.forget_output()
            first, second = (manager.trigger(source) for source in sources[:2])
            for source in sources[:2]:
                process.wait_for(rf"Full sync of source .*{source}\)? started")
            if any(waits in line for line in process.lines):
                break
            for source, run in zip(sources, (first, second), strict=False):
                manager.cancel(run)
                process.wait_for(rf"Sync of source .*{source}\)? cancelled")
        assert process.wait_for(taken)[1] == second
        eventually(lambda: sum("the sync runs" in line for line in process.lines) == 2)

        third = manager.trigger(sources[2])  # No worker has a turn.
        assert answers(address, third) == {True}
        assert not any(f"{sources[2]} started" in line for line in process.lines)
        manager.cancel(first)
        process.wait_for(rf"Full sync of source .*{sources[2]}\)? started")
        assert answers(address, second) == answers(address, third) == {True}
        for source, run in zip(sources[1:], (second, third), strict=True):
            manager.cancel(run)
            process.wait_for(rf"Sync of source .*{source}\)? cancelled")


ACCOUNT = "nobody"
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start workers under another account")


@ROOT_ONLY
@pytest.mark.parametrize("options", [(), pytest.param(("--preload",), id="preload", marks=pytest.mark.slow)])
def test_workers_of_another_account_share_a_store(open_folder, manager, address, options):
    pipe = open_folder / "pipe"
    os.mkfifo(pipe)
    pipe.chmod(0o666)
    options = (*options, "--user", ACCOUNT, "--group", "nogroup")
    found = python_of_everybody()
    if found is None:
        pytest.skip("no Python here that other accounts may use")
    python, env = found
    env |= {"TEST_MEETING_POINT": str(pipe), "TMPDIR": str(open_folder)}
    with workers_of(address, manager, "support.pausing:Endless", *options, python=python, **env) as process:
        manager.wait_for_connector(process, "web")
        source = manager.add_source("web", {})
        run = manager.trigger(source)
        meet(pipe)
        assert answers(address, run) == {True}
        manager.cancel(run)
        assert answers(address, run) == {False}
        (file,) = open_folder.glob("omni-connector-*/*/runs.sqlite3")
        assert file.stat().st_uid == pwd.getpwnam(ACCOUNT).pw_uid


@ROOT_ONLY
def test_a_store_that_the_account_of_the_workers_may_not_write_is_refused(open_folder, manager, address):
    folder = open_folder / "of root"
    folder.mkdir(mode=0o755)
    options = ("--preload", "--user", ACCOUNT)
    store = f"sqlite:///{folder}/runs.sqlite3"
    with workers_of(address, manager, "support.pausing:Endless", *options, OMNI_RUN_STORE=store) as process:
        process.wait_for("OMNI_RUN_STORE cannot be used: this account may not write")
        assert process.popen.wait(60) != 0
        assert not any("Traceback" in line for line in process.lines)


@contextmanager
def stopped(redis, process):
    redis.stop()
    process.wait_for("The run store, Redis at .* cannot be used now")
    yield
    redis.start()
    process.wait_for("The run store, Redis at .*, can be used again")


@contextmanager
def locked(file, process):
    with closing(sqlite3.connect(file, isolation_level=None)) as lock:
        lock.execute("BEGIN IMMEDIATE")
        process.wait_for("cannot be used now: database is locked")
        yield


@pytest.mark.slow
@pytest.mark.parametrize("seconds", OUTAGE_SECONDS)
@pytest.mark.parametrize("store", ["redis", "sqlite"])
def test_while_the_run_store_is_away_runs_go_on_and_new_ones_wait(
    request, tmp_path, manager, address, pipe, store, seconds
):
    if store == "redis":
        redis = request.getfixturevalue("own_redis")
        url, away = redis.url, partial(stopped, redis)
    else:
        file = tmp_path / "runs.sqlite3"
        url, away = f"sqlite:///{file}", partial(locked, file)
    env = {"TEST_MEETING_POINT": str(pipe), "OMNI_RUN_STORE": url}
    with workers_of(address, manager, "support.pausing:Endless", **env) as process:
        manager.wait_for_connector(process, "web")
        sources = [manager.add_source("web", {}) for _ in range(2)]
        run = manager.trigger(sources[0])
        meet(pipe)
        with away(process):
            began, pause = time.monotonic(), threading.Event()
            waiting = manager.trigger(sources[1])
            process.wait_for(f"Run {waiting} waits for the run store")
            while time.monotonic() - began < seconds:
                assert requests.get(f"{address.url}/health", timeout=QUICKLY).ok
                assert answers(address, run) <= {True, 404}
                assert answers(address, waiting) <= {True, 404}
                pause.wait(0.5)
            assert next(manager.progress(run))["status"] == "running"
        meet(pipe)  # The one that waited has begun.
        eventually(lambda: answers(address, run) == answers(address, waiting) == {True})
        for each, source in zip((run, waiting), sources, strict=True):
            manager.cancel(each)
            process.wait_for(rf"Sync of source .*{source}\)? cancelled: .*")
