"""Where a run is right now: the stack of its thread or coroutine, for people who wait for it."""

import gc
import inspect
import sys
import threading
import traceback
from types import CoroutineType, FrameType
from typing import Any

from omni_connector.connector_base import ConnectorBase

SHOWN_FRAMES = 12


def thread_of_run(sync_run_id: str) -> threading.Thread | None:
    """Return the thread in which a run is executed, or None when it has ended."""
    name = f"omni-sync-{sync_run_id}"
    return next((thread for thread in threading.enumerate() if thread.name == name), None)


def stack_of_run(connector: ConnectorBase, thread: threading.Thread) -> str:
    """Return the stack of a sync, innermost call last: its coroutine's, or its thread's."""
    code = inspect.unwrap(connector.sync).__code__
    # The collector is the one registry of coroutines that needs no access to the loop on which they run.
    for found in gc.get_objects():
        if isinstance(found, CoroutineType) and found.cr_code is code and found.cr_frame is not None:
            return "".join(traceback.format_list(_coroutine_stack(found)[-SHOWN_FRAMES:]))
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 - the documented way to see another thread.
    return "".join(traceback.format_stack(frame)[-SHOWN_FRAMES:]) if frame else "(it has just ended)"


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
