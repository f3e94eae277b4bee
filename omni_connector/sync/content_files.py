"""Reads what was given as content: paths, files, pipes; piece by piece, or into a copy."""

import io
import math
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from omni_connector.models.codec import decode, encode_text

CHUNK_BYTES = 1024 * 1024

SPOOLED_BYTES = 1024 * 1024
"""What is kept in memory of a file; the rest of it is in a temporary file."""

LARGEST_FILE_BYTES = 400 * 1024 * 1024
"""No manager takes more in one request; 50 MiB by default (PROTOCOL, sections 1 and 18)."""


class UnreadableError(ValueError):
    """What was given as a file is none that can be sent."""


@contextmanager
def opened(content: Any) -> Iterator[BinaryIO]:
    """Open a content in any of its forms; a file object stays open afterwards.

    Raises:
        UnreadableError: it is the path of something else than a file.
        OSError: it cannot be opened.
    """
    if hasattr(content, "read"):
        yield content
        return
    if not isinstance(content, os.PathLike):
        with io.BytesIO(content) as file:
            yield file
        return
    # A pipe without a writer would otherwise keep open() waiting.
    descriptor = os.open(content, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe, socket or device"
        raise UnreadableError(f"it is {kind}, give the path of a file (or an open file object)")
    with open(descriptor, "rb") as file:  # noqa: PTH123 - of a descriptor.
        yield file


def shortened(encoded: bytes, limit_bytes: int) -> bytes:
    """Return the beginning of a text, as a JSON string that is no longer than that."""
    text = str(decode(encoded)).encode()[:limit_bytes].decode(errors="ignore")
    while len(shorter := encode_text(text)) > limit_bytes:  # Quotes and line ends take two bytes.
        text = text[: len(text) * 9 // 10]
    return shorter


def chunks(file: BinaryIO, limit_bytes: float = math.inf) -> Iterator[bytes]:
    """Read to the end, however little each call returns; unbuffered files, pipes and sockets return what is there."""
    size = 0
    while chunk := file.read(CHUNK_BYTES):
        if not isinstance(chunk, bytes | bytearray | memoryview):
            raise UnreadableError(f"its read() returns {type(chunk).__name__}, give a file opened with 'rb'")
        size += len(chunk)
        if size > limit_bytes:
            raise UnreadableError(f"it is larger than {limit_bytes} bytes, which no manager takes")
        yield bytes(chunk)
    if chunk is None:
        raise UnreadableError(
            "it does not block: nothing was there to be read before its end, give a blocking one"
        )


def copied(file: BinaryIO) -> tuple[BinaryIO, int]:
    """Copy a file to a temporary one; return it with its size."""
    copy = tempfile.SpooledTemporaryFile(max_size=SPOOLED_BYTES)  # noqa: SIM115 - closed by its payload.
    size = 0
    try:
        for chunk in chunks(file, LARGEST_FILE_BYTES):
            size += copy.write(chunk)
    except BaseException:
        copy.close()
        raise
    copy.seek(0)
    return cast("BinaryIO", copy), size
