"""What becomes of ``Document(content=...)``: text to be stored, or a file whose text the manager extracts.

All of it is read when the document is emitted: what a file holds then is what is sent, whatever happens to it afterwards.
"""

import io
import os
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any, BinaryIO

from attrs import define

from omni_connector.exceptions import ContentTooLargeError, InvalidDocumentError
from omni_connector.manager.api import ManagerApi
from omni_connector.manager.multipart import KeptOpen
from omni_connector.manager.pending import Pending
from omni_connector.models.codec import encode_text
from omni_connector.models.document import Document
from omni_connector.sources.charset import (
    HEAD_BYTES,
    SHORT_TEXT_LENGTH,
    TEXT_LIMIT_BYTES,
    Text,
    UndecodableError,
    charset_of_html,
    cut,
    declared_charset,
    marked_charset,
    read_text,
)
from omni_connector.sync.content_files import (
    SPOOLED_BYTES,
    UnreadableError,
    chunks,
    copied,
    opened,
    shortened,
)

DISK_BYTES_A_BYTE = 16
"""So many bytes of a temporary file count as one in memory: 256 MiB of copies fill a buffer of 16 MiB."""


CONVERTED_BYTES = 4 * TEXT_LIMIT_BYTES
"""Of a page or table in another charset so much is converted, since the manager keeps 5 MiB of its text."""

UNKNOWN_TYPE = "application/octet-stream"
"""With it the manager goes by the extension of the file's name (PROTOCOL, section 13)."""

PLAIN_TYPE = "text/plain"
HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
TEXT_SUFFIXES = {
    ".txt": PLAIN_TYPE,
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".csv": "text/csv",
    ".html": "text/html",
    ".htm": "text/html",
}
"""Extensions by which the manager reads a file as text."""


@define
class TextPayload:
    """Text in memory, as the JSON string that travels: what is counted is what is kept.

    Attributes:
        is_too_long: the manager will cut it, or has.
        is_guessed: its charset was not declared and is not UTF-8; it was taken as windows-1252.
    """

    encoded: bytes
    is_too_long: bool = False
    is_guessed: bool = False

    @classmethod
    def of(cls, text: Text) -> "TextPayload":
        """Encode a text."""
        return cls(encode_text(text.text), text.is_cut, text.is_guessed)

    @property
    def buffered_bytes(self) -> int:
        """Memory that it takes."""
        return len(self.encoded)

    def close(self) -> None:
        """Nothing is open."""

    def store(
        self,
        manager: ManagerApi,
        sync_run_id: str,
        on_cut: Callable[[], None],
        content_type: str = PLAIN_TYPE,
    ) -> str:
        """Store it in this thread, otherwise as ``upload``; return its content id."""
        try:
            return manager.store_text(sync_run_id, self.encoded, content_type)
        except ContentTooLargeError as error:
            if len(self.encoded) <= error.limit_bytes:
                raise
            on_cut()
            return manager.store_text(sync_run_id, shortened(self.encoded, error.limit_bytes), content_type)

    def upload(
        self,
        manager: ManagerApi,
        sync_run_id: str,
        on_cut: Callable[[], None],
        content_type: str = PLAIN_TYPE,
    ) -> Pending[str]:
        """Begin to store it; return its content id to come.

        Managers before 3 June 2026 take no body beyond 2 MiB (PROTOCOL, section 18): there its beginning is stored, and
        ``on_cut`` is called.
        """
        first = manager.upload_text(sync_run_id, self.encoded, content_type)
        if len(self.encoded) <= ContentTooLargeError.limit_bytes:
            return first
        pending = PendingContent()

        def answered(future: Pending[str]) -> None:
            error = future.exception()
            if not isinstance(error, ContentTooLargeError):
                pending.follow(future)
                return
            try:
                on_cut()
                shorter = shortened(self.encoded, error.limit_bytes)
                pending.follow(manager.upload_text(sync_run_id, shorter, content_type))
            except BaseException as failure:  # noqa: BLE001 - raised in the thread that waits for the content.
                pending.set_exception(failure)

        first.add_done_callback(answered)
        return pending


@define
class FilePayload:
    """A file whose text the manager extracts; streamed, never read whole.

    Attributes:
        file: seekable, and its own.
        mime_type: its media type, without parameters.
        filename: its name, or None.
        is_guessed: as for texts.
    """

    file: BinaryIO
    mime_type: str
    filename: str | None
    size_bytes: int
    is_guessed: bool = False

    is_too_long = False

    @property
    def buffered_bytes(self) -> int:
        """What it counts in the buffer: its bytes in memory, and a part of those on disk."""
        in_memory = min(self.size_bytes, SPOOLED_BYTES)
        return in_memory + (self.size_bytes - in_memory) // DISK_BYTES_A_BYTE

    def upload(
        self, manager: ManagerApi, sync_run_id: str, _on_cut: Callable[[], None] | None = None
    ) -> Pending[str]:
        """Begin to send it; return the content id of its text to come. The copy is released afterwards."""
        future = manager.upload_file(sync_run_id, KeptOpen(self.file), self.mime_type, self.filename)
        future.add_done_callback(self.close)
        return future

    def close(self, _: object = None) -> None:
        """Release the copy."""
        self.file.close()


