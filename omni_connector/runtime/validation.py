"""Asks the connector whether it will run a sync, before the manager is answered."""

import concurrent.futures
import logging
from typing import Any

from attrs import evolve

from omni_connector.connector_base import ConnectorBase
from omni_connector.exceptions import ConfigurationError, SyncRefusedError, SyncStartError
from omni_connector.masking import mask, owning
from omni_connector.models import SyncRequest
from omni_connector.pool import WorkerPool
from omni_connector.runtime.arguments import fitted
from omni_connector.runtime.failure_text import failure_text
from omni_connector.runtime.hooks import ENDS_A_PROCESS, HookCaller, reason_of
from omni_connector.runtime.run import Run
from omni_connector.sync.run_info import RunInfo

log = logging.getLogger(__name__)

THREADS = 8
"""Hooks that run at once; the manager starts few syncs, and one that hangs keeps its thread."""


class SyncValidation:
    """Calls ``validate_sync_request``. ``close`` it.

    Args:
        hooks: the connector, and how it is called.
        limit_seconds: how long the answer to the manager waits for the hook.
    """

    def __init__(self, hooks: HookCaller, *, limit_seconds: float) -> None:
        self._hooks = hooks
        self._limit_seconds = limit_seconds
        self._pool = WorkerPool(f"omni-validate-{hooks.connector.name}", limit=THREADS)
        hook = type(hooks.connector).validate_sync_request
        self._is_overridden = hook is not ConnectorBase.validate_sync_request

    def check(self, run: Run, request: SyncRequest, info: RunInfo) -> None:
        """Return when the source's settings and credentials fit what the connector declares, and it accepts the run.

        A hook that takes too long is left behind; where it is ``async def``, it is cancelled.

        Raises:
            SyncStartError: it refuses the run, fails, or has not answered in time; the text has no secrets.
        """
        declared = self._hooks.connector.declared_types
        with owning(info.secrets):
            try:
                given = declared.made_of(info.config, info.credentials)
            except ConfigurationError as error:
                raise SyncRefusedError(
                    mask(f"The source cannot be synced as it is configured:\n{error}")
                ) from error
            if self._is_overridden:
                config, credentials = given
                self._check(run, request, evolve(info, config=config, credentials=credentials))

    def _check(self, run: Run, request: SyncRequest, info: RunInfo) -> None:
        asked = self._pool.submit(self._ask, run, request, info)
        if not concurrent.futures.wait([asked], self._limit_seconds).done:
            asked.cancel()  # It may still wait for a thread.
            run.state.cancel("it was not accepted in time")
            text = f"validate_sync_request has not answered within {self._limit_seconds:g} s"
            log.warning("%s; the run is not accepted", text, extra=run.extra)
            raise SyncStartError(f"{text}; do slow checks in sync")
        try:
            answer = asked.result()
        except SyncStartError as error:
            raise SyncStartError(mask(str(error)), status=error.status) from error
        except (Exception, *ENDS_A_PROCESS) as error:
            if run.state.stopped.is_set():
                raise SyncStartError("The run was stopped before it was accepted") from error
            log.error("validate_sync_request failed: %s", failure_text(error), extra=run.extra)  # noqa: TRY400 - the traceback is in it, masked.
            raise SyncStartError(f"validate_sync_request failed: {reason_of(error)}") from error
        if answer is False:
            raise SyncRefusedError(
                "The connector refuses to sync this source (validate_sync_request returned False)"
            )

    def close(self) -> None:
        """End the threads; those of hooks that hang are daemons and left behind."""
        self._pool.close(timeout_seconds=1.0)

    def _ask(self, run: Run, request: SyncRequest, info: RunInfo) -> Any:
        # Parameters of other names stand for the first three, in this order.
        required = {"source_config": info.config, "credentials": info.credentials, "sync_mode": info.mode}
        try:
            state = info.shown_state(info.state)
        except ConfigurationError as error:
            raise SyncRefusedError(str(error)) from error
        optional = {
            "source_id": info.source_id,
            "source_type": info.source_type,
            "checkpoint": info.checkpoint,
            "state": state,
            "connector_state": info.connector_state,
            "sync_run_id": info.sync_run_id,
            "is_resume": info.is_resume,
            "last_sync_at": info.last_sync_at,
            "request": request,
        }
        hook = self._hooks.connector.validate_sync_request
        args, kwargs = fitted(hook, required, optional)
        return self._hooks.value_of(hook(*args, **kwargs), on_stop=run.state.on_stop, grace_seconds=0)
