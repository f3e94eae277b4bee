"""What becomes of ``Document(content=...)``: text to be stored, or a file whose text the manager extracts."""

import io
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Self

from attrs import define, frozen

from omni_connector.exceptions import ContentTooLargeError, InvalidDocumentError
from omni_connector.manager.api import ManagerApi
from omni_connector.models.codec import decode, encode_text
from omni_connector.models.document import Document

TEXT_LIMIT_BYTES = 5 * 1024 * 1024
"""The manager cuts longer text silently (PROTOCOL, sections 1 and 12)."""

SPOOLED_BYTES = 1024 * 1024
"""What is kept in memory of a file object; the rest goes to a temporary file."""

UNKNOWN_TYPE = "application/octet-stream"
"""With it the manager goes by the extension of the file's name (PROTOCOL, section 13)."""


@define
class TextPayload:
    """Text in memory, as the JSON string that travels: what is counted is what is kept.

    ``is_too_long`` may become true by ``upload``.
    """

    encoded: bytes
    is_too_long: bool

    extracted = False

    @classmethod
    def of(cls, text: str) -> "TextPayload":
        """Encode a text."""
        return cls(encode_text(text), is_too_long(text))

    @property
    def buffered_bytes(self) -> int:
        """Memory that it takes."""
        return len(self.encoded)

    def upload(self, manager: ManagerApi, sync_run_id: str) -> str:
        """Store it; return its content id."""
        content_id, was_cut = store_text(manager, sync_run_id, self.encoded)
        self.is_too_long = self.is_too_long or was_cut
        return content_id

    def close(self) -> None:
        """Nothing to release."""


@define
class TextFilePayload:
    """A file of UTF-8 text, read when its turn comes.

    Nothing beyond the manager's limit is read; ``is_too_long`` is known after ``upload``.
    """

    document_id: str
    path: Path
    is_too_long: bool = False

    extracted = False

    @property
    def buffered_bytes(self) -> int:
        """Memory that it will take: dozens may be read at once."""
        try:
            return min(self.path.stat().st_size, TEXT_LIMIT_BYTES)
        except OSError:  # Said by ``upload``.
            return 0

    def upload(self, manager: ManagerApi, sync_run_id: str) -> str:
        """Read and store it; return its content id.

        Raises:
            InvalidDocumentError: it is not UTF-8.
            OSError: it cannot be read.
        """
        # Bytes, text and JSON one after the other, not all at once.
        encoded = encode_text(decoded(self._read(), self.document_id))
        content_id, was_cut = store_text(manager, sync_run_id, encoded)
        self.is_too_long = self.is_too_long or was_cut
        return content_id

    def _read(self) -> bytes:
        with self.path.open("rb") as file:
            data = file.read(TEXT_LIMIT_BYTES + 4)
        self.is_too_long = len(data) > TEXT_LIMIT_BYTES
        return data

    def close(self) -> None:
        """Nothing to release."""


@frozen
class ExtractedPayload:
    """A file whose text the manager extracts; streamed, never read whole."""

    open: Callable[[], BinaryIO]
    mime_type: str
    filename: str | None
    buffered_bytes: int
    release: Callable[[], None]

    extracted = True
    is_too_long = False

    def upload(self, manager: ManagerApi, sync_run_id: str) -> str:
        """Send it; return the content id of its text.

        Raises:
            OSError: it cannot be read.
        """
        with self.open() as file:
            return manager.extract_content(
                sync_run_id, file, mime_type=self.mime_type, filename=self.filename
            )

    def text(self, manager: ManagerApi, sync_run_id: str) -> str:
        """Send it; return its text, which is not stored.

        Raises:
            OSError: it cannot be read.
        """
        with self.open() as file:
            return manager.extract_text(sync_run_id, file, mime_type=self.mime_type, filename=self.filename)

    def close(self) -> None:
        """Release what was kept of it."""
        self.release()


Payload = TextPayload | TextFilePayload | ExtractedPayload


