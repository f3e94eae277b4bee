"""Real processes, started and ended in order, whose output can be waited for."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

from support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
WAIT_SECONDS = 60


class Process:
    """A child process in a group of its own; its output is kept line by line."""

    def __init__(self, *args: str, env: dict[str, str] | None = None, pass_fds: tuple[int, ...] = ()) -> None:
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._ended = False
        self.popen = subprocess.Popen(
            args,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
            env=child_environ(env or {}),
            pass_fds=pass_fds,
            start_new_session=True,
            cwd=ROOT,
        )
        self._reader = threading.Thread(target=self._read, name=f"read {args[0]}")
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def wait_for(self, pattern: str, seconds: float = WAIT_SECONDS) -> re.Match[str]:
        """Return the first match of ``pattern`` in a line of the output, past or to come."""
        seen = 0
        with self._changed:
            while True:
                for line in self.lines[seen:]:
                    if match := re.search(pattern, line):
                        return match
                seen = len(self.lines)
                assert not self._ended, f"ended without {pattern!r}:\n" + "\n".join(self.lines)
                assert self._changed.wait(seconds), f"no {pattern!r} within {seconds} s:\n" + "\n".join(
                    self.lines
                )

    def forget_output(self) -> None:
        """Wait for what is yet to come only."""
        with self._changed:
            self.lines.clear()

    def terminate(self) -> int:
        """Ask the process to end (SIGTERM) and return its exit code."""
        self.popen.terminate()
        return self.popen.wait(WAIT_SECONDS)

    def kill(self) -> None:
        """Kill the whole group at once (SIGKILL)."""
        os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait(WAIT_SECONDS)

    def end(self) -> None:
        """End whatever is left of the group, and the reading thread."""
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.popen.pid, signal.SIGKILL)
                self.popen.wait()
        self._reader.join()
        self.popen.stdout.close()

    def _read(self) -> None:
        for line in self.popen.stdout:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


class ListeningSocket:
    """A bound and listening socket, handed to gunicorn as ``fd://N``: its port is known before and between starts."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", free_port()), backlog=128)
        self.fd = self._socket.fileno()
        self.fds = (self.fd,)
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the port to a server that opens it by itself."""
        self._socket.close()


def start_gunicorn(
    address: ListeningSocket,
    target: str,
    *options: str,
    env: dict[str, str],
    bare: bool = False,
    python: str = sys.executable,
) -> Process:
    """Start gunicorn with ``omni_connector.wsgi:app`` and wait until its worker has booted."""
    conf = () if bare else ("-c", "python:omni_connector.gunicorn_conf")
    return Process(
        python,
        "-m",
        "gunicorn",
        *conf,
        "--bind",
        f"fd://{address.fd}",
        *options,
        "omni_connector.wsgi:app",
        env={"OMNI_CONNECTOR": target, "CONNECTOR_URL": address.url, **env},
        pass_fds=(address.fd,),
    )


def start_uvicorn(
    address: ListeningSocket, *options: str, app: str = "omni_connector.asgi:app", **env: str
) -> Process:
    """Start uvicorn; its address answers once it has loaded the application."""
    command = ("-m", "uvicorn", "--fd", str(address.fd), *options, app)
    return Process(
        sys.executable, *command, env={"CONNECTOR_URL": address.url, **env}, pass_fds=(address.fd,)
    )


def start_application(address: ListeningSocket, application: str, *, env: dict[str, str]) -> Process:
    """Start gunicorn with an application of the examples, as their docstrings say."""
    command = [sys.executable, "-m", "gunicorn", "-c", "python:omni_connector.gunicorn_conf"]
    options = ["--pythonpath", "examples", "--bind", f"fd://{address.fd}", application]
    return Process(*command, *options, env={"CONNECTOR_URL": address.url, **env}, pass_fds=(address.fd,))


def start_manager(data: Path, *options: str) -> tuple[Process, str]:
    """Start the embedded manager as a process of its own; return it and its address."""
    process = Process(
        sys.executable, "-m", "omni_connector.cli", "manager", "--port", "0", "--data", str(data), *options
    )
    try:
        return process, process.wait_for(r"(http://127\.0\.0\.1:\d+)")[1]
    except BaseException:
        process.end()
        raise


def python_of_everybody() -> tuple[str, dict[str, str]] | None:
    """Return an interpreter that every account may use, and the variables with which it finds our packages; or None."""
    candidates = [sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"]
    packages = [path for path in sys.path if path.endswith("site-packages")]
    variables = {
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests"), str(ROOT / "examples"), *packages])
    }
    for each in candidates:
        path = Path(each).resolve()
        if path.exists() and all(part.stat().st_mode & 1 for part in (path, *path.parents)):
            return each, variables
    return None


def child_environ(extra: dict[str, str]) -> dict[str, str]:
    """Return the environment of a child: this one's, without what would configure a connector by accident."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CONNECTOR_", "OMNI_")) and name != "PORT"
    }
    paths = [str(ROOT / "examples"), str(ROOT / "tests"), kept.get("PYTHONPATH", "")]
    kept |= {"PYTHONPATH": os.pathsep.join(path for path in paths if path), "PYTHONUNBUFFERED": "1"}
    return kept | extra
