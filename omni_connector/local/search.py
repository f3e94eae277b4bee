"""Full-text search over titles and contents."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from attrs import frozen

from omni_connector.local.access import READER_OF_DOCUMENT, Access
from omni_connector.local.errors import BroadSearchError
from omni_connector.local.search_operators import SearchOperators

SEARCH_SECONDS = 2.0
"""How long a search may compute; of the thread's own time, so that a busy machine refuses none."""
OPERATIONS_BETWEEN_LOOKS = 1000

_TITLE_WEIGHT = 4.0
_CONTENT_WEIGHT = 1.0
_SNIPPET_TOKENS = 24
_OPEN, _CLOSE = "\x02", "\x03"  # Contents hold no control characters, so these mark without doubt.

_TERM = (
    r'(?P<operator>{names}):(?:"(?P<quoted>[^"]*)"|(?P<plain>[^\s"]+))'
    r'|"(?P<phrase>[^"]*)"(?P<star>\*?)|(?P<word>[^\s"]+)'
)
_WORD = re.compile(r"[^\W_]")

# The index puts the matches in order of rank, and what remains is asked of one after the other until there are enough.
_SEARCH = """
SELECT d.source_id, d.external_id, d.title, d.url, -rank AS score,
    snippet(search_index, 1, :open, :close, '…', :tokens) AS snippet
FROM search_index CROSS JOIN documents d ON d.number = search_index.rowid
WHERE search_index MATCH :match AND rank MATCH :ranking
    AND d.source_id NOT IN (SELECT id FROM sources WHERE is_deleted) AND {conditions}
ORDER BY rank LIMIT :limit
"""
# Ranking looks at every match. Of a word that nearly all documents hold, those that arrived first are ranked.
_RANKED_AT_MOST = 10_000
_LAST_RANKED = """
SELECT max(rowid), count(*) FROM (SELECT rowid FROM search_index WHERE search_index MATCH ? ORDER BY rowid LIMIT ?)
"""
# Where a query is operators only, nothing is ranked.
_FILTERED = """
SELECT d.source_id, d.external_id, d.title, d.url, 0.0 AS score, substr(c.content, 1, :characters) AS snippet
FROM documents d JOIN contents c ON c.id = d.content_id
WHERE d.source_id NOT IN (SELECT id FROM sources WHERE is_deleted) AND {conditions}
ORDER BY d.number DESC LIMIT :limit
"""
_SNIPPET_CHARACTERS = 160


@frozen(kw_only=True)
class SearchHit:
    """A document that matches.

    Attributes:
        snippet: one line of its content around the matches.
        highlights: start and end of each match within ``snippet``.
        score: relevance; larger is better.
    """

    source_id: str
    external_id: str
    title: str
    url: str | None
    snippet: str
    highlights: tuple[tuple[int, int], ...]
    score: float

    def marked(self, before: str, after: str) -> str:
        """Return the snippet with text put before and after each match."""
        return "".join(f"{before}{text}{after}" if is_match else text for text, is_match in self.pieces())

    def pieces(self) -> list[tuple[str, bool]]:
        """Return the snippet in parts, each with whether it is a match."""
        pieces, done = [], 0
        for start, end in self.highlights:
            pieces += [(self.snippet[done:start], False), (self.snippet[start:end], True)]
            done = end
        return [*pieces, (self.snippet[done:], False)]


