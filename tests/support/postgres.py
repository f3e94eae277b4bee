"""A real PostgreSQL server on a free port of this machine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from support.ports import free_port
from support.processes import Process

PASSWORD = "correct-horse-battery"
USER = "omni"


class PostgresServer:
    """One server with an empty database, which a password opens; gone with all its data when it is closed.

    PostgreSQL refuses to run as root, so root starts it under the account that the Debian package made for it.

    Attributes:
        port: where it listens on 127.0.0.1.
        url: ``postgresql://user:password@host:port/database``.
    """

    def __init__(self) -> None:
        # Not below the test's own folder, which no other account can enter.
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-", dir="/tmp"))
        self._account: tuple[str, ...] = ()
        if os.geteuid() == 0:
            shutil.chown(self._folder, "postgres", "postgres")
            self._account = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
        self.port = free_port()
        self.url = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/postgres"
        self._process: Process | None = None
        try:
            self._initialise()
            self._start()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the server, also with clients connected, and remove its data."""
        if self._process is not None:
            self._process.popen.send_signal(signal.SIGINT)  # SIGTERM would wait for the clients.
            self._process.end()
            self._process = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def _initialise(self) -> None:
        password, data = self._folder / "password", self._folder / "data"
        password.write_text(PASSWORD)
        options = [
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
            f"--username={USER}",
        ]
        command = [*self._account, program("initdb"), *options, f"--pwfile={password}", str(data)]
        done = subprocess.run(command, text=True, check=False, capture_output=True, cwd="/")
        assert done.returncode == 0, done.stderr

    def _start(self) -> None:
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
        options = [f"--{name}={value}" for name, value in settings.items()]
        command = [program("postgres"), "-D", str(self._folder / "data"), "-p", str(self.port), *options]
        self._process = Process(*self._account, *command)
        self._process.wait_for("ready to accept connections")


def program(name: str) -> str:
    """Return the path of a program of the server; Debian puts them into no folder of ``PATH``."""
    found = [str(path) for path in Path("/usr/lib/postgresql").glob(f"*/bin/{name}")] or [shutil.which(name)]
    assert found[-1], f"{name} is missing: apt-get install postgresql"
    return found[-1]
