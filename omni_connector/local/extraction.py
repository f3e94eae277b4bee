"""Text out of files (PROTOCOL, section 13).

Plain text, Markdown, CSV and e-mail need nothing; the other formats need markitdown, which the extra
``omni-connector[extract]`` installs. HTML is read by markitdown when it is there, else simply.
"""

from __future__ import annotations

import csv
import io
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any

from omni_connector.local.contents import cut, normalised
from omni_connector.local.errors import LocalManagerError
from omni_connector.local.settings import LocalSettings

BUSY = "Document extraction is busy. Try again later."
MISSING_EXTRA = (
    "Content extraction failed: {mime_type} needs markitdown, which is not installed;"
    " run: pip install 'omni-connector[extract]'"
)
PDF_FAILURE_NOTE = "[Text extraction failed for this PDF. It may be scanned, encrypted or damaged.]"

_OOXML = "application/vnd.openxmlformats-officedocument"
_EXTENSION_TYPES = {
    "pdf": "application/pdf",
    "docx": f"{_OOXML}.wordprocessingml.document",
    "xlsx": f"{_OOXML}.spreadsheetml.sheet",
    "pptx": f"{_OOXML}.presentationml.presentation",
    "xls": "application/vnd.ms-excel",
    "doc": "application/msword",
    "ppt": "application/vnd.ms-powerpoint",
    "txt": "text/plain",
    "html": "text/html",
    "htm": "text/html",
    "csv": "text/csv",
    "md": "text/markdown",
    "markdown": "text/markdown",
    "eml": "message/rfc822",
    "msg": "application/vnd.ms-outlook",
}
_CONVERTED = {
    _EXTENSION_TYPES[extension]: f".{extension}"
    for extension in ("pdf", "docx", "xlsx", "pptx", "xls", "msg")
}
_SPREADSHEETS = frozenset({_EXTENSION_TYPES["xlsx"], _EXTENSION_TYPES["xls"]})
_LETTER = re.compile(r"[^\W\d_]")
_CELL_LIMIT = 2**31 - 1


class Extractor:
    """Extracts text, a limited number of files at a time."""

    def __init__(self, settings: LocalSettings) -> None:
        self._settings = settings
        self._permits = threading.BoundedSemaphore(max(1, settings.extraction_concurrency))
        self._readers: dict[str, Callable[[bytes], str]] = {
            "text/plain": _plain,
            "text/markdown": _plain,
            "text/csv": self._csv,
            "text/html": _html,
            "message/rfc822": _mail,
        }

    @contextmanager
    def permit(self) -> Iterator[None]:
        """Hold one of the permits; raises ``LocalManagerError`` (429) when none is free."""
        if not self._permits.acquire(blocking=False):
            raise LocalManagerError(429, BUSY, retry_after=self._settings.extraction_retry_after_seconds)
        try:
            yield
        finally:
            self._permits.release()

    def extract(self, data: bytes, mime_type: str, filename: str | None) -> str:
        """Return the normalised text of a file; empty for unknown types.

        Raises ``LocalManagerError``: 413 for too large a file, 500 for a damaged one or a missing extra.
        """
        limit = self._settings.max_extract_input_bytes
        if len(data) > limit:
            raise LocalManagerError(
                413, f"Extraction input too large: {len(data)} bytes exceeds {limit} byte limit"
            )
        if mime_type == "application/octet-stream":
            extension = (filename or "").rpartition(".")[2].lower()
            mime_type = _EXTENSION_TYPES.get(extension, mime_type)
        return normalised(cut(self._text(data, mime_type), self._settings.max_extracted_text_bytes))

    def _text(self, data: bytes, mime_type: str) -> str:
        if mime_type in self._readers:
            return self._readers[mime_type](data)
        extension = _CONVERTED.get(mime_type)
        if extension is None:
            return ""
        convert = _markitdown()
        if convert is None:
            raise LocalManagerError(500, MISSING_EXTRA.format(mime_type=mime_type))
        text = _converted(convert, data, extension)
        return self._tables(text) if mime_type in _SPREADSHEETS else text

    def _csv(self, data: bytes) -> str:
        # Read as the real manager does: any cell length, and lines that break the rules are taken as they are.
        csv.field_size_limit(_CELL_LIMIT)
        rows = csv.reader(io.StringIO(_plain(data).replace("\0", ""), newline=""))
        return "\n".join(self._worth_indexing(rows))

    def _tables(self, markdown: str) -> str:
        """Return the cells of Markdown tables, and the headings between them."""
        headings_and_rows = (
            [cell.strip() for cell in line.strip("|").split("|")] for line in markdown.split("\n")
        )
        return "\n".join(self._worth_indexing(headings_and_rows))

    def _worth_indexing(self, rows: Any) -> Iterator[str]:
        """Yield rows, limited in number, without the cells that hold no letter."""
        for number, row in enumerate(rows):
            if number >= self._settings.spreadsheet_max_indexed_rows:
                return
            cells = [cell for cell in row if _LETTER.search(cell) and cell != "NaN"]
            if cells:
                yield " ".join(cells)


