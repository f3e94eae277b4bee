"""The test harness that existing connectors import, over the embedded manager in place of containers.

A test suite that was written for containers with a database, a message broker and the real manager keeps its tests:
``wait_for_sync``, ``count_events``, ``get_events`` and the helper that seeds sources look at the embedded manager. What
changes is the order of its fixtures: the address of the manager must be known before ``create_app(connector)``, so the
harness comes first (``docs/how-to/migration.md``).
"""

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import attrs

from omni_connector.local import EventRow, LocalManager, SourceRow, SyncRunRow
from omni_connector.models.json_values import JsonValue
from omni_connector.typed.state_class import plain_state

WAIT_SECONDS = 30.0


class HarnessStore:
    """Stands where those tests have a pool of database connections: what the functions below look into.

    Attributes:
        manager: the embedded manager, for all that they do not offer.
        addresses: of the users that were seeded, by id.
    """

    def __init__(self, manager: LocalManager) -> None:
        self.manager = manager
        self.addresses: dict[str, str] = {}

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(
            f"There is no SQL database behind the embedded manager, so no {name}(): ask harness.manager, "
            "an omni_connector.local.LocalManager, for what the test wants to know.",
            name=name,
            obj=self,
        )


class OmniTestHarness:
    """An embedded manager that lives as long as the test session.

    harness = OmniTestHarness()
    await harness.start_infra()
    await harness.start_connector_manager()
    ...  # create_app(connector), served, registers at harness.connector_manager_url
    await harness.wait_for_connector("web")
    ...
    await harness.teardown()
    """

    def __init__(self) -> None:
        self._data: tempfile.TemporaryDirectory[str] | None = None
        self._store: HarnessStore | None = None
        self._started = False

    @property
    def manager(self) -> LocalManager:
        """The embedded manager; raises as ``db_pool``."""
        return self.db_pool.manager

    @property
    def db_pool(self) -> HarnessStore:
        """What ``wait_for_sync``, ``count_events`` and ``get_events`` take.

        Raises:
            RuntimeError: ``start_infra`` was not called.
        """
        if self._store is None:
            raise RuntimeError("Call start_infra() first")
        return self._store

    @property
    def connector_manager_url(self) -> str:
        """Address of the manager.

        Raises:
            RuntimeError: ``start_connector_manager`` was not called.
        """
        if not self._started:
            raise RuntimeError("Call start_connector_manager() first")
        return self.manager.url

    def seed(self) -> "SeedHelper":
        """Return what adds sources, credentials and users."""
        return SeedHelper(self.db_pool)

    async def start_infra(self) -> None:
        """Make the manager's store, in a temporary directory."""
        if self._store is None:
            self._data = tempfile.TemporaryDirectory(prefix="omni-harness-")
            self._store = HarnessStore(LocalManager(Path(self._data.name) / "manager", schedule=False))

    async def start_connector_manager(self, connector_env_vars: Mapping[str, str] | None = None) -> None:
        """Serve the manager on a free port of this machine; the variables are ignored.

        Args:
            connector_env_vars: ignored: what the known harness gives to its containers.
        """
        del connector_env_vars
        self.manager.start()
        self._started = True

    async def wait_for_connector(self, source_type: str, timeout: float = WAIT_SECONDS) -> None:  # noqa: ASYNC109 - the known form.
        """Wait until a connector for the type has registered.

        Args:
            source_type: such as ``web``.
            timeout: in seconds.

        Raises:
            TimeoutError: none did.
        """
        await asyncio.to_thread(self.manager.wait_for_connector, source_type, timeout)

    async def teardown(self) -> None:
        """Stop the manager and remove its store; may be repeated."""
        store, self._store = self._store, None
        if store is not None:
            await asyncio.to_thread(store.manager.close)
        if self._data is not None:
            self._data.cleanup()
            self._data = None


