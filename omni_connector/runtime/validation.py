"""Asks the connector whether it will run a sync, before the manager is answered."""

import concurrent.futures
import logging
from http import HTTPStatus
from typing import Any

from omni_connector.connector_base import ConnectorBase
from omni_connector.exceptions import SyncRefusedError, SyncStartError
from omni_connector.pool import WorkerPool
from omni_connector.runtime.arguments import fitted
from omni_connector.runtime.dispatch import Dispatch
from omni_connector.runtime.guarding import ENDS_A_PROCESS, reason_of
from omni_connector.runtime.hooks import HookCaller, must_be_awaited
from omni_connector.runtime.runs import Run
from omni_connector.sync.redaction import redact, redacted_traceback
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
        connector = hooks.connector
        self._connector = connector
        self._loop = hooks.loop
        self._limit_seconds = limit_seconds
        self._pool = WorkerPool(f"omni-validate-{connector.name}", limit=THREADS)
        overridden = type(connector).validate_sync_request is not ConnectorBase.validate_sync_request
        self._is_asked_for = overridden

    def check(self, run: Run, dispatch: Dispatch) -> None:
        """Return when the connector accepts the run.

        A hook that takes too long is left behind; where it is ``async def``, it is cancelled.

        Raises:
            SyncStartError: it refuses the run, fails, or has not answered in time; the text has no secrets.
        """
        if not self._is_asked_for:
            return
        info = dispatch.info
        required, optional = _offered(dispatch)
        asked = self._pool.submit(lambda: self._ask(run, required, optional))
        if not concurrent.futures.wait([asked], self._limit_seconds).done:
            asked.cancel()  # It may still wait for a thread.
            raise self._too_slow(run, info)
        try:
            answer = asked.result()
        except SyncStartError as error:
            raise SyncStartError(redact(str(error), info.secrets), status=error.status) from error
        except (Exception, *ENDS_A_PROCESS) as error:
            if run.state.stopped.is_set():
                raise SyncStartError(
                    "The run was stopped before it was accepted", status=HTTPStatus.INTERNAL_SERVER_ERROR
                ) from error
            raise _failed(error, info) from error
        if answer is False:
            raise SyncRefusedError(
                "The connector refuses to sync this source (validate_sync_request returned False)"
            )

    def close(self) -> None:
        """End the threads; those of hooks that hang are daemons and left behind."""
        self._pool.close(timeout_seconds=1.0)

    def _ask(self, run: Run, required: dict[str, Any], optional: dict[str, Any]) -> Any:
        args, kwargs = fitted(self._connector.validate_sync_request, required, optional)
        answer = self._connector.validate_sync_request(*args, **kwargs)
        if must_be_awaited(answer):
            return self._loop.run(answer, on_stop=run.state.on_stop, grace_seconds=0)
        return answer

    def _too_slow(self, run: Run, info: RunInfo) -> SyncStartError:
        run.state.cancel("it was not accepted in time")
        text = f"validate_sync_request has not answered within {self._limit_seconds:g} s"
        log.warning("%s; the run is not accepted", text, extra=_named(info))
        return SyncStartError(
            f"{text}; slow checks belong into sync", status=HTTPStatus.INTERNAL_SERVER_ERROR
        )


def _failed(error: BaseException, info: RunInfo) -> SyncStartError:
    log.error("validate_sync_request failed: %s", redacted_traceback(error, info.secrets), extra=_named(info))
    text = redact(reason_of(error), info.secrets)
    return SyncStartError(f"validate_sync_request failed: {text}", status=HTTPStatus.INTERNAL_SERVER_ERROR)


def _named(info: RunInfo) -> dict[str, str]:
    return {"sync_run_id": info.sync_run_id, "source_id": info.source_id}


def _offered(dispatch: Dispatch) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the hook may take, by name, in the order in which parameters of other names stand for it."""
    info = dispatch.info
    required = {
        "source_config": dispatch.config,
        "credentials": dispatch.credentials,
        "sync_mode": info.mode,
    }
    optional = {
        "source_id": info.source_id,
        "source_type": info.source_type,
        "checkpoint": info.checkpoint,
        "state": info.state,
        "connector_state": info.connector_state,
        "sync_run_id": info.sync_run_id,
        "is_resume": info.is_resume,
        "last_sync_at": info.last_sync_at,
        "request": dispatch.request,
    }
    return required, optional
