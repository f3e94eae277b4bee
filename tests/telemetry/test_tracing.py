"""A trace from ``POST /sync`` through the run to every call to the manager, which gets its ``traceparent``."""

from __future__ import annotations

import logging
import re
import threading

import pytest
import requests
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from support.scripted import Scripted, emit
from support.scripted_manager import Answer, ScriptedManager
from support.waiting import eventually

from omni_connector import Connector, SdkClient, Settings
from omni_connector.manager.session_wire import SessionWire
from omni_connector.models import Partition
from omni_connector.runtime.options import RuntimeOptions
from omni_connector.server import close_services, create_app
from omni_connector.telemetry.instruments import Instruments
from omni_connector.telemetry.log_context import RunContextFilter, RunIdentity, in_run
from omni_connector.telemetry.tracing import Budget, Tracing

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SYNC = {"sync_run_id": "run-1", "source_id": "source-1", "sync_mode": "full"}


def manager_answer(request):
    """Answer as a manager does."""
    if request.path.endswith("/sync-config"):
        return Answer(200, {"config": {}, "credentials": {}, "connector_state": None, "checkpoint": None})
    if request.path.startswith("/sdk/content"):
        return Answer(200, {"content_id": "c"})
    return Answer()


@pytest.fixture
def manager():
    with ScriptedManager() as scripted:
        scripted.otherwise = manager_answer
        yield scripted


class Spans:
    """Makes traces, and keeps what is recorded."""

    def __init__(self, ratio=1.0):
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(ratio)))
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracing = Tracing("scripted", provider=self.provider)

    def named(self, name):
        return [span for span in self.exporter.get_finished_spans() if span.name == name]

    def one(self, name):
        (span,) = self.named(name)
        return span


@pytest.fixture
def spans():
    return Spans()


class OddSession(requests.Session):
    """A session of its own kind: it carries each request itself."""


@pytest.fixture(params=["curl", "pool", "session"])
def client(request, manager):
    session = OddSession() if request.param == "session" else requests.Session()
    wire = None if request.param == "curl" else SessionWire(manager.url, session)
    with session, SdkClient(manager.url, session=session, wire=wire) as client:
        yield client


@pytest.fixture
def start():
    apps = []

    def start(connector, client, spans):
        instruments = Instruments(tracing=spans.tracing)
        client.observe(None, spans.tracing)
        settings = Settings(manager_url=client.manager_url)
        options = RuntimeOptions(instruments=instruments)
        app = create_app(connector, settings=settings, manager=client, register=False, options=options)
        apps.append(app)
        return app.test_client()

    yield start
    for app in apps:
        close_services(app)


def traceparents(manager):
    """Return the trace and span that each request to the manager names, by its path."""
    found = {}
    for request in manager.requests:
        match = re.fullmatch(
            r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", request.headers.get("traceparent", "")
        )
        found.setdefault(request.path, []).append(match and match.groups())
    return found


def hexadecimal(span):
    return trace.format_span_id(span.context.span_id)


def test_from_the_request_to_every_call(manager, client, start, spans):
    own = trace.get_tracer("author", tracer_provider=spans.provider)

    def sync(ctx):
        emit(ctx, 1)
        with own.start_as_current_span("reading"):
            ctx.save_state({"cursor": 1})

    app = start(Scripted(sync), client, spans)
    headers = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
    assert app.post("/sync", json=SYNC, headers=headers).json["status"] == "started"
    eventually(lambda: spans.named("full sync"))

    request, run = spans.one("POST /sync"), spans.one("full sync")
    assert trace.format_span_id(request.parent.span_id) == CALLER
    assert request.attributes["http.response.status_code"] == 200
    assert run.parent.span_id == request.context.span_id
    assert run.attributes["omni.source_id"] == "source-1"
    assert (run.attributes["omni.outcome"], run.attributes["omni.documents"]) == ("completed", 1)
    parents = {
        "GET /sdk/source/{id}/sync-config": request,
        "POST /sdk/content": run,
        "POST /sdk/events/batch": run,
        "PUT /sdk/sync/{id}/checkpoint": spans.one("reading"),
        "POST /sdk/sync/{id}/complete": run,
    }
    for name, parent in parents.items():
        span = spans.one(name)
        assert span.parent.span_id == parent.context.span_id, name
        assert span.attributes["http.response.status_code"] == 200

    seen = traceparents(manager)
    assert {each and each[0] for all_ in seen.values() for each in all_} == {TRACE}
    for path, name in (
        ("/sdk/content", "POST /sdk/content"),
        ("/sdk/events/batch", "POST /sdk/events/batch"),
        ("/sdk/sync/run-1/complete", "POST /sdk/sync/{id}/complete"),
    ):
        ((trace_id, span_id, flags),) = seen[path]
        assert (trace_id, span_id, int(flags, 16) & 1) == (TRACE, hexadecimal(spans.one(name)), 1)


def test_without_a_callers_trace_it_has_one_of_its_own(manager, client, start, spans):
    app = start(Scripted(lambda ctx: emit(ctx, 1)), client, spans)
    app.post("/sync", json=SYNC)
    eventually(lambda: spans.named("full sync"))
    assert spans.one("POST /sync").parent is None
    traces = {each and each[0] for all_ in traceparents(manager).values() for each in all_}
    assert traces == {trace.format_trace_id(spans.one("full sync").context.trace_id)}


