"""The interfaces of traces, so that only ``tracing`` knows OpenTelemetry."""

from contextlib import AbstractContextManager
from typing import Protocol

TraceHeaders = tuple[tuple[str, str], ...]
"""Names and values, such as ``traceparent``."""


class RunSpan(Protocol):
    """A run in a trace.

    Attributes:
        trace_id: 32 hexadecimal digits; the manager logs it as ``request_id``.
    """

    trace_id: str

    def active(self) -> AbstractContextManager[object]:
        """Around what is done for the run in this thread: calls and spans in it belong to the run."""
        ...

    def end(self, outcome: str, documents: int) -> None:
        """The run is over; so many of its documents were accepted."""


class CallSpan(Protocol):
    """A call in a trace.

    Attributes:
        headers: what its requests carry.
    """

    headers: TraceHeaders

    def repeated(self, reason: str) -> None:
        """A request failed and will be sent again."""

    def end(self, status: str, *, is_error: bool) -> None:
        """The call has an outcome; ``status`` is that of the last answer, or says why there is none."""


class CallTracer(Protocol):
    """Lets calls belong to traces."""

    def current(self) -> object | None:
        """Return the span of this thread, or None."""

    def begin_call(
        self, method: str, endpoint: str, parent: object | None, *, is_upload: bool = False
    ) -> CallSpan | None:
        """Begin a call below the span of this thread, else below ``parent``, as of ``current``; None without either.

        There may be thousands of uploads a second: a part of them belongs to the trace without a span of its own.
        """
