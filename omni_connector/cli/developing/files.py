"""Whether the files of a connector have changed, by looking at their times, as the reloaders of Flask and Django do.

A connector has a few dozen files; to ask for the times of a hundred takes less than a millisecond. Libraries that are informed by
the kernel (watchfiles, watchdog) watch folders, not files: the virtual environment and the manager's data are often below
the same folder. They miss changes on network drives and in folders that a container shares with its host, and every
installation of the package would have to bring them for this one command.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

Times = Mapping[str, tuple[int, int] | None]


class WatchedFiles:
    """Files, and what is known of them. Used by one thread.

    A change counts when two looks in a row have found the same: editors write a file in several steps.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, int] | None] = {}
        self._folders: dict[str, frozenset[str]] = {}
        self._seen: Times | None = None

    def add(self, paths: Iterable[str]) -> None:
        """Watch further files, too. What is known of those that are watched already stays."""
        for path in paths:
            if path not in self._known:
                self._known[path] = _time(path)

    def watch_folders(self) -> None:
        """Watch for further Python files beside those that are watched: one that is missing may be added."""
        self._folders = {
            folder: _python_files(folder) for folder in {str(Path(each).parent) for each in self._known}
        }

    def forget_folders(self) -> None:
        """Watch for further files no longer."""
        self._folders = {}

    def changed(self) -> list[str]:
        """Return the files that have changed since they were added or returned here."""
        now = {path: _time(path) for path in self._known}
        added = [each for folder, names in self._folders.items() for each in _python_files(folder) - names]
        now |= {path: _time(path) for path in added}
        if now == self._known:
            self._seen = None
            return []
        if now != self._seen:
            self._seen = now
            return []
        changed = [path for path, time in now.items() if self._known.get(path) != time]
        self._known = now
        self._seen = None
        return changed


def _time(path: str) -> tuple[int, int] | None:
    try:
        found = Path(path).stat()
    except OSError:  # It was removed; editors do that before they write it anew.
        return None
    return found.st_mtime_ns, found.st_size


def _python_files(folder: str) -> frozenset[str]:
    try:
        return frozenset(each.path for each in os.scandir(folder) if each.name.endswith(".py"))
    except OSError:
        return frozenset()