def search_documents(
    db: sqlite3.Connection,
    query: str,
    *,
    limit: int = 10,
    source_id: str | None = None,
    person: str | None = None,
) -> list[SearchHit]:
    """Return the documents that hold every term of ``query``, best first.

    Terms are words, ``"phrases in quotes"``, and ``prefixes*``. ``source:NAME`` (name, id or type of the source),
    ``type:TYPE`` (``text/html``, ``pdf``), and the operators that manifests declare narrow the search; a value with blanks
    is quoted. A query of operators only returns what arrived last first. Nothing a user types is an error; an empty query
    finds nothing. One that takes longer than ``SEARCH_SECONDS`` ends with ``BroadSearchError``. Where more than 10,000
    documents match, the first 10,000 are ranked if they are enough.

    Args:
        db: where to look.
        query: the terms.
        limit: how many documents at most.
        source_id: only those of this source.
        person: only those that may be found by the person with this e-mail address (PROTOCOL, section 11);
            permissions are ignored unless given.
    """
    operators = SearchOperators.known(db)
    match, uses = parsed(query, operators.names)
    if not match and not uses:
        return []
    conditions, values = operators.conditions(uses)
    conditions.append("(:source_id IS NULL OR d.source_id = :source_id)")
    parameters: dict[str, object] = {
        **values,
        "match": match,
        "limit": limit,
        "source_id": source_id,
        "ranking": f"bm25({_TITLE_WEIGHT}, {_CONTENT_WEIGHT})",
        "open": _OPEN,
        "close": _CLOSE,
        "tokens": _SNIPPET_TOKENS,
        "characters": _SNIPPET_CHARACTERS,
    }
    if person is not None:
        conditions.append(READER_OF_DOCUMENT)
        parameters["keys"] = Access.of(db, person).keys_json()
    with _bounded(db):
        if match:
            return [_hit(row) for row in _best(db, conditions, parameters)]
        rows = db.execute(_FILTERED.format(conditions=" AND ".join(conditions)), parameters)
        return [_hit(row) for row in rows]


def _best(db: sqlite3.Connection, conditions: list[str], parameters: dict[str, object]) -> list[sqlite3.Row]:
    last, matches = db.execute(_LAST_RANKED, (parameters["match"], _RANKED_AT_MOST + 1)).fetchone()
    if matches > _RANKED_AT_MOST:
        rows = _select(db, [*conditions, "search_index.rowid < :last"], {**parameters, "last": last})
        if len(rows) == parameters["limit"]:
            return rows
    return _select(db, conditions, parameters)


@contextmanager
def _bounded(db: sqlite3.Connection) -> Iterator[None]:
    """Interrupt what takes too long: ``w*`` gathers the documents of all words that begin so before the first one is known."""
    end = time.thread_time() + SEARCH_SECONDS

    def is_over() -> bool:
        return time.thread_time() > end

    db.set_progress_handler(is_over, OPERATIONS_BETWEEN_LOOKS)
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        raise BroadSearchError(
            400,
            f"The search is too broad; it was stopped after {SEARCH_SECONDS:.0f} seconds. "
            "Type more of each word before its *, or rarer words.",
        ) from error
    finally:
        db.set_progress_handler(None, 0)


def _select(
    db: sqlite3.Connection, conditions: list[str], parameters: dict[str, object]
) -> list[sqlite3.Row]:
    return db.execute(_SEARCH.format(conditions=" AND ".join(conditions)), parameters).fetchall()


def parsed(query: str, names: tuple[str, ...]) -> tuple[str, list[tuple[str, str]]]:
    """Return the FTS5 expression of a query, and its operators with their values.

    In the expression every term is quoted, so that no term is read as syntax.
    """
    terms, uses = [], []
    for term in _terms(names).finditer(query.replace("\0", " ")):
        if term["operator"]:
            uses.append((term["operator"].lower(), (term["quoted"] or term["plain"] or "").lower()))
            continue
        word = term["word"] or ""
        text = word.rstrip("*") or term["phrase"] or ""
        if _WORD.search(text):
            star = "*" if term["star"] or word.endswith("*") else ""
            terms.append(f'"{text}"{star}')
    return " ".join(terms), uses


@lru_cache(maxsize=16)
def _terms(names: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(names, key=len, reverse=True)
    return re.compile(_TERM.format(names="|".join(map(re.escape, longest_first))), re.IGNORECASE)


def _hit(row: sqlite3.Row) -> SearchHit:
    snippet, highlights = _unmarked(row["snippet"].replace("\n", " "))
    return SearchHit(
        source_id=row["source_id"],
        external_id=row["external_id"],
        title=row["title"],
        url=row["url"],
        snippet=snippet,
        highlights=highlights,
        score=row["score"],
    )


def _unmarked(marked: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Return the text without its marks, and where they were."""
    text, highlights = "", []
    for number, piece in enumerate(re.split(f"[{_OPEN}{_CLOSE}]", marked)):
        if number % 2:
            highlights.append((len(text), len(text) + len(piece)))
        text += piece
    return text, tuple(highlights)
