"""What a context shows of its run without asking the manager, and so is plain in both colours."""

import datetime as dt
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from omni_connector.models.sync import SyncMode, UserFilterMode
from omni_connector.sync.ledger import DocumentError
from omni_connector.sync.run import SyncRun
from omni_connector.telemetry.log_context import carried, in_run

P = ParamSpec("P")
T = TypeVar("T")


class RunView:
    """One run: the facts that were known when it began, how far it is, and whether it should stop."""

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

    # -- how far it is ------------------------------------------------------------------------------------------

    @property
    def state(self) -> Any:
        """Where to go on: the last checkpoint of this run, else what ``sync()`` was given as ``state``, or None.

        A fresh full run of a connector that also lists ``incremental`` starts from nothing: it is None until this run
        saves one. ``checkpoint`` still shows the source's.
        """
        return self._run.info.shown_state(self._run.checkpoints.resume_point)

    @property
    def checkpoint(self) -> Any:
        """The last checkpoint that this run saved, else the source's, or None; also in a full run."""
        return self._run.info.shown_state(self._run.checkpoints.last)

    @property
    def connector_state(self) -> Any:
        """Durable notes of the source outside the checkpoint: what this run saved, else what it was given, or None."""
        return self._run.checkpoints.connector_state

    @property
    def documents_scanned(self) -> int:
        """Documents counted with ``increment_scanned`` so far; a resumed run goes on from the manager's figure."""
        return self._run.documents_scanned

    @property
    def documents_emitted(self) -> int:
        """Documents given to ``emit`` and ``emit_updated`` so far.

        A resumed run goes on from the manager's figure of those that were accepted before.
        """
        return self._run.documents_emitted

    @property
    def documents_deleted(self) -> int:
        """Documents given to ``emit_deleted`` so far."""
        return self._run.intake.deleted

    @property
    def errors(self) -> list[DocumentError]:
        """Documents that did not arrive: the last thousand, oldest first."""
        return self._run.ledger.entries()

    @property
    def error_count(self) -> int:
        """How many documents did not arrive."""
        return len(self._run.ledger)

    # -- whether it should stop ---------------------------------------------------------------------------------

    def on_stop(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Call ``callback`` when the run is asked to stop, at once if it is; return the function that forgets it.

        For a connector that waits where the SDK cannot wake it: end a process, close a socket. It is called in another thread.
        """
        return self._run.state.on_stop(callback)

    def is_cancelled(self) -> bool:
        """Return whether the run should stop: cancelled, over at the manager, or the process shuts down."""
        self._run.pulse.touch("is_cancelled")
        return self._run.state.stopped.is_set()

    def raise_if_cancelled(self) -> None:
        """Raise SyncCancelledError when the run should stop. Let it pass: the run ends in order."""
        self._run.pulse.touch("raise_if_cancelled")
        self._run.state.raise_if_stopped()

    # -- its log ------------------------------------------------------------------------------------------------

    def in_run(self, call: Callable[P, T]) -> Callable[P, T]:
        """Return ``call`` so that what it logs carries this run, in whatever thread it is called, also in many at once.

        For threads that the connector starts: ``threading.Thread(target=ctx.in_run(work))``,
        ``executor.map(ctx.in_run(load), pages)``. Tasks and ``asyncio.to_thread`` need it not.
        """
        with in_run(self._run.info.identity):
            return carried(call)
