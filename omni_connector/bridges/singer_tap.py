"""A Singer tap as a process: in a group and an environment of its own, its config in a folder for its owner only."""

import contextlib
import fcntl
import json
import logging
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

from attrs import define, field, frozen

from omni_connector.config import passed_on_environment
from omni_connector.exceptions import ConfigurationError, ConnectorError
from omni_connector.masking import mask
from omni_connector.private_files import make_private_file
from omni_connector.telemetry.foreign_lines import ForeignLines

log = logging.getLogger(__name__)

LONGEST_LINE = 64 * 1024 * 1024
"""Bytes of one message."""

END_SECONDS = 1.0
"""How long a tap that is asked to end may take; then its group is killed."""

TICK_SECONDS = 0.5
"""How often a tap that says nothing is looked at."""

PREFIX = "omni-tap-"
CONFIG = "config.json"

CHUNK = 1024 * 1024
SHOWN_CHARACTERS = 120


class TapError(ConnectorError):
    """A tap has failed, hangs, or writes what is no Singer message.

    Attributes:
        tap: its name.
        stream: which it was reading, or None.
        line: number of its last line, from 1; 0 where it has written none.
    """

    def __init__(self, tap: str, reason: str, *, stream: str | None = None, line: int = 0) -> None:
        self.tap = tap
        self.stream = stream
        self.line = line
        where = f" in stream {stream!r}" if stream else ""
        where += f", line {line}" if line else ""
        super().__init__(f"The tap {tap}{where}: {reason}")


@frozen(kw_only=True)
class TapCommand:
    """How a tap is started.

    Attributes:
        name: for messages.
        program: the program and its first arguments.
        environment: variables that it is given besides.
        idle_seconds: how long it may write nothing.
    """

    name: str
    program: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    idle_seconds: float

    @classmethod
    def of(
        cls, tap: str | Sequence[str], environment: Mapping[str, str], *, idle_seconds: float
    ) -> "TapCommand":
        """Find the program: a path, or a name on ``PATH`` or beside this Python.

        Raises:
            ConfigurationError: there is none.
        """
        words = [tap] if isinstance(tap, str) else list(tap)
        search = os.pathsep.join(
            [passed_on_environment().get("PATH", os.defpath), str(Path(sys.executable).parent)]
        )
        found = shutil.which(words[0], path=search) if words else None
        if found is None and words and Path(words[0]).is_absolute() and not Path(words[0]).exists():
            raise ConfigurationError(f"tap: there is no such file: {words[0]}")
        if found is None:
            raise ConfigurationError(
                f"There is no Singer tap {words[0] if words else ''!r} on PATH or beside this Python. Install it into a virtual "
                "environment of its own and give the path of its program, such as tap = '/opt/tap-github/bin/tap-github'"
            )
        return cls(
            name=Path(found).name,
            program=(str(Path(found).absolute()), *words[1:]),
            environment=environment,
            idle_seconds=idle_seconds,
        )


class TapFolder:
    """The folder of one run of a tap, for its owner only; gone with all that is in it when it is closed."""

    def __init__(self) -> None:
        remove_abandoned_folders()
        self._folder = tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True)
        self.path = Path(self._folder.name)
        self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        with contextlib.suppress(OSError):  # Where there are no locks, none is found free either.
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()
        os.close(self._lock)

    def write(self, name: str, value: Any) -> str:
        """Write a JSON file; return its path."""
        path = self.path / name
        make_private_file(path)
        path.write_text(json.dumps(value), encoding="utf-8")
        return str(path)


