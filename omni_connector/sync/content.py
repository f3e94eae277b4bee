"""Contents: texts stored at the manager before the documents that refer to them."""

import base64
import io
import logging
import os
from collections.abc import Callable
from contextlib import closing
from typing import BinaryIO

from omni_connector.awaitables import AwaitableStr
from omni_connector.exceptions import InvalidValueError, SdkClientError
from omni_connector.manager.api import ManagerApi
from omni_connector.models.codec import encode_text
from omni_connector.sync.charset import TEXT_LIMIT_BYTES, UndecodableError, cut
from omni_connector.sync.payloads import FilePayload, UnreadableError, file_payload, store_text
from omni_connector.sync.pulse import Pulse
from omni_connector.sync.run_info import RunInfo

log = logging.getLogger(__name__)


class ContentStorage:
    """Stores contents of one run; ``ctx.content_storage``.

    Args:
        run: the run.
        manager: where to.
        check: raises what keeps the run from going on.
        pulse: the run's, to say that it makes progress while a file is extracted.
    """

    def __init__(
        self, run: RunInfo, manager: ManagerApi, check: Callable[[], None], *, pulse: Pulse | None = None
    ) -> None:
        self._run = run
        self._manager = manager
        self._check = check
        self._pulse = pulse or Pulse()

    def save(self, content: str, content_type: str = "text/plain") -> AwaitableStr:
        """Store text and return its content id.

        Args:
            content: text of at most 5 MiB in UTF-8; the manager cuts the rest off (a warning says so).
            content_type: kept for the record; the manager stores everything as plain text.

        Raises:
            InvalidValueError: ``content`` is not text.
            SyncCancelledError: the run was cancelled.
            SdkClientError: the manager refused it or cannot be reached.
        """
        self._check()
        return AwaitableStr(self._told(lambda: self.upload(checked_text(content, self._run), content_type)))

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
        self._check()
        return AwaitableStr(self._told(lambda: self.upload(binary_text(content), content_type)))

    def extract_and_store_content(
        self, data: bytes | os.PathLike[str] | BinaryIO, mime_type: str, filename: str | None = None
    ) -> AwaitableStr:
        """Have the manager extract the text of a file and store it; return its content id.

        A manager that is busy extracting is asked again after the time that it names (429 with Retry-After), for up to
        20 minutes. A type that it cannot read gives an empty text, not an error (PROTOCOL, section 13).

        Args:
            data: bytes, a path, or a file opened with ``rb``; at most 50 MiB. It is streamed.
            mime_type: its media type, such as ``application/pdf``.
            filename: its name; with ``application/octet-stream`` its extension decides. Of a path its own unless given.

        Raises:
            InvalidValueError: ``data`` is none of these.
            OSError: the file cannot be read.
            ExtractionError: the file is damaged or too large, or the manager is too old to extract anything.
            ServiceOverloadedError: the manager was still busy in the end.
            SdkClientError: the manager cannot be reached.
        """
        payload = self._file(data, mime_type, filename)
        with self._pulse.inside("extract_and_store_content"), closing(payload):
            return AwaitableStr(self._told(lambda: payload.upload(self._manager, self._run.sync_run_id)))

    def extract_text(
        self, data: bytes | os.PathLike[str] | BinaryIO, mime_type: str, filename: str | None = None
    ) -> AwaitableStr:
        """Return the text of a file without storing it; all else is as for ``extract_and_store_content``."""
        payload = self._file(data, mime_type, filename)
        with self._pulse.inside("extract_text"), closing(payload):
            return AwaitableStr(self._told(lambda: payload.text(self._manager, self._run.sync_run_id)))

    def _file(self, data: object, mime_type: str | None, filename: str | None) -> FilePayload:
        self._check()
        try:
            return file_payload(checked_file(data), mime_type, filename)
        except (UndecodableError, UnreadableError) as error:
            raise InvalidValueError(
                model="ContentStorage", field="data", value=data, remedy=str(error)
            ) from error

    def _told(self, call: Callable[[], str]) -> str:
        """Return what ``call`` returns; tell one that a cancellation has broken as such, not as a manager that is away."""
        try:
            return call()
        except SdkClientError:
            self._check()
            raise

    def upload(self, content: str, content_type: str = "text/plain") -> str:
        """As ``save``, without looking at content or run again: for the threads that upload."""
        encoded = encode_text(content)
        content_id, was_cut = store_text(self._manager, self._run.sync_run_id, encoded, content_type)
        if was_cut:
            log.warning(
                "A content of %d characters is longer than this manager takes and was cut",
                len(content),
                extra={"sync_run_id": self._run.sync_run_id},
            )
        return content_id


def checked_text(content: str, run: RunInfo) -> str:
    """Return ``content``, cut to what the manager keeps (a warning says so); the codec cleans what JSON cannot carry.

    Raises:
        InvalidValueError: it is not text.
    """
    if not isinstance(content, str):
        raise InvalidValueError(
            model="ContentStorage",
            field="content",
            value=content,
            remedy="give text (decode bytes first, or use save_binary for binary data)",
        )
    text = cut(content)
    if text.is_cut:
        log.warning(
            "A content of %d characters is longer than the manager's limit of %d bytes and is cut",
            len(content),
            TEXT_LIMIT_BYTES,
            extra={"sync_run_id": run.sync_run_id},
        )
    return text.text


def checked_file(data: object) -> object:
    """Return ``data``, a file in one of its forms.

    Raises:
        InvalidValueError: it is none.
    """
    if isinstance(data, (bytes, bytearray, memoryview, os.PathLike)):
        return data
    if callable(getattr(data, "read", None)) and not isinstance(data, io.TextIOBase):
        return data
    raise InvalidValueError(
        model="ContentStorage",
        field="data",
        value=data,
        remedy="give bytes, a path (pathlib.Path) or a file opened with 'rb' (text needs no extraction: use save)",
    )


def binary_text(content: bytes) -> str:
    """Return ``content`` as base64.

    Raises:
        InvalidValueError: it is not bytes, or too long to be stored whole.
    """
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
