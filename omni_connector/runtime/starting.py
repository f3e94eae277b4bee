"""Starts runs: those that the manager dispatches, and those that the connector opens itself."""

import logging
import time
from collections.abc import Callable
from typing import Any

from omni_connector.connector_base import ConnectorBase
from omni_connector.event_loop import EventLoop
from omni_connector.exceptions import ConnectorError, SdkClientError, SyncStartError
from omni_connector.manager.api import ManagerApi
from omni_connector.models import SyncConfig, SyncMode, SyncRequest
from omni_connector.models.sync import ABSENT
from omni_connector.runtime.mirror import Mirror
from omni_connector.runtime.options import RuntimeOptions
from omni_connector.runtime.runs import Run, RunRegistry
from omni_connector.runtime.validation import SyncValidation
from omni_connector.runtime.watch import Watch
from omni_connector.runtime.worker import SyncWorker
from omni_connector.sync.context import SyncContext
from omni_connector.sync.redaction import redact, secrets_in
from omni_connector.sync.run_info import RunInfo
from omni_connector.sync.user_filter import UserFilter

log = logging.getLogger(__name__)

NOT_FOUND = 404


class SyncStarter:
    """Claims slots, fetches what runs need, and starts their threads; everything it is given is its owner's to close.

    Args:
        connector: the author's connector.
        manager: where sources are described, and runs report to.
        runs: the runs of this process.
        watch: looks after those that were started.
        validation: asks the connector whether it takes a run.
        mirror: learns credentials, where the connector has an MCP server.
        loop: for what is ``async def``.
        options: figures.
        closed: says whether the service takes no more runs.
    """

    def __init__(
        self,
        connector: ConnectorBase,
        manager: ManagerApi,
        *,
        runs: RunRegistry,
        watch: Watch,
        validation: SyncValidation,
        mirror: Mirror | None,
        loop: EventLoop,
        options: RuntimeOptions,
        closed: Callable[[], bool],
    ) -> None:
        self._connector = connector
        self._manager = manager
        self._runs = runs
        self._watch = watch
        self._validation = validation
        self._mirror = mirror
        self._loop = loop
        self._options = options
        self._closed = closed
        self._born = time.monotonic()

    def start(self, request: SyncRequest) -> None:
        """Claim the slot, fetch what the run needs and start its thread.

        A repeat of a run that is in progress is no error and starts nothing (PROTOCOL, section 3).

        Raises:
            SyncConflictError: another run holds the slot.
            SyncStartError: the source's data could not be fetched, or the connector refuses the run.
        """
        if self._closed():
            raise SyncStartError("The connector shuts down", status=500)
        if not request.is_resume and self._has_ended(request.sync_run_id):
            return
        run = self._runs.claim(request.sync_run_id, request.source_id, request.mode.slot)
        if run is None:
            return
        try:
            config = self._fetch(request.source_id)
            repeated = time.monotonic() - self._born < self._options.dispatch_seconds
            info = self._run_info(request, config, may_have_begun=request.is_resume or repeated)
            self._validation.check(run, request, config, info)
            self._begin(run, info, (config.config or {}, config.credentials or {}, info.state))
            if self._mirror is not None:
                self._mirror.bootstrap_later(config.credentials or {})
        except BaseException:
            self._runs.release(run, "not started")
            raise

    def start_own(
        self, source_id: str, work: Callable[[SyncContext], Any], *, sync_mode: str = "incremental"
    ) -> str:
        """Open a run that nobody dispatched, and do ``work`` in it, in a thread of its own: what a webhook brings, say.

        It is a run like any other: it holds the source's slot, is reported as running, can be cancelled, is completed
        when ``work`` returns and failed when it raises. When the process ends before, the manager resumes it as a sync.

        Args:
            source_id: the source.
            work: given the run's context; ``def``, or ``async def`` for the context whose calls are awaited.
            sync_mode: ``full``, ``incremental`` or ``realtime``.

        Returns:
            The id of the run, which may be over already.

        Raises:
            SyncConflictError: a run of the source is in progress here.
            RunConflictError: one is in progress elsewhere, or the manager runs as many syncs as it may.
            NotFoundError: there is no such source.
            SdkClientError: the manager cannot be reached, or refuses.
        """
        if self._closed():
            raise SyncStartError("The connector shuts down", status=500)
        run = self._runs.claim_unnamed(source_id, SyncMode(sync_mode).slot)
        try:
            config = self._manager.sync_config(source_id)
            run = self._runs.name(run, self._manager.create_run(source_id, sync_mode))
            if self._closed():  # Meanwhile; the manager finds the run lost and starts a sync elsewhere.
                run.stop.interrupt()
            request = SyncRequest(sync_run_id=run.sync_run_id, source_id=source_id, sync_mode=sync_mode)
            self._begin(run, self._run_info(request, config, may_have_begun=False), (), work)
        except BaseException:
            self._runs.release(run, "not started")
            raise
        return run.sync_run_id

    def _has_ended(self, sync_run_id: str) -> bool:
        """A first dispatch is repeated when its answer was lost; by then a short run may be over (PROTOCOL, section 3)."""
        if self._runs.is_running(sync_run_id):
            return False
        report = self._runs.report(sync_run_id)
        return report is not None and report.outcome in {"completed", "failed", "cancelled"}

    def _begin(
        self, run: Run, info: RunInfo, arguments: tuple[Any, ...], work: Callable[..., Any] | None = None
    ) -> None:
        SyncWorker(
            self._connector,
            run,
            info,
            arguments,
            work=work,
            registry=self._runs,
            manager=self._manager,
            loop=self._loop,
            options=self._options,
        ).start()
        self._watch.start()

    def _fetch(self, source_id: str) -> SyncConfig:
        try:
            return self._manager.sync_config(source_id)
        except SdkClientError as error:
            if error.status == NOT_FOUND:
                raise SyncStartError(f"Source not found: {source_id}", status=NOT_FOUND) from error
            log.warning("The source's data could not be fetched: %s", error, extra={"source_id": source_id})
            raise SyncStartError(
                f"Failed to fetch source data: {redact(str(error), frozenset())}", status=500
            ) from error
        except ConnectorError as error:
            raise SyncStartError(f"Failed to fetch source data: {error}", status=500) from error

    def _run_info(self, request: SyncRequest, config: SyncConfig, *, may_have_begun: bool) -> RunInfo:
        """Join what the manager dispatched with what the source says; the cursor as in PROTOCOL, section 18."""
        published = config.connector_state if config.checkpoint is ABSENT else config.checkpoint
        checkpoint = published if request.checkpoint is ABSENT else request.checkpoint
        # The dispatch of a resumed run carries its own checkpoint, else the source's: one that equals it was not its own.
        has_own = request.is_resume and checkpoint != published
        chooses = request.mode is SyncMode.FULL and SyncMode.INCREMENTAL in self._connector.sync_modes
        return RunInfo(
            sync_run_id=request.sync_run_id,
            source_id=request.source_id,
            source_type=config.source_type,
            mode=request.mode,
            checkpoint=checkpoint,
            starts_from_nothing=chooses and not has_own,
            connector_state=config.connector_state,
            last_sync_at=request.last_sync_at,
            is_resume=request.is_resume,
            may_have_begun=may_have_begun,
            documents_scanned=request.documents_scanned,
            documents_updated=request.documents_updated,
            user_filter=UserFilter.of(config),
            secrets=secrets_in(config.credentials),
        )
