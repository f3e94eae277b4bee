"""What a context shows of its run: facts that were known when it began."""

import datetime as dt

from omni_connector.models.sync import SyncMode, UserFilterMode
from omni_connector.sync.run import SyncRun


class RunView:
    """The facts of one run; plain in both colours."""

    _run: SyncRun

    @property
    def sync_run_id(self) -> str:
        """Id of the run."""
        return self._run.info.sync_run_id

    @property
    def source_id(self) -> str:
        """Id of the source."""
        return self._run.info.source_id

    @property
    def source_type(self) -> str | None:
        """Type of the source, such as ``web``; None from managers before 11 March 2026."""
        return self._run.info.source_type

    @property
    def sync_mode(self) -> SyncMode:
        """``full``, ``incremental`` or ``realtime``."""
        return self._run.info.mode

    @property
    def is_resume(self) -> bool:
        """The manager resumes a run that was lost; go on from ``state``."""
        return self._run.info.is_resume

    @property
    def last_sync_at(self) -> dt.datetime | None:
        """When the source's last completed run completed (not when it began), with its offset; incremental runs only.

        A checkpoint is the better place to go on from: what changed while that run was reading lies before this moment.
        """
        return self._run.info.last_sync_at

    @property
    def user_filter_mode(self) -> UserFilterMode:
        """``all``, ``whitelist`` or ``blacklist``: whose data the source's administrator wants indexed."""
        return self._run.info.user_filter.mode

    def should_index_user(self, user_email: str | None) -> bool:
        """Say whether this person's data is wanted. The manager enforces nothing: your connector must apply this.

        Case does not matter. A person without an address is wanted only when everybody is.

        Args:
            user_email: the person's address, or None for somebody who has none.
        """
        return self._run.info.user_filter.wants(user_email)
