"""Real uvicorn with omni_connector.asgi:app, in a process of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from support.pausing import meet
from support.processes import WAIT_SECONDS, Process, start_uvicorn
from support.waiting import QUICKLY

from omni_connector.local.contents import normalised
from omni_connector.web.asgi import THREADS

FILESYSTEM = "filesystem_connector:FilesystemConnector"
FILES = 300
SIGTERM_STATUS = {0, -signal.SIGTERM}
"""uvicorn ends by the signal it got, once everything is in order; older ones return 0."""


@pytest.fixture
def tree(tmp_path):
    """A folder of files, and what the manager must hold of it."""
    root = tmp_path / "files"
    root.mkdir()
    for number in range(FILES):
        (root / f"{number:03}.md").write_text(f"# File {number}\n\nSome text of the file {number}.\n")
    return root, {path.name: normalised(path.read_text()) for path in root.iterdir()}


def connector(address, manager, target, **env) -> Process:
    return start_uvicorn(address, CONNECTOR_MANAGER_URL=manager.url, OMNI_CONNECTOR=target, **env)


def test_a_full_sync_registration_and_an_orderly_end(tree, manager, address):
    root, expected = tree
    with connector(address, manager, FILESYSTEM) as process:
        manager.wait_for_connector(process, "file_system")
        source = manager.add_source("file_system", {"path": str(root)})

        run = manager.wait(manager.trigger(source, "full"))

        assert run["status"] == "completed", run
        assert run["documents_scanned"] == FILES
        assert manager.documents(source) == expected
        process.wait_for(rf"Sync of source .*{source}\)? completed")
        assert process.terminate() in SIGTERM_STATUS
        process.wait_for("Application shutdown complete")
        assert not any("Traceback" in line for line in process.lines)


@pytest.mark.slow
def test_a_cancelled_sync_stops_and_frees_its_source(tmp_path, manager, address):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with connector(address, manager, "support.pausing:Endless", TEST_MEETING_POINT=str(pipe)) as process:
        manager.wait_for_connector(process, "web")
        source = manager.add_source("web", {})
        run = manager.trigger(source)
        meet(pipe)

        manager.cancel(run)

        assert manager.wait(run)["status"] == "cancelled"
        process.wait_for(rf"Sync of source .*{source}\)? cancelled: .*")
        assert requests.get(f"{address.url}/sync/{run}", timeout=60).json() == {"running": False}
        following = manager.trigger_when_free(source)
        meet(pipe)
        manager.cancel(following)


@pytest.mark.slow
def test_sigterm_delivers_what_is_buffered_and_leaves_the_run_to_be_resumed(tree, tmp_path, manager, address):
    root, expected = tree
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    env = {"TEST_MEETING_POINT": str(pipe), "TEST_PAUSE_AT": "124"}
    with connector(address, manager, "support.pausing:PausingFilesystem", **env) as process:
        manager.wait_for_connector(process, "file_system")
        source = manager.add_source("file_system", {"path": str(root)})
        run = manager.trigger(source, "full")
        meet(pipe)
        assert process.terminate() in SIGTERM_STATUS
    pipe.unlink()
    assert len(manager.documents(source)) == 123
    assert next(manager.progress(run))["status"] == "running"

    with connector(address, manager, "support.pausing:PausingFilesystem", **env) as process:
        manager.wait_for_connector(process, "file_system")
        manager.tick()
        assert manager.wait(run)["status"] == "completed"
        assert manager.documents(source) == expected


def test_health_answers_while_actions_run(tmp_path, manager, address):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    actions = 20
    with connector(address, manager, "support.pausing:SlowActions", TEST_MEETING_POINT=str(pipe)) as process:
        process.wait_for("Application startup complete")
        begun = threading.Barrier(actions + 1, timeout=WAIT_SECONDS)

        def act():
            begun.wait()
            body = {"action": "slow", "params": {}, "credentials": {}}
            return requests.post(f"{address.url}/action", json=body, timeout=WAIT_SECONDS).json()

        with ThreadPoolExecutor(actions) as callers:
            answers = [callers.submit(act) for _ in range(actions)]
            begun.wait()
            process.wait_for(f"{actions} actions run")
            assert requests.get(f"{address.url}/health", timeout=60).json()["status"] == "healthy"
            assert not any(answer.done() for answer in answers)
            meet(pipe)
            assert [answer.result() for answer in answers] == [{"done": True}] * actions


@pytest.mark.slow
def test_unfinished_requests_hold_no_thread(manager, address):
    with (
        connector(address, manager, "support.pausing:SlowActions") as process,
        contextlib.ExitStack() as clients,
    ):
        process.wait_for("Application startup complete")
        for _ in range(THREADS + 10):
            client = socket.create_connection(("127.0.0.1", address.port), timeout=WAIT_SECONDS)
            clients.enter_context(client).sendall(
                b"POST /action HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
            )
        before = time.monotonic()
        assert requests.get(f"{address.url}/health", timeout=60).json()["status"] == "healthy"
        assert time.monotonic() - before < QUICKLY
        assert b"408" in client.recv(100)


def test_a_wrong_configuration_stops_the_start_with_one_readable_message(address):
    with start_uvicorn(address, OMNI_CONNECTOR="nowhere.to:BeFound") as process:
        process.wait_for("CONNECTOR_MANAGER_URL is not set.*export CONNECTOR_MANAGER_URL=")
        process.wait_for("OMNI_CONNECTOR=nowhere.to:BeFound.*no module nowhere")
        assert process.popen.wait(60) == 1
        assert not any("Traceback" in line for line in process.lines)


def test_without_the_extra_the_start_stops_with_the_line_to_type(address, manager):
    program = "import sys; sys.modules['a2wsgi'] = None; import omni_connector.asgi"
    env = {"CONNECTOR_MANAGER_URL": manager.url, "OMNI_CONNECTOR": FILESYSTEM}
    with Process(sys.executable, "-c", program, env=env) as process:
        process.wait_for("The connector cannot start:")
        process.wait_for(r"needs a2wsgi. Type: pip install 'omni-connector\[asgi\]'")
        assert process.popen.wait(60) == 1
        assert not any("Traceback" in line for line in process.lines)


GUNICORN = ("-m", "gunicorn", "--bind", "fd://{fd}", "support.existing_connector:app")
UVICORN = ("-m", "uvicorn", "--fd", "{fd}", "support.existing_connector:app")


@pytest.mark.parametrize(
    "server", [pytest.param(GUNICORN, marks=pytest.mark.slow), UVICORN], ids=["gunicorn", "uvicorn"]
)
def test_create_app_alone_is_all_that_an_existing_connector_needs(server, manager, address):
    """It registers, syncs, runs its actions and ends in order, under either kind of server."""
    command = [part.format(fd=address.fd) for part in server]
    env = {"CONNECTOR_MANAGER_URL": manager.url, "CONNECTOR_URL": address.url}
    with Process(sys.executable, *command, env=env, pass_fds=(address.fd,)) as process:
        process.wait_for(r"Booting worker|Application startup complete")
        manager.wait_until_registered("web")
        source = manager.add_source("web", {})

        run = manager.wait(manager.trigger(source, "full"))

        assert (run["status"], run["documents_scanned"]) == ("completed", 3)
        assert manager.documents(source) == {"1": "HELLO", "2": "WORLD"}
        assert manager.source(source)["checkpoint"] == {"changed": "2026-08-03T12:00:00Z"}
        following = manager.wait(manager.trigger(source, "incremental"))
        assert (following["status"], following["documents_scanned"]) == ("completed", 0)

        body = {"action": "count", "params": {"text": "one two"}, "credentials": {}}
        answer = requests.post(f"{address.url}/action", json=body, timeout=WAIT_SECONDS)
        assert answer.json() == {"status": "success", "result": {"words": 2}, "error": None}
        assert process.terminate() in SIGTERM_STATUS
