"""What another process writes to its standard error, as lines of our log: masked, cut, and not without end."""

import logging
import time
from collections import deque

from omni_connector.masking import mask

LONGEST_LINE = 2000
"""Characters of a line that are logged."""

LINES_PER_MINUTE = 200
"""Lines of one process that are logged; what a process that goes on and on says beyond that is counted."""

KEPT_LINES = 10
"""The last ones, for the message when the process fails."""

MINUTE_SECONDS = 60.0


class ForeignLines:
    """Logs the lines of one process. ``close`` it. For one thread.

    Args:
        label: says whose lines they are.
        log: the logger of the module that runs the process.
    """

    def __init__(self, label: str, log: logging.Logger) -> None:
        self._label = label
        self._log = log
        self._kept: deque[str] = deque(maxlen=KEPT_LINES)
        self._minute = 0.0
        self._logged = 0
        self._unlogged = 0

    def add(self, line: bytes) -> None:
        """Log a line."""
        text = mask(line.decode(errors="replace").rstrip())
        if len(text) > LONGEST_LINE:
            text = f"{text[:LONGEST_LINE]}..."
        if not text:
            return
        self._kept.append(text)
        now = time.monotonic()
        if now - self._minute >= MINUTE_SECONDS:
            self.close()
            self._minute, self._logged = now, 0
        if self._logged >= LINES_PER_MINUTE:
            self._unlogged += 1
            return
        self._logged += 1
        self._log.info("%s: %s", self._label, text)

    def said(self) -> str:
        """Return the last lines, for a message; empty when there are none."""
        return f"it said: {' | '.join(self._kept)}" if self._kept else ""

    def close(self) -> None:
        """Log how many lines were not logged."""
        if self._unlogged:
            self._log.info("%s: %d more lines", self._label, self._unlogged)
        self._unlogged = 0
