"""Contents: texts stored at the manager before the documents that refer to them."""

import base64
import logging
from collections.abc import Callable

from omni_connector.awaitables import AwaitableStr
from omni_connector.exceptions import InvalidValueError
from omni_connector.manager.api import ManagerApi
from omni_connector.sync.payloads import TEXT_LIMIT_BYTES, is_too_long
from omni_connector.sync.run_info import RunInfo

log = logging.getLogger(__name__)


class ContentStorage:
    """Stores contents of one run; ``ctx.content_storage``.

    Args:
        run: the run.
        manager: where to.
        check: raises what keeps the run from going on.
    """

    def __init__(self, run: RunInfo, manager: ManagerApi, check: Callable[[], None]) -> None:
        self._run = run
        self._manager = manager
        self._check = check

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
        return AwaitableStr(self.upload(checked_text(content, self._run), content_type))

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
        return AwaitableStr(self.upload(binary_text(content), content_type))

    def upload(self, content: str, content_type: str = "text/plain") -> str:
        """As ``save``, without looking at content or run again: for the threads that upload."""
        return self._manager.store_content(self._run.sync_run_id, content, content_type)


def checked_text(content: str, run: RunInfo) -> str:
    """Return ``content``, and warn if the manager will cut it; what JSON cannot carry is cleaned by the codec.

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
    if is_too_long(content):
        log.warning(
            "A content of %d characters is longer than the manager's limit of %d bytes and will be cut",
            len(content),
            TEXT_LIMIT_BYTES,
            extra={"sync_run_id": run.sync_run_id},
        )
    return content


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
