"""Where a run is right now: the stack of its thread or coroutine, for people who wait for it."""

import gc
import inspect
import sys
import threading
import traceback
from collections.abc import Iterator
from types import CodeType, CoroutineType, FrameType
from typing import Any

from omni_connector.code_location import innermost_author_line
from omni_connector.connector_base import ConnectorBase
from omni_connector.sync.context import SyncContext
from omni_connector.sync.pulse import Pulse

SHOWN_FRAMES = 12
SHOWN_PARTITIONS = 3


def thread_of_run(sync_run_id: str) -> threading.Thread | None:
    """Return the thread in which a run is executed, or None when it has ended."""
    name = f"omni-sync-{sync_run_id}"
    return next((thread for thread in threading.enumerate() if thread.name == name), None)


def stack_of_run(connector: ConnectorBase, thread: threading.Thread) -> str:
    """Return the stack of a sync, innermost call last: its coroutine's, or its thread's; of partitions the first few."""
    in_parts = (connector.partitions, connector.sync_partition)
    methods = in_parts if connector.reads_partitions else (connector.sync,)
    codes = {inspect.unwrap(method).__code__ for method in methods}
    stacks = [*_stacks_of_coroutines(codes), *_stacks_of_partitions(codes, thread)][:SHOWN_PARTITIONS]
    if stacks:
        return "\n".join(stacks)
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 - the documented way to see another thread.
    return "".join(traceback.format_stack(frame)[-SHOWN_FRAMES:]) if frame else "(it has just ended)"


def position_of(connector: ConnectorBase, pulse: Pulse, thread_id: int) -> str:
    """Return ``connector.py:42 in fetch_page``: the author's line at which a run, or a partition of it, stands."""
    frame = sys._current_frames().get(thread_id)  # noqa: SLF001 - as above.
    stack = _stack_of_task(connector, pulse) or (traceback.extract_stack(frame) if frame else [])
    return innermost_author_line(stack)


def _stack_of_task(connector: ConnectorBase, pulse: Pulse) -> list[traceback.FrameSummary]:
    """Return the stack of the coroutine that was given the context of this run or partition."""
    methods = (connector.partitions, connector.sync_partition, connector.sync)
    for found in _coroutines({inspect.unwrap(method).__code__ for method in methods}):
        given = list(found.cr_frame.f_locals.values()) if found.cr_frame else []
        runs = [value._run for value in given if isinstance(value, SyncContext)]  # noqa: SLF001 - authors need not see it.
        if any(run.pulse is pulse for run in runs):
            return _coroutine_stack(found)
    return []


def _stacks_of_coroutines(codes: set[CodeType]) -> Iterator[str]:
    for found in _coroutines(codes):
        yield "".join(traceback.format_list(_coroutine_stack(found)[-SHOWN_FRAMES:]))


def _coroutines(codes: set[CodeType]) -> Iterator["CoroutineType[Any, Any, Any]"]:
    # The collector is the one registry of coroutines that needs no access to the loop on which they run.
    for found in gc.get_objects():
        if isinstance(found, CoroutineType) and found.cr_code in codes and found.cr_frame is not None:
            yield found


def _stacks_of_partitions(codes: set[CodeType], run: threading.Thread) -> Iterator[str]:
    """Yield the stacks of the threads that are reading a partition of the run."""
    prefix = run.name.replace("omni-sync-", "omni-part-", 1) + "-"
    frames = sys._current_frames()  # noqa: SLF001 - as above.
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0) if thread.name.startswith(prefix) else None
        if frame and any(each.f_code in codes for each, _ in traceback.walk_stack(frame)):
            yield "".join(traceback.format_stack(frame)[-SHOWN_FRAMES:])


def _coroutine_stack(coroutine: Any) -> list[traceback.FrameSummary]:
    """Follow a suspended coroutine down to what it waits for."""
    stack: list[traceback.FrameSummary] = []
    while coroutine is not None:
        frame: FrameType | None = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "ag_frame", None)
        if frame is None:
            break
        stack += traceback.StackSummary.extract([(frame, frame.f_lineno)])
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "ag_await", None)
    return stack
