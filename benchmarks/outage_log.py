"""``python -m benchmarks.outage_log``: the log of a sync of three minutes during which the manager is away for one.

A real gunicorn, and the embedded manager in a process of its own, which is stopped and started again on the same port.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parents[1]
SOURCE_TYPE = "web"
PATIENCE_SECONDS = 600


def main() -> None:
    """Write the connector's log to standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--format", choices=["text", "json"], default="text")
    parser.add_argument("--seconds", type=float, default=120, help="how long the source takes")
    parser.add_argument("--outage", type=float, default=60, help="how long the manager is away")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        manager_port, port = _free_port(), _free_port()
        manager = Child.manager(manager_port, folder)
        stack.callback(manager.end)
        environ = {
            "CONNECTOR_MANAGER_URL": f"http://127.0.0.1:{manager_port}",
            "CONNECTOR_URL": f"http://127.0.0.1:{port}",
            "PORT": str(port),
            "OMNI_CONNECTOR": "benchmarks.outage_source:Wiki",
            "OUTAGE_SYNC_SECONDS": str(options.seconds),
            "LOG_FORMAT": options.format,
        }
        connector = Child.connector(environ, shown=sys.stdout)
        stack.callback(connector.end)
        connector.wait_for("Full sync of source")
        pause = threading.Event()
        pause.wait((options.seconds - options.outage) / 2)
        manager.end()
        pause.wait(options.outage)
        stack.callback(Child.manager(manager_port, folder).end)
        connector.wait_for(" completed: ")


class Child:
    """A process whose output is kept, and shown."""

    def __init__(
        self, *command: str, environ: dict[str, str] | None = None, shown: TextIO | None = None
    ) -> None:
        self.lines: list[str] = []
        self._shown = shown
        self._changed = threading.Condition()
        self._process = subprocess.Popen(  # noqa: S603 - our own command.
            [sys.executable, "-m", *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env={**os.environ, **(environ or {})},
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @classmethod
    def manager(cls, port: int, folder: str) -> Child:
        """Start the embedded manager; it syncs the source as soon as the connector has registered."""
        source = f"Team wiki:{SOURCE_TYPE}"
        options = ("--port", str(port), "--data", folder, "--source", source)
        return cls("omni_connector.cli", "manager", *options)

    @classmethod
    def connector(cls, environ: dict[str, str], shown: TextIO) -> Child:
        """Start gunicorn with the recommended settings."""
        conf = ("-c", "python:omni_connector.gunicorn_conf")
        return cls("gunicorn", *conf, "omni_connector.wsgi:app", environ=environ, shown=shown)

    def wait_for(self, text: str) -> None:
        """Return when a line has this text."""
        with self._changed:
            if not self._changed.wait_for(lambda: any(text in line for line in self.lines), PATIENCE_SECONDS):
                raise TimeoutError(text)

    def end(self) -> None:
        """Ask it to end, and wait."""
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
            if self._shown is not None:
                self._shown.write(line)
                self._shown.flush()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
