"""A cancelled run ends within two seconds, nothing comes after it, and the next run brings everything."""

import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress

from attrs import define, field

from omni_connector.code_location import innermost_author_line
from omni_connector.connector_base import ConnectorBase
from omni_connector.local import LocalManagerError
from omni_connector.models import SyncMode
from omni_connector.runtime.run_stack import stack_of_run, thread_of_run
from omni_connector.testing.checks.bench import Bench
from omni_connector.testing.checks.comparing import compare
from omni_connector.testing.checks.finding import Finding
from omni_connector.testing.checks.interruptions import wait_for_either
from omni_connector.testing.checks.runs import RunOrder
from omni_connector.testing.faults import Do

WITHIN_SECONDS = 2.0
Call = tuple[str, int]
"""An endpoint, by its name in ``ENDPOINTS``, and the number of the call."""

REALTIME_SECONDS = 1.0
"""A realtime run is cancelled after so long: it waits for news by then."""


def find(bench: Bench) -> Iterator[Finding]:
    """Cancel runs at their first and at a later call to the manager; of a realtime connector, while it waits."""
    if bench.has_scheduled_runs:
        for call in _calls(bench):
            connector = bench.subject.make()
            source_id = bench.new_source_id()
            finding = _cancelled(bench, connector, source_id, call)
            if finding is None:
                finding = _next_run(bench, connector, source_id)
            if finding is not None:
                yield finding
                return
    if SyncMode.REALTIME in bench.modes:
        finding = _cancelled(bench, bench.subject.make(), bench.new_source_id(), None)
        if finding is not None:
            yield finding


def _calls(bench: Bench) -> list[Call]:
    """Return at which calls runs are cancelled: the first text, and an event in the middle."""
    found: list[Call] = []
    for endpoint, part in (("content", 0), ("events", 2)):
        number = bench.second.count(endpoint)
        if number:
            found.append((endpoint, max(1, part and number // part)))
    return found or [("heartbeat", 1)]


@define
class _Cancelling:
    """Cancels the run of a source, and says when that was done."""

    bench: Bench
    source_id: str
    at: float = 0.0
    done: threading.Event = field(factory=threading.Event)

    def __call__(self) -> None:
        run = self.bench.manager.runs(self.source_id)[-1]
        self.at = time.monotonic()
        with suppress(LocalManagerError):  # It ends at this very moment.
            self.bench.manager.cancel(run.id)
        self.done.set()


def _cancelled(bench: Bench, connector: ConnectorBase, source_id: str, call: Call | None) -> Finding | None:
    mode = SyncMode.REALTIME if call is None else SyncMode.FULL
    order = RunOrder(source_id=source_id, mode=mode, may_fail=True)
    cancel = _Cancelling(bench, order.source_id)
    before = set(threading.enumerate())
    with bench.proxied(order, connector) as (proxy, served):
        if call is not None:
            proxy.plan.add(call[0], Do(cancel, done=True), calls=call[1])
        run_id = bench.start(served, order)
        thread = thread_of_run(run_id)
        if call is None:
            bench.wait_for_thread(thread, REALTIME_SECONDS)
            cancel()
        else:
            wait_for_either(cancel.done, thread, bench.subject.timeout_seconds)
        if not cancel.done.is_set():
            cancel()
        ended = bench.wait_for_thread(thread, max(0.0, cancel.at + WITHIN_SECONDS - time.monotonic()))
        place = "" if ended or thread is None else stack_of_run(connector, thread)
        others = _still_working(connector, before)
        bench.wait_for_thread(thread, bench.subject.timeout_seconds)
    moment = f"{mode} sync, cancelled " + (
        "while it waited" if call is None else "at call {1} of {0}".format(*call)
    )
    if place:
        return Finding(
            what=f"A cancelled sync goes on for more than {WITHIN_SECONDS:g} s.",
            where=f"{moment}:\n{place}",
            why="It goes on to load the source, and a stopping process waits for it until it is killed.",
            remedy="Wait with ctx.sleep(), give every request a time-out, call ctx.raise_if_cancelled() in long loops, and let "
            "SyncCancelledError pass.",
        )
    if others:
        return Finding(
            what="A thread of the connector goes on after its run was cancelled.",
            where=f"{moment}: {others}",
            why="It goes on to load the source, once more for each cancelled run.",
            remedy="End the threads that sync() starts before it returns, also when it is left by an exception.",
        )
    return None


def _next_run(bench: Bench, connector: ConnectorBase, source_id: str) -> Finding | None:
    """Sync a source with the instance whose run was cancelled."""
    after = bench.run(RunOrder(source_id=source_id), connector).result
    difference = compare(bench.first.index, after.index)
    if not difference:
        return None
    return Finding(
        what=f"The run after a cancelled one brings other documents: {difference}.",
        where=difference.where,
        why="The documents that the cancelled run had read, and not sent, are missing.",
        remedy="Keep what was sent in the state, not in attributes of the connector, which outlive a run.",
    )


def _still_working(connector: ConnectorBase, before: set[threading.Thread]) -> str:
    """Return where a thread that is new executes the connector's own module, or nothing."""
    module = sys.modules.get(type(connector).__module__)
    own_file = getattr(module, "__file__", None)
    frames = sys._current_frames()  # noqa: SLF001 - the documented way to see other threads.
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        if thread in before or frame is None or thread.name.startswith("omni-"):
            continue
        stack = traceback.extract_stack(frame)
        if any(each.filename == own_file for each in stack):
            return f"thread {thread.name}, {innermost_author_line(stack)}"
    return ""
