"""A multipart form that streams its file, so that a large one is never held in memory.

``requests`` builds forms in memory; this hands it an object with ``read`` and a length.
"""

import os
import secrets
from typing import Any, BinaryIO, cast


class MultipartForm:
    """A form of text fields and one file, to be read once.

    Args:
        fields: names and values.
        file: the file, sent as the field ``data`` from its beginning; must be seekable.
    """

    def __init__(self, fields: dict[str, str], file: BinaryIO) -> None:
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        ]
        parts.append(
            f'--{boundary}\r\nContent-Disposition: form-data; name="data"; filename="data"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        self._file = file
        file_length = file.seek(0, os.SEEK_END)
        file.seek(0)
        head, self._tail = "".join(parts).encode(), f"\r\n--{boundary}--\r\n".encode()
        self._length = len(head) + file_length + len(self._tail)
        self._pending = head
        self._file_left = file_length

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __len__(self) -> int:
        return self._length

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, at most ``size``; empty at the end."""
        if size < 0:
            size = self._length
        if not self._pending and self._file_left:
            # Never more than was announced, also when the file grows meanwhile.
            self._pending = self._file.read(min(size, self._file_left))
            self._file_left = self._file_left - len(self._pending) if self._pending else 0
        if not self._pending and not self._file_left:
            self._pending, self._tail = self._tail, b""
        chunk, self._pending = self._pending[:size], self._pending[size:]
        return chunk


class KeptOpen:
    """Opens a file that is open, and whose owner closes it: each attempt reads it from its beginning."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __call__(self) -> BinaryIO:
        """Return the file, as far as a form reads it."""
        return cast("BinaryIO", self)

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        data: bytes = self._file.read(size)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position; return it."""
        self._file.seek(offset, whence)
        position: int = self._file.tell()
        return position

    def close(self) -> None:
        """Leave it open."""
