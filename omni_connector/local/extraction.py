"""Text out of files (PROTOCOL, section 13).

Plain text, Markdown, CSV, e-mail and HTML need nothing; the other formats need an extra (``converters``).
"""

from __future__ import annotations

import csv
import io
import itertools
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage

from omni_connector.local.contents import cut, normalised
from omni_connector.local.converters import convert
from omni_connector.local.errors import LocalManagerError
from omni_connector.local.manager_dates import Since
from omni_connector.local.settings import LocalSettings

BUSY = "Document extraction is busy. Try again later."

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
_CONVERTED = ("pdf", "docx", "xlsx", "pptx", "xls", "msg")
_EXTENSION_OF = {_EXTENSION_TYPES[extension]: extension for extension in _CONVERTED}
_SPREADSHEETS = frozenset({"xlsx", "xls"})
_TABLE_RULE = re.compile(r"[|:\s-]+")
_LETTER = re.compile(r"[^\W\d_]")
_EMPTY_CELL = "NaN"
"""How markitdown writes a cell without a value."""


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
        if not self._settings.has(Since.EXTRACTION_PERMITS):
            yield
            return
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
        limited = self._settings.has(Since.TEXT_LIMIT)
        if limited and len(data) > limit:
            raise LocalManagerError(
                413, f"Extraction input too large: {len(data)} bytes exceeds {limit} byte limit"
            )
        if mime_type == "application/octet-stream":
            extension = (filename or "").rpartition(".")[2].lower()
            mime_type = _EXTENSION_TYPES.get(extension, mime_type)
        text = self._text(data, mime_type)
        return normalised(cut(text, self._settings.max_extracted_text_bytes) if limited else text)

    def _text(self, data: bytes, mime_type: str) -> str:
        if mime_type in self._readers:
            return self._readers[mime_type](data)
        extension = _EXTENSION_OF.get(mime_type)
        if extension is None:
            return ""
        text = convert(extension, data)
        return self._tables(text) if extension in _SPREADSHEETS else text

    def _csv(self, data: bytes) -> str:
        rows = csv.reader(io.StringIO(_plain(data).replace("\0", ""), newline=""))
        try:
            return "\n".join(self._worth_indexing(rows))
        except csv.Error as error:
            raise LocalManagerError(500, f"Content extraction failed: Failed to read CSV: {error}") from error

    def _tables(self, markdown: str) -> str:
        """Return the cells of a workbook's Markdown tables, one heading a sheet."""
        rows = (
            line.strip("|").split("|")
            for line in markdown.splitlines()
            if line and not _TABLE_RULE.fullmatch(line)
        )
        return "\n".join(self._worth_indexing([cell.strip() for cell in row] for row in rows))

    def _worth_indexing(self, rows: Iterable[list[str]]) -> Iterator[str]:
        """Yield rows, limited in number, without the cells that hold no letter."""
        for row in itertools.islice(rows, self._settings.spreadsheet_max_indexed_rows):
            cells = [cell for cell in row if _LETTER.search(cell) and cell != _EMPTY_CELL]
            if cells:
                yield " ".join(cells)


def _plain(data: bytes) -> str:
    return data.decode("utf-8-sig", errors="replace")


def _html(data: bytes) -> str:
    return convert("html", data)


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
