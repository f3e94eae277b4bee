"""Traces of requests, runs and calls to the manager; the only module that imports OpenTelemetry.

Spans carry ids, counts and statuses, never texts of errors, which could hold secrets.
"""

import contextlib
import importlib.metadata
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from omni_connector._version import __version__
from omni_connector.telemetry.figures import RunEnd, RunFigures
from omni_connector.telemetry.log_context import RunIdentity
from omni_connector.telemetry.spans import CallParent, CallSpan, TraceHeaders

log = logging.getLogger(__name__)

EXPORTERS = "opentelemetry_traces_exporter"
"""The entry points by which OpenTelemetry's packages announce exporters."""

FLUSH_MILLISECONDS = 2000
"""How long the end of a process waits for the collector."""

FIRST_ERROR = 500

UPLOADS_AT_ONCE, UPLOADS_A_SECOND = 10, 2
"""Spans of uploads in one process: a span costs as much as an upload does, and a trace of a million is of no use."""


class Tracing:
    """The traces of one connector. ``close`` it. It is a ``RunObserver`` and a ``CallTracer``.

    Args:
        connector: its name, which is that of the service where OTEL_SERVICE_NAME says none.
        exporter: where spans go, as of ``Settings``; None leaves that to the application, which has set a provider.
        provider: makes the tracer, in place of the application's.
    """

    def __init__(
        self, connector: str, exporter: str | None = None, *, provider: TracerProvider | None = None
    ) -> None:
        self._connector = connector
        self._exporter = exporter
        self._provider = provider
        self._used: trace.TracerProvider | None = None
        self._lock = threading.Lock()  # Held while the provider is made.
        self._tracer: Tracer | None = None
        self._uploads = Budget(UPLOADS_AT_ONCE, UPLOADS_A_SECOND)
        self._unrecorded: tuple[Span, CallSpan] | None = None  # The last parent, with what its calls carry.

    def begin(self) -> Tracer:
        """Make what sends spans, and return it; in the process that serves, because it has a thread."""
        with self._lock:
            if self._tracer is None:
                self._tracer = self._made()
            return self._tracer

    def close(self) -> None:
        """Send the spans that wait. Repeatable."""
        # Not shut down before the process ends: other connectors of the process use it, too.
        if isinstance(self._used, TracerProvider):
            self._used.force_flush(FLUSH_MILLISECONDS)

    # -- requests -----------------------------------------------------------------------------------------------

    def begin_request(self, method: str, rule: str, headers: Mapping[str, str]) -> "RequestSpan":
        """Begin a request to the connector, in the trace of the caller where it brings one."""
        parent = propagate.extract(headers)
        attributes = {
            "http.request.method": method,
            "http.route": rule,
            "omni.connector": self._connector,
        }
        span = self._started(f"{method} {rule}", SpanKind.SERVER, parent, attributes)
        return RequestSpan(span)

    def carried(self) -> dict[str, str]:
        """Return what lets another process go on with the trace of this thread."""
        headers: dict[str, str] = {}
        propagate.inject(headers)
        return headers

    @contextmanager
    def continued(self, headers: Mapping[str, str]) -> Iterator[None]:
        """Around what belongs to a trace that another process has begun."""
        token = otel_context.attach(propagate.extract(headers))
        try:
            yield
        finally:
            otel_context.detach(token)

    # -- runs ---------------------------------------------------------------------------------------------------

    def begin_run(self, run: RunIdentity) -> "TracedRun | None":
        """Begin a run, in the trace of this thread; None when nothing records it."""
        attributes = {
            "omni.connector": run.connector,
            "omni.source_id": run.source_id,
            "omni.sync_run_id": run.sync_run_id,
            "omni.sync_mode": run.sync_mode,
        }
        span = self._started(f"{run.sync_mode} sync", SpanKind.INTERNAL, None, attributes)
        return TracedRun(span) if span.get_span_context().is_valid else None

    def run_started(self, run: RunIdentity) -> None:
        """See ``RunObserver``; the span is begun when the run is accepted."""

    def run_moved(self, run: RunIdentity, figures: RunFigures) -> None:
        """See ``RunObserver``."""

    def run_ended(self, run: RunIdentity, figures: RunFigures, end: RunEnd) -> None:
        """See ``RunObserver``."""
        if run.span is not None:
            run.span.end(end.outcome, figures.documents.updated)

    # -- calls to the manager -----------------------------------------------------------------------------------

    def current(self) -> CallParent | None:
        """See ``CallTracer``."""
        if not trace.get_current_span().get_span_context().is_valid:
            return None
        context = otel_context.get_current()
        return CallParent(context, _headers(context))

    def begin_call(
        self, method: str, endpoint: str, parent: CallParent | None, *, is_upload: bool = False
    ) -> CallSpan | None:
        """See ``CallTracer``."""
        is_crowded = is_upload and not self._uploads.has_room()
        if parent is not None:
            parent.skips_uploads = is_crowded
            if is_crowded:
                return Unrecorded(parent.headers)
        above, context = trace.get_current_span(), None
        if above is trace.INVALID_SPAN:
            if parent is None or not isinstance(parent.context, Context):
                return None
            above, context = trace.get_current_span(parent.context), parent.context
        if above.get_span_context().trace_flags.sampled and not is_crowded:
            return self._begun_call(method, endpoint, context or otel_context.get_current())
        return self._unrecorded_below(above, context)

    def _unrecorded_below(self, above: Span, context: Context | None) -> CallSpan:
        known = self._unrecorded
        if known is None or known[0] is not above:
            unrecorded = Unrecorded(_headers(context or otel_context.get_current()))
            known = self._unrecorded = above, unrecorded
        return known[1]

    def _begun_call(self, method: str, endpoint: str, context: Context) -> CallSpan:
        attributes = {"http.request.method": method, "url.template": endpoint}
        span = self._started(f"{method} {endpoint}", SpanKind.CLIENT, context, attributes)
        return TracedCall(span, _headers(trace.set_span_in_context(span, context)))

    # -- inside -------------------------------------------------------------------------------------------------

    def _started(
        self, name: str, kind: SpanKind, parent: Context | None, attributes: Mapping[str, str]
    ) -> Span:
        return (self._tracer or self.begin()).start_span(name, parent, kind, attributes)

    def _made(self) -> Tracer:
        provider: trace.TracerProvider = self._provider or trace.get_tracer_provider()
        if isinstance(provider, trace.ProxyTracerProvider) and self._exporter is not None:
            resource = Resource.create()
            if str(resource.attributes.get(SERVICE_NAME, "unknown")).startswith("unknown"):
                resource = resource.merge(Resource({SERVICE_NAME: self._connector}))
            own = TracerProvider(resource=resource)
            found = importlib.metadata.entry_points(group=EXPORTERS, name=self._exporter)
            for entry_point in list(found)[:1]:
                own.add_span_processor(BatchSpanProcessor(entry_point.load()()))
            if not found:
                log.warning(
                    "Traces are not sent: OpenTelemetry has no exporter %r installed. "
                    "OTEL_TRACES_EXPORTER and OTEL_EXPORTER_OTLP_PROTOCOL choose one.",
                    self._exporter,
                )
            trace.set_tracer_provider(own)  # For the spans of the connector itself.
            provider = own
        self._used = provider
        return provider.get_tracer("omni_connector", __version__)


