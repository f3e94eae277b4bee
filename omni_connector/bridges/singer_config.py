"""The config of a tap that writes new tokens into it: what it has changed is kept for the next run."""

import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from omni_connector.bridges.singer_tap import CONFIG, TapFolder
from omni_connector.exceptions import SdkClientError
from omni_connector.models.codec import digest
from omni_connector.sources.source_run import TokenPlace

log = logging.getLogger(__name__)

NAME = "singer"
"""Of the changes among the source's tokens."""


class TapConfig:
    """The config of one run of a tap. Safe to use from many threads.

    Args:
        place: keeps the source's rotating tokens.
        declared: what the connector gives the tap. Changes that are kept belong to one such config: with another they are
            forgotten.
        add_secret: masks a text in this run.
    """

    def __init__(
        self, place: TokenPlace, declared: dict[str, Any], add_secret: Callable[[str], None]
    ) -> None:
        self._place = place
        self._origin = digest(declared)
        self._add_secret = add_secret
        kept = place.read(NAME) or {}
        self._changes: dict[str, Any] = kept["changes"] if kept.get("origin") == self._origin else {}
        self._mask(self._changes)
        self._given = {**declared, **self._changes}
        self._path = Path()
        self._seen: tuple[int, int] | None = None
        self._lock = threading.Lock()  # Protects the changes.

    def write(self, folder: TapFolder) -> str:
        """Write the file that the tap is given; return its path."""
        path = folder.write(CONFIG, self._given)
        self._path = Path(path)
        self._seen = self._facts()
        return path

    def look(self) -> None:
        """Keep what the tap has changed, if it has written the file since the last look."""
        with self._lock:
            facts = self._facts()
            if facts is not None and facts != self._seen and self._keep():
                self._seen = facts

    def keep(self) -> None:
        """Keep what the tap has changed, whatever the file's time says."""
        with self._lock:
            self._keep()

    def _facts(self) -> tuple[int, int] | None:
        try:
            facts = self._path.stat()
        except OSError:
            return None
        return facts.st_mtime_ns, facts.st_size

    def _keep(self) -> bool:
        """Return False if the file is gone or is no config: the tap is writing it, or was killed meanwhile."""
        try:
            rewritten = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        if not isinstance(rewritten, dict):
            return False
        changes = {name: value for name, value in rewritten.items() if self._given.get(name) != value}
        if not changes:
            return True
        self._mask(changes)
        self._changes |= changes
        self._given |= changes
        try:
            self._place.save(NAME, {"origin": self._origin, "changes": self._changes})
        except SdkClientError as error:
            log.warning(
                "The tap has changed its config (%s), which could not be kept: %s", ", ".join(changes), error
            )
        return True

    def _mask(self, changes: Mapping[str, Any]) -> None:
        for text in _texts(changes):
            self._add_secret(text)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Iterable):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(each)
