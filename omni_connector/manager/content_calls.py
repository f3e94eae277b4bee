"""Stores texts and the texts of files, on managers of every age."""

from collections.abc import Callable
from typing import BinaryIO

from omni_connector.manager import endpoints
from omni_connector.manager.caller import Caller
from omni_connector.manager.calls import Call
from omni_connector.manager.compatibility import Feature
from omni_connector.manager.extraction import Extraction
from omni_connector.manager.multipart import KeptOpen
from omni_connector.manager.pending import Pending
from omni_connector.models.codec import encode_text


class ContentCalls(Caller):
    """The calls that store or extract contents."""

    def upload_text(self, sync_run_id: str, encoded: bytes, content_type: str | None = None) -> Pending[str]:
        """``POST /sdk/content`` with a text that is a JSON string already (``models.codec.encode_text``).

        Never blocks: it waits for its turn in the background, and is repeated there.

        Args:
            sync_run_id: the run.
            encoded: the text as a JSON string, quotes included.
            content_type: as for ``store_content``.

        Returns:
            Its content id to come. ContentTooLargeError comes through it when this manager takes no text of that size.
        """
        body = endpoints.content_body(sync_run_id, encoded, content_type)
        return self._sender.send(endpoints.CONTENT, self._owner, body)

    def store_text(self, sync_run_id: str, encoded: bytes, content_type: str | None = None) -> str:
        """``POST /sdk/content``, as ``upload_text``, in this thread; return the content id."""
        body = endpoints.content_body(sync_run_id, encoded, content_type)
        return self._sender.call(endpoints.CONTENT, self._owner, body)

    def upload_file(
        self, sync_run_id: str, open_file: Callable[[], BinaryIO], mime_type: str, filename: str | None
    ) -> Pending[str]:
        """``POST /sdk/extract-content``, as ``upload_text``: have the manager store the text of a file.

        Args:
            sync_run_id: the run.
            open_file: opens the file, which is seekable, for each attempt; closed after it.
            mime_type: its media type, without parameters.
            filename: its name, whose extension decides with ``application/octet-stream``.

        Returns:
            Its content id to come. ExtractionError comes through it when the file is damaged or too large, or the manager
            extracts nothing; OSError when it cannot be opened.
        """
        call = endpoints.extraction("/sdk/extract-content", sync_run_id, open_file, mime_type, filename)
        return self._extract(call, Feature.EXTRACT_CONTENT)

    def store_content(self, sync_run_id: str, content: str, content_type: str | None = None) -> str:
        """``POST /sdk/content``: store text, return its content id.

        Args:
            sync_run_id: the run.
            content: the text.
            content_type: its media type, which the manager ignores.

        Raises:
            ContentTooLargeError: this manager takes no text of that size.
        """
        return self.store_text(sync_run_id, encode_text(content), content_type)

    def extract_content(
        self, sync_run_id: str, file: BinaryIO, *, mime_type: str, filename: str | None = None
    ) -> str:
        """``POST /sdk/extract-content``: store the text of a file, return its content id.

        Args:
            sync_run_id: the run.
            file: seekable; it is streamed, and read again for another attempt.
            mime_type: its media type, without parameters.
            filename: its name, whose extension decides with ``application/octet-stream``.

        Raises:
            ExtractionError: the file is damaged or too large, or the manager extracts nothing.
        """
        return self.upload_file(sync_run_id, KeptOpen(file), mime_type, filename).result()

    def extract_text(
        self, sync_run_id: str, file: BinaryIO, *, mime_type: str, filename: str | None = None
    ) -> str:
        """``POST /sdk/extract-text``: return the text of a file; errors and arguments as for ``extract_content``.

        Args:
            sync_run_id: the run.
            file: seekable.
            mime_type: its media type.
            filename: its name.
        """
        call = endpoints.extraction("/sdk/extract-text", sync_run_id, KeptOpen(file), mime_type, filename)
        return self._extract(call, Feature.EXTRACT_TEXT).result()

    def _extract(self, call: Call[str], feature: Feature) -> Pending[str]:
        return Extraction(self._compatibility, feature).begin(self._sender, call, self._owner)