def test_a_trace_that_is_not_sampled_is_handed_on_and_records_nothing(manager, client, start, spans):
    app = start(Scripted(lambda ctx: emit(ctx, 1)), client, spans)
    app.post("/sync", json=SYNC, headers={"traceparent": f"00-{TRACE}-{CALLER}-00"})
    eventually(lambda: "/sdk/sync/run-1/complete" in traceparents(manager))
    assert spans.exporter.get_finished_spans() == ()
    seen = {(each[0], each[2]) for all_ in traceparents(manager).values() for each in all_}
    assert seen == {(TRACE, "00")}


@pytest.fixture
def plain_client(manager):
    with SdkClient(manager.url) as client:
        yield client


def test_failures_and_repeats_are_in_the_trace_without_their_texts(manager, plain_client, start, spans):
    troubles = [Answer(503, {"error": "s3cret"}, {"Retry-After": "0"})]

    def once_in_trouble(request):
        return troubles.pop() if troubles and request.path == "/sdk/content" else manager_answer(request)

    manager.otherwise = once_in_trouble

    def sync(ctx):
        emit(ctx, 1)
        ctx.flush()
        raise ValueError("s3cret")

    app = start(Scripted(sync), plain_client, spans)
    app.post("/sync", json=SYNC)
    eventually(lambda: spans.named("full sync"))
    upload = spans.one("POST /sdk/content")
    assert [event.attributes["error.type"] for event in upload.events] == ["503"]
    assert upload.attributes["http.request.resend_count"] == 1
    run = spans.one("full sync")
    assert run.attributes["omni.outcome"] == "failed"
    assert run.status.status_code is trace.StatusCode.ERROR
    assert "s3cret" not in "".join(span.to_json() for span in spans.exporter.get_finished_spans())


def test_a_refused_call_is_an_error(manager, plain_client, spans, start):
    app = start(Scripted(), plain_client, spans)
    manager.script(Answer(404, {"error": "no such source"}))
    assert app.post("/sync", json=SYNC).status_code == 404
    call = spans.one("GET /sdk/source/{id}/sync-config")
    assert call.attributes["error.type"] == "404"
    assert call.status.status_code is trace.StatusCode.ERROR
    assert spans.one("POST /sync").status.status_code is trace.StatusCode.UNSET


def test_probes_are_not_traced(plain_client, start, spans):
    app = start(Scripted(), plain_client, spans)
    for path in ("/health", "/ready", "/sync/some-run", "/manifest"):
        app.get(path)
    assert spans.exporter.get_finished_spans() == ()


class InParts(Connector):
    name = "parts"
    version = "1"
    source_types = ["web"]

    def partitions(self, source_config, credentials, state, ctx):
        return [Partition(key=key) for key in "ab"]

    def sync_partition(self, partition, source_config, credentials, state, ctx):
        emit(ctx, partition.key)


class Async(Scripted):
    async def sync(self, source_config, credentials, state, ctx):
        await ctx.content_storage.save("text")
        await emit(ctx, 1)


@pytest.mark.parametrize("kind", [InParts, Async])
def test_partitions_and_async_connectors_belong_to_the_trace_of_their_run(
    manager, plain_client, start, spans, kind
):
    app = start(kind(), plain_client, spans)
    app.post("/sync", json=SYNC)
    eventually(lambda: spans.named("full sync"))
    run = spans.one("full sync")
    assert run.attributes["omni.outcome"] == "completed"
    uploads = spans.named("POST /sdk/content")
    assert [span.parent.span_id for span in uploads] == [run.context.span_id] * 2


def test_uploads_beyond_the_first_belong_to_the_run_without_a_span_of_their_own(manager, client, spans):
    client.observe(None, spans.tracing)
    spans.tracing._uploads = Budget(2, a_second=1e-9)
    identity = RunIdentity("scripted", "run-1", "source-1", "full")
    identity.span = spans.tracing.begin_run(identity)
    with in_run(identity):
        run = client.for_run(threading.Event())
    for _ in range(4):
        run.store_content("run-1", "text")
    spans.tracing._uploads = Budget(
        1, a_second=1e-9
    )  # Time has passed. The next call of another kind says so.
    run.store_content("run-1", "text")
    run.heartbeat("run-1")
    run.store_content("run-1", "text")
    identity.span.end("completed", 0)
    of_run = hexadecimal(spans.one("full sync"))
    carried = [span for _, span, _ in traceparents(manager)["/sdk/content"]]
    own = [hexadecimal(span) for span in spans.named("POST /sdk/content")]
    assert carried == [own[0], own[1], of_run, of_run, of_run, own[2]]


def test_log_lines_of_a_run_name_the_trace(plain_client, start, spans):
    records = []

    class Keeping(logging.Handler):
        def emit(self, record):
            records.append(record)

    handler, log = Keeping(), logging.getLogger("tests.tracing")
    handler.addFilter(RunContextFilter())
    log.addHandler(handler)
    app = start(Scripted(lambda ctx: log.warning("here")), plain_client, spans)
    app.post("/sync", json=SYNC, headers={"traceparent": f"00-{TRACE}-{CALLER}-01"})
    eventually(lambda: spans.named("full sync"))
    log.removeHandler(handler)
    assert [(record.getMessage(), record.trace_id) for record in records] == [("here", TRACE)]


def test_without_tracing_no_header_is_sent(manager, plain_client, start):
    settings = Settings(manager_url=manager.url)
    options = RuntimeOptions(instruments=Instruments())
    app = create_app(Scripted(), settings=settings, manager=plain_client, register=False, options=options)
    app.test_client().post("/sync", json=SYNC, headers={"traceparent": f"00-{TRACE}-{CALLER}-01"})
    eventually(lambda: "/sdk/sync/run-1/complete" in traceparents(manager))
    close_services(app)
    assert {each for all_ in traceparents(manager).values() for each in all_} == {None}