class SeedHelper:
    """Adds what a test needs to the embedded manager, and reads the results."""

    def __init__(self, pool: HarnessStore) -> None:
        self._pool = pool
        self._manager = pool.manager

    async def create_user(self, user_id: str | None = None, email: str | None = None) -> str:
        """Add a user; return the id.

        Args:
            user_id: made if None.
            email: made of the id if None.
        """
        email = email or f"test-{user_id or 'user'}@example.com"
        user = self._manager.add_user(email, user_id=user_id)
        self._pool.addresses[user.id] = email
        return user.id

    async def create_source(  # noqa: PLR0917 - existing suites may pass them by position.
        self,
        source_type: str,
        config: JsonValue = None,
        source_id: str | None = None,
        name: str | None = None,
        created_by: str | None = None,
        user_filter_mode: str = "all",
        user_whitelist: list[str] | None = None,
        user_blacklist: list[str] | None = None,
        scope: str = "org",
    ) -> str:
        """Add a source that is synced only when a test says so; return its id.

        Args:
            source_type: such as ``web``.
            config: its settings, a dict or an instance of the connector's class; none if None.
            source_id: made if None.
            name: made of the type if None.
            created_by: id of a user of ``create_user``; if None, or another, ``owner@example.com`` is the owner.
            user_filter_mode: ``all``, ``whitelist`` or ``blacklist``.
            user_whitelist: addresses for that mode.
            user_blacklist: addresses for that mode.
            scope: ``org`` or ``user``.
        """
        source = self._manager.add_source(
            source_type=source_type,
            config=plain_state(config) or {},
            source_id=source_id,
            name=name or f"Test {source_type} source",
            owner_email=self._pool.addresses.get(created_by or "", "owner@example.com"),
            user_filter_mode=user_filter_mode,
            user_whitelist=user_whitelist,
            user_blacklist=user_blacklist,
            scope=scope,
        )
        return source.id

    async def create_credentials(
        self,
        source_id: str,
        credentials: JsonValue,
        provider: str | None = None,
        auth_type: str = "bearer_token",
    ) -> str:
        """Give a source its credentials; return the row's id.

        Args:
            source_id: the source.
            credentials: the secrets, as ``sync()`` gets them; likewise.
            provider: the usual one of the source's type if None.
            auth_type: such as ``oauth`` or ``api_key``.
        """
        row = self._manager.add_credential(
            source_id, plain_state(credentials), provider=provider, auth_type=auth_type
        )
        return row.id

    async def get_sync_runs_for_source(self, source_id: str) -> list[dict[str, Any]]:
        """Return the runs of a source, newest first."""
        return [_run(row) for row in reversed(self._manager.runs(source_id))]

    async def get_sync_run(self, sync_run_id: str) -> dict[str, Any] | None:
        """Return a run, or None."""
        found = [run for source in self._manager.sources() for run in self._manager.runs(source.id)]
        return next((_run(run) for run in found if run.id == sync_run_id), None)

    async def get_events(self, source_id: str) -> list[dict[str, Any]]:
        """Return what a source's connector emitted, in order."""
        return await get_events(self._pool, source_id)

    async def get_checkpoint(self, source_id: str) -> Any:
        """Return the checkpoint that the source's last completed run published, or None."""
        return self._source(source_id).checkpoint

    async def set_checkpoint(self, source_id: str, checkpoint: dict[str, Any]) -> None:
        """Set what the next run of the source goes on from.

        Args:
            source_id: the source.
            checkpoint: as a run would have saved it.
        """
        self._manager.set_source(source_id, checkpoint=checkpoint)

    async def get_connector_state(self, source_id: str) -> Any:
        """Return the source's connector state, or its checkpoint, which connectors once saved there."""
        source = self._source(source_id)
        return source.checkpoint if source.connector_state is None else source.connector_state

    async def cleanup_source(self, source_id: str) -> None:
        """Delete a source; its documents follow."""
        self._manager.set_source(source_id, is_deleted=True, is_active=False)

    def _source(self, source_id: str) -> SourceRow:
        return self._manager.source(source_id)


async def wait_for_sync(
    pool: HarnessStore,
    sync_run_id: str,
    timeout: float = WAIT_SECONDS,  # noqa: ASYNC109 - the known form.
) -> dict[str, Any]:
    """Wait for the end of a run; return its row: ``status``, ``error_message``, ``documents_scanned`` and so on.

    Args:
        pool: the harness's ``db_pool``.
        sync_run_id: the run.
        timeout: in seconds.

    Raises:
        TimeoutError: it is still running.
        LocalManagerError: there is no such run.
    """
    return _run(await asyncio.to_thread(pool.manager.wait_for_run, sync_run_id, timeout))


async def count_events(pool: HarnessStore, source_id: str, event_type: str | None = None) -> int:
    """Return how many events a source's connector emitted, of one type or of all.

    Args:
        pool: the harness's ``db_pool``.
        source_id: the source.
        event_type: such as ``document_created``; None for all.
    """
    return sum(1 for event in _events(pool, source_id) if event_type in {None, event.type})


async def get_events(pool: HarnessStore, source_id: str) -> list[dict[str, Any]]:
    """Return what a source's connector emitted, in order: ``event_type``, ``payload``, ``sync_run_id``, ``status``.

    Args:
        pool: the harness's ``db_pool``.
        source_id: the source.
    """
    return [
        {
            "id": event.id,
            "sync_run_id": event.run_id,
            "source_id": event.source_id,
            "event_type": event.type,
            "payload": event.payload,
            "status": event.status,
            "error_message": event.error,
            "created_at": event.created_at,
        }
        for event in _events(pool, source_id)
    ]


def _events(pool: HarnessStore, source_id: str) -> list[EventRow]:
    return [event for event in pool.manager.events() if event.source_id == source_id]


def _run(row: SyncRunRow) -> dict[str, Any]:
    return attrs.asdict(row, recurse=False, filter=lambda attribute, _: not attribute.name.startswith("_"))
