"""The manager's figures, with the defaults of PROTOCOL, section 1."""

from __future__ import annotations

from attrs import field, frozen

from omni_connector.local.manager_dates import ManagerDate, Since, to_manager_date

OLD_STALE_MINUTES = 10.0
OLD_LIFETIME_SECONDS = 90.0


@frozen(kw_only=True)
class LocalSettings:
    """How the embedded manager behaves. Units are in the names; defaults are the real manager's.

    Attributes:
        scheduler_interval_seconds: time from one tick to the next; the first one is at start.
        scheduler_phase_limit_seconds: after this time a phase of a tick starts nothing new.
        max_concurrent_syncs: running runs, all sources.
        max_concurrent_syncs_per_type: running runs of one slot class, all sources.
        max_due_sources_per_tick: sources that one tick starts at most.
        stale_sync_timeout_minutes: a running run without activity for longer is failed.
        sync_backoff_base_seconds: wait after the first failure, doubled by each further one.
        sync_backoff_max_seconds: upper bound of that wait.
        sync_max_consecutive_failures: failures in a row after which a source is not scheduled.
        registration_lifetime_seconds: how long a manifest is known after its registration.
        connector_timeout_seconds: limit of one call to a connector, body included.
        status_timeout_seconds: the same for ``GET /sync/{id}``.
        sync_retry_delays_seconds: waits before each repetition of an unanswered ``POST /sync``.
        sync_retry_jitter_seconds: random addition to each of these waits.
        sync_trigger_timeout_seconds: limit of ``POST /sync`` with all its repetitions.
        max_resume_attempts: re-dispatches of a lost run.
        oauth_refresh_margin_seconds: tokens that expire within this time are refreshed.
        extraction_concurrency: extractions at the same time.
        extraction_retry_after_seconds: Retry-After when all permits are taken.
        max_extract_input_bytes: largest file that is extracted.
        max_extracted_text_bytes: UTF-8 bytes of a stored or extracted text.
        spreadsheet_max_indexed_rows: rows of an extracted spreadsheet.
        progress_interval_seconds: time between two events of ``GET /sync/{id}/progress``.
        deleted_documents_per_tick: documents of a deleted source that one tick removes.
        content_sweep_interval_seconds: time between two searches for contents without references.
        content_grace_seconds: how long such a content is kept.
        allowed_hosts: names by which browsers and connectors may call the manager, beside ``localhost``, IP addresses and the
            name that it listens on (see ``browser_guard``).
        revision: emulates the manager of that date, such as ``2026-02-13`` (see ``manager_dates``); None is the newest.
        allow_custom_source_types: accept source types outside the built-in list, which the real
            manager does not; for connectors that have no built-in type (yet).
    """

    scheduler_interval_seconds: float = 30.0
    scheduler_phase_limit_seconds: float = 300.0
    max_concurrent_syncs: int = 10
    max_concurrent_syncs_per_type: int = 3
    max_due_sources_per_tick: int = 10
    stale_sync_timeout_minutes: float = 60.0
    sync_backoff_base_seconds: float = 30.0
    sync_backoff_max_seconds: float = 3600.0
    sync_max_consecutive_failures: int = 10
    registration_lifetime_seconds: float = 300.0
    connector_timeout_seconds: float = 30.0
    status_timeout_seconds: float = 5.0
    sync_retry_delays_seconds: tuple[float, ...] = (1.0, 2.0, 4.0)
    sync_retry_jitter_seconds: float = 1.0
    sync_trigger_timeout_seconds: float = 150.0
    max_resume_attempts: int = 3
    oauth_refresh_margin_seconds: float = 300.0
    extraction_concurrency: int = 2
    extraction_retry_after_seconds: int = 30
    max_extract_input_bytes: int = 52_428_800
    max_extracted_text_bytes: int = 5_242_880
    spreadsheet_max_indexed_rows: int = 1000
    progress_interval_seconds: float = 1.0
    deleted_documents_per_tick: int = 500
    content_sweep_interval_seconds: float = 6 * 3600.0
    content_grace_seconds: float = 7 * 24 * 3600.0
    allowed_hosts: tuple[str, ...] = ()
    revision: ManagerDate = field(default=None, converter=to_manager_date)
    allow_custom_source_types: bool = True

    def has(self, feature: Since) -> bool:
        """Return whether the emulated manager has a feature."""
        return self.revision.has(feature)

    @property
    def stale_minutes(self) -> float:
        """``stale_sync_timeout_minutes``, no longer than the older manager's."""
        if self.has(Since.STALE_RUNS_CANCELLED):
            return self.stale_sync_timeout_minutes
        return min(self.stale_sync_timeout_minutes, OLD_STALE_MINUTES)

    @property
    def lifetime_seconds(self) -> float:
        """``registration_lifetime_seconds``, no longer than the older manager's."""
        if self.has(Since.LONG_REGISTRATIONS):
            return self.registration_lifetime_seconds
        return min(self.registration_lifetime_seconds, OLD_LIFETIME_SECONDS)