def remove_abandoned_folders() -> None:
    """Remove the folders of this account's processes that were killed. A process that lives has a lock on its own."""
    for config in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{CONFIG}"):
        try:
            descriptor = os.open(config.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            if os.fstat(descriptor).st_uid == os.geteuid():
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(config.parent, ignore_errors=True)
        except OSError:  # It is in use.
            pass
        finally:
            os.close(descriptor)


@define
class TapProcess:
    """One run of the program. A context manager; ``ask_to_end`` may be called from any thread."""

    _command: TapCommand
    _folder: TapFolder
    _arguments: tuple[str, ...]
    _look: Callable[[], None]  # Called before what the tap has written is used or logged.
    _popen: subprocess.Popen[bytes] = field(init=False)
    _asked_to_end: float | None = field(init=False, default=None)

    def __enter__(self) -> Self:
        home = str(self._folder.path)
        environment = passed_on_environment() | {"HOME": home, "TMPDIR": home, "PYTHONUNBUFFERED": "1"}
        try:
            self._popen = subprocess.Popen(  # noqa: S603 - the author's own program, without a shell.
                [*self._command.program, *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment | dict(self._command.environment),
                cwd=home,
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            raise ConfigurationError(
                f"The tap {self._command.program[0]} cannot be started: {error}"
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        self.ask_to_end()
        left = END_SECONDS - (time.monotonic() - (self._asked_to_end or 0))
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(max(left, 0))
        self._signal(signal.SIGKILL)  # Also what it has started.
        self._popen.wait()

    def ask_to_end(self) -> None:
        """Send SIGTERM to the group."""
        if self._asked_to_end is None:
            self._asked_to_end = time.monotonic()
            self._signal(signal.SIGTERM)

    def batches(self) -> Generator[list[bytes], None, None]:
        """Yield the lines of its output as they come, none where it has written to its errors only, which are logged.

        For the thread that reads.

        Raises:
            TapError: it hangs, writes a line that is too long, or ends with an error.
        """
        said = ForeignLines(f"tap {self._command.name}", log)
        try:
            with selectors.DefaultSelector() as selector:
                errors = LineBuffer(2 * CHUNK)
                output = LineBuffer(LONGEST_LINE)
                selector.register(_pipe(self._popen.stdout), selectors.EVENT_READ, output)
                selector.register(_pipe(self._popen.stderr), selectors.EVENT_READ, errors)
                while selector.get_map():
                    for buffer, data in self._wait(selector):
                        self._look()
                        lines = list(buffer.lines(data))
                        if buffer is errors:
                            for line in lines:
                                said.add(line)
                            lines = []
                        yield lines
                        if output.is_too_long:
                            raise TapError(
                                self._command.name, f"a message is longer than {LONGEST_LINE >> 20} MiB"
                            )
            code = self._popen.wait()
            if code != 0:
                raise TapError(
                    self._command.name, f"ended with {_named(code)}; {said.said() or 'it said nothing'}"
                )
        finally:
            said.close()
            for pipe in (self._popen.stdout, self._popen.stderr):
                _pipe(pipe).close()

    def _wait(self, selector: selectors.BaseSelector) -> Iterator[tuple["LineBuffer", bytes]]:
        """Yield what comes next; nothing when the process has ended, while one that it has started holds its pipes."""
        waited = 0.0
        while not (ready := selector.select(TICK_SECONDS)):
            waited += TICK_SECONDS
            if self._popen.poll() is not None:
                for key in list(selector.get_map().values()):
                    selector.unregister(key.fileobj)
                return
            if waited >= self._command.idle_seconds:
                raise TapError(
                    self._command.name,
                    f"wrote nothing for {self._command.idle_seconds:g} s; it hangs and is ended",
                )
        for key, _ in ready:
            data = os.read(key.fd, CHUNK)
            if not data:
                selector.unregister(key.fileobj)
            yield key.data, data

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, number)


def said_by(command: TapCommand, folder: TapFolder, arguments: Sequence[str]) -> bytes:
    """Run a tap outside of a run, and return its output.

    Raises:
        TapError: it hangs, or ends with an error.
    """
    with TapProcess(command, folder, tuple(arguments), _nothing) as process:
        return b"\n".join(line for batch in process.batches() for line in batch)


def _nothing() -> None:
    """Nothing is masked but what is known."""


class LineBuffer:
    """Cuts what comes into lines; keeps at most ``limit`` bytes of one that has no end yet.

    Attributes:
        is_too_long: a line was longer than that.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self.is_too_long = False

    def lines(self, data: bytes) -> Iterator[bytes]:
        """Yield the whole lines; an empty ``data`` is the end, where what has no end of line is one."""
        *whole, rest = data.split(b"\n")
        for line in whole:
            yield b"".join([*self._parts, line])
            self._parts, self._size = [], 0
        if rest:
            self._parts.append(rest)
            self._size += len(rest)
        if self._size > self._limit:
            self._parts, self._size, self.is_too_long = [], 0, True
        if not data and self._parts:
            yield b"".join(self._parts)
            self._parts, self._size = [], 0


def shown(line: bytes) -> str:
    """Return the start of a line for a message, without secrets."""
    text = mask(line.decode(errors="replace"))
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


def _named(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise AssertionError
    return pipe
