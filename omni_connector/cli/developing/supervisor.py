"""Starts the process of the connector, sees how it fares, and starts it again."""

import contextlib
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from attrs import evolve, frozen

from omni_connector.cli.developing.files import WatchedFiles
from omni_connector.cli.developing.lines import ConnectorLines
from omni_connector.cli.developing.messages import Files, Message, Order, Started, received, send
from omni_connector.console.connector_process import ConnectorPhase, ConnectorState, Failure

STOPPING_SECONDS = 5.0
"""Longer than the child gives itself."""

_CHILD = "omni_connector.cli.developing.child"


class Supervisor:
    """Owns the process of the connector; implements ``ConnectorProcess`` for the console. Close it.

    Except ``state``, ``restart`` and ``wake``, it is used by one thread, which calls ``look`` again and again.

    Args:
        order: what the child is to serve.
        lines: takes what the child writes.
        watched: further files whose change starts it again.
    """

    def __init__(self, order: Order, lines: ConnectorLines, watched: list[str]) -> None:
        self._order = order
        self._lines = lines
        self._files = WatchedFiles()
        target = order.target if order.target.endswith(".py") else order.target.rpartition(":")[0]
        self._files.add(watched + ([str(Path(target).resolve())] if target.endswith(".py") else []))
        self._child: _Child | None = None
        self._wished = threading.Event()  # Somebody wants another start.
        self.state = ConnectorState(target=order.target, phase=ConnectorPhase.STARTING, since=_now())

    def start(self) -> None:
        """Start the process; one that runs is ended first."""
        self.close()
        self._set(ConnectorPhase.STARTING, evolve(self.state, failure=None, starts=self.state.starts + 1))
        self._files.forget_folders()
        self._child = _Child(self._order, self._lines)

    def restart(self) -> None:
        """Start the connector again at the next look; from any thread."""
        self._wished.set()

    def look(self) -> "Started | Failure | Ended | Changed | None":
        """Do what is due, and return what has happened, if anything has."""
        changed = self._files.changed()
        if changed or self._wished.is_set():
            self._wished.clear()
            return Changed(changed)
        if self._child is None:
            return None
        while (message := self._child.message()) is not None:
            if isinstance(message, Files):
                self._files.add(message.files)
            elif isinstance(message, Started):
                self._set(ConnectorPhase.SERVING, evolve(self.state, name=message.name))
                return message
            elif isinstance(message, Failure):
                self._files.watch_folders()
                self._set(ConnectorPhase.FAILED, evolve(self.state, failure=message))
                self._forget_child()
                return message
        status = self._child.status()
        if status is None:
            return None
        ended = Ended(status, self._lines.last_output())
        self._set(ConnectorPhase.ENDED, evolve(self.state, failure=ended.as_failure()))
        self._forget_child()
        return ended

    def close(self) -> None:
        """End the process; what its runs have buffered is delivered before. Repeatable."""
        self._forget_child()

    def _forget_child(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.close()
            self._lines.end()

    def _set(self, phase: ConnectorPhase, state: ConnectorState) -> None:
        self.state = evolve(state, phase=phase, since=_now())


@frozen
class Changed:
    """The connector is to be started again.

    Attributes:
        files: that have changed; none where somebody has asked for it.
    """

    files: list[str]


@frozen
class Ended:
    """The process has ended by itself.

    Attributes:
        status: its exit status; the negative number of the signal that has ended it.
        output: its last lines.
    """

    status: int
    output: str

    def as_failure(self) -> Failure:
        """Return it as the console shows it."""
        how = f"with exit status {self.status}"
        if self.status < 0:
            how = f"by the signal {signal.Signals(-self.status).name}"
        problem = (
            f"The connector's process was ended {how}."
            if self.status < 0
            else f"The connector's process ended {how}."
        )
        return Failure(problems=[problem], traceback=self.output)


class _Child:
    """One process, the threads that read what it writes, and the socket on which it reads what is wanted of it."""

    def __init__(self, order: Order, lines: ConnectorLines) -> None:
        self._connection, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter and our module.
                [sys.executable, "-m", _CHILD, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is for the command, which ends the child in order.
                env=_environment(os.environ),
                encoding="utf-8",
                errors="replace",
            )
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        streams: dict[str, IO[str] | None] = {"stdout": self._process.stdout, "stderr": self._process.stderr}
        self._streams = {name: stream for name, stream in streams.items() if stream is not None}
        self._messages_thread = threading.Thread(target=self._receive, name="connector-messages", daemon=True)
        self._line_threads = [
            threading.Thread(target=lines.read, args=(stream, name), name=f"connector-{name}", daemon=True)
            for name, stream in self._streams.items()
        ]
        for thread in (self._messages_thread, *self._line_threads):
            thread.start()
        with contextlib.suppress(OSError):  # It has ended already; the status says so.
            send(self._connection, order)

    def message(self) -> Message | None:
        """Return the next message, or None while there is none."""
        try:
            return self._messages.get_nowait()
        except queue.Empty:
            return None

    def status(self) -> int | None:
        """Return the exit status; None while the process runs, or has messages left."""
        status = self._process.poll()
        if status is None:
            return None
        self._messages_thread.join()
        return status if self._messages.empty() else None

    def close(self) -> None:
        """End the process, then what reads from it."""
        with contextlib.suppress(OSError):  # It has closed its side.
            self._connection.shutdown(socket.SHUT_WR)  # The child reads the end of the stream.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOPPING_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            # What the connector has started, and itself, if it is stopped or does not get to its own end.
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._messages_thread.join()
        self._connection.close()
        for thread, stream in zip(self._line_threads, self._streams.values(), strict=True):
            thread.join(STOPPING_SECONDS)
            if (
                not thread.is_alive()
            ):  # A process in a group of its own may hold the pipe open: then it is left alone.
                stream.close()

    def _receive(self) -> None:
        for message in received(self._connection):
            self._messages.put(message)


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return that of the child: its log is read by the command, unbuffered."""
    ours = {"LOG_FORMAT": "json", "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8:backslashreplace"}
    return {"OMNI_PROGRESS_SECONDS": "1", **environ, **ours}


def _now() -> datetime:
    return datetime.now(UTC)
