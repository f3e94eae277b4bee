"""Starting runs: the checks, the row, and the call to the connector (PROTOCOL, section 3).

Triggers, webhooks and the scheduler all come through here. No transaction is open while the
connector is called.
"""

from __future__ import annotations

import logging
import random
import time
from http import HTTPStatus

from omni_connector.local.connectors import (
    Answer,
    ConnectorAnswerError,
    ConnectorUnreachableError,
)
from omni_connector.local.errors import LocalManagerError
from omni_connector.local.groups import Reach, Surroundings
from omni_connector.local.manager_dates import Since
from omni_connector.local.registry import Manifest
from omni_connector.local.rows import SourceRow, SyncRunRow
from omni_connector.local.strict_json import JSON
from omni_connector.local.timestamps import rfc3339, to_microseconds

log = logging.getLogger(__name__)


class RealtimeUnavailableError(LocalManagerError):
    """The connector answered 404 to a realtime run: it has no realtime for this source."""


class TriggerTimeoutError(ConnectorUnreachableError):
    """The limit for all attempts is over; the message is the run's error text."""


class Dispatcher:
    """Starts runs, and takes lost ones up again. Waits between attempts end when the manager closes."""

    def __init__(self, reach: Reach, surroundings: Surroundings) -> None:
        self._sources = reach.tables.sources
        self._runs = reach.tables.runs
        self._registry = reach.registry
        self._connectors = reach.connectors
        self._settings = surroundings.settings
        self._stopping = surroundings.stopping

    def trigger(self, source_id: str, sync_mode: str, trigger_type: str) -> str:
        """Start a run and return its id, once the connector has accepted it.

        Raises ``LocalManagerError`` as ``POST /sync`` would answer.
        """
        if sync_mode == "realtime" and not self._settings.has(Since.REALTIME):
            raise LocalManagerError(422, "unknown variant `realtime`, expected `full` or `incremental`")
        self._runs.check_slot(source_id, sync_mode)
        source = self._sources.get(source_id)
        check_active(source)
        if not source.is_native:
            raise LocalManagerError(400, f"Source does not support data sync: {source_id}")
        manifest = self._registry.find(source.source_type)
        if manifest is None:
            raise LocalManagerError(404, f'Connector not configured for type: "{source.source_type}"')
        sync_type = self._effective_type(source_id, sync_mode)
        request = self._request(source, sync_type)  # Before the row exists: its own run must not count.
        run = self._runs.create(source_id, sync_type, trigger_type)
        self._start(run, manifest, {"sync_run_id": run.id, **request})
        log.info("Started %s run %s of source %s", run.sync_type, run.id, source.shown)
        return run.id

    def resume(self, run: SyncRunRow, source: SourceRow, manifest: Manifest) -> None:
        """Send a lost run to the connector again; what it answers is only logged."""
        request: dict[str, JSON] = {
            "sync_run_id": run.id,
            **self._request(source, run.sync_type),
        }
        if self._settings.has(Since.CHECKPOINTS):
            request["is_resume"] = True
            if run.has_checkpoint:
                request["checkpoint"] = run.checkpoint
        try:
            _check_accepted(self._post_sync(manifest["connector_url"], request))
        except (ConnectorUnreachableError, ConnectorAnswerError) as error:
            log.warning("Resuming run %s failed: %s", run.id, error)
            return
        log.info("Resumed run %s of source %s", run.id, source.shown)
        self._runs.renew_activity(run.id)

    def _effective_type(self, source_id: str, sync_mode: str) -> str:
        """Make the first incremental run of a source a full one (PROTOCOL, section 5)."""
        if sync_mode == "incremental" and self._runs.last_completed(source_id) is None:
            return "full"
        return sync_mode

    def _request(self, source: SourceRow, sync_type: str) -> dict[str, JSON]:
        request: dict[str, JSON] = {"source_id": source.id, "sync_mode": sync_type}
        last = self._runs.last_completed(source.id) if sync_type == "incremental" else None
        if last is not None and last.completed_at is not None:
            request["last_sync_at"] = rfc3339(to_microseconds(last.completed_at))
        if source.has_checkpoint and self._settings.has(Since.CHECKPOINTS):
            request["checkpoint"] = source.checkpoint
        return request

    def _start(self, run: SyncRunRow, manifest: Manifest, request: JSON) -> None:
        """Send a new run to its connector; the answer starts or ends the run (connector.openapi.yaml)."""
        try:
            answer = self._post_sync(manifest["connector_url"], request)
            declined = answer.status == HTTPStatus.NOT_FOUND and run.sync_type == "realtime"
            if declined and self._settings.has(Since.SYNC_RETRIES):
                self._runs.end(run.id, "cancelled", "Realtime sync not available for this source")
                raise RealtimeUnavailableError(
                    400, f"realtime sync is not available for source: {run.source_id}"
                )
            _check_accepted(answer)
        except TriggerTimeoutError as error:
            self._runs.end(run.id, "failed", str(error))
            limit = f"{self._settings.sync_trigger_timeout_seconds:g}s"
            text = f"Connector trigger timed out for sync {run.id} after {limit}"
            raise LocalManagerError(500, text) from error
        except (ConnectorUnreachableError, ConnectorAnswerError) as error:
            self._runs.end(run.id, "failed", str(error).replace("\0", ""))
            raise LocalManagerError(500, str(error)) from error

    def _post_sync(self, connector_url: str, request: JSON) -> Answer:
        """POST ``/sync``, again and again while no HTTP answer comes; raises ``ConnectorUnreachableError``."""
        deadline = time.monotonic() + self._settings.sync_trigger_timeout_seconds
        repeated = self._settings.has(Since.SYNC_RETRIES)
        for delay in (*(self._settings.sync_retry_delays_seconds if repeated else ()), None):
            left = deadline - time.monotonic()
            try:
                return self._connectors.post(
                    connector_url,
                    "/sync",
                    request,
                    timeout_seconds=max(0.001, min(left, self._settings.connector_timeout_seconds)),
                )
            except ConnectorUnreachableError:
                if delay is None:
                    raise
                pause = delay + random.uniform(0, self._settings.sync_retry_jitter_seconds)  # noqa: S311 - no secret.
                if time.monotonic() + pause >= deadline:
                    limit = f"{self._settings.sync_trigger_timeout_seconds:g}s"
                    raise TriggerTimeoutError(f"Connector trigger timed out after {limit}") from None
                if self._stopping.wait(pause):
                    raise
        raise AssertionError("the loop either returns or raises")  # pragma: no cover


def check_active(source: SourceRow) -> None:
    """Raise ``LocalManagerError`` (400) for an inactive source."""
    if not source.is_active:
        raise LocalManagerError(400, f"Source is inactive: {source.id}")


def _check_accepted(answer: Answer) -> None:
    """Raise ``ConnectorAnswerError`` unless the answer accepts the run."""
    body = answer.checked_json()
    accepted = (
        isinstance(body, dict)
        and isinstance(body.get("status"), str)
        and isinstance(body.get("message"), str | None)
    )
    if not accepted:
        raise ConnectorAnswerError("Invalid response: error decoding response body")
