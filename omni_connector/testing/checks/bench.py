"""Runs syncs of the connector that is checked, at an embedded manager, through the real protocol."""

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Self

from attrs import frozen

from omni_connector.connector_base import ConnectorBase
from omni_connector.local import LocalManager, LocalManagerError, LocalSettings
from omni_connector.manager import Policies, RetryPolicy
from omni_connector.models import SyncMode
from omni_connector.partitions.merger import SavePace
from omni_connector.runtime.options import RuntimeOptions
from omni_connector.runtime.run import RunReport
from omni_connector.runtime.run_stack import stack_of_run, thread_of_run
from omni_connector.sync.delivery_limits import DeliveryLimits
from omni_connector.testing.checks.finding import BrokenRunError, Finding, NotApplicableError
from omni_connector.testing.checks.interruptions import Interruption, wait_for_either
from omni_connector.testing.checks.runs import ObservedRun, RunOrder, require_completed, spread
from omni_connector.testing.checks.subject import Subject
from omni_connector.testing.faults import FaultyManager
from omni_connector.testing.results import SyncResult, collect_result
from omni_connector.testing.served import ServedConnector, serve_connector

UNLIMITED = 10_000
"""Runs at a time: interrupted ones must not keep others from starting."""

BATCHES = 50
"""A sync is sent in about so many batches, so that there are moments between its documents to interrupt it."""

SHORT = Policies(
    bulk=RetryPolicy(attempts=2, first_delay_seconds=0.01, total_seconds=1.0),
    answering=RetryPolicy(attempts=1),
    counters=RetryPolicy(attempts=1),
)
"""Of a run whose manager is gone for good."""

NO_TIME = timedelta(microseconds=1)

QUICK_SAVES = SavePace(least_seconds=0.05, bytes_per_second=1024 * 1024)


