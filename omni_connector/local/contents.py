"""Contents: normalised, cut, and shared by hash (PROTOCOL, section 12)."""

from __future__ import annotations

import hashlib
import re
import sqlite3
import unicodedata

from omni_connector.local.bulk import insert_rows
from omni_connector.local.clock import Clock
from omni_connector.local.ids import new_ulid
from omni_connector.local.manager_dates import Since
from omni_connector.local.rows import load
from omni_connector.local.runs import renew_activity
from omni_connector.local.settings import LocalSettings
from omni_connector.local.store import Store, storable
from omni_connector.local.timestamps import to_microseconds

TRUNCATION_MARKER = "\n\n[Content truncated because extracted text exceeded the configured byte limit.]"

_BLANK_RUN = re.compile("[ \t\u00a0]{2,}|[\t\u00a0]")
_INVISIBLE = "\u200b\u200c\u200d\ufeff\u00ad"
_DROPPED_CHARACTERS = _INVISIBLE + "".join(
    chr(code) for code in range(0xA0) if unicodedata.category(chr(code)) == "Cc" and chr(code) not in "\n\t"
)
_DROPPED_ASCII = bytes(ord(each) for each in _DROPPED_CHARACTERS if each.isascii())
_DROPPED = re.compile(f"[{re.escape(_DROPPED_CHARACTERS)}]+")
_UNMARK = """
UPDATE contents SET orphaned_at = NULL
WHERE orphaned_at IS NOT NULL AND id IN (SELECT content_id FROM documents)
"""
_MARK = """
UPDATE contents SET orphaned_at = ?
WHERE orphaned_at IS NULL AND id NOT IN (SELECT content_id FROM documents)
"""
_REMOVE = """
DELETE FROM contents WHERE orphaned_at <= ?
    AND id NOT IN (SELECT content_id FROM search_queue WHERE content_id IS NOT NULL)
"""
_EMPTY_LINES = re.compile("\n{3,}")

_INSERT = "INSERT INTO contents (id, sha256, content, created_at)"
_KEEP = "ON CONFLICT (sha256) DO UPDATE SET orphaned_at = NULL"
"""A content that is there already stays; the sweep may have marked it."""
_IDS = "SELECT json_group_object(hex(sha256), id) FROM contents WHERE sha256 IN ({})"


class Contents:
    """The ``contents`` table."""

    def __init__(self, store: Store, clock: Clock, settings: LocalSettings) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._is_cut = settings.has(Since.TEXT_LIMIT)
        self._is_shared = settings.has(Since.SHARED_CONTENT)

    def save(self, text: str, run_id: str) -> str:
        """Store a text and return its id; renews the run's activity if that is running.

        The same text, once normalised and cut, has the same id for ever; not so at older managers.
        """
        return self.save_all([(text, run_id)])[0]

    def save_all(self, texts: list[tuple[str, str]], *, wait: bool = True) -> list[str]:
        """Store texts, each with the id of its run, in one transaction; return their ids.

        Raises ``StoreBusyError`` where ``wait`` is false and another thread is writing.
        """
        rows = [self._row(text) for text, _ in texts]
        runs = {storable(run_id) for _, run_id in texts}
        now = to_microseconds(self._clock.now())
        with self._store.transaction(wait=wait) as db:
            insert_rows(db, _INSERT, [(*row, now) for row in rows], _KEEP)
            ids = _ids(db, [digest for _, digest, _ in rows])
            for run_id in runs:
                renew_activity(db, run_id, now)
        return ids

    def _row(self, text: str) -> tuple[str, bytes, str]:
        """Return a new id, the hash, and the text as it is stored."""
        text = normalised(text)
        if self._is_cut:
            text = cut(text, self._settings.max_extracted_text_bytes)
        content_id = new_ulid()
        hashed = text if self._is_shared else content_id
        return content_id, hashlib.sha256(hashed.encode()).digest(), text

    def sweep(self) -> None:
        """Mark contents that nothing refers to, and remove those marked long ago."""
        now = to_microseconds(self._clock.now())
        grace = int(self._settings.content_grace_seconds * 1_000_000)
        with self._store.transaction() as db:
            db.execute(_UNMARK)
            db.execute(_REMOVE, (now - grace,))
            db.execute(_MARK, (now,))


def _ids(db: sqlite3.Connection, digests: list[bytes]) -> list[str]:
    """Return the ids of contents, all in one row: with a row for each, a busy process would wait at each."""
    statement = _IDS.format(", ".join("?" * len(digests)))
    found = load(db.execute(statement, digests).fetchone()[0])
    return [found[digest.hex().upper()] for digest in digests]


def normalised(text: str) -> str:
    """Return the text as it is stored: line ends, invisible characters, blanks and empty lines tidied."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    # Before characters are dropped: two blanks with an invisible one between them stay two.
    if "  " in text or "\t" in text or "\u00a0" in text:
        text = _BLANK_RUN.sub(" ", text)
    if _may_drop(text):
        text = _DROPPED.sub("", text)
    text = "\n".join([line.strip() for line in text.split("\n")])
    if "\n\n\n" in text:
        text = _EMPTY_LINES.sub("\n\n", text)
    return text.strip()


def _may_drop(text: str) -> bool:
    """Return whether there may be characters to drop; much faster than the pattern."""
    if not text.isascii():
        return not text.replace("\n", "").isprintable()
    encoded = text.encode()
    return len(encoded.translate(None, _DROPPED_ASCII)) != len(encoded)


def cut(text: str, limit_bytes: int) -> str:
    """Return the text, cut at a character boundary and marked if its UTF-8 form exceeds the limit."""
    if len(text) * 4 <= limit_bytes:
        return text
    encoded = text.encode()
    if len(encoded) <= limit_bytes:
        return text
    marker = TRUNCATION_MARKER if limit_bytes > len(TRUNCATION_MARKER) else ""
    return encoded[: limit_bytes - len(marker)].decode(errors="ignore") + marker