class PendingContent(Pending[str]):
    """The content id to come of something that has still to be read, or to be sent again.

    Attributes:
        buffered_bytes: what it takes in the buffer, once it was read.
        is_begun: it is being read, or was.
        is_read: nothing has to be read any more.
    """

    buffered_bytes = 0
    is_begun = is_read = True

    def follow(self, upload: Pending[str]) -> None:
        """Take the outcome of an upload."""
        upload.add_done_callback(self._take)

    def _take(self, upload: Pending[str]) -> None:
        error = upload.exception()
        if error is None:
            self.set_result(upload.result())
        else:
            self.set_exception(error)


class WithdrawnError(Exception):
    """The document's file could not be read, and its connector has been given the reason: there is nothing to send."""


Payload = TextPayload | FilePayload


def payload_of(document: Document) -> Payload:
    """Read the content of a document; a file object remains its owner's to close.

    Raises:
        InvalidDocumentError: it cannot be sent: bytes that are no text, a folder, a pipe given by its path.
        OSError: a file cannot be read.
    """
    content: Any = document.content
    if isinstance(content, str):
        is_short = len(content) <= SHORT_TEXT_LENGTH
        return TextPayload(encode_text(content)) if is_short else TextPayload.of(cut(content))
    mime_type, filename = document.mime_type, document.filename
    try:
        if (mime_type is None and filename is None) or _text_type(mime_type, filename) == PLAIN_TYPE:
            with opened(content) as file:
                return TextPayload.of(read_text(chunks(file), declared_charset(mime_type)))
        return file_payload(content, mime_type, filename)
    except (UndecodableError, UnreadableError) as error:
        remedy = str(error)
        if isinstance(error, UndecodableError):
            remedy += (
                "; name its charset, as in mime_type='text/plain; charset=...', or give mime_type or filename to have the "
                "manager extract the text of a file"
            )
        raise InvalidDocumentError(
            document_id=document.external_id,
            field="content",
            value=content[:20] if isinstance(content, (bytes, bytearray)) else content,
            remedy=remedy,
        ) from error


def file_payload(content: Any, mime_type: str | None, filename: str | None) -> FilePayload:
    """Copy a file whose text the manager extracts.

    Args:
        content: bytes, a path, or a binary file object.
        mime_type: its media type. ``charset`` is honoured for text; other parameters are dropped, because the manager
            knows no type that has any (PROTOCOL, section 19).
        filename: its name, whose extension decides where the type is not known; of a path its own unless given.

    Raises:
        UndecodableError: it is text whose charset is unknown, or is another than declared.
        UnreadableError: it is no file, or larger than any manager takes.
        OSError: it cannot be read.
    """
    if filename is None and isinstance(content, os.PathLike):
        filename = Path(content).name
    text_type = _text_type(mime_type, filename)
    charset = None if text_type is None else declared_charset(mime_type)
    with opened(content) as file:
        copy, size = copied(file)
    payload = FilePayload(copy, _kind(mime_type) or UNKNOWN_TYPE, filename, size)
    if text_type is not None:
        try:
            _make_utf8(payload, charset, is_html=text_type in HTML_TYPES)
        except BaseException:
            payload.close()
            raise
    return payload


def _kind(mime_type: str | None) -> str:
    return (mime_type or "").partition(";")[0].strip().lower()


def _text_type(mime_type: str | None, filename: str | None) -> str | None:
    """Return the type of what the manager reads as text; None for other files."""
    kind = _kind(mime_type)
    if kind in {"", UNKNOWN_TYPE}:
        return TEXT_SUFFIXES.get(PurePath(filename or "").suffix.lower())
    return kind if kind.startswith("text/") or kind in HTML_TYPES else None


def _make_utf8(payload: FilePayload, charset: str | None, *, is_html: bool) -> None:
    """Turn text that is not UTF-8 into it, because the manager takes every text for UTF-8."""
    head = payload.file.read(HEAD_BYTES)
    if charset is None and is_html:
        charset = charset_of_html(head)
    payload.file.seek(0)
    text = read_text(chunks(payload.file), charset, limit_bytes=CONVERTED_BYTES)
    payload.file.seek(0)
    if charset in {None, "utf-8", "ascii"} and not text.is_guessed and marked_charset(head) is None:
        return
    payload.file.close()
    data = text.text.encode()
    payload.file, payload.size_bytes, payload.is_guessed = io.BytesIO(data), len(data), text.is_guessed
