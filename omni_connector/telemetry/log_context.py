"""Which run a thread, task or partition works for: what its log lines, and traces, carry."""

import contextvars
import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import ParamSpec, TypeVar

from attrs import define

from omni_connector.telemetry.spans import RunSpan

P = ParamSpec("P")
T = TypeVar("T")


@define(eq=False)
class RunIdentity:
    """What a run's log lines carry beside their text.

    Attributes:
        connector: name of the connector.
        sync_mode: full, incremental or realtime.
        source_name: as people call the source; empty until the manager has said it.
        partition: key of the partition that is read; empty outside of partitions.
        is_resume: the manager resumes a run that was lost; not in the lines.
        starts_from: where it begins, in words; not in the lines.
        span: the run in a trace; None while traces are off.
    """

    connector: str
    sync_run_id: str
    source_id: str
    sync_mode: str
    source_name: str = ""
    partition: str = ""
    is_resume: bool = False
    starts_from: str = "nothing"
    span: RunSpan | None = None

    @property
    def trace_id(self) -> str:
        """The trace, as the manager and other services name it; empty without one."""
        return "" if self.span is None else self.span.trace_id

    @property
    def source(self) -> str:
        """The source as messages show it: its name and id, or its id alone."""
        return f"{self.source_name!r} ({self.source_id})" if self.source_name else self.source_id

    def fields(self) -> dict[str, str]:
        """Return what a log line carries, without what is unknown."""
        found = {name: getattr(self, name) for name in FIELDS}
        return {name: value for name, value in found.items() if value}


FIELDS = ("connector", "source_id", "source_name", "sync_run_id", "sync_mode", "partition", "trace_id")
"""Attributes of a log record that was made in a run."""

_current: contextvars.ContextVar[RunIdentity | None] = contextvars.ContextVar("omni_run", default=None)


current_run = _current.get
"""Return the run for which the caller works, or None."""


def call_in_run(run: RunIdentity | None, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call something for a run, or for none. For where ``in_run`` would cost too much."""
    token = _current.set(run)
    try:
        return call(*args, **kwargs)
    finally:
        _current.reset(token)


@contextmanager
def in_run(run: RunIdentity) -> Iterator[None]:
    """Around what is done for a run in this thread or task. Tasks, ``asyncio.to_thread`` and our own pools inherit it."""
    token = _current.set(run)
    try:
        with nullcontext() if run.span is None else run.span.active():
            yield
    finally:
        _current.reset(token)


def carried(call: Callable[P, T]) -> Callable[P, T]:
    """Return ``call`` so that it runs in the caller's context, in whatever thread, any number of times at once.

    Python carries the context into tasks and ``asyncio.to_thread``, but not into ``threading.Thread`` and executors.
    """
    context = contextvars.copy_context()

    @functools.wraps(call)
    def call_in_context(*args: P.args, **kwargs: P.kwargs) -> T:
        # A copy, because a context can be entered once at a time.
        return context.copy().run(call, *args, **kwargs)

    return call_in_context


class RunContextFilter(logging.Filter):
    """Adds the fields of the run to every record; drops none. What ``extra=`` gives under the same name stays."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the fields of ``RunIdentity``."""
        run = _current.get()
        if run is not None:
            attributes = record.__dict__
            for name, value in run.fields().items():
                attributes.setdefault(name, value)
        return True
