"""The thread of one run."""

import inspect
import logging
import threading
from collections.abc import Callable
from typing import Any

from omni_connector.connector_base import ConnectorBase
from omni_connector.event_loop import EventLoop
from omni_connector.exceptions import ConfigurationError, ConnectorError, SyncInterruptedError
from omni_connector.manager.api import ManagerApi
from omni_connector.models import SyncMode
from omni_connector.runtime.hooks import YIELDS, is_async_hook, must_be_awaited
from omni_connector.runtime.options import RuntimeOptions
from omni_connector.runtime.runs import Run, RunRegistry
from omni_connector.sync.async_context import AsyncSyncContext
from omni_connector.sync.context import SyncContext
from omni_connector.sync.ending import Ending
from omni_connector.sync.redaction import error_text, redact, redacted_traceback
from omni_connector.sync.run_info import RunInfo

log = logging.getLogger(__name__)

DRAIN_SECONDS = 10.0
"""How long the thread of an interrupted run delivers what it has buffered; the service waits no longer either."""


class SyncWorker(threading.Thread):
    """Runs the connector's ``sync()``, or other ``work``, once and ends the run as it deserves.

    A daemon, so that a connector that waits for its source cannot keep a process from ending.
    """

    def __init__(
        self,
        connector: ConnectorBase,
        run: Run,
        info: RunInfo,
        arguments: tuple[Any, ...],
        *,
        work: Callable[..., Any] | None = None,
        registry: RunRegistry,
        manager: ManagerApi,
        loop: EventLoop,
        options: RuntimeOptions | None = None,
    ) -> None:
        super().__init__(name=f"omni-sync-{run.sync_run_id}", daemon=True)
        self._connector = connector
        self._work = work or connector.sync
        self._run = run
        self._info = info
        self._arguments = arguments
        self._registry = registry
        self._loop = loop
        self._extra = {"sync_run_id": info.sync_run_id, "source_id": info.source_id}
        self._ending = Ending(info, run.stop, lambda: registry.free_slot(run))
        self._is_async = is_async_hook(self._work)
        kind = AsyncSyncContext if self._is_async else SyncContext
        self._options = options or RuntimeOptions()
        self._sync_context = kind(
            info,
            manager,
            run.stop,
            ending=self._ending,
            limits=self._options.limits(info.mode),
            error_limits=connector.error_limits,
        )
        if isinstance(self._sync_context, AsyncSyncContext):
            self._sync_context.bind(loop)
        run.context = self._sync_context
        run.thread = self

    def run(self) -> None:
        """Sync, end the run, free its slot: whatever happens on the way."""
        log.info("%s sync of source %s starts", self._info.mode, self._info.source_id, extra=self._extra)
        try:
            self._sync()
        finally:
            try:
                self._ending.settle()
                self._drain_interrupted()
                self._sync_context.close()
            finally:  # The slot is freed whatever happens.
                outcome = self._outcome()
                self._registry.release(self._run, outcome)
            report = self._run.report(outcome)
            log.info(
                "Sync of source %s %s: %d scanned, %d emitted, %d deleted, %d errors in %.1f s",
                self._info.source_id,
                outcome,
                report.scanned,
                report.emitted,
                report.deleted,
                report.error_count,
                report.seconds,
                extra=self._extra,
            )

    def _sync(self) -> None:
        try:
            self._call()
            self._returned()
        except BaseException as error:  # noqa: BLE001 - the thread ends here, and the run with it.
            self._raised(error)

    def _call(self) -> None:
        self._run.stop.raise_if_set()  # Cancelled before it began.
        if self._info.is_resume:
            self._sync_context.take_up()
        elif self._info.may_have_begun:
            self._sync_context.rewind()
        arguments = (*self._arguments, self._sync_context)
        result: Any = self._work(*arguments)
        if inspect.isgenerator(result) or inspect.isasyncgen(result):
            raise ConfigurationError(YIELDS.format(name=type(self._connector).__name__))
        if not must_be_awaited(result):
            return
        if not self._is_async:
            log.warning(
                "%s.sync is not async, but returned an awaitable: it is run, and its calls on the context block the "
                "loop. Make it async def, or decorate with functools.wraps.",
                type(self._connector).__name__,
                extra=self._extra,
            )
        self._loop.run(
            result, on_stop=self._run.stop.on_set, grace_seconds=self._options.cancel_grace_seconds
        )

    def _returned(self) -> None:
        """Complete a scheduled run; leave a realtime one to the manager, which starts it again (DESIGN)."""
        if self._ending.ended or self._run.stop.event.is_set():
            return
        if self._info.mode is SyncMode.REALTIME:
            SyncContext.flush(self._sync_context)
        else:
            SyncContext.complete(self._sync_context)

    def _raised(self, error: BaseException) -> None:
        secrets = self._info.secrets
        if self._run.stop.event.is_set():
            reason = redact(error_text(error), secrets)
            log.info("Sync of source %s stops: %s", self._info.source_id, reason, extra=self._extra)
            return
        shown = redacted_traceback(error, secrets)
        ended = self._ending.reported
        if ended is not None:
            # The manager takes no other end: the run stays what it is, and its report says what came after.
            self._sync_context.note_after_the_end(error)
            log.error(
                "Sync of source %s %s, but its sync() went on and raised: %s",
                self._info.source_id,
                ended,
                shown,
                extra=self._extra,
            )
            return
        log.error("Sync of source %s failed: %s", self._info.source_id, shown, extra=self._extra)
        if self._ending.ended:
            return  # The final call itself failed; the manager finds the run lost and resumes it.
        try:
            SyncContext.fail(self._sync_context, error)
        except ConnectorError as trouble:
            log.error(  # noqa: TRY400 - the reason is in the message; a traceback would hide the first error.
                "The failure could not be reported; the manager will find the run lost: %s",
                trouble,
                extra=self._extra,
            )

    def _drain_interrupted(self) -> None:
        """Deliver what a run has buffered that stops at once when the process shuts down; closing would drop it."""
        stop = self._run.stop
        if stop.event.is_set() and not stop.fence.is_set() and not self._ending.ended:
            self._sync_context.drain(timeout_seconds=DRAIN_SECONDS)

    def _outcome(self) -> str:
        try:
            self._run.stop.raise_if_set()
        except SyncInterruptedError:
            return self._ending.reported or "interrupted"
        except ConnectorError:
            return self._ending.reported or "cancelled"
        return self._ending.reported or "left to the manager"
