"""Finds secrets in a text, in whatever form they are written there."""

import bisect
import re
from collections.abc import Iterable, Iterator
from itertools import chain

from ahocorasick_rs import AhoCorasick, Implementation, MatchKind

from omni_connector.masking.forms import Piece, pieces_of

Span = tuple[int, int]

_BREAK = re.compile(r"""['"]?\s*\\?\r?\n\s*[bu]?['"]?|(?:\\r)?\\n""")
"""What stands between two parts of a text that was wrapped: base64 in lines, what ``pprint`` makes of bytes."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]")
_PADDING = re.compile(r"(?:=|%3D){0,2}", re.IGNORECASE)


class Matcher:
    """Looks for many secrets at once: the time depends on the length of the text, not on their number.

    Immutable, so that threads share it. What it knows goes when it goes: the pieces of a token are a hundred times its size.

    Args:
        secrets: what it looks for.
        known: matchers in whose place this one comes, and whose work it goes on using.

    Attributes:
        secrets: what it looks for, with the pieces of each.
    """

    def __init__(self, secrets: Iterable[str], known: Iterable["Matcher"] = ()) -> None:
        found = dict(chain.from_iterable(matcher.secrets.items() for matcher in known))
        self.secrets: dict[str, tuple[Piece, ...]] = {
            secret: found.get(secret) or pieces_of(secret) for secret in secrets
        }
        pieces: dict[str, Piece] = {}
        for piece in chain.from_iterable(self.secrets.values()):
            pieces.setdefault(_searchable(piece.text), piece)
        self._pieces = tuple(pieces.values())
        # The default for few pieces, a DFA, takes minutes for a secret that repeats itself, and holds up all threads meanwhile.
        self._automaton = AhoCorasick(
            list(pieces), matchkind=MatchKind.Standard, implementation=Implementation.ContiguousNFA
        )

    def spans(self, text: str) -> list[Span]:
        """Return where secrets are in ``text``; spans may overlap."""
        spans = list(self._found(text))
        if "\n" in text or "\\n" in text:
            unwrapped = _Unwrapped(text)
            spans.extend(unwrapped.span(start, end) for start, end in self._found(unwrapped.text))
        return spans

    def _found(self, text: str) -> Iterator[Span]:
        try:
            found = self._automaton.find_matches_as_indexes(text, overlapping=True)
        except UnicodeEncodeError:
            found = self._automaton.find_matches_as_indexes(_searchable(text), overlapping=True)
        last = (0, 0)
        for index, start, end in found:
            if not last[0] <= start <= end <= last[1]:
                last = _widened(text, start, end, self._pieces[index])
                yield last


class _Unwrapped:
    """A text without its breaks, and where its characters were.

    Attributes:
        text: what is left.
    """

    def __init__(self, text: str) -> None:
        self._starts, self._moved = [0], [0]
        parts, done = [], 0
        for found in _BREAK.finditer(text):
            parts.append(text[done : found.start()])
            done = found.end()
            self._starts.append(found.start() - self._moved[-1])
            self._moved.append(done - self._starts[-1])
        self.text = "".join([*parts, text[done:]])

    def span(self, start: int, end: int) -> Span:
        """Return the span in the whole text, the breaks in it included."""
        return self._place(start), self._place(end - 1) + 1

    def _place(self, index: int) -> int:
        return index + self._moved[bisect.bisect_right(self._starts, index) - 1]


def _searchable(text: str) -> str:
    return _SURROGATE.sub("?", text)


def _widened(text: str, start: int, end: int, piece: Piece) -> Span:
    """Return the span of a piece, and of as much of the whole around it as is there."""
    form, at = piece.form, piece.offset
    while at > 0 and start > 0 and text[start - 1] == form[at - 1]:
        at, start = at - 1, start - 1
    at = piece.offset + len(piece.text)
    while at < len(form) and end < len(text) and text[end] == form[at]:
        at, end = at + 1, end + 1
    if piece.is_base64:
        if start > 0 and _BASE64.match(text, start - 1):
            start -= 1
        if _BASE64.match(text, end):
            end += 1
        end = _PADDING.match(text, end).end()  # type: ignore[union-attr]  # It matches nothing, too.
    return start, end
