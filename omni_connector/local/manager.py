"""The embedded manager: one object that owns the store, the HTTP server and the scheduler."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack

from flask import Flask

from omni_connector.local.app import create_app
from omni_connector.local.app.content_route import ContentRoute
from omni_connector.local.browser_guard import BrowserGuard
from omni_connector.local.checkpointing import Checkpointing
from omni_connector.local.clock import Clock, SystemClock
from omni_connector.local.configuration import (
    CredentialColumns,
    CredentialHolder,
    SourceDescription,
    change_source,
    configure_source,
    store_credential,
)
from omni_connector.local.connectors import ConnectorAnswerError, ConnectorUnreachableError
from omni_connector.local.errors import LocalManagerError
from omni_connector.local.http_server import HttpServer
from omni_connector.local.indexed_rows import DocumentRow, EventRow, GroupRow, PersonRow
from omni_connector.local.keywords import check_keywords
from omni_connector.local.manager_dates import Since
from omni_connector.local.rows import CredentialRow, SourceRow, SyncRunRow, UserRow
from omni_connector.local.search import SearchHit
from omni_connector.local.services import build_services
from omni_connector.local.settings import LocalSettings
from omni_connector.local.store import DATABASE_NAME
from omni_connector.local.strict_json import JSON

log = logging.getLogger(__name__)


class LocalManager:
    """A connector-manager in this process, on a data directory.

    It serves the whole of manager.openapi.yaml at ``url`` once started, and lets its owner look at what
    arrived. All stored times come from ``clock``; all waits are real.

    Args:
        data_dir: where the database is kept; created when missing, continued when it exists.
        settings: the manager's figures.
        host: address to bind.
        port: port to bind; 0 takes a free one.
        clock: another clock than the machine's.
        schedule: tick from a thread; if false, only ``tick()`` does.

    Raises ``StoreError`` when the directory is in use or was written by a newer version, and from
    ``start()`` ``OSError`` when the address cannot be bound.
    """

    def __init__(
        self,
        data_dir: Path | str,
        *,
        settings: LocalSettings = LocalSettings(),  # noqa: B008 - frozen.
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Clock | None = None,
        schedule: bool = True,
    ) -> None:
        self._closed = True  # Until everything that needs closing exists.
        self.settings = settings
        self._schedule = schedule
        self._services = build_services(data_dir, settings, clock or SystemClock())
        self.data_dir = Path(data_dir)
        self._checkpointing = Checkpointing(self.data_dir / DATABASE_NAME)
        self._closed = False
        self.app: Flask = create_app(self._services)
        guarded = BrowserGuard(self.app, [host, *settings.allowed_hosts])
        contents = ContentRoute(self._services.contents, guarded)
        self._server = HttpServer(guarded, host=host, port=port, name="local-manager", together=contents)

    # Life

    def start(self) -> Self:
        """Serve, and tick for the first time; the address accepts when this returns."""
        try:
            self._server.start()
            self._services.store.announce(self.url)
        except BaseException:
            self.close()
            raise
        self._services.search_index.start()
        self._checkpointing.start()
        if self._schedule:
            self._services.scheduler.start()
        log.info("Local manager at %s, data in %s", self.url, self._services.store.directory)
        return self

    def close(self) -> None:
        """Stop: waiting calls end, then the scheduler, the server, and last the database. Repeatable."""
        if self._closed:
            return
        self._closed = True
        self._services.stopping.set()
        self._services.runs.close()
        self._services.registry.close()
        self._services.scheduler.close()
        self._server.close()
        self._services.search_index.close()
        self._checkpointing.close()
        self._services.store.close()

    def closes_within(self, seconds: float) -> bool:
        """Wait, but no longer than until the manager closes; say whether it does. For answers that take long."""
        return self._services.stopping.wait(seconds)

    @property
    def url(self) -> str:
        """Base address without a trailing slash."""
        return self._server.url

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if not getattr(self, "_closed", True):
            warnings.warn("LocalManager was never closed", ResourceWarning, stacklevel=1, source=self)
            with contextlib.suppress(Exception):  # The interpreter may be half gone.
                self.close()

    # Configuring

    def add_source(self, **description: Unpack[SourceDescription]) -> SourceRow:
        """Add a source, or replace the configuration and credentials of the one with this id.

        A replaced source keeps its checkpoint and connector state. ``SourceDescription`` lists the arguments;
        ``source_type`` is needed.
        """
        check_keywords("add_source", description, SourceDescription)
        if "source_type" not in description:
            raise TypeError("add_source() needs the argument 'source_type'")
        return configure_source(self._services, description)

    def set_source(self, source_id: str, **changes: Any) -> SourceRow:
        """Change a source (``config``, ``is_active``, ``checkpoint``, ``sync_interval_seconds``, …); all else of it stays.

        ``credentials`` are the secrets of its owner. Raises ``LocalManagerError`` (404) for an unknown source.
        """
        return change_source(self._services, source_id, changes)

    def reset_source(
        self, source_id: str, *, connector_state: bool = False, abandon_runs: bool = False
    ) -> SourceRow:
        """Forget the checkpoint of a source, so that its next run reads everything from the beginning.

        Args:
            source_id: the source.
            connector_state: forget its connector state as well, in which connectors may keep rotated tokens.
            abandon_runs: cancel its runs whose process has died, which would be resumed from their own checkpoints. Only
                for a manager that was not started: a connector is not asked.

        Raises ``LocalManagerError``: 404 for an unknown source, 409 while a run is in progress.
        """
        if abandon_runs:
            for run in self._services.runs.of_source(source_id):
                self._services.runs.end(run.id, "cancelled", "The state of the source was reset")
        return self._services.sources.reset(source_id, connector_state=connector_state)

    def add_user(self, email: str, *, is_admin: bool | None = None, user_id: str | None = None) -> UserRow:
        """Return the user with this address, added when missing (as an administrator by default)."""
        return self._services.users.put(email, is_admin=is_admin, user_id=user_id)

    def add_credential(
        self,
        source_id: str,
        credentials: JSON,
        *,
        user_id: str | None = None,
        **columns: Unpack[CredentialColumns],
    ) -> CredentialRow:
        """Store the credential of a user (None: org-wide) for a source, replacing a former one."""
        check_keywords("add_credential", columns, CredentialColumns)
        holder = CredentialHolder(self.source(source_id), user_id)
        return store_credential(self._services, holder, credentials, columns)

    def configure_connector(self, source_type: str, url: str) -> None:
        """Name the connector of a source type by its address: what managers before 23 March 2026 need.

        Later ones take registrations, and this changes nothing.
        """
        self._services.registry.configure(source_type, url)

    @property
    def takes_registrations(self) -> bool:
        """Whether connectors register; if not, ``configure_connector`` names them."""
        return self.settings.has(Since.REGISTRATION)

    def set_connector_config(self, provider: str, config: JSON) -> None:
        """Store what ``GET /sdk/connector-configs/{provider}`` answers."""
        self._services.credentials.put_config(provider, config)

    def manifests(self) -> list[dict[str, Any]]:
        """Return the manifests of the connectors that are registered now, in the order of their registration."""
        return self._services.registry.all()

    def described(self, source_type: str) -> dict[str, Any] | None:
        """Return what the connector of a type answers at ``GET /manifest`` now, keys included that the manager ignores.

        None when no connector is registered for the type, or it does not answer within ``status_timeout_seconds``.
        """
        manifest = self._services.registry.find(source_type)
        if manifest is None:
            return None
        seconds = self.settings.status_timeout_seconds
        try:
            said = self._services.connectors.get(
                manifest["connector_url"], "/manifest", timeout_seconds=seconds
            ).checked_json()
        except (ConnectorUnreachableError, ConnectorAnswerError):
            return None
        return said if isinstance(said, dict) else None

    # Running

    def trigger(self, source_id: str, sync_mode: str = "full") -> str:
        """Start a run and return its id; raises ``LocalManagerError`` as ``POST /sync`` would answer."""
        return self._services.dispatcher.trigger(source_id, sync_mode, "manual")

    def cancel(self, run_id: str) -> None:
        """Cancel a run; raises ``LocalManagerError`` as ``POST /sync/{id}/cancel`` would answer."""
        self._services.canceller.cancel(run_id)

    def tick(self) -> None:
        """Run all phases of the scheduler once, in this thread."""
        self._services.scheduler.tick()

    def probe(self, run_id: str) -> None:
        """Ask the connector about a running run now; a lost one is sent to it again (PROTOCOL, section 7).

        Raises ``LocalManagerError`` (404) for an unknown run.
        """
        self._services.scheduler.probe(self.run(run_id))

    def wait_for_run(self, run_id: str, timeout_seconds: float = 60) -> SyncRunRow:
        """Return the run once it has ended.

        Raises ``TimeoutError`` when it is still running, ``LocalManagerError`` (404) for an unknown run.
        """
        run = self._services.runs.wait_until(
            run_id, lambda found: found is None or not found.is_running, timeout_seconds
        )
        if run is None:
            raise LocalManagerError(404, f"Sync run not found: {run_id}")
        if run.is_running:
            raise TimeoutError(f"run {run_id} is still running after {timeout_seconds:g} s")
        return run

    def wait_for_connector(self, source_type: str, timeout_seconds: float = 30) -> None:
        """Return once a registered manifest lists the type; raises ``TimeoutError``."""
        self._services.registry.wait_for(source_type, timeout_seconds)

    # Looking

    def source(self, source_id: str) -> SourceRow:
        """Return a source with its states; raises ``LocalManagerError`` (404)."""
        return self._services.sources.get(source_id)

    def credential(self, source_id: str) -> CredentialRow | None:
        """Return the credential of a source's owner, secrets included; raises ``LocalManagerError`` (404)."""
        return self._services.credentials.owner(self.source(source_id))

    def cursor(self, source_id: str) -> JSON:
        """Return the checkpoint that the next run of a source is given: its connector state, at older managers.

        Raises ``LocalManagerError`` (404).
        """
        source = self.source(source_id)
        return source.checkpoint if self.settings.has(Since.CHECKPOINTS) else source.connector_state

    def sources(self) -> list[SourceRow]:
        """Return all sources, newest first, deleted ones included."""
        return self._services.sources.all()

    def run(self, run_id: str) -> SyncRunRow:
        """Return a run; raises ``LocalManagerError`` (404)."""
        return self._services.runs.get(run_id)

    def running(self) -> list[SyncRunRow]:
        """Return the runs in progress, oldest first."""
        return self._services.runs.running()

    def runs(self, source_id: str) -> list[SyncRunRow]:
        """Return the runs of a source, oldest first."""
        return self._services.runs.of_source(source_id)

    def documents(self, source_id: str | None = None) -> Iterator[DocumentRow]:
        """Yield the indexed documents in the order in which they first arrived."""
        return self._services.reader.documents(source_id)

    def document(self, source_id: str, external_id: str) -> DocumentRow | None:
        """Return a document by its id in its source, or None."""
        return self._services.reader.document(source_id, external_id)

    def events(self, run_id: str | None = None) -> list[EventRow]:
        """Return the queue in the order of arrival, of one run or of all."""
        return self._services.reader.events(run_id)

    def search(
        self, query: str, *, limit: int = 10, source_id: str | None = None, person: str | None = None
    ) -> list[SearchHit]:
        """Return the best hits; words, ``"phrases"`` and ``prefixes*``, all of which must occur.

        Permissions are ignored unless ``person``, an e-mail address, says whose search it is.
        """
        return self._services.reader.search(query, limit=limit, source_id=source_id, person=person)

    def people(self) -> list[PersonRow]:
        """Return all people known from person events, by address."""
        return self._services.reader.people()

    def groups(self) -> list[GroupRow]:
        """Return all groups with their members, by source and address."""
        return self._services.reader.groups()
