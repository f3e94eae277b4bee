"""How a secret is written in logs, errors and requests."""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from urllib.parse import quote, quote_plus

from attrs import frozen

from omni_connector.masking.rules import SHORTEST, is_secret

WINDOW = 16
"""Characters of a long random text that are enough to recognise it: wrapped over lines, or cut by somebody else."""

STRIDE = 8
LONG_STRIDE = 32
"""From one window to the next; the second in base64 and in secrets of more than ``LONG`` characters, which have many lines."""

LONG = 200
LEAST_RANDOM = 24
"""Characters of a text that is looked at in windows."""

_PLAIN = re.compile(r"[A-Za-z0-9_.~-]+")
_RUN = re.compile(r"[A-Za-z0-9+/=_-]{24,}")
_CHANGE = re.compile(r"(?<=[a-z])[A-Z0-9]|(?<=[A-Z])[a-z0-9]|(?<=[0-9])[A-Za-z]")
_HEX = re.compile(r"%[0-9A-F]{2}|\\u[0-9a-f]{4}")
_HTML_IN_JSON = {ord(char): f"\\u{ord(char):04x}" for char in "<>&'"}


@frozen
class Piece:
    """A piece of a written secret, to be looked for.

    Attributes:
        text: what is looked for.
        form: the whole as it is written.
        is_base64: the characters on both sides may belong to it in part.
    """

    text: str
    form: str
    offset: int = 0
    is_base64: bool = False


def pieces_of(secret: str) -> tuple[Piece, ...]:
    """Return everything to look for where ``secret`` must not appear; takes some milliseconds."""
    pieces: dict[str, Piece] = {}
    stride = LONG_STRIDE if len(secret) > LONG else STRIDE
    for text in _texts_of(secret):
        # Dictionaries, not sets: the same pieces in the same order in each process.
        first = dict.fromkeys(_written(text))
        forms = (
            first if len(text) > LONG else first | dict.fromkeys(chain.from_iterable(map(_written, first)))
        )
        _add(pieces, forms, stride=stride)
        encoded = [text] if "\n" in text else first
        in_base64 = dict.fromkeys(chain.from_iterable(map(_in_base64, encoded)))
        _add(pieces, in_base64, stride=LONG_STRIDE, is_base64=True)
    return tuple(pieces.values())


def _texts_of(secret: str) -> Iterator[str]:
    yield from dict.fromkeys((secret, secret.strip()))
    lines = secret.splitlines()
    if len(lines) > 1:
        yield from (line.strip() for line in lines if is_secret(line))


def _add(pieces: dict[str, Piece], forms: Iterable[str], *, stride: int, is_base64: bool = False) -> None:
    for form in forms:
        if len(form) < SHORTEST:
            continue
        pieces.setdefault(form, Piece(form, form, is_base64=is_base64))
        for run in _RUN.finditer(form):
            if is_base64 or _is_random(run.group()):
                for start in (*range(run.start(), run.end() - WINDOW, stride), run.end() - WINDOW):
                    text = form[start : start + WINDOW]
                    pieces.setdefault(text, Piece(text, form, start, is_base64))


def _is_random(text: str) -> bool:
    """Tell a key or a token from words that are joined by hyphens: its letters and digits are mixed."""
    return len(text) >= LEAST_RANDOM and len(_CHANGE.findall(text)) >= len(text) / 8


def _written(text: str) -> Iterator[str]:
    """Yield the text as Python, JSON, addresses and pages write it."""
    yield text
    if _PLAIN.fullmatch(text):
        return
    text = text.encode(errors="replace").decode()  # Lone surrogates have no other form.
    for form in _escaped(text):
        yield form
        yield _HEX.sub(_other_case, form)


def _escaped(text: str) -> Iterator[str]:
    for is_ascii in (True, False):
        in_json = json.dumps(text, ensure_ascii=is_ascii)[1:-1]
        yield in_json
        yield in_json.replace("/", "\\/")
        yield in_json.translate(_HTML_IN_JSON)
    # A quotation mark before it decides which of the two kinds Python escapes.
    in_python = [
        repr('"' + text)[2:-1],
        ascii('"' + text)[2:-1],
        *(repr(b'"' + each)[3:-1] for each in _bytes(text)),
    ]
    for form in in_python:
        yield form
        yield form.replace("\\'", "'")
    for raw in _bytes(text):
        yield quote(raw, safe="")
        yield quote(raw)
        yield quote_plus(raw)
        yield quote(raw, safe="!'()*")
    yield html.escape(text)
    yield html.escape(text).replace("&#x27;", "&#39;")
    yield html.escape(text, quote=False)


def _bytes(text: str) -> Iterator[bytes]:
    yield text.encode(errors="replace")
    if not text.isascii():
        yield text.encode("latin-1", errors="replace")  # As ``requests`` writes it into headers.


def _other_case(match: "re.Match[str]") -> str:
    found = match.group()
    return found.lower() if found[0] == "%" else f"\\u{found[2:].upper()}"


def _in_base64(text: str) -> Iterator[str]:
    """Yield it as base64 writes it, after any number of other bytes, without the characters that it shares with them."""
    for raw in _bytes(text):
        for before, skipped in ((0, 0), (1, 2), (2, 3)):
            size = (before + len(raw)) * 8 // 6
            standard = base64.b64encode(b"\0" * before + raw).decode()[skipped:size]
            for form in (standard, standard.translate(_URL_SAFE)):
                yield form
                in_address = quote(form, safe="")
                yield in_address
                yield _HEX.sub(_other_case, in_address)
                yield form.replace("/", "\\/")


_URL_SAFE = str.maketrans("+/", "-_")
