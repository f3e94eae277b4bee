"""What is known about a run when it starts."""

import datetime as dt
from typing import Any

from attrs import field, frozen

from omni_connector.models.sync import SyncMode
from omni_connector.sync.user_filter import UserFilter


@frozen(kw_only=True)
class RunInfo:
    """One run, as the manager dispatched it.

    Attributes:
        sync_run_id: id of the run.
        source_id: id of the source.
        source_type: such as ``web``, or None from managers before 11 March 2026.
        mode: full, incremental or realtime.
        checkpoint: the run's own where it has saved one, else the source's, or None; normally a dict.
        starts_from_nothing: a full run that has saved no checkpoint yet, of a connector that also has incremental runs:
            it reads everything, whatever the source's checkpoint says.
        connector_state: durable notes of the source, or None.
        last_sync_at: when the source's last completed run completed, with its offset, or None.
        is_resume: the manager takes up again a run that was lost.
        may_have_begun: an earlier process may have worked on it: it is a resume, or a first dispatch that may be a repeat.
        documents_scanned: what the dispatch says that the run has counted before; 0 when it says nothing.
        documents_updated: the same.
        user_filter: whose data the source's administrator wants indexed.
        secrets: texts that no report may show.
    """

    sync_run_id: str
    source_id: str
    source_type: str | None = None
    mode: SyncMode = SyncMode.FULL
    checkpoint: Any = None
    starts_from_nothing: bool = False
    connector_state: Any = None
    last_sync_at: dt.datetime | None = None
    is_resume: bool = False
    may_have_begun: bool = False
    documents_scanned: int = 0
    documents_updated: int = 0
    user_filter: UserFilter = field(factory=UserFilter)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def state(self) -> Any:
        """Where the connector goes on: the checkpoint, or None for a run that starts from nothing."""
        return None if self.starts_from_nothing else self.checkpoint