def _plain(data: bytes) -> str:
    return data.decode("utf-8-sig", errors="replace")


def _html(data: bytes) -> str:
    convert = _markitdown()
    if convert is not None:
        return _converted(convert, data, ".html")
    reader = _VisibleText()
    reader.feed(_plain(data))
    reader.close()
    return "".join(reader.pieces)


def _mail(data: bytes) -> str:
    """Return the subject, the people and the text of a message."""
    message = message_from_bytes(data, _class=EmailMessage, policy=policy.default)
    try:
        headers = [
            f"{name}: {message[name]}" for name in ("Subject", "From", "To", "Cc", "Date") if message[name]
        ]
        body = message.get_body(preferencelist=("plain", "html"))
        text = "" if body is None else body.get_content()
    except (LookupError, ValueError, AttributeError, TypeError) as error:
        # What the standard library's parser raises for unknown charsets and broken headers or parts.
        raise LocalManagerError(500, f"Content extraction failed: {error}") from error
    if body is not None and body.get_content_type() == "text/html":
        text = _html(text.encode())
    return "\n".join([*headers, "", text])


def _markitdown() -> Any:
    """Return markitdown's converter, or None when the extra is not installed."""
    try:
        from markitdown import MarkItDown  # noqa: PLC0415 - large, and an extra.
    except ImportError:
        return None
    return MarkItDown(enable_plugins=False)


def _converted(converter: Any, data: bytes, extension: str) -> str:
    from markitdown import StreamInfo  # noqa: PLC0415 - large, and an extra.

    try:
        result = converter.convert_stream(io.BytesIO(data), stream_info=StreamInfo(extension=extension))
        text = str(result.text_content)
    except Exception as error:  # Converters raise what their parsers raise.
        if extension == ".pdf":
            return PDF_FAILURE_NOTE
        raise LocalManagerError(
            500, f"Content extraction failed: Failed to read {extension.removeprefix('.').upper()}"
        ) from error
    return PDF_FAILURE_NOTE if extension == ".pdf" and not text.strip() else text


class _VisibleText(HTMLParser):
    """Collects the text of a page, a line per block, without scripts and styles."""

    _HIDDEN = frozenset({"script", "style", "template", "noscript"})
    _INLINE = frozenset(
        {"a", "abbr", "b", "code", "em", "i", "mark", "q", "s", "small", "span", "strong", "sub", "sup", "u"}
    )

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - the base's signature.
        self._hidden += tag in self._HIDDEN
        self._break(tag)

    def handle_endtag(self, tag: str) -> None:
        self._hidden = max(0, self._hidden - (tag in self._HIDDEN))
        self._break(tag)

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.pieces.append(data)

    def _break(self, tag: str) -> None:
        if tag not in self._INLINE:
            self.pieces.append("\n")
