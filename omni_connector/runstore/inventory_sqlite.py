"""The inventories of one machine: a SQLite file."""

import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from attrs import frozen

from omni_connector.inventory.storage import VERSION, Changes, Entry, Note, Shelf
from omni_connector.models.codec import decode, encode
from omni_connector.runstore.shelf_names import number_of
from omni_connector.runstore.sqlite_file import FileKind, SqliteFile

T = TypeVar("T")

# A full transaction waits for the disk: seen marks that a power failure took back would be taken for deletions.
INVENTORY = FileKind(name="inventory", schema="inventory.sql", last_table="documents", synchronous="FULL")

BUSY_SECONDS = 30.0
"""How long a call waits for another process that writes; a batch takes some milliseconds."""

FIND = "SELECT fingerprint, sent, seen FROM documents WHERE shelf = ? AND id = ?"
KEEP = "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?)"
DOUBT = "UPDATE documents SET fingerprint = x'', sent = 0 WHERE shelf = ? AND id = ?"
DELETE = "DELETE FROM documents WHERE shelf = ? AND id = ?"
SEE = "UPDATE documents SET seen = ? WHERE shelf = ? AND id = ? AND seen < ?"
UNSEEN = "SELECT id FROM documents WHERE shelf = ? AND id > ? AND seen < ? ORDER BY id LIMIT ?"


