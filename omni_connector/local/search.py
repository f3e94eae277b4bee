"""Full-text search over titles and contents."""

from __future__ import annotations

import re
import sqlite3

from attrs import frozen

from omni_connector.local.access import READER_OF_DOCUMENT, Access

_TITLE_WEIGHT = 4.0
_CONTENT_WEIGHT = 1.0
_SNIPPET_TOKENS = 24
_OPEN, _CLOSE = "\x02", "\x03"  # Contents hold no control characters, so these mark without doubt.

_TERM = re.compile(r'"([^"]*)"(\*?)|([^\s"]+)')
_WORD = re.compile(r"[^\W_]")

_SEARCH = f"""
SELECT d.source_id, d.external_id, d.title, d.url,
    bm25(search_index, :title_weight, :content_weight) AS score,
    snippet(search_index, 1, :open, :close, '…', :tokens) AS snippet
FROM search_index
JOIN documents d ON d.number = search_index.rowid
WHERE search_index MATCH :match AND (:source_id IS NULL OR d.source_id = :source_id)
    AND d.source_id NOT IN (SELECT id FROM sources WHERE is_deleted)
    AND (:keys IS NULL OR {READER_OF_DOCUMENT})
ORDER BY score, d.number
LIMIT :limit
"""  # noqa: S608 - our own text.


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
        pieces, done = [], 0
        for start, end in self.highlights:
            pieces += [self.snippet[done:start], before, self.snippet[start:end], after]
            done = end
        return "".join([*pieces, self.snippet[done:]])


def search_documents(
    db: sqlite3.Connection,
    query: str,
    *,
    limit: int = 10,
    source_id: str | None = None,
    person: str | None = None,
) -> list[SearchHit]:
    """Return the documents that hold every term of ``query``, best first.

    Terms are words, ``"phrases in quotes"``, and ``prefixes*``. Nothing a user types is an error;
    a query without any word finds nothing.

    Args:
        db: where to look.
        query: the terms.
        limit: how many documents at most.
        source_id: only those of this source.
        person: only those that may be found by the person with this e-mail address (PROTOCOL, section 11);
            permissions are ignored unless given.
    """
    match = match_expression(query)
    if not match:
        return []
    rows = db.execute(
        _SEARCH,
        {
            "match": match,
            "limit": limit,
            "source_id": source_id,
            "keys": None if person is None else Access.of(db, person).keys_json(),
            "title_weight": _TITLE_WEIGHT,
            "content_weight": _CONTENT_WEIGHT,
            "open": _OPEN,
            "close": _CLOSE,
            "tokens": _SNIPPET_TOKENS,
        },
    ).fetchall()
    return [_hit(row) for row in rows]


def match_expression(query: str) -> str:
    """Return the FTS5 expression of a query: every term quoted, so that no term is read as syntax."""
    terms = []
    for phrase, phrase_star, word in _TERM.findall(query.replace("\0", " ")):
        text = word.rstrip("*") or phrase
        if _WORD.search(text):
            star = "*" if phrase_star or word.endswith("*") else ""
            terms.append(f'"{text}"{star}')
    return " ".join(terms)


def _hit(row: sqlite3.Row) -> SearchHit:
    snippet, highlights = _unmarked(row["snippet"].replace("\n", " "))
    return SearchHit(
        source_id=row["source_id"],
        external_id=row["external_id"],
        title=row["title"],
        url=row["url"],
        snippet=snippet,
        highlights=highlights,
        score=-row["score"],
    )


def _unmarked(marked: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Return the text without its marks, and where they were."""
    text, highlights = "", []
    for number, piece in enumerate(re.split(f"[{_OPEN}{_CLOSE}]", marked)):
        if number % 2:
            highlights.append((len(text), len(text) + len(piece)))
        text += piece
    return text, tuple(highlights)
