"""Starts runs: those that the manager dispatches, and those that the connector opens itself."""

import logging
import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any, cast

from omni_connector.exceptions import ConnectorError, SyncStartError
from omni_connector.masking import mask
from omni_connector.models import SyncConfig, SyncMode, SyncRequest
from omni_connector.models.codec import structure, unstructure
from omni_connector.models.sync import ABSENT
from omni_connector.runtime.migration import with_states
from omni_connector.runtime.mirror import Mirror
from omni_connector.runtime.queueing import RunSender
from omni_connector.runtime.run import QueuedRun, Run
from omni_connector.runtime.validation import SyncValidation
from omni_connector.runtime.watch import Watch
from omni_connector.runtime.worker import RunFactory
from omni_connector.sync.context import SyncContext
from omni_connector.sync.run_info import RunInfo

log = logging.getLogger(__name__)


class SyncStarter:
    """Claims slots, fetches what runs need, and starts them. It closes nothing that it was given.

    Args:
        factory: starts the threads.
        watch: looks after the runs that were started.
        mirror: learns credentials, where the connector has an MCP server.
        sender: sends dispatched runs to other processes; None executes them here.
    """

    def __init__(
        self, factory: RunFactory, *, watch: Watch, mirror: Mirror | None, sender: RunSender | None = None
    ) -> None:
        self._factory = factory
        self._sender = sender
        self._connector = factory.hooks.connector
        self._manager = factory.manager
        self._runs = factory.registry
        self._validation = SyncValidation(factory.hooks, limit_seconds=factory.options.validate_seconds)
        self._watch = watch
        self._mirror = mirror
        self._born = time.monotonic()
        self._is_closed = False

    @property
    def is_sending(self) -> bool:
        """Whether other processes execute what is dispatched."""
        return self._sender is not None

    def refuse_more(self) -> None:
        """Start no more runs: the service shuts down."""
        self._is_closed = True

    def close(self) -> None:
        """End the threads in which runs are validated and sent."""
        self._validation.close()
        if self._sender is not None:
            self._sender.close()

    def start(self, request: SyncRequest) -> None:
        """Claim the slot, fetch what the run needs and start its thread.

        A repeat of a run that is in progress is no error and starts nothing (PROTOCOL, section 3).

        Raises:
            SyncConflictError: another run holds the slot.
            SyncStartError: the source's data could not be fetched, or the connector refuses the run.
        """
        if self._is_closed:
            # An error would fail the run for good; this way the manager finds it lost, and resumes it elsewhere.
            log.info("The process ends; run %s is left to the next one", request.sync_run_id)
            return
        run_id, slot = request.sync_run_id, request.mode.slot
        is_young = time.monotonic() - self._born < self._factory.options.dispatch_seconds
        may_have_begun = request.is_resume or is_young or self._runs.reports.may_have_begun(run_id)
        run = self._runs.claim(run_id, request.source_id, slot, is_resume=request.is_resume)
        if run is None:
            return
        try:
            source = self._fetch(request.source_id)
            info = RunInfo.of(request, source, self._connector, may_have_begun=may_have_begun)
            self._validation.check(run, request, with_states(info))
            trace = self._factory.instruments.trace_headers()
            run.dispatch = partial(_dispatch, request, may_have_begun=may_have_begun, trace=trace)
            if self._sender is not None:
                self._sender.send(run, request, run.dispatch())
            else:
                self._begin(run, info)
            if self._mirror is not None:
                self._mirror.bootstrap_later(info.credentials)
        except BaseException:
            self._runs.release(run, "not started")
            raise

    def adopt(self, queued: QueuedRun) -> Run | None:
        """Start a run that another process has left to this one; None when there is nothing to do.

        A run that cannot be started is given up: the manager finds it lost, and resumes it.

        Raises:
            RunStoreError: the run store is away.
        """
        found = self._runs.adopt(queued)
        if found is None:
            log.info(
                "Run %s is dropped: it was delivered before, cancelled or given back",
                queued.key.sync_run_id,
                extra=queued.key.extra,
            )
            return None
        run, dispatch = found
        try:
            self._require_open()
            request = structure(SyncRequest, dispatch["request"])
            facts = {"may_have_begun": dispatch["may_have_begun"], "trace": dispatch.get("trace", {})}
            run.dispatch = partial(_dispatch, request, **facts)
            source = self._fetch(request.source_id)
            info = RunInfo.of(request, source, self._connector, may_have_begun=dispatch["may_have_begun"])
            with self._factory.instruments.continued(dispatch.get("trace", {})):
                self._begin(run, info)
        except ConnectorError as error:
            log.warning("Run %s is not started here: %s", run.sync_run_id, error, extra=run.extra)
            self._runs.release(run, "not started")
            return None
        except BaseException:
            self._runs.release(run, "not started")
            raise
        return run

    def start_own(
        self, source_id: str, work: Callable[[SyncContext], Any], *, sync_mode: str = "incremental"
    ) -> str:
        """Open a run that was not dispatched, and do ``work`` in it, in a thread of its own: what a webhook brings, say.

        It is a run like any other: it holds the source's slot, is reported as running, can be cancelled, is completed
        when ``work`` returns and failed when it raises. When the process ends before, the manager resumes it as a sync.

        Args:
            source_id: the source.
            work: given the run's context; ``def``, or ``async def`` for the context whose calls are awaited.
            sync_mode: ``full``, ``incremental`` or ``realtime``.

        Returns:
            The id of the run, which may be over already.

        Raises:
            SyncConflictError: a run of the source is in progress.
            RunStoreError: the run store is away.
            RunConflictError: the manager knows of a run in progress, or runs as many syncs as it may.
            NotFoundError: there is no such source.
            SdkClientError: the manager cannot be reached, or refuses.
        """
        self._require_open()
        run = self._runs.claim_unnamed(source_id, SyncMode(sync_mode).slot)
        try:
            source = self._manager.sync_config(source_id)
            run = self._runs.name(run, self._manager.create_run(source_id, sync_mode))
            if self._is_closed:  # Meanwhile; the manager finds the run lost and starts a sync elsewhere.
                run.state.interrupt()
            request = SyncRequest(sync_run_id=run.sync_run_id, source_id=source_id, sync_mode=sync_mode)
            info = RunInfo.of(request, source, self._connector, may_have_begun=False)
            self._factory.start(run, info, work)
            self._watch.start()
        except BaseException:
            self._runs.release(run, "not started")
            raise
        return run.sync_run_id

    def _begin(self, run: Run, info: RunInfo) -> None:
        work = self._factory.partitioned if self._connector.reads_partitions else self._connector.sync
        self._factory.start(run, info, work, info.config, info.credentials, info.state)
        self._watch.start()

    def _require_open(self) -> None:
        if self._is_closed:
            raise SyncStartError("The connector shuts down")

    def _fetch(self, source_id: str) -> SyncConfig:
        try:
            return self._manager.sync_config(source_id)
        except ConnectorError as error:
            if getattr(error, "status", None) == HTTPStatus.NOT_FOUND:
                raise SyncStartError(f"Source not found: {source_id}", status=HTTPStatus.NOT_FOUND) from error
            log.warning("The source's data could not be fetched: %s", error, extra={"source_id": source_id})
            raise SyncStartError(f"Failed to fetch source data: {mask(str(error))}") from error


def _dispatch(request: SyncRequest, *, may_have_begun: bool, trace: dict[str, str]) -> dict[str, Any]:
    fields = cast("dict[str, Any]", unstructure(request))
    if request.checkpoint is ABSENT:
        del fields["checkpoint"]
    return {"request": fields, "may_have_begun": may_have_begun, "trace": trace}
