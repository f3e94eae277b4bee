"""The values of metrics of all processes of one server: each keeps its own in a file that the others read.

A process has a *place*, 0, 1, 2, ..., by holding a lock on a file; the system gives the lock up when the process ends, however
it ends. The next process takes the place and goes on with the counters that it finds there, so that they never go back and
there are no more files than there ever were processes at once.
"""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from omni_connector.models.codec import decode, encode
from omni_connector.private_files import make_private_folder
from omni_connector.telemetry.samples import Values, from_json, to_json

VERSION = 1
"""Of the files; one of another version is ignored."""

MOST_PLACES = 4096


class SampleFiles:
    """The place of this process among the others. ``close`` it.

    Args:
        folder: of the server's processes alone; made when it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._place: int | None = None
        self._lock: int | None = None  # The file descriptor that holds it.
        self._written = b""

    def take(self) -> Values:
        """Take a place; return what its process before has left.

        Raises:
            OSError: the folder cannot be used.
        """
        make_private_folder(self._folder)
        for place in range(MOST_PLACES):
            lock = _locked(self._name(place, "lock"), fcntl.LOCK_EX)
            if lock is not None:
                self._place, self._lock = place, lock
                return self._read(place)
        raise OSError(f"{self._folder} has no place left")

    def write(self, values: Values) -> None:
        """Let others read the values of this process.

        Raises:
            OSError: they cannot be written.
        """
        body = encode({"v": VERSION, "values": to_json(values)})
        if self._place is None or body == self._written:
            return
        draft = self._name(self._place, "draft")
        with os.fdopen(_opened(draft, os.O_WRONLY | os.O_TRUNC), "wb") as file:
            file.write(body)
        draft.replace(self._name(self._place, "json"))
        self._written = body

    def others(self) -> Iterator[tuple[Values, bool]]:
        """Yield the values of every other process that has or had a place, and whether it lives."""
        for path in sorted(self._folder.glob("*.json")):
            if path.stem == str(self._place) or not path.stem.isdecimal():
                continue
            place = int(path.stem)
            # Shared, so that others may look at the same time.
            lock = _locked(self._name(place, "lock"), fcntl.LOCK_SH)
            if lock is not None:
                os.close(lock)
            yield self._read(place), lock is None

    def close(self) -> None:
        """Give up the place; the values stay. Repeatable."""
        lock, self._lock, self._place = self._lock, None, None
        if lock is not None:
            os.close(lock)

    def _read(self, place: int) -> Values:
        try:
            found = decode(self._name(place, "json").read_bytes())
            return from_json(found["values"]) if found["v"] == VERSION else {}
        except (OSError, ValueError, KeyError, TypeError):  # There is none yet, or it is not ours.
            return {}

    def _name(self, place: int, suffix: str) -> Path:
        return self._folder / f"{place}.{suffix}"


def _locked(path: Path, kind: int) -> int | None:
    """Return a descriptor that holds the lock of a file; None when another process does."""
    descriptor = _opened(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _opened(path: Path, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
