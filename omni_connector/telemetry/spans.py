"""The interfaces of traces, so that only ``tracing`` knows OpenTelemetry."""

from contextlib import AbstractContextManager
from typing import Protocol

from attrs import define

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


@define(eq=False)
class CallParent:
    """What calls belong to in a trace, whatever thread makes them.

    Attributes:
        context: of the trace, for the ``CallTracer`` that has made this.
        headers: what requests without a span of their own carry.
        skips_uploads: an upload gets no span: there were too many. The next call of another kind lets one try again.
    """

    context: object
    headers: TraceHeaders
    skips_uploads: bool = False


class CallTracer(Protocol):
    """Lets calls belong to traces."""

    def current(self) -> CallParent | None:
        """Return what calls belong to by the span of this thread, or None."""

    def begin_call(
        self, method: str, endpoint: str, parent: CallParent | None, *, is_upload: bool = False
    ) -> CallSpan | None:
        """Begin a call below the span of this thread, else below ``parent``; None without either.

        There may be thousands of uploads a second: a part of them belongs to the trace without a span of its own. So no upload
        is begun while its parent ``skips_uploads``; its requests carry the parent's headers.
        """