class Bench:
    """One connector under check. A context manager: it owns the embedded manager.

    Args:
        subject: the connector and its source.
        folder: where the manager keeps its data.

    Attributes:
        subject: the same.
        manager: the embedded manager.
        results: of all runs so far.
        remark: what the check under way leaves out.
    """

    def __init__(self, subject: Subject, folder: Path) -> None:
        self.subject = subject
        settings = LocalSettings(max_concurrent_syncs=UNLIMITED, max_concurrent_syncs_per_type=UNLIMITED)
        self.manager = LocalManager(folder, settings=settings, schedule=False)
        self.results: list[SyncResult] = []
        self.remark = ""
        self._numbers = itertools.count(1)
        self._batch_events = DeliveryLimits().batch_events

    def __enter__(self) -> Self:
        self.manager.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.manager.close()

    def moments(self, number: int, what: str) -> list[int]:
        """Return at which of so many moments a run is interrupted: at each, or at some that are evenly spread."""
        found = spread(number, self.subject.interruptions)
        if len(found) < number:
            self.remark = f"at {len(found)} of {number} {what}, evenly spread"
        return found

    # -- what is known about the connector ---------------------------------------------------------------------

    @cached_property
    def connector(self) -> ConnectorBase:
        """One instance, for what is the same in all."""
        return self.subject.make()

    @cached_property
    def modes(self) -> frozenset[str]:
        """The connector's sync modes, as texts."""
        return frozenset(map(str, self.connector.sync_modes))

    @property
    def has_scheduled_runs(self) -> bool:
        """Whether it syncs in another mode than realtime."""
        return not self.modes <= {SyncMode.REALTIME}

    def require_scheduled_runs(self) -> None:
        """Raise NotApplicableError for a connector that runs in realtime only."""
        if not self.has_scheduled_runs:
            raise NotApplicableError("it syncs in realtime only, and such runs have no end of their own")

    def require_incremental(self) -> None:
        """Raise NotApplicableError for a connector without incremental runs."""
        self.require_scheduled_runs()
        if SyncMode.INCREMENTAL not in self.modes:
            listed = ", ".join(sorted(self.modes)) or "nothing"
            raise NotApplicableError(f"it has no incremental runs: its sync_modes are {listed}")

    @cached_property
    def first(self) -> SyncResult:
        """An undisturbed full run of a source that is new; all others have smaller batches, by its size."""
        self.require_scheduled_runs()
        first = self.sync()
        self._batch_events = max(1, len(first.events) // BATCHES)
        return first

    @cached_property
    def second(self) -> ObservedRun:
        """The same once more, of another source with the same settings."""
        _ = self.first  # Says how large the batches are.
        return self.run(RunOrder(source_id=self.new_source_id()))

    def new_source_id(self) -> str:
        """Return an id that no source has."""
        return f"check-{next(self._numbers)}"

    # -- running -----------------------------------------------------------------------------------------------

    def sync(self, source_id: str | None = None, mode: str = SyncMode.FULL) -> SyncResult:
        """Run one sync that completes, undisturbed; of a new source unless one is named."""
        self.require_scheduled_runs()
        return self.run(RunOrder(source_id=source_id or self.new_source_id(), mode=mode)).result

    def reconciled(self, source_id: str) -> SyncResult:
        """Run an incremental sync as if ``reconcile_every`` were over."""
        connector = self.subject.make()
        connector.reconcile_every = NO_TIME
        return self.run(RunOrder(source_id=source_id, mode=SyncMode.INCREMENTAL), connector).result

    def run(self, order: RunOrder, connector: ConnectorBase | None = None) -> ObservedRun:
        """Run one sync; of a new instance of the connector unless one is given.

        Raises:
            BrokenRunError: it does not end, or does not complete although it has to.
        """
        with self.proxied(order, connector) as (proxy, served):
            run_id = self.start(served, order)
            self.wait(served, run_id)
        observed = ObservedRun(result=self.collect(served, run_id), calls=proxy.calls)
        if not order.may_fail:
            require_completed(observed.result, order.mode)
        return observed

    @contextmanager
    def proxied(
        self, order: RunOrder, connector: ConnectorBase | None = None
    ) -> Iterator[tuple[FaultyManager, ServedConnector]]:
        """Serve the connector behind a proxy to the manager."""
        limits = DeliveryLimits(
            flush_events=self._batch_events, batch_events=self._batch_events, flush_seconds=0.05
        )
        options = RuntimeOptions(limits=_Always(limits), save_pace=QUICK_SAVES)
        with FaultyManager(self.manager, plan=order.plan) as proxy:
            client = proxy.client(order.policies)
            with serve_connector(
                connector or self.subject.make(), self.manager, client=client, options=options
            ) as served:
                yield proxy, served

    def start(self, served: ServedConnector, order: RunOrder) -> str:
        """Start a run and return its id.

        Raises:
            BrokenRunError: the connector refuses it.
        """
        served.put_source(
            source_id=order.source_id,
            config=self.subject.config if order.config is None else order.config,
            credentials=self.subject.credentials,
            source_type=self.subject.source_type,
        )
        try:
            return self.manager.trigger(order.source_id, order.mode)
        except LocalManagerError as error:
            raise BrokenRunError(
                Finding(
                    what=f"The {order.mode} sync is not accepted: {error}",
                    where=f"{order.mode} sync",
                    why="No document of such a source is ever indexed.",
                    remedy="Check the settings and credentials that were given, and validate_sync_request.",
                )
            ) from error

    def wait(self, served: ServedConnector, run_id: str) -> None:
        """Wait until the thread of a run has ended.

        Raises:
            BrokenRunError: it goes on for longer than the subject's time-out.
        """
        thread = thread_of_run(run_id)
        if thread is None:
            return
        thread.join(self.subject.timeout_seconds)
        if thread.is_alive():
            place = stack_of_run(served.connector, thread)
            with suppress(LocalManagerError):  # It may end at this very moment.
                self.manager.cancel(run_id)
            raise BrokenRunError(
                Finding(
                    what=f"The sync has not ended within {self.subject.timeout_seconds:g} s.",
                    where=place,
                    why="The source stays as it is, and no other run of it can start.",
                    remedy="Give every wait a time-out. If the source is large, check a smaller one, or allow more time.",
                )
            )

    def wait_for_thread(self, thread: threading.Thread | None, seconds: float) -> bool:
        """Wait for the thread of a run; say whether it has ended."""
        if thread is not None:
            thread.join(seconds)
        return thread is None or not thread.is_alive()

    def collect(self, served: ServedConnector, run_id: str) -> SyncResult:
        """Return what a run brought, after its service was closed."""
        report = served.service.report(run_id) or RunReport(sync_run_id=run_id, outcome="unknown")
        result = collect_result(self.manager, self.manager.run(run_id), report)
        self.results.append(result)
        return result

    def interrupted(self, interruption: Interruption) -> SyncResult:
        """Run a full sync of a new source up to a certain moment, then have the manager resume it; return its end."""
        source_id = self.new_source_id()
        run_id = self.broken_off(source_id, interruption, self.subject.make())
        return self.resume(RunOrder(source_id=source_id), run_id)

    def broken_off(self, source_id: str, interruption: Interruption, connector: ConnectorBase) -> str:
        """Run a full sync up to a certain moment, at which manager and process are gone; return the run's id."""
        order = RunOrder(source_id=source_id, policies=SHORT)
        with self.proxied(order, connector) as (proxy, served):
            interruption.add_to(proxy)
            run_id = self.start(served, order)
            thread = thread_of_run(run_id)
            wait_for_either(interruption.reached, thread, self.subject.timeout_seconds)
        self.wait_for_thread(thread, self.subject.timeout_seconds)  # The service is closed.
        return run_id

    def resume(self, order: RunOrder, run_id: str) -> SyncResult:
        """Have the manager find a run lost and send it to the connector again; return what came of it.

        One that has ended before is left as it is.

        Raises:
            BrokenRunError: the resumed run does not complete.
        """
        with self.proxied(order) as (_, served):
            if self.manager.run(run_id).is_running:
                self.manager.probe(run_id)
                self.wait(served, run_id)
        result = self.collect(served, run_id)
        require_completed(result, "resumed")
        return result


@frozen
class _Always:
    """The same limits for every mode."""

    limits: DeliveryLimits

    def __call__(self, mode: SyncMode) -> DeliveryLimits:
        del mode
        return self.limits
