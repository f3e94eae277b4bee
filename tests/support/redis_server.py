"""A real redis-server on a free port of this machine."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Self

from support.ports import free_port
from support.processes import Process


class RedisServer:
    """Starts, stops, pauses and restarts one server at one address."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: Process | None = None
        self.port = free_port()
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, empty, and return when it answers."""
        options = ["--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--dir", str(self._folder)]
        self._process = Process("redis-server", "--port", str(self.port), *options)
        self._process.wait_for("Ready to accept connections")

    def stop(self) -> None:
        """End it; everything in it is lost."""
        if self._process is not None:
            self.resume()
            self._process.end()
            self._process = None

    def pause(self) -> None:
        """Let it answer nothing."""
        os.kill(self._process.popen.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it answer again."""
        os.kill(self._process.popen.pid, signal.SIGCONT)
