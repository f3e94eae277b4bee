"""What a run begins with: what the manager dispatched, and what the source says."""

from typing import Any

from attrs import frozen

from omni_connector.models import SyncConfig, SyncMode, SyncRequest
from omni_connector.models.sync import ABSENT
from omni_connector.sync.redaction import secrets_in
from omni_connector.sync.run_info import RunInfo
from omni_connector.sync.user_filter import UserFilter


@frozen
class Dispatch:
    """One dispatched run.

    Attributes:
        request: as it came.
        source: what the run needs to know about its source.
        info: both joined.
    """

    request: SyncRequest
    source: SyncConfig
    info: RunInfo

    @classmethod
    def of(
        cls, request: SyncRequest, source: SyncConfig, sync_modes: list[str], *, may_have_begun: bool = False
    ) -> "Dispatch":
        """Join request and source; the cursor as in PROTOCOL, section 18.

        Args:
            request: as it came.
            source: what the manager says of the source.
            sync_modes: what the connector lists.
            may_have_begun: see ``RunInfo``.
        """
        published = source.connector_state if source.checkpoint is ABSENT else source.checkpoint
        checkpoint = published if request.checkpoint is ABSENT else request.checkpoint
        # The dispatch of a resumed run carries its own checkpoint, else the source's: one that equals it was not its own.
        has_own = request.is_resume and checkpoint != published
        has_choice = request.mode is SyncMode.FULL and SyncMode.INCREMENTAL in sync_modes
        info = RunInfo(
            sync_run_id=request.sync_run_id,
            source_id=request.source_id,
            source_type=source.source_type,
            mode=request.mode,
            checkpoint=checkpoint,
            starts_from_nothing=has_choice and not has_own,
            connector_state=source.connector_state,
            last_sync_at=request.last_sync_at,
            is_resume=request.is_resume,
            may_have_begun=may_have_begun,
            documents_scanned=request.documents_scanned,
            documents_updated=request.documents_updated,
            user_filter=UserFilter.of(source),
            secrets=secrets_in(source.credentials),
        )
        return cls(request, source, info)

    @property
    def config(self) -> Any:
        """The source's settings; empty where it has none."""
        return self.source.config or {}

    @property
    def credentials(self) -> Any:
        """The source's secrets; empty where it has none."""
        return self.source.credentials or {}

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What ``sync()`` is given, before the context."""
        return self.config, self.credentials, self.info.state