def payload_of(document: Document) -> Payload:
    """Return what is to be uploaded for a document with ``content``.

    A file object is read, or copied to a temporary file, now: it is its owner's to close after ``emit``.

    Raises:
        InvalidDocumentError: bytes without ``mime_type`` and ``filename`` are not UTF-8 text.
    """
    content: Any = document.content
    if isinstance(content, str):
        return TextPayload.of(content)
    if document.mime_type is not None or document.filename is not None:
        return extracted_payload(content, document.mime_type, document.filename)
    if isinstance(content, os.PathLike):
        return TextFilePayload(document.external_id, Path(content))
    data = bytes(content) if not hasattr(content, "read") else content.read(TEXT_LIMIT_BYTES + 4)
    return TextPayload.of(decoded(data, document.external_id))


def extracted_payload(content: Any, mime_type: str | None, filename: str | None) -> ExtractedPayload:
    """Return a file whose text the manager extracts.

    Args:
        content: bytes, a path, or a binary file object, which is read now: it is its owner's to close.
        mime_type: its media type; parameters such as ``; charset=utf-8`` are dropped, because the manager knows no type
            that has any (PROTOCOL, section 19).
        filename: its name, whose extension decides where the type is not known; of a path its own unless given.
    """
    mime_type = (mime_type or "").partition(";")[0].strip().lower() or UNKNOWN_TYPE
    if isinstance(content, os.PathLike):
        path = Path(content)
        return ExtractedPayload(lambda: path.open("rb"), mime_type, filename or path.name, 0, _nothing)
    if hasattr(content, "read"):
        return _spooled(content, mime_type, filename)
    data = bytes(content)
    return ExtractedPayload(lambda: io.BytesIO(data), mime_type, filename, len(data), _nothing)


def store_text(
    manager: ManagerApi, sync_run_id: str, encoded: bytes, content_type: str = "text/plain"
) -> tuple[str, bool]:
    """Store a text that is a JSON string already; return its content id, and whether only its beginning was stored.

    Managers before 3 June 2026 take no body beyond 2 MiB (PROTOCOL, section 18).
    """
    try:
        return manager.store_encoded(sync_run_id, encoded, content_type), False
    except ContentTooLargeError as error:
        shorter = _shortened(encoded, error.limit_bytes)
        return manager.store_encoded(sync_run_id, shorter, content_type), True


def fits_every_manager(encoded: bytes) -> bool:
    """Say whether no manager, however old, cuts or refuses a text of this length, so that ``store_text`` is not needed."""
    return len(encoded) <= ContentTooLargeError.limit_bytes


def _shortened(encoded: bytes, limit_bytes: int) -> bytes:
    """Return the beginning of a text, as a JSON string that is no longer than that."""
    text = str(decode(encoded)).encode()[:limit_bytes].decode(errors="ignore")
    while len(shorter := encode_text(text)) > limit_bytes:  # Quotes and line ends take two bytes.
        text = text[: len(text) * 9 // 10]
    return shorter


def is_too_long(text: str) -> bool:
    """Say whether the manager will cut ``text``."""
    shortest = TEXT_LIMIT_BYTES // 4  # No character takes more than four bytes.
    return len(text) > shortest and len(text.encode(errors="replace")) > TEXT_LIMIT_BYTES


def decoded(data: bytes, document_id: str) -> str:
    """Return UTF-8 text; what was cut in the middle of a character at the limit loses that character.

    Raises:
        InvalidDocumentError: it is not UTF-8.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(data) > TEXT_LIMIT_BYTES and error.start >= len(data) - 4:
            return data[: error.start].decode("utf-8")
        raise InvalidDocumentError(
            document_id=document_id,
            field="content",
            value=data[:20],
            remedy="bytes are taken as UTF-8 text: give mime_type or filename to have the manager extract "
            "the text of a file, or decode it first",
        ) from error


def _spooled(content: Any, mime_type: str, filename: str | None) -> ExtractedPayload:
    spool = tempfile.SpooledTemporaryFile(max_size=SPOOLED_BYTES)  # noqa: SIM115 - closed by close().
    while chunk := content.read(SPOOLED_BYTES):
        spool.write(chunk)
    size = min(spool.tell(), SPOOLED_BYTES)

    def opened() -> BinaryIO:
        return _KeptOpen(spool)  # type: ignore[return-value]  # As far as a form reads it.

    return ExtractedPayload(opened, mime_type, filename, size, spool.close)


class _KeptOpen:
    """A file that stays open when a ``with`` around it ends: the next attempt reads it again."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.seek(0)

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._file.read(size)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._file.seek(offset, whence)
        position: int = self._file.tell()
        return position


def _nothing() -> None:
    """Nothing to release."""
