"""Contents: texts stored at the manager before the documents that refer to them."""

import base64
import io
import logging
import os
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from attrs import define

from omni_connector.awaitables import AwaitableStr
from omni_connector.exceptions import InvalidValueError
from omni_connector.manager.pending import Pending
from omni_connector.sources.charset import TEXT_LIMIT_BYTES, UndecodableError, cut
from omni_connector.sync.content_files import UnreadableError
from omni_connector.sync.payloads import FilePayload, TextPayload, file_payload
from omni_connector.sync.run import SyncRun

if TYPE_CHECKING:
    from omni_connector.sync.colours import Colour

log = logging.getLogger(__name__)


class ContentStorage:
    """Stores contents of one run; ``ctx.content_storage``. Its methods are awaited in an ``async def sync``."""

    def __init__(self, run: SyncRun, colour: "Colour") -> None:
        self._run = run
        self._colour = colour

    def save(self, content: str, content_type: str = "text/plain") -> AwaitableStr:
        """Store text and return its content id.

        Args:
            content: text of at most 5 MiB in UTF-8; the rest is cut off (a warning says so).
            content_type: kept for the record; the manager stores everything as plain text.

        Raises:
            InvalidValueError: ``content`` is not text.
            SyncCancelledError: the run was cancelled.
            SdkClientError: the manager refused it or cannot be reached.
        """
        return self._colour.text_of(
            AwaitableStr, self._run, _Storing(self._run, partial(_text, self._run, content), content_type)
        )

    def save_binary(self, content: bytes, content_type: str = "application/octet-stream") -> AwaitableStr:
        """Store bytes as base64 text and return its content id.

        Args:
            content: at most 3932160 bytes: a longer base64 text would be cut and useless (PROTOCOL, section 12).
            content_type: kept for the record.

        Raises:
            InvalidValueError: ``content`` is not bytes, or too long.
            SyncCancelledError: the run was cancelled.
            SdkClientError: the manager refused it or cannot be reached.
        """
        return self._colour.text_of(
            AwaitableStr, self._run, _Storing(self._run, partial(_base64, self._run, content), content_type)
        )

    def extract_and_store_content(
        self, data: bytes | os.PathLike[str] | BinaryIO, mime_type: str, filename: str | None = None
    ) -> AwaitableStr:
        """Have the manager extract the text of a file and store it; return its content id.

        A manager that is busy extracting is asked again after the time that it names (429 with Retry-After), for up to
        20 minutes. A type that it cannot read gives an empty text, not an error (PROTOCOL, section 13).

        Args:
            data: bytes, a path, or a file opened with ``rb``; at most 50 MiB. It is streamed.
            mime_type: its media type, such as ``application/pdf``. A charset is honoured for text.
            filename: its name; with ``application/octet-stream`` its extension decides. Of a path its own unless given.

        Raises:
            InvalidValueError: ``data`` is none of these.
            OSError: the file cannot be read.
            ExtractionError: the file is damaged or too large, or the manager is too old to extract anything.
            ServiceOverloadedError: the manager was still busy in the end.
            SdkClientError: the manager cannot be reached.
        """
        return self._colour.call(AwaitableStr, _extract_and_store, self._run, data, mime_type, filename)

    def extract_text(
        self, data: bytes | os.PathLike[str] | BinaryIO, mime_type: str, filename: str | None = None
    ) -> AwaitableStr:
        """Return the text of a file without storing it; all else is as for ``extract_and_store_content``."""
        return self._colour.call(AwaitableStr, _extract, self._run, data, mime_type, filename)


@define(eq=False)  # Not frozen: one is made for each text, and that costs twice as much.
class _Storing:
    """A text that is to be stored: see ``colours.Storing``."""

    run: SyncRun
    read: Callable[[], str]
    content_type: str

    def store(self) -> str:
        """Store it in this thread."""
        payload, note_cut = self._payload()
        return payload.store(self.run.manager, self.run.info.sync_run_id, note_cut, self.content_type)

    def upload(self) -> Pending[str]:
        """Begin to store it."""
        payload, note_cut = self._payload()
        return payload.upload(self.run.manager, self.run.info.sync_run_id, note_cut, self.content_type)

    def _payload(self) -> tuple[TextPayload, Callable[[], None]]:
        content = self.read()
        text = cut(content)
        note_cut = partial(_warn_of_cut, self.run, len(content))
        if text.is_cut:
            note_cut()
        return TextPayload.of(text), note_cut


def _text(run: SyncRun, content: object) -> str:
    run.require_open("save")
    if isinstance(content, str):
        return content
    raise InvalidValueError(
        model="ContentStorage",
        field="content",
        value=content,
        remedy="give text (decode bytes first, or use save_binary for binary data)",
    )


def _base64(run: SyncRun, content: object) -> str:
    run.require_open("save_binary")
    if not isinstance(content, (bytes, bytearray, memoryview)):
        raise InvalidValueError(
            model="ContentStorage", field="content", value=content, remedy="give bytes (use save for text)"
        )
    text = base64.b64encode(content).decode("ascii")
    if len(text) > TEXT_LIMIT_BYTES:
        raise InvalidValueError(
            model="ContentStorage",
            field="content",
            value=f"{len(content)} bytes",
            remedy=f"give at most {TEXT_LIMIT_BYTES // 4 * 3} bytes: longer base64 would be cut and useless",
        )
    return text


def _warn_of_cut(run: SyncRun, characters: int) -> None:
    log.warning(
        "A content of %d characters is longer than the manager takes (5 MiB; 2 MiB before 3 June 2026) and is cut",
        characters,
        extra={"sync_run_id": run.info.sync_run_id},
    )


def _extract_and_store(run: SyncRun, data: object, mime_type: str, filename: str | None) -> str:
    run.require_open("extract_and_store_content")
    with run.waiting("extract_and_store_content"), run.state.naming_cancellation():
        payload = _file(data, mime_type, filename)
        with closing(payload):
            return payload.upload(run.manager, run.info.sync_run_id).result()


def _extract(run: SyncRun, data: object, mime_type: str, filename: str | None) -> str:
    run.require_open("extract_text")
    with run.waiting("extract_text"), run.state.naming_cancellation():
        payload = _file(data, mime_type, filename)
        with closing(payload):
            return run.manager.extract_text(
                run.info.sync_run_id, payload.file, mime_type=payload.mime_type, filename=payload.filename
            )


def _file(data: object, mime_type: str | None, filename: str | None) -> FilePayload:
    is_file = callable(getattr(data, "read", None)) and not isinstance(data, io.TextIOBase)
    if not is_file and not isinstance(data, (bytes, bytearray, memoryview, os.PathLike)):
        raise InvalidValueError(
            model="ContentStorage",
            field="data",
            value=data,
            remedy="give bytes, a path (pathlib.Path) or a file opened with 'rb' (text needs no extraction: use save)",
        )
    try:
        return file_payload(data, mime_type, filename)
    except (UndecodableError, UnreadableError) as error:
        raise InvalidValueError(
            model="ContentStorage", field="data", value=data, remedy=str(error)
        ) from error
