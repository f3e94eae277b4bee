"""The config of a tap that writes new tokens into it: what it has changed is kept for the next run."""

import json
import logging
from pathlib import Path
from typing import Any

from omni_connector.exceptions import SdkClientError
from omni_connector.models.codec import digest
from omni_connector.sources.source_run import TokenPlace

log = logging.getLogger(__name__)

NAME = "singer"
"""Of the changes among the source's tokens."""


class TapConfig:
    """The config of one run of a tap.

    Args:
        place: keeps the source's rotating tokens.
        declared: what the connector gives the tap. Changes that are kept belong to one such config: with another they are
            forgotten.
    """

    def __init__(self, place: TokenPlace, declared: dict[str, Any]) -> None:
        self._place = place
        self._origin = digest(declared)
        kept = place.read(NAME) or {}
        self._changes: dict[str, Any] = kept["changes"] if kept.get("origin") == self._origin else {}
        self.given = {**declared, **self._changes}

    def keep(self, path: Path) -> None:
        """Look into the file that the tap was given, and keep what it has changed."""
        try:
            rewritten = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # Gone, or the tap was killed while it wrote.
            return
        changes = {name: value for name, value in rewritten.items() if self.given.get(name) != value}
        if not changes:
            return
        self._changes |= changes
        self.given |= changes
        try:
            self._place.save(NAME, {"origin": self._origin, "changes": self._changes})
        except SdkClientError as error:
            log.warning(
                "The tap has changed its config (%s), which could not be kept: %s", ", ".join(changes), error
            )
