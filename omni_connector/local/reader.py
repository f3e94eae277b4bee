"""Reading what a data directory holds, also while another process writes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from omni_connector.local.indexed_rows import DocumentRow, EventRow, GroupRow, PersonRow
from omni_connector.local.people import read_people
from omni_connector.local.rows import SourceRow, SyncRunRow, load
from omni_connector.local.search import SearchHit, search_documents
from omni_connector.local.search_index import SearchIndex, catch_up_alone, wait_for_index, waiting_documents
from omni_connector.local.search_operators import SearchOperators
from omni_connector.local.store import reading
from omni_connector.local.strict_json import JSON

_DOCUMENTS = """
SELECT d.*, c.content FROM documents d JOIN contents c ON c.id = d.content_id
WHERE (:source IS NULL OR d.source_id = :source)
    AND d.number > coalesce((SELECT number FROM documents WHERE id = :after), 0)
ORDER BY d.number LIMIT :limit
"""
_DOCUMENT = """
SELECT d.*, c.content FROM documents d JOIN contents c ON c.id = d.content_id
WHERE d.source_id = ? AND d.external_id = ?
"""


class StoreReader:
    """Documents, events, groups and people of a data directory.

    Holds no connection: each call opens one for reading and closes it, so there is nothing to close
    and any thread may call.

    Raises ``StoreError`` (every method) when the directory holds no store, or a newer one.
    """

    def __init__(self, directory: Path | str, search_index: SearchIndex | None = None) -> None:
        self.directory = Path(directory)
        self._search_index = search_index  # Of the manager of this process.

    def search(
        self, query: str, *, limit: int = 10, source_id: str | None = None, person: str | None = None
    ) -> list[SearchHit]:
        """Return the best matches first; see ``search_documents`` for what may be asked.

        Beside a manager in another process, this waits until its index has what has arrived so far, at most ten seconds.
        """
        self._catch_up()
        with reading(self.directory) as db:
            return search_documents(db, query, limit=limit, source_id=source_id, person=person)

    def search_operators(self) -> SearchOperators:
        """Return the operators that searches here know."""
        with reading(self.directory) as db:
            return SearchOperators.known(db)

    def documents(
        self, source_id: str | None = None, *, after: str | None = None, limit: int = -1
    ) -> Iterator[DocumentRow]:
        """Yield documents in the order in which they were first indexed.

        Args:
            source_id: only those of this source.
            after: only those after the document with this id (the manager's own).
            limit: at most so many; -1 for all.
        """
        with reading(self.directory) as db:
            for row in db.execute(_DOCUMENTS, {"source": source_id, "after": after, "limit": limit}):
                yield DocumentRow.read(row)

    def document(self, source_id: str, external_id: str) -> DocumentRow | None:
        """Return one document by its id in its source, or None."""
        with reading(self.directory) as db:
            row = db.execute(_DOCUMENT, (source_id, external_id)).fetchone()
        return None if row is None else DocumentRow.read(row)

    def count_documents(self, source_id: str | None = None) -> int:
        """Return the number of documents, of one source or of all."""
        with reading(self.directory) as db:
            row = db.execute(
                "SELECT count(*) FROM documents WHERE :source IS NULL OR source_id = :source",
                {"source": source_id},
            )
            return int(row.fetchone()[0])

    def events(self, run_id: str | None = None, *, status: str | None = None) -> list[EventRow]:
        """Return queue entries in the order of their arrival."""
        with reading(self.directory) as db:
            rows = db.execute(
                "SELECT * FROM queue WHERE (:run IS NULL OR run_id = :run) "
                "AND (:status IS NULL OR status = :status) ORDER BY seq",
                {"run": run_id, "status": status},
            ).fetchall()
        return [EventRow.read(row) for row in rows]

    def runs(self, source_id: str) -> list[SyncRunRow]:
        """Return the runs of a source, oldest first."""
        with reading(self.directory) as db:
            rows = db.execute("SELECT * FROM runs WHERE source_id = ? ORDER BY id", (source_id,)).fetchall()
        return [SyncRunRow.read(row) for row in rows]

    def sources(self) -> list[SourceRow]:
        """Return all sources by name, deleted ones included."""
        with reading(self.directory) as db:
            rows = db.execute("SELECT * FROM sources ORDER BY name COLLATE NOCASE, id").fetchall()
        return [SourceRow.read(row) for row in rows]

    def credentials(self, source_id: str) -> JSON:
        """Return the secrets of a source that all people share, or None where it has none."""
        with reading(self.directory) as db:
            row = db.execute(
                "SELECT credentials FROM credentials WHERE source_id = ? AND user_id IS NULL", (source_id,)
            ).fetchone()
        return None if row is None else load(row["credentials"])

    def groups(self) -> list[GroupRow]:
        """Return all groups, by source and address."""
        with reading(self.directory) as db:
            rows = db.execute("SELECT * FROM member_groups ORDER BY source_id, email").fetchall()
        return [GroupRow.read(row) for row in rows]

    def people(self) -> list[PersonRow]:
        """Return all known people, by address."""
        with reading(self.directory) as db:
            return read_people(db)

    def _catch_up(self) -> None:
        """Bring the search index up to date, if that is for this process to do."""
        if self._search_index is not None:
            self._search_index.catch_up()
            return
        with reading(self.directory) as db:
            waiting = waiting_documents(db)
            if waiting and not catch_up_alone(self.directory):
                wait_for_index(db, waiting)


def open_store(data_dir: Path | str) -> StoreReader:
    """Return a reader of a data directory, whether or not a manager is running on it.

    Raises ``StoreError`` at once when there is nothing to read.
    """
    reader = StoreReader(data_dir)
    with reading(reader.directory):
        return reader
