"""What is known about a run when it starts."""

from typing import Any

from attrs import field, frozen

from omni_connector.models.sync import SyncMode


@frozen(kw_only=True)
class RunInfo:
    """One run, as the manager dispatched it.

    Attributes:
        sync_run_id: id of the run.
        source_id: id of the source.
        source_type: such as ``web``, or None from managers before 11 March 2026.
        mode: full, incremental or realtime.
        checkpoint: where to go on, or None; normally a dict.
        connector_state: durable notes of the source, or None.
        last_sync_at: RFC 3339, or None.
        is_resume: the manager takes up again a run that was lost.
        may_have_begun: an earlier process may have worked on it: it is a resume, or a first dispatch that may be a repeat.
        secrets: texts that no report may show.
    """

    sync_run_id: str
    source_id: str
    source_type: str | None = None
    mode: SyncMode = SyncMode.FULL
    checkpoint: Any = None
    connector_state: Any = None
    last_sync_at: str | None = None
    is_resume: bool = False
    may_have_begun: bool = False
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
