"""Runs one sync through the real protocol and waits for its end."""

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TypedDict, Unpack

from omni_connector.connector_base import ConnectorBase
from omni_connector.local import LocalManager, LocalManagerError
from omni_connector.local.keywords import check_keywords
from omni_connector.manager import ManagerApi
from omni_connector.models.json_values import JsonValue
from omni_connector.runtime.run import RunReport
from omni_connector.runtime.run_stack import stack_of_run, thread_of_run
from omni_connector.testing.results import SyncResult, collect_result
from omni_connector.testing.served import ServedConnector, serve_connector
from omni_connector.testing.sources import publish_state


class RunOptions(TypedDict, total=False):
    """What ``run_sync`` takes besides.

    Attributes:
        connector_state: durable notes of the source; None leaves the source's own.
        client: how the connector calls the manager, such as ``faulty_manager.client()``; straight unless given.
        source_id: one made of the connector's name, unless given.
        source_type: the connector's first, unless given.
        timeout_seconds: how long it may take; 60 unless given.
    """

    connector_state: JsonValue
    client: ManagerApi | None
    source_id: str | None
    source_type: str | None
    timeout_seconds: float


class ManagedRunOptions(RunOptions, total=False):
    """What the function ``run_sync`` takes besides, the manager among it.

    Attributes:
        manager: a manager that runs; one of its own for this call unless given. Different connectors for one type of
            source need different managers: a manager asks the first that registered (PROTOCOL, section 2).
    """

    manager: LocalManager | None


def run_sync(
    connector: ConnectorBase,
    *,
    config: JsonValue = None,
    credentials: JsonValue = None,
    mode: str = "full",
    state: JsonValue = None,
    **options: Unpack[ManagedRunOptions],
) -> SyncResult:
    """Run one sync of ``connector`` and return what arrived.

    The connector is served on a free port, registers with an embedded manager, and is dispatched by it; documents
    travel over HTTP. With one ``manager`` (or the fixture ``run_sync``) a second run continues the source of the first
    with its saved state, and may leave out what stays the same.

    Args:
        connector: the connector.
        config: the source's settings, a dict or an instance of the connector's class, as ``credentials`` and ``state``; None
            leaves those of an existing source as they are.
        credentials: the source's secrets; the same.
        mode: ``full``, ``incremental`` or ``realtime``. As the real manager does, the embedded one makes the first
            incremental run of a source a full one, unless ``state`` says where an earlier one left off.
        state: the checkpoint that an earlier, completed run left; None leaves the source's own.
        options: ``manager``, ``connector_state``, ``client``, ``source_id``, ``source_type`` and ``timeout_seconds``;
            see ``RunOptions``.

    Raises:
        TimeoutError: it takes longer; says where the connector is. The run is cancelled.
        ConfigurationError: a manager would refuse the connector's manifest; says all that is wrong.
        LocalManagerError: the manager or the connector refuses to start the run.
    """
    check_keywords("run_sync", options, ManagedRunOptions)
    with _manager(options.get("manager")) as running:
        with serve_connector(connector, running, client=options.get("client")) as served:
            source_id = served.put_source(
                source_id=options.get("source_id"),
                config=config,
                credentials=credentials,
                source_type=options.get("source_type"),
            )
            connector_state = options.get("connector_state")
            if connector_state is not None:
                running.set_source(source_id, connector_state=connector_state)
            if state is not None:
                publish_state(running, source_id, state)
            run_id = running.trigger(source_id, mode)
            _wait(served, run_id, options.get("timeout_seconds", 60.0))
        # The service is closed, so that its figures are final.
        report = served.service.report(run_id) or RunReport(sync_run_id=run_id, outcome="unknown")
        return collect_result(running, running.run(run_id), report)


class SyncRunner:
    """``run_sync`` with a manager that stays: what the fixture ``run_sync`` gives.

    Attributes:
        manager: the manager of all runs.
    """

    def __init__(self, manager: LocalManager) -> None:
        self.manager = manager

    def __call__(
        self,
        connector: ConnectorBase,
        *,
        config: JsonValue = None,
        credentials: JsonValue = None,
        mode: str = "full",
        state: JsonValue = None,
        **options: Unpack[RunOptions],
    ) -> SyncResult:
        """Run one sync; arguments, result and errors as for the function ``run_sync``."""
        return run_sync(
            connector,
            config=config,
            credentials=credentials,
            mode=mode,
            state=state,
            manager=self.manager,
            **options,
        )


@contextmanager
def _manager(given: LocalManager | None) -> Iterator[LocalManager]:
    """Lend the given manager, or one that lives as long as the block."""
    if given is not None:
        yield given
        return
    with (
        tempfile.TemporaryDirectory(prefix="omni-manager-") as directory,
        LocalManager(directory, schedule=False) as own,
    ):
        yield own


def _wait(served: ServedConnector, run_id: str, timeout_seconds: float) -> None:
    """Wait for the thread of the run: it makes the final call, where there is one, before it ends."""
    thread = thread_of_run(run_id)
    if thread is None:
        return
    thread.join(timeout_seconds)
    if not thread.is_alive():
        return
    message = _unfinished(served, run_id, thread, timeout_seconds)
    with suppress(LocalManagerError):  # It may end at this very moment.
        served.manager.cancel(run_id)
    raise TimeoutError(message)


def _unfinished(
    served: ServedConnector, run_id: str, thread: threading.Thread, timeout_seconds: float
) -> str:
    report = served.service.report(run_id) or RunReport(sync_run_id=run_id, outcome="unknown")
    return (
        f"The sync of {served.connector.name} has not ended within {timeout_seconds:g} s: "
        f"{report.scanned} documents scanned, {report.emitted} emitted, {report.deleted} deleted, "
        f"{report.error_count} errors so far. The connector is here:\n{stack_of_run(served.connector, thread)}"
    )