class SqliteInventories:
    """Keeps everything in one file; implements ``InventoryStorage``. Nothing is opened before the first call.

    Args:
        path: returns the path of the file; its folder exists then.
        namespace: name of the connector; several may share a file.
        remark: what an operator should know of this place.
    """

    def __init__(self, path: Callable[[], Path], namespace: str, *, remark: str = "") -> None:
        self.remark = remark
        self._make_path = path
        self._namespace = f"{VERSION}/{namespace}/"
        self._opening = threading.Lock()  # Protects the following.
        self._files: tuple[SqliteFile, SqliteFile] | None = None
        self._path: Path | None = None

    @property
    def label(self) -> str:
        """For messages."""
        return f"the SQLite file {self._path or self._make_path()}"

    def note(self, name: str) -> Note:
        """Return a note."""
        with self._reader.opened() as connection:
            row = connection.execute(
                "SELECT value FROM notes WHERE name = ?", (self._namespace + name,)
            ).fetchone()
        return {} if row is None else dict(decode(row[0]))

    def update(self, name: str, change: Callable[[Note], T]) -> T:
        """Alter a note."""
        with self._writer.writing() as connection:
            return self._update(connection, name, change)

    def names(self) -> list[str]:
        """Return the names of all notes."""
        start = len(self._namespace)
        with self._reader.opened() as connection:
            rows = connection.execute(
                "SELECT substr(name, ?) FROM notes WHERE substr(name, 1, ?) = ? ORDER BY name",
                (start + 1, start, self._namespace),
            )
            return [row[0] for row in rows]

    def remove(self, name: str, shelves: Sequence[Shelf]) -> None:
        """Forget a note and shelves in one transaction; the file keeps its size, for the documents of others."""
        with self._writer.writing() as connection:
            connection.execute("DELETE FROM notes WHERE name = ?", (self._namespace + name,))
            for shelf in shelves:
                connection.execute(
                    "DELETE FROM documents WHERE shelf = ?", (number_of(self._namespace, shelf),)
                )

    def reader(self, shelf: Shelf) -> "SqliteReader":
        """Return what finds documents of a shelf."""
        return SqliteReader(self._reader, number_of(self._namespace, shelf))

    def write(self, batch: Sequence[tuple[Shelf, Changes]]) -> None:
        """Make changes in one transaction."""
        with self._writer.writing() as connection:
            self._write(connection, batch)

    def write_noting(
        self, batch: Sequence[tuple[Shelf, Changes]], name: str, change: Callable[[Note], None]
    ) -> None:
        """Make changes and alter a note in one transaction."""
        with self._writer.writing() as connection:
            self._write(connection, batch)
            self._update(connection, name, change)

    def count(self, shelf: Shelf) -> int:
        """Count documents."""
        number = number_of(self._namespace, shelf)
        with self._reader.opened() as connection:
            row = connection.execute("SELECT COUNT(*) FROM documents WHERE shelf = ?", (number,)).fetchone()
        return int(row[0])

    def release(self, shelf: Shelf, document_ids: Sequence[str], others: Sequence[Shelf]) -> set[str]:
        """Forget what other shelves have, in one transaction."""
        number = number_of(self._namespace, shelf)
        numbered = [(number_of(self._namespace, each), each.source == shelf.source) for each in others]
        held = set()
        with self._writer.writing() as connection:
            for name in document_ids:
                own = connection.execute(FIND, (number, name)).fetchone()
                for other, is_comparable in numbered:
                    found = connection.execute(FIND, (other, name)).fetchone()
                    if found is None:
                        continue
                    held.add(name)
                    if own is not None and not (own[1] and own[1] < found[1] and is_comparable):
                        connection.execute(DOUBT, (other, name))
            connection.executemany(DELETE, [(number, name) for name in sorted(held)])
        return held

    def unseen(self, shelf: Shelf, run: int, after: str, limit: int) -> list[str]:
        """Return documents that were not seen."""
        number = number_of(self._namespace, shelf)
        with self._reader.opened() as connection:
            return [row[0] for row in connection.execute(UNSEEN, (number, after, run, limit))]

    def close(self) -> None:
        """Close the file."""
        with self._opening:
            files, self._files = self._files, None
        for file in files or ():
            file.close()

    def _update(self, connection: sqlite3.Connection, name: str, change: Callable[[Note], T]) -> T:
        key = self._namespace + name
        row = connection.execute("SELECT value FROM notes WHERE name = ?", (key,)).fetchone()
        note: Note = {} if row is None else dict(decode(row[0]))
        value = change(note)
        connection.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (key, encode(note)))
        return value

    def _write(self, connection: sqlite3.Connection, batch: Sequence[tuple[Shelf, Changes]]) -> None:
        for shelf, changes in batch:
            number, run = number_of(self._namespace, shelf), changes.run
            # Sorted, because neighbours share a page.
            kept = sorted(changes.kept.items())
            connection.executemany(
                KEEP, [(number, name, version, run if version else 0, run) for name, version in kept]
            )
            connection.executemany(DOUBT, [(number, name) for name in sorted(changes.doubted)])
            connection.executemany(DELETE, [(number, name) for name in sorted(changes.deleted)])
            connection.executemany(
                SEE, [(run, number, name, run) for name in sorted(changes.seen - changes.kept.keys())]
            )

    @property
    def _reader(self) -> SqliteFile:
        # Readers never wait for writers in WAL mode, and so have a connection of their own.
        return self._opened()[0]

    @property
    def _writer(self) -> SqliteFile:
        return self._opened()[1]

    def _opened(self) -> tuple[SqliteFile, SqliteFile]:
        files = self._files
        if files is None:
            with self._opening:
                if self._files is None:
                    self._path = self._make_path()
                    one, other = (SqliteFile(self._path, INVENTORY, BUSY_SECONDS) for _ in range(2))
                    self._files = (one, other)
                files = self._files
        return files


@frozen
class SqliteReader:
    """Finds documents of one shelf; implements ``ShelfReader``."""

    file: SqliteFile
    shelf: int

    def find(self, document_id: str) -> Entry | None:
        """Return a document."""
        with self.file.opened() as connection:
            row = connection.execute(FIND, (self.shelf, document_id)).fetchone()
        return None if row is None else Entry._make(row)

    def written(self, changes: Changes) -> None:
        """Nothing is kept that could be out of date."""

    def altered(self, document_ids: Iterable[str]) -> None:
        """Nothing is kept that could be out of date."""
