"""``run --watch`` and ``--every``: the same sync again and again, each in a process of its own that loads the code anew."""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from attrs import field, frozen

from omni_connector.cli import exit_codes
from omni_connector.cli.developing.files import WatchedFiles
from omni_connector.cli.output import Output, counted, one_line
from omni_connector.cli.places import STANDARD_INPUT, VARIABLE
from omni_connector.cli.signals import StopSignals

LOOK_SECONDS = 0.2
"""Between two looks at the files."""

_RAN = frozenset({exit_codes.OK, exit_codes.RUN_FAILED, exit_codes.COMPLETED_WITH_ERRORS})
"""Exit statuses of a sync that took place: the connector could be loaded."""


class NamedFiles(WatchedFiles):
    """Watched files that can be listed.

    Attributes:
        paths: what is watched.
    """

    def __init__(self) -> None:
        super().__init__()
        self.paths: set[str] = set()

    def add(self, paths: Iterable[str]) -> None:
        """Watch further files, too."""
        added = list(paths)
        super().add(added)
        self.paths.update(added)


def without_repetition(arguments: Iterable[str]) -> list[str]:
    """Return arguments of the command without those that have it run again."""
    kept = []
    remaining = iter(arguments)
    for each in remaining:
        if each == "--every":
            next(remaining, None)
        elif each != "--watch" and not each.startswith("--every="):
            kept.append(each)
    return kept


@frozen(kw_only=True)
class Repetition:
    """What is run again and again.

    Attributes:
        arguments: of the command; ``--watch`` and ``--every`` are left out.
        target: names the connector.
        places: of configuration and secrets, as they were typed.
        watches: it is run again when a file changes.
        every_seconds: it is run again so long after its last start; None: not for that.
        as_json: each run prints one JSON object, which becomes an event.
    """

    arguments: Sequence[str] = field(converter=without_repetition)
    target: str
    places: Sequence[str] = field(factory=list)
    watches: bool
    every_seconds: float | None
    as_json: bool = False

    @property
    def needs_input(self) -> bool:
        """Whether standard input is read; it is handed to each run anew."""
        return any(each.removeprefix("@") == STANDARD_INPUT for each in self.places)

    def files(self) -> Iterator[str]:
        """Yield the files that are known before the connector is loaded."""
        where = self.target if self.target.endswith(".py") else self.target.rpartition(":")[0] or self.target
        if where.endswith(".py"):
            yield str(Path(where).resolve())
        else:
            module = Path(*where.split("."))
            yield from (str(each.resolve()) for each in (module.with_suffix(".py"), module / "__init__.py"))
        for text in self.places:
            place = text.removeprefix("@")
            if place != STANDARD_INPUT and not place.startswith((VARIABLE, "{")):
                yield str(Path(place).expanduser().resolve())


def run_again_and_again(output: Output, wanted: Repetition) -> int:
    """Run until a signal comes, and return the exit status that it means."""
    content = sys.stdin.buffer.read() if wanted.needs_input else None
    files = NamedFiles()
    files.add(wanted.files())
    with StopSignals() as signals:
        signals.defer()
        while signals.received is None:
            began = time.monotonic()
            run = _Run(wanted, content, signals, files)
            changed = run.wait()
            if wanted.as_json:
                _tell(output, run)
            if changed or signals.received is not None:
                _say_changed(output, changed)
                continue
            due = None if wanted.every_seconds is None else began + wanted.every_seconds
            _say_waiting(output, files, wanted, due)
            _say_changed(output, _wait(signals, files, wanted, due))
    output.event("stopped", {})
    return exit_codes.SIGNALLED + signals.received


def _tell(output: Output, run: "_Run") -> None:
    """Write what a run has printed as an event: ``run_ended`` with its summary, or ``error``."""
    try:
        found = json.loads(run.printed)
    except ValueError:
        found = {"error": "The run ended without a result.", "exit_code": run.exit_code}
    output.event("error" if "error" in found else "run_ended", found)


class _Run:
    """One run, as a process.

    Attributes:
        printed: with JSON, what it has written to standard output.
        exit_code: its exit status, once it has ended.
    """

    def __init__(
        self, wanted: Repetition, content: bytes | None, signals: StopSignals, files: NamedFiles
    ) -> None:
        self._wanted = wanted
        self._signals = signals
        self._files = files
        self._content = content
        self.printed = b""
        self.exit_code = 0

    def wait(self) -> list[str]:
        """Run, and wait for the end; a signal ends it, and so does a change. Return the files that have changed."""
        with tempfile.TemporaryFile() as report, tempfile.TemporaryFile() as printed:
            module = "omni_connector.cli.watched_run"
            process = subprocess.Popen(  # noqa: S603 - this interpreter and our module.
                [sys.executable, "-m", module, str(report.fileno()), *self._wanted.arguments],
                stdin=subprocess.DEVNULL if self._content is None else subprocess.PIPE,
                stdout=printed if self._wanted.as_json else None,
                pass_fds=[report.fileno()],
                process_group=0,  # Ctrl-C is for this process, which passes it on.
            )
            self._signals.before_end = process.kill
            try:
                self._hand_over_input(process)
                changed = self._until_ended(process)
            finally:
                self._signals.before_end = None
                if process.poll() is None:
                    process.kill()
                    process.wait()
            self.exit_code = process.returncode
            printed.seek(0)
            self.printed = printed.read()
            report.seek(0)
            self._files.add(report.read().decode("utf-8", "surrogateescape").splitlines())
        if process.returncode not in _RAN and self._wanted.watches:
            # What it imported before it failed is not known: its neighbours are watched as well.
            self._files.add(_neighbours(self._files.paths))
        return changed

    def _hand_over_input(self, process: "subprocess.Popen[bytes]") -> None:
        if process.stdin is not None and self._content is not None:
            with contextlib.suppress(BrokenPipeError), process.stdin:  # It has ended without reading it.
                process.stdin.write(self._content)

    def _until_ended(self, process: "subprocess.Popen[bytes]") -> list[str]:
        while process.poll() is None:
            self._signals.wait(LOOK_SECONDS)
            changed = self._files.changed() if self._wanted.watches else []
            if self._signals.received is not None or changed:
                process.send_signal(self._signals.received or StopSignals.gentlest)
                process.wait()
                return changed
        return []


def _wait(signals: StopSignals, files: NamedFiles, wanted: Repetition, due: float | None) -> list[str]:
    """Wait until the next run is due; return the files that have changed."""
    files.watch_folders()
    while signals.received is None:
        rest = LOOK_SECONDS if due is None else min(LOOK_SECONDS, due - time.monotonic())
        if rest <= 0:
            break
        if signals.wait(rest):
            break
        changed = files.changed() if wanted.watches else []
        if changed:
            return changed
    return []


def _neighbours(paths: Iterable[str]) -> list[str]:
    folders = {Path(each).parent for each in paths}
    return [str(each) for folder in folders for each in sorted(folder.glob("*.py"))]


def _say_waiting(output: Output, files: NamedFiles, wanted: Repetition, due: float | None) -> None:
    parts = [f"watching {counted(len(files.paths), 'file')}"] if wanted.watches else []
    if due is not None:
        parts.append(f"next run in {max(0, due - time.monotonic()):.0f} s")
    output.say(f"{', '.join(parts).capitalize()}. Ctrl-C ends.", "dim")


def _say_changed(output: Output, changed: Sequence[str]) -> None:
    if changed:
        names = ", ".join(one_line(Path(each).name) for each in changed[:3])
        output.event("restarting", {"files": list(changed)})
        output.say(f"Changed: {names}. Running again.", "cyan")
