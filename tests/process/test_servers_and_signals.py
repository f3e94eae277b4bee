"""What happens to a running sync under each server and signal: the tests behind the table in docs/reference/servers.md.

In every row all documents arrive, each is counted once, and the run completes. Where the server leaves the run the time
for it, no event comes twice either. The tests of the rows that are not here: ``test_greenlets.py`` (gevent, eventlet), ``test_forking.py``
(an application that forks), ``test_probes.py`` (the bare ``sync`` worker), ``test_several_workers.py``, ``test_reloader.py``.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import threading
from pathlib import Path

import pytest
import requests
from support.counting import SAVE_EVERY
from support.ports import free_port
from support.processes import Process, start_gunicorn
from support.thorough import thorough
from support.waiting import eventually

DOCUMENTS = 200
SECONDS = 0.01
BEGUN = 40
"""Events after which something happens to the server."""

LEASE_SECONDS = 15

CONNECTORS = {"gunicorn": "support.counting:Counting", "gunicorn, async": "support.counting:AsyncCounting"}


class FreePort:
    """An address for servers that open their socket themselves."""

    fds = ()

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"


class Server:
    """A server with the connector of ``support.counting``; started again on the same address."""

    def __init__(self, kind, address, manager, options=(), folder=None):
        self.kind = kind
        self.address = address
        self.manager = manager
        self.options = options
        self.folder = folder
        self.process = self.start()

    def start(self) -> Process:
        env = {"CONNECTOR_MANAGER_URL": self.manager.url, "TEST_FOLDER": str(self.folder)}
        if self.kind in CONNECTORS:
            return start_gunicorn(self.address, CONNECTORS[self.kind], *self.options, env=env)
        if self.kind == "bare gunicorn":
            return start_gunicorn(
                self.address, "support.counting:Counting", *self.options, env=env, bare=True
            )
        if self.kind == "uvicorn":
            env["TMPDIR"] = str(self.folder)
            command = [
                "-m",
                "uvicorn",
                "--fd",
                str(self.address.fd),
                *self.options,
                "support.counting_app:app",
            ]
        elif self.kind == "waitress":
            program = (
                f"import socket, waitress; from support.counting_app import app; "
                f"waitress.serve(app, sockets=[socket.socket(fileno={self.address.fd})], threads=16)"
            )
            command = ["-c", program]
        elif (
            self.kind == "gunicorn at a port"
        ):  # gunicorn cannot hand a descriptor that it was given on to a new master.
            env["OMNI_CONNECTOR"] = "support.counting:Counting"
            conf = ["-c", "python:omni_connector.gunicorn_conf", "--bind", f"127.0.0.1:{self.address.port}"]
            # As the command: after ``python -m gunicorn``, the new master would find gunicorn's own modules first.
            command = [*conf, *self.options, "omni_connector.wsgi:app"]
            env["CONNECTOR_URL"] = self.address.url
            return Process(str(Path(sys.executable).with_name("gunicorn")), *command, env=env)
        else:
            command = [
                "-m",
                "flask",
                "--app",
                "support.counting_app",
                "run",
                "--port",
                str(self.address.port),
            ]
        env["CONNECTOR_URL"] = self.address.url
        return Process(sys.executable, *command, env=env, pass_fds=self.address.fds)

    def signal(self, number) -> None:
        os.kill(self.process.popen.pid, number)

    def restart(self, number) -> None:
        """Deploy: end the server with a signal, wait, and start it again."""
        self.signal(number)
        self.process.popen.wait(60)
        self.process.end()
        self.process = self.start()

    def worker(self) -> int:
        return int(self.process.wait_for(r"Booting worker with pid: (\d+)")[1])

    def workers(self) -> list[int]:
        return [
            int(found[1])
            for line in self.process.lines
            if (found := re.search(r"Booting worker with pid: (\d+)", line))
        ]

    def close(self) -> None:
        if self.process.popen.poll() is not None:
            with contextlib.suppress(ProcessLookupError):  # The new master of an upgrade (USR2).
                os.killpg(self.process.popen.pid, signal.SIGKILL)
        self.process.end()


def term(server):
    server.restart(signal.SIGTERM)


def interrupt(server):
    server.restart(signal.SIGINT)


def quit_(server):
    server.restart(signal.SIGQUIT)


def hang_up(server):
    server.signal(signal.SIGHUP)
    server.process.wait_for("Handling signal: hup")


def change_a_file(server):
    (Path(server.folder) / "watched.txt").write_text("changed")


def use_up_requests(server):
    for _ in range(250):  # For a moment, both workers may be on their way.
        with contextlib.suppress(requests.RequestException):
            requests.get(f"{server.address.url}/health", timeout=60)


def upgrade(server):
    """USR2 starts a new master beside the old one, which is ended once the new workers are there."""
    before = len(server.workers())
    server.signal(signal.SIGUSR2)
    eventually(lambda: len(server.workers()) >= before + 2)
    server.signal(signal.SIGTERM)


def more_and_fewer(server):
    before = len(server.workers())
    server.signal(signal.SIGTTIN)
    eventually(lambda: len(server.workers()) > before)
    server.signal(signal.SIGTTOU)
    server.signal(signal.SIGTTOU)


def kill_workers(server):
    for worker in server.workers():
        os.kill(worker, signal.SIGKILL)


def stop_workers(server):
    """They make no sign of life, and the master kills them: --timeout."""
    for worker in server.workers():
        os.kill(worker, signal.SIGSTOP)
    server.process.wait_for("WORKER TIMEOUT")


def sleep(seconds):
    def fall_asleep(server):
        os.killpg(server.process.popen.pid, signal.SIGSTOP)
        threading.Event().wait(seconds)  # The machine sleeps, not the test.
        os.killpg(server.process.popen.pid, signal.SIGCONT)

    return fall_asleep


TWO = ("--workers", "2")
EXACT, AGAIN, KILLED = "exact", "again", "killed"
"""No event comes twice; those behind the last checkpoint may; and a count may be missing where no run store outlived the process."""


def row(name, kind, options, happens, outcome, *, slow=True):
    marks = [pytest.mark.slow] if slow else []
    return pytest.param(kind, options, happens, outcome, id=name, marks=marks)


EVERY_TIME = [
    row("gthread, TERM and start", "gunicorn", (), term, EXACT, slow=False),
    row("gthread, INT and start", "gunicorn", (), interrupt, AGAIN),
    row("workers and preload, HUP", "gunicorn", (*TWO, "--preload"), hang_up, EXACT),
    row("max-requests", "gunicorn", (*TWO, "--max-requests", "100"), use_up_requests, EXACT),
    row("reload", "gunicorn", ("--reload", "--reload-extra-file", "{folder}/watched.txt"), change_a_file, EXACT),
    row("USR2", "gunicorn at a port", TWO, upgrade, EXACT),
    row("workers killed", "gunicorn", TWO, kill_workers, AGAIN),
    row("timeout", "gunicorn", (*TWO, "--timeout", "3"), stop_workers, AGAIN),
    # A batch whose time is up when the machine awakes is sent again: its answer may never have come.
    row("asleep for a minute", "gunicorn", TWO, sleep(60), AGAIN),
    row("bare sync workers, HUP", "bare gunicorn", (*TWO, "--log-level", "info"), hang_up, EXACT),
    row("waitress, TERM and start", "waitress", (), term, KILLED),
    row("uvicorn workers, TERM and start", "uvicorn", TWO, term, EXACT),
    row("flask run, INT and start", "flask", (), interrupt, EXACT),
]  # fmt: skip
THOROUGH = [
    row("gthread, async sync, TERM and start", "gunicorn, async", (), term, EXACT),
    row("gthread, QUIT and start", "gunicorn", (), quit_, AGAIN),
    row("workers, TERM and start", "gunicorn", TWO, term, EXACT),
    row("workers, HUP", "gunicorn", TWO, hang_up, EXACT),
    row("workers and preload, TERM and start", "gunicorn", (*TWO, "--preload"), term, EXACT),
    row("TTIN and TTOU", "gunicorn", TWO, more_and_fewer, EXACT),
    row("asleep for a moment", "gunicorn", TWO, sleep(2), EXACT),
    row("bare sync, TERM and start", "bare gunicorn", (), term, EXACT),
    row("waitress, INT and start", "waitress", (), interrupt, EXACT),
]


@pytest.mark.parametrize(("kind", "options", "happens", "outcome"), EVERY_TIME + thorough([], THOROUGH))
def test_nothing_is_lost_and_nothing_counted_twice(
    kind, options, happens, outcome, tmp_path, manager, address
):
    (tmp_path / "watched.txt").write_text("")
    if kind in {"flask", "gunicorn at a port"}:
        address = FreePort()
    options = tuple(option.format(folder=tmp_path) for option in options)
    with contextlib.closing(Server(kind, address, manager, options, tmp_path)) as server:
        manager.wait_until_registered("web")
        source = manager.add_source("web", {"documents": DOCUMENTS, "seconds": SECONDS})
        run = manager.trigger(source)
        eventually(lambda: manager.count_events(run) >= BEGUN)

        happens(server)
        ended = until_ended(manager, address, run)

        assert ended["status"] == "completed", ended
        assert sorted(map(int, manager.documents(source))) == list(range(DOCUMENTS))
        events, scanned = manager.count_events(run), ended["documents_scanned"]
        assert DOCUMENTS <= events <= (DOCUMENTS if outcome == EXACT else DOCUMENTS + 4 * SAVE_EVERY)
        assert DOCUMENTS - (SAVE_EVERY if outcome == KILLED else 0) <= scanned <= DOCUMENTS
        if outcome != KILLED:
            assert ended["documents_updated"] == DOCUMENTS


def until_ended(manager, address, run):
    """Let the manager look after its runs, as it does every 30 s, whenever the connector can be reached."""

    pause = threading.Event()

    def look():
        progress = next(manager.progress(run))
        if progress["status"] != "running":
            return progress
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"{address.url}/sync/{run}", timeout=2).json().get("running") is False:
                manager.tick()
        pause.wait(0.3)
        return None

    return eventually(look, seconds=90)


def test_a_preloading_master_has_one_thread(tmp_path, manager, address):
    """Nothing starts a thread before the fork."""
    with contextlib.closing(Server("gunicorn", address, manager, (*TWO, "--preload"), tmp_path)) as server:
        manager.wait_until_registered("web")
        tasks = Path(f"/proc/{server.process.popen.pid}/task")
        assert len(list(tasks.iterdir())) == 1
