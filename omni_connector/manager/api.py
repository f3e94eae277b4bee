"""What the rest of the package knows of the manager."""

import threading
from collections.abc import Callable, Sequence
from typing import BinaryIO, Protocol

from omni_connector.manager.pending import Pending
from omni_connector.models import RunProgress, ServiceCredential, SourceRow, SyncConfig
from omni_connector.models.json_values import JsonValue


class ManagerApi(Protocol):
    """Everything that a connector can ask of its manager. Every call raises SdkClientError when it fails for good."""

    @property
    def parallel_uploads(self) -> int:
        """How many contents are being uploaded now, of all runs."""
        ...

    def for_run(self, stop: threading.Event) -> "ManagerApi":
        """Return the same manager for one run, whose calls ``abort`` ends; nothing is sent once ``stop`` is set."""
        ...

    def abort(self) -> None:
        """End the calls of the run at once, under way or waiting; to be used after its ``stop`` was set."""

    def ping(self) -> None:
        """Return if the manager answers that it is healthy; tried once, for two seconds at most."""

    def register(self, manifest: dict[str, JsonValue]) -> None:
        """Announce the connector; tried once, because it is repeated anyway.

        Args:
            manifest: as ``ConnectorManifest.to_wire()`` returns it.
        """

    def sync_config(self, source_id: str) -> SyncConfig:
        """Return what a run needs to know about its source."""
        ...

    def user_email(self, source_id: str) -> str:
        """Return the e-mail address of the user who made the source."""
        ...

    def source(self, source_id: str) -> SourceRow:
        """Return the source's row.

        Raises:
            NotFoundError: there is no such source.
        """
        ...

    def credentials(self, source_id: str) -> ServiceCredential:
        """Return the credential of the source's owner, its OAuth token fresh.

        Raises:
            NotFoundError: there is no such source, or it has none.
        """
        ...

    def sources_by_type(self, source_type: str) -> list[SourceRow]:
        """Return the active sources of a type, newest first."""
        ...

    def connector_config(self, provider: str) -> JsonValue:
        """Return what an administrator has set for a provider; empty when nothing.

        Args:
            provider: such as ``google``.
        """

    def notify_webhook(self, source_id: str, event_type: str) -> str:
        """Have the manager start an incremental sync of a source in which something changed; return its run's id.

        Args:
            source_id: the source.
            event_type: what happened, such as ``page.updated``; the manager only logs it.

        Raises:
            NotFoundError: there is no such source.
            RunConflictError: a sync of it is in progress, or a limit is reached.
        """
        ...

    def create_run(self, source_id: str, sync_mode: str = "incremental") -> str:
        """Open a run that the connector drives by itself; return its id.

        Raises:
            NotFoundError: there is no such source.
            RunConflictError: its slot is taken, or a limit is reached.
        """
        ...

    def cancel_run(self, sync_run_id: str) -> None:
        """Mark a run cancelled, without notifying the connector."""

    def send_events(
        self,
        sync_run_id: str,
        source_id: str,
        events: Sequence[bytes],
        *,
        patient: bool = True,
        insistent: bool = False,
    ) -> Sequence[int]:
        """Queue a list of encoded events, all or none; a 500 is repeated briefly only, unless ``insistent``.

        Args:
            sync_run_id: the run.
            source_id: its source.
            events: JSON objects, encoded (``models.codec.encode``).
            patient: repeat the call while the manager is in trouble.
            insistent: repeat a 500 as long as other errors.

        Returns:
            The positions of events that were left out, because the manager does not know their kind.

        Raises:
            SyncRunEndedError: the manager takes no more events for this run.
        """
        ...

    def send_event(
        self, sync_run_id: str, source_id: str, event: bytes, *, patient: bool = True
    ) -> Sequence[int]:
        """As ``send_events``, with one."""
        ...

    def store_content(self, sync_run_id: str, content: str, content_type: str | None = None) -> str:
        """Store text; return its content id.

        Args:
            sync_run_id: the run.
            content: the text.
            content_type: its media type, which the manager ignores.

        Raises:
            ContentTooLargeError: an older manager takes no text of that size.
        """
        ...

    def store_text(self, sync_run_id: str, encoded: bytes, content_type: str | None = None) -> str:
        """As ``upload_text``, in this thread; return the content id."""
        ...

    def upload_text(self, sync_run_id: str, encoded: bytes, content_type: str | None = None) -> Pending[str]:
        """Store a text that is a JSON string already (``models.codec.encode_text``); never blocks.

        It waits for its turn in the background, and is repeated there.

        Args:
            sync_run_id: the run.
            encoded: the text as a JSON string, quotes included.
            content_type: as for ``store_content``.

        Returns:
            Its content id to come, or the SdkClientError after the last attempt; ContentTooLargeError where an older manager
            takes no text of that size.
        """
        ...

    def upload_file(
        self, sync_run_id: str, open_file: Callable[[], BinaryIO], mime_type: str, filename: str | None
    ) -> Pending[str]:
        """Store the text that the manager extracts from a file; never blocks.

        Args:
            sync_run_id: the run.
            open_file: opens the file, which is seekable, for each attempt; it is closed after it.
            mime_type: its media type, without parameters.
            filename: its name.

        Returns:
            Its content id to come, or the SdkClientError after the last attempt, or the OSError of ``open_file``.
        """
        ...

    def extract_content(
        self, sync_run_id: str, file: BinaryIO, *, mime_type: str, filename: str | None = None
    ) -> str:
        """Store the text that the manager extracts from a file; return its content id. ``file`` is seekable.

        Args:
            sync_run_id: the run.
            file: opened for reading bytes; seekable, because it is read again when the call is repeated.
            mime_type: its media type, without parameters.
            filename: its name, which helps to tell its format.
        """
        ...

    def extract_text(
        self, sync_run_id: str, file: BinaryIO, *, mime_type: str, filename: str | None = None
    ) -> str:
        """Return the text that the manager extracts from a file, which is not stored. ``file`` is seekable."""
        ...

    def heartbeat(self, sync_run_id: str) -> None:
        """Say that the run is alive; tried once."""

    def add_scanned(self, sync_run_id: str, count: int) -> None:
        """Add to the run's ``documents_scanned``; not repeated when it may have arrived.

        Args:
            sync_run_id: the run.
            count: how many more.
        """

    def add_updated(self, sync_run_id: str, count: int) -> None:
        """Add to the run's ``documents_updated``; not repeated when it may have arrived.

        Args:
            sync_run_id: the run.
            count: how many more.
        """

    def progress(self, sync_run_id: str) -> RunProgress | None:
        """Return what the manager knows of the run now; None for a run that it does not know."""

    def save_checkpoint(self, sync_run_id: str, checkpoint: JsonValue, *, source_id: str) -> None:
        """Replace the run's checkpoint; ``source_id`` is for older managers, which keep it with the source."""

    def save_connector_state(self, source_id: str, state: JsonValue) -> None:
        """Replace the source's connector state."""

    def complete(self, sync_run_id: str, *, scanned: int, updated: int, new_state: JsonValue) -> None:
        """Finish the run; the manager publishes its checkpoint. The arguments are read by old managers only.

        Args:
            sync_run_id: the run.
            scanned: documents that were looked at.
            updated: documents that were added, changed or deleted.
            new_state: the checkpoint for the next run.
        """

    def fail(self, sync_run_id: str, error: str) -> None:
        """Finish the run as failed.

        Args:
            sync_run_id: the run.
            error: what was wrong, for people, without secrets.
        """

    def close(self) -> None:
        """Release the connections."""
