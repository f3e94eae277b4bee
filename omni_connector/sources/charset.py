"""From bytes to text: the declared charset, a byte-order mark, UTF-8, or windows-1252."""

import codecs
import re
from collections.abc import Iterable, Iterator
from email.message import Message

from attrs import define

TEXT_LIMIT_BYTES = 5 * 1024 * 1024
"""The manager cuts longer text (PROTOCOL, sections 1 and 12); nothing far beyond it is read or sent."""

LONGEST_CHARACTER_BYTES = 4
SHORT_TEXT_LENGTH = TEXT_LIMIT_BYTES // LONGEST_CHARACTER_BYTES
"""Characters that are below the limit whatever they are."""

BEYOND_LIMIT_BYTES = 4
"""Sent beyond the limit, so that the manager notices and marks the cut; room for one cut character."""

FALLBACK = "windows-1252"
HEAD_BYTES = 1024
"""Where an HTML page names its charset."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""The marks of UTF-32 before those of UTF-16, which begin alike."""

_META = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)


class UndecodableError(ValueError):
    """The bytes are not text in the charset that they are said to have, or in none that is recognised."""


@define
class Text:
    """Text that was read.

    Attributes:
        text: no more than the manager keeps, and a little.
        is_cut: there was more.
        is_guessed: it had no declared charset, is not UTF-8, and was taken as windows-1252.
    """

    text: str
    is_cut: bool = False
    is_guessed: bool = False


def declared_charset(mime_type: str | None) -> str | None:
    """Return the charset that a media type such as ``text/plain; charset=iso-8859-1`` names, by Python's name for it.

    Raises:
        UndecodableError: Python does not know it.
    """
    if mime_type is None or ";" not in mime_type:
        return None
    header = Message()
    header["Content-Type"] = mime_type
    charset = header.get_content_charset()
    if charset is None:
        return None
    try:
        b"text".decode(charset, "ignore")
        codecs.getincrementaldecoder(charset)
    except (LookupError, UnicodeError) as error:
        raise UndecodableError(f"Python knows no text encoding {charset!r}") from error
    return codecs.lookup(charset).name


def cut(text: str, limit_bytes: int = TEXT_LIMIT_BYTES) -> Text:
    """Return the part of ``text`` that is worth sending."""
    if len(text) <= limit_bytes // LONGEST_CHARACTER_BYTES:
        return Text(text)
    sent_bytes = limit_bytes + BEYOND_LIMIT_BYTES
    data = text[:sent_bytes].encode(errors="replace")
    if len(data) <= limit_bytes:
        return Text(text)
    return Text(data[:sent_bytes].decode("utf-8", "ignore"), is_cut=True)


def read_text(
    chunks: Iterable[bytes], charset: str | None = None, *, limit_bytes: int = TEXT_LIMIT_BYTES
) -> Text:
    """Read and decode text, no more than the manager keeps.

    Args:
        chunks: the bytes, in pieces.
        charset: declared for them; left out, a byte-order mark is looked for, then they are taken as UTF-8, else as
            windows-1252.
        limit_bytes: of the text in UTF-8; what lies beyond is not read.

    Raises:
        UndecodableError: they are not text in that charset, or windows-1252 has no such bytes.
    """
    source = iter(chunks)
    head = _head(source)
    encoding = marked_charset(head, declared=charset) or charset
    if encoding is not None:
        return _decoded([head], source, encoding, limit_bytes)
    read = [head]
    try:
        return _decoded(read, source, "utf-8", limit_bytes)
    except UndecodableError:
        whole = b"".join(read)
        found = _decoded([whole], source, FALLBACK, limit_bytes)
        found.is_guessed = True
        return found


def marked_charset(head: bytes, *, declared: str | None = None) -> str | None:
    """Return the charset that a byte-order mark stands for, if it is a form of the declared one."""
    return next(
        (
            encoding
            for mark, encoding in _MARKS
            if head.startswith(mark) and (declared or encoding).startswith(encoding.removesuffix("-sig"))
        ),
        None,
    )


def charset_of_html(head: bytes) -> str | None:
    """Return the charset that an HTML page names, where Python knows it."""
    found = _META.search(head)
    try:
        return None if found is None else codecs.lookup(found[1].decode("ascii")).name
    except LookupError:
        return None


def _head(source: Iterator[bytes]) -> bytes:
    head = b""
    for chunk in source:
        head += chunk
        if len(head) >= HEAD_BYTES:
            break
    return head


def _decoded(read: list[bytes], source: Iterator[bytes], encoding: str, limit_bytes: int) -> Text:
    """Decode what was read and what still comes, up to the limit; ``read`` grows by the latter."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    parts: list[str] = []
    size = 0
    try:
        for chunk in read[:]:
            parts.append(decoder.decode(chunk))
            size += len(parts[-1])
        while size <= limit_bytes:
            chunk = next(source, b"")
            if not chunk:
                parts.append(decoder.decode(b"", final=True))
                break
            read.append(chunk)
            parts.append(decoder.decode(chunk))
            size += len(parts[-1])
    except UnicodeError as error:
        raise UndecodableError(f"it is not {encoding} text: {error}") from error
    return cut("".join(parts), limit_bytes)