class Budget:
    """So many at once, and then so many a second; roughly, because it takes no lock."""

    def __init__(self, at_once: float, a_second: float) -> None:
        self._at_once = self._left = at_once
        self._a_second = a_second
        self._since = time.monotonic()
        self._full_until = 0.0

    def has_room(self) -> bool:
        """Say whether there is room for one, and take it."""
        now = time.monotonic()
        if now < self._full_until:
            return False
        left = min(self._at_once, self._left + (now - self._since) * self._a_second) - 1
        self._left, self._since = left, now
        self._full_until = now + max(0.0, 1 - left) / self._a_second
        return True


class RequestSpan:
    """A request to the connector; what is done in its thread belongs to it until it ends."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._token = otel_context.attach(trace.set_span_in_context(span))

    def answered(self, status: int) -> None:
        """Note the status of the answer."""
        self._span.set_attribute("http.response.status_code", status)
        if status >= FIRST_ERROR:
            self._span.set_status(Status(StatusCode.ERROR))

    def end(self) -> None:
        """The request is over."""
        otel_context.detach(self._token)
        self._span.end()


class TracedRun:
    """A run; see ``RunSpan``."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self.trace_id = trace.format_trace_id(span.get_span_context().trace_id)

    def active(self) -> contextlib.AbstractContextManager[object]:
        """See ``RunSpan``."""
        return trace.use_span(self._span, record_exception=False, set_status_on_exception=False)

    def end(self, outcome: str, documents: int) -> None:
        """See ``RunSpan``."""
        self._span.set_attributes({"omni.outcome": outcome, "omni.documents": documents})
        if outcome == "failed":
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


class TracedCall:
    """A call; see ``CallSpan``."""

    __slots__ = ("_repeats", "_span", "headers")

    def __init__(self, span: Span, headers: TraceHeaders) -> None:
        self._span = span
        self._repeats = 0
        self.headers = headers

    def repeated(self, reason: str) -> None:
        """See ``CallSpan``."""
        self._repeats += 1
        self._span.add_event("repeated", {"error.type": reason})

    def end(self, status: str, *, is_error: bool) -> None:
        """See ``CallSpan``."""
        span = self._span
        if self._repeats:
            span.set_attribute("http.request.resend_count", self._repeats)
        if status.isdecimal():
            span.set_attribute("http.response.status_code", int(status))
        if is_error:
            span.set_attribute("error.type", status)
            span.set_status(Status(StatusCode.ERROR))
        span.end()


class Unrecorded:
    """A call without a span of its own; the manager learns of the trace all the same."""

    __slots__ = ("headers",)

    def __init__(self, headers: TraceHeaders) -> None:
        self.headers = headers

    def repeated(self, reason: str) -> None:
        """Record nothing."""

    def end(self, status: str, *, is_error: bool) -> None:
        """Record nothing."""


def _headers(context: Context) -> TraceHeaders:
    carrier: dict[str, str] = {}
    propagate.inject(carrier, context)
    return tuple(carrier.items())
