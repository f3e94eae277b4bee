"""The manager's probes are answered whatever else goes on: long actions, and clients that never finish their requests."""

from __future__ import annotations

import os
import re
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
import requests
from support.pausing import meet
from support.processes import WAIT_SECONDS, Process, start_gunicorn
from support.waiting import QUICKLY

RECOMMENDED = ()
FOUR = ("--threads", "4")


def start(address, manager, *options, target="support.pausing:Busy", bare=False, **env):
    return start_gunicorn(
        address, target, *options, env={"CONNECTOR_MANAGER_URL": manager.url, **env}, bare=bare
    )


@pytest.fixture
def pipe(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def begin_sync(manager, process):
    """Start a run of the connector, which goes on for as long as the process."""
    manager.wait_for_connector(process, "web")
    run = manager.trigger(manager.add_source("web", {}))
    process.wait_for("the sync runs")
    return run


def assert_probes(address, run):
    for _ in range(5):
        for path, expected in (
            ("/health", {"status": "healthy", "service": "slow"}),
            (f"/sync/{run}", {"running": True}),
        ):
            before = time.monotonic()
            answer = requests.get(address.url + path, timeout=60)
            assert answer.json() == expected
            assert time.monotonic() - before < QUICKLY


@pytest.mark.parametrize(
    ("options", "most"),
    [(RECOMMENDED, 20), pytest.param(FOUR, 3, marks=pytest.mark.slow)],
    ids=["recommended", "four threads"],
)
def test_probes_are_answered_while_twenty_actions_run(options, most, pipe, manager, address):
    actions = 20
    with start(address, manager, *options, TEST_MEETING_POINT=str(pipe)) as process:
        run = begin_sync(manager, process)
        begun = threading.Barrier(actions, timeout=WAIT_SECONDS)

        def act(_):
            begun.wait()
            body = {"action": "slow", "params": {}, "credentials": {}}
            return requests.post(f"{address.url}/action", json=body, timeout=WAIT_SECONDS)

        with ThreadPoolExecutor(actions) as callers:
            answers = callers.map(act, range(actions))
            process.wait_for(f"{most} actions run")
            assert_probes(address, run)
            meet(pipe)
            found = list(answers)
    refused = [answer for answer in found if answer.status_code == 503]
    assert [answer.json() for answer in found if answer not in refused] == [{"done": True}] * most
    assert len(refused) == actions - most
    for answer in refused:
        assert answer.headers["Retry-After"] == "5"
        assert answer.json()["status"] == "error"
        assert re.search("as many may be. Try again later", answer.json()["error"])


HEAD = b"POST /action HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def test_of_the_threads_of_waitress_some_are_kept_for_probes(pipe, manager, address):
    program = (
        f"import socket, waitress; from omni_connector.wsgi import app; "
        f"waitress.serve(app, sockets=[socket.socket(fileno={address.fd})], threads=4)"
    )
    env = {"CONNECTOR_MANAGER_URL": manager.url, "CONNECTOR_URL": address.url}
    env |= {"OMNI_CONNECTOR": "support.pausing:Busy", "TEST_MEETING_POINT": str(pipe)}
    body = {"action": "slow", "params": {}, "credentials": {}}
    with Process(sys.executable, "-c", program, env=env, pass_fds=(address.fd,)) as process:
        manager.wait_until_registered("web")
        run = manager.trigger(manager.add_source("web", {}))
        process.wait_for("the sync runs")
        with ThreadPoolExecutor(8) as callers:
            answers = [
                callers.submit(requests.post, f"{address.url}/action", json=body, timeout=WAIT_SECONDS)
                for _ in range(8)
            ]
            process.wait_for("3 actions run")
            assert_probes(address, run)
            meet(pipe)
            statuses = sorted(answer.result().status_code for answer in answers)
        assert statuses == [200] * 3 + [503] * 5
        process.kill()


UNFINISHED = {
    "body": HEAD + b"Content-Length: 100\r\n\r\n{",
    "chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n50\r\n{",
    "headers": HEAD,
    "nothing": b"",
    "closing": b"GET /health HTTP/1.0\r\n\r\n",  # The server closes after its answer, and waits for the client to do so.
}


CASES = [
    pytest.param(options, name, marks=() if (options, name) == (RECOMMENDED, "body") else pytest.mark.slow)
    for options in (RECOMMENDED, FOUR)
    for name in UNFINISHED
]


@pytest.mark.parametrize(("options", "name"), CASES)
def test_probes_are_answered_while_forty_clients_never_finish_their_requests(
    options, name, pipe, manager, address
):
    sent = UNFINISHED[name]
    with start(address, manager, *options, TEST_MEETING_POINT=str(pipe)) as process, ExitStack() as clients:
        run = begin_sync(manager, process)
        opened = [
            clients.enter_context(socket.create_connection(("127.0.0.1", address.port), timeout=WAIT_SECONDS))
            for _ in range(40)
        ]
        for client in opened:
            client.sendall(sent)
        if (
            options
        ):  # All threads are taken until the silent ones are seen; the manager waits 5 s for an answer.
            requests.get(f"{address.url}/health", timeout=60)
        assert_probes(address, run)
        assert process.terminate() == 0
        if sent:
            for client in opened:
                client.recv(1)  # Each was ended: with an answer, or without.


@pytest.mark.slow
def test_an_action_that_takes_too_long_is_answered_with_an_error_and_ends_nothing(pipe, manager, address):
    with start(address, manager, TEST_MEETING_POINT=str(pipe), OMNI_ACTION_SECONDS="1") as process:
        run = begin_sync(manager, process)
        body = {"action": "slow", "params": {}, "credentials": {}}
        answer = requests.post(f"{address.url}/action", json=body, timeout=WAIT_SECONDS)
        assert answer.status_code == 504
        assert answer.json()["error"].startswith(
            "The action 'slow' did not end within 1 s (OMNI_ACTION_SECONDS)."
        )
        assert_probes(address, run)
        meet(pipe)


@pytest.mark.slow
def test_a_bare_sync_worker_says_what_it_cannot_do_and_is_not_killed_for_an_action(pipe, manager, address):
    options = ("--timeout", "6", "--worker-class", "sync")
    with start(address, manager, *options, bare=True, TEST_MEETING_POINT=str(pipe)) as process:
        process.wait_for(
            "This gunicorn worker answers one request at a time.*after 6 s .*kills the worker with its syncs"
        )
        process.wait_for("--worker-class gthread --threads 64")
        manager.wait_until_registered("web")
        run = manager.trigger(manager.add_source("web", {}))
        process.wait_for("the sync runs")
        body = {"action": "slow", "params": {}, "credentials": {}}
        answer = requests.post(f"{address.url}/action", json=body, timeout=WAIT_SECONDS)
        assert answer.status_code == 504, "before gunicorn's time is over"
        assert_probes(address, run)
        assert not any("WORKER TIMEOUT" in line for line in process.lines)
        meet(pipe)
