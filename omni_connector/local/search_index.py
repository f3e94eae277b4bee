"""Keeps the full-text index up with the documents, many at a time.

FTS5 writes a segment for each transaction and merges segments later: a thousand documents at once cost half of what they
cost a hundred at a time, and neither the connector nor other calls should wait for it. So what changes documents only notes
their numbers in ``search_queue``, in its own transaction, and what the index has of them. A crash loses nothing of it.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from omni_connector.local.errors import StoreError
from omni_connector.local.store import Store
from omni_connector.local.strict_json import stored_json

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.75
"""How long documents are gathered."""
BACKLOG = 3000
"""Documents that may wait; beyond that, who brings more indexes them before it is answered."""
GIVE_UP_SECONDS = 10.0
"""A document is in the index after two seconds, later on a busy machine. A search waits no longer than this."""
LOOK_SECONDS = 0.05
DOCUMENTS_AT_ONCE = 2000
CHARACTERS_AT_ONCE = 8 * 1024**2

_NOTE_OLD = """
INSERT OR IGNORE INTO search_queue (number, title, content_id)
SELECT number, title, content_id FROM documents WHERE number IN (SELECT value FROM json_each(?))
"""
_NOTE_NEW = "INSERT OR IGNORE INTO search_queue (number) SELECT value FROM json_each(?)"
_WAITING = """
SELECT json_group_array(number) FROM (
    SELECT number, sum(characters) OVER (ORDER BY number) - characters AS characters_before
    FROM (
        SELECT q.number, coalesce(length(old.content), 0) + coalesce(length(new.content), 0) AS characters
        FROM search_queue q
        LEFT JOIN contents old ON old.id = q.content_id
        LEFT JOIN documents d ON d.number = q.number LEFT JOIN contents new ON new.id = d.content_id
        ORDER BY q.number LIMIT ?
    )
) WHERE characters_before <= ?
"""
"""The numbers as one list in JSON: with a row for each, a busy process would wait at each."""
_UNINDEX = """
INSERT INTO search_index (search_index, rowid, title, content)
SELECT 'delete', q.number, q.title, c.content FROM search_queue q JOIN contents c ON c.id = q.content_id
WHERE q.number IN (SELECT value FROM json_each(?))
"""
_INDEX = """
INSERT INTO search_index (rowid, title, content)
SELECT d.number, d.title, c.content FROM documents d JOIN contents c ON c.id = d.content_id
WHERE d.number IN (SELECT value FROM json_each(?))
"""
_ANY = "SELECT 1 FROM search_queue LIMIT 1"
_STILL_WAITING = "SELECT 1 FROM search_queue WHERE number IN (SELECT value FROM json_each(?)) LIMIT 1"
_DONE = "DELETE FROM search_queue WHERE number IN (SELECT value FROM json_each(?))"


def note_stale(db: sqlite3.Connection, numbers: Iterable[int]) -> None:
    """Note documents whose text is about to change or to go: before it does, because the index needs the old one."""
    db.execute(_NOTE_OLD, (stored_json(list(numbers)),))


def note_new(db: sqlite3.Connection, numbers: Iterable[int]) -> None:
    """Note documents that the index does not have yet."""
    db.execute(_NOTE_NEW, (stored_json(list(numbers)),))


class SearchIndex:
    """The full-text index of a store. Until ``start``, documents are indexed before ``changed`` returns."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._turn = threading.Lock()  # Held while indexing.
        self._waiting = 0  # About how many documents are not indexed; no more than a hint.
        self._news = threading.Event()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Index from a thread from now on, what an earlier process left as well."""
        self._news.set()
        self._thread = threading.Thread(target=self._work, name="search-index", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Index what is left and end the thread. Repeatable."""
        self._ending.set()
        self._news.set()
        if self._thread is not None:
            self._thread.join()

    def changed(self, documents: int) -> None:
        """Take note that so many documents were added to the queue, in a transaction that is committed."""
        self._waiting += documents
        if self._thread is None or self._waiting > BACKLOG:
            self.catch_up()
        else:
            self._news.set()

    def catch_up(self) -> None:
        """Return once every document of this moment can be found."""
        with self._turn:
            self._waiting = 0
            while self._index_some():
                pass

    def _index_some(self) -> bool:
        """Index a number of documents; return whether there are more."""
        with self._store.lookup() as db:
            if db.execute(_ANY).fetchone() is None:
                return False
        with self._store.transaction() as db:
            numbers = db.execute(_WAITING, (DOCUMENTS_AT_ONCE, CHARACTERS_AT_ONCE)).fetchone()[0]
            for statement in (_UNINDEX, _INDEX, _DONE):
                db.execute(statement, (numbers,))
            return db.execute(_ANY).fetchone() is not None

    def _work(self) -> None:
        """Life of the thread."""
        is_last = False
        while not is_last:
            self._news.wait()
            self._news.clear()  # Before looking, so that an end that comes now is seen next time.
            is_last = self._ending.wait(PAUSE_SECONDS)
            try:
                self.catch_up()
            except (sqlite3.Error, StoreError):
                log.exception(
                    "Documents could not be added to the search index; they will be with the next ones"
                )


def catch_up_alone(directory: Path) -> bool:
    """Index what a manager left that was killed; return False where one is running, which does it by itself."""
    try:
        with Store(directory) as store:
            SearchIndex(store).catch_up()
    except StoreError as error:
        log.debug("The search index of %s is left as it is: %s", directory, error)
        return False
    return True


def waiting_documents(db: sqlite3.Connection) -> list[int]:
    """Return the numbers of documents that the index does not have yet, or not as they are."""
    return [row[0] for row in db.execute("SELECT number FROM search_queue")]


def wait_for_index(db: sqlite3.Connection, numbers: list[int], seconds: float = GIVE_UP_SECONDS) -> None:
    """Wait until the manager in another process has indexed documents, but no longer than ``seconds``."""
    wanted = stored_json(numbers)
    ends, pause = time.monotonic() + seconds, threading.Event()
    while db.execute(_STILL_WAITING, (wanted,)).fetchone() and time.monotonic() < ends:
        pause.wait(LOOK_SECONDS)
