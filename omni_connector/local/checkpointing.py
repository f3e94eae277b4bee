"""Copies the write-ahead log into the database in the background.

SQLite would do it after a commit, now and then, and wait for the disk while everybody else waits for the commit. The bound that
it has for that (``store``) is high, and is reached only if this falls behind.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from omni_connector.local.store import connect

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
WORTHWHILE_BYTES = 4 * 1024**2


class Checkpointing:
    """The thread that copies. ``start`` and ``close`` it while the database is open."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._log = database.with_name(f"{database.name}-wal")
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._work, name="checkpointing", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End. Repeatable."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        """Life of the thread."""
        with closing(connect(self._database)) as connection:
            while not self._ending.wait(LOOK_SECONDS):
                try:
                    if self._log.stat().st_size > WORTHWHILE_BYTES:
                        connection.execute(
                            "PRAGMA wal_checkpoint(PASSIVE)"
                        )  # Waits for no other, and no other for it.
                except (OSError, sqlite3.Error):
                    log.exception(
                        "The write-ahead log of %s could not be copied; it will be later", self._database
                    )
