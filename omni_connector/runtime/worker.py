"""The thread of one run."""

import inspect
import logging
import threading
from collections.abc import Callable
from typing import Any

from attrs import frozen

from omni_connector.connector_base.sync_signature import YIELDS
from omni_connector.exceptions import ConfigurationError, ConnectorError, SdkClientError, SyncStartError
from omni_connector.manager.api import ManagerApi
from omni_connector.models import SyncMode
from omni_connector.runtime.hooks import HookCaller, is_async_hook, must_be_awaited
from omni_connector.runtime.options import RuntimeOptions
from omni_connector.runtime.runs import Run, RunRegistry
from omni_connector.sync.colours import Blocking, OnLoop
from omni_connector.sync.context import SyncContext
from omni_connector.sync.redaction import error_text, redact, redacted_traceback
from omni_connector.sync.run import SyncRun
from omni_connector.sync.run_info import RunInfo

log = logging.getLogger(__name__)

DRAIN_SECONDS = 10.0
"""How long the thread of an interrupted run delivers what it has taken; the service waits no longer either."""


@frozen
class RunFactory:
    """What all runs of one connector have in common; starts them.

    Attributes:
        hooks: the connector, and how it is called.
        manager: where runs report.
        registry: the runs of this process.
        options: figures.
    """

    hooks: HookCaller
    manager: ManagerApi
    registry: RunRegistry
    options: RuntimeOptions

    def start(self, run: Run, info: RunInfo, work: Callable[..., Any], *arguments: Any) -> None:
        """Do ``work``, a connector's ``sync`` or other work, in a thread of its own.

        Args:
            run: the run, whose slot is claimed.
            info: what is known about it.
            work: ``def`` or ``async def``.
            arguments: what it is given before the context.

        Raises:
            SyncStartError: no thread can be started.
        """
        limits, error_limits = self.options.limits(info.mode), self.hooks.connector.error_limits
        run.sync = SyncRun(info, self.manager, run.state, limits=limits, error_limits=error_limits)
        run.thread = SyncWorker(self, run, run.sync, work, arguments)
        try:
            run.thread.start()
        except (RuntimeError, MemoryError) as error:
            run.thread = None
            run.sync.close()
            raise SyncStartError(f"The run needs a thread, and none can be started: {error}") from error


class SyncWorker(threading.Thread):
    """Does the work of one run once, and ends the run accordingly.

    A daemon, so that a connector that waits for its source cannot keep a process from ending.
    """

    def __init__(
        self,
        factory: RunFactory,
        run: Run,
        sync: SyncRun,
        work: Callable[..., Any],
        arguments: tuple[Any, ...],
    ) -> None:
        super().__init__(name=f"omni-sync-{run.sync_run_id}", daemon=True)
        self._factory = factory
        self._run = run
        self._sync = sync
        self._state = run.state
        self._work = work
        self._arguments = arguments
        self._extra = run.extra

    def run(self) -> None:
        """Work, end the run, free its slot: whatever happens on the way."""
        log.info("%s sync of source %s starts", self._sync.info.mode, self._run.source_id, extra=self._extra)
        try:
            self._call()
            self._returned()
        except BaseException as error:  # noqa: BLE001 - the thread ends here, and the run with it.
            self._raised(error)
        finally:
            try:
                self._state.wait_for_final_call()
                if self._state.stopped.is_set() and self._state.may_send:
                    # It stopped because the process shuts down: closing would drop what it has taken.
                    self._sync.drain(timeout_seconds=DRAIN_SECONDS)
                self._sync.close()
            finally:  # The slot is freed whatever happens.
                outcome = self._outcome()
                self._factory.registry.release(self._run, outcome)
            self._log_end(outcome)

    def _call(self) -> None:
        self._state.raise_if_stopped()  # Cancelled before it began.
        self._sync.begin()
        hooks = self._factory.hooks
        is_async = is_async_hook(self._work)
        context = SyncContext(self._sync, OnLoop(hooks.loop) if is_async else Blocking())
        result = self._work(*self._arguments, context)
        name = type(hooks.connector).__name__
        if inspect.isgenerator(result) or inspect.isasyncgen(result):
            raise ConfigurationError(YIELDS.format(name=name))
        if not must_be_awaited(result):
            return
        if not is_async:
            log.warning(
                "%s.sync is not async, but returned an awaitable: it is run, and its calls on the context block the "
                "loop. Make it async def, or decorate with functools.wraps.",
                name,
                extra=self._extra,
            )
        grace_seconds = self._factory.options.cancel_grace_seconds
        hooks.value_of(result, on_stop=self._state.on_stop, grace_seconds=grace_seconds)

    def _returned(self) -> None:
        """Complete a scheduled run; leave a realtime one to the manager, which starts it again (DESIGN)."""
        if self._state.has_ended or self._state.stopped.is_set():
            return
        if self._sync.info.mode is SyncMode.REALTIME:
            self._sync.flush()
        else:
            self._sync.complete()

    def _raised(self, error: BaseException) -> None:
        source_id, secrets = self._run.source_id, self._sync.info.secrets
        if self._state.stopped.is_set():
            reason = redact(error_text(error), secrets)
            log.info("Sync of source %s stops: %s", source_id, reason, extra=self._extra)
            return
        if isinstance(error, SdkClientError):  # Says what happened; where it was noticed does not matter.
            shown = redact(error_text(error), secrets)
        else:
            shown = redacted_traceback(error, secrets)
        ended = self._state.outcome
        if ended is not None:
            # The manager takes no other end: the run stays what it is, and its report says what came after.
            self._sync.note_after_the_end(error)
            message = "Sync of source %s %s, but its sync() went on and raised: %s"
            log.error(message, source_id, ended, shown, extra=self._extra)
            return
        log.error("Sync of source %s failed: %s", source_id, shown, extra=self._extra)
        if self._state.has_ended:
            return  # The final call itself failed; the manager finds the run lost and resumes it.
        try:
            self._sync.fail(error)
        except ConnectorError as trouble:
            log.error(  # noqa: TRY400 - the reason is in the message; a traceback would hide the first error.
                "The failure could not be reported; the manager will find the run lost: %s",
                trouble,
                extra=self._extra,
            )

    def _outcome(self) -> str:
        if self._state.outcome is not None:
            return self._state.outcome
        if self._state.fence.is_set():
            return "cancelled"
        return "interrupted" if self._state.stopped.is_set() else "left to the manager"

    def _log_end(self, outcome: str) -> None:
        report = self._run.report(outcome)
        log.info(
            "Sync of source %s %s: %d scanned, %d emitted, %d deleted, %d errors in %.1f s",
            self._run.source_id,
            outcome,
            report.scanned,
            report.emitted,
            report.deleted,
            report.error_count,
            report.seconds,
            extra=self._extra,
        )
