"""How calls travel: few frames to the wire, an answer for each, whatever happens to threads, runs and processes."""

from __future__ import annotations

import io
import multiprocessing
import threading
import time
import traceback
from pathlib import Path

import pytest
import requests
from support.scripted_manager import HANG, Answer
from support.waiting import eventually

import omni_connector
from omni_connector import Document, ManagerUnreachableError, SdkClient, SdkClientError
from omni_connector.manager import Policies, RetryPolicy
from omni_connector.manager import means as means_module
from omni_connector.manager.clock import Clock
from omni_connector.manager.pending import Pending
from omni_connector.manager.session_wire import SessionWire
from omni_connector.manager.wire import WireAnswer, WireError
from omni_connector.sync.colours import Blocking
from omni_connector.sync.context import SyncContext
from omni_connector.sync.run import SyncRun
from omni_connector.sync.run_info import RunInfo
from omni_connector.sync.state import RunState
from omni_connector.telemetry.log_context import RunContextFilter, RunIdentity, in_run

PACKAGE = str(Path(omni_connector.__file__).parent)
STORED = Answer(200, {"content_id": "c", "text": "t", "status": "ok"})
MOST_FRAMES = 8


class NotingWire:
    """Answers everything, and notes the way on which it was called."""

    def __init__(self):
        self.stacks = {}

    def answer(self, _request):
        return WireAnswer(200, {}, b'{"status":"ok","content_id":"c"}')

    def submit(self, request):
        self._note(request)
        answered = Pending()
        try:
            answered.set_result(self.answer(request))
        except WireError as error:
            answered.set_exception(error)
        return answered

    def carry(self, request):
        self._note(request)
        return self.answer(request)

    def abort(self, owner):
        """Nothing is under way."""

    def close(self):
        """Nothing is open."""

    def _note(self, request):
        stack = [frame for frame in traceback.extract_stack()[:-1] if frame.filename.startswith(PACKAGE)]
        self.stacks[request.path] = [f"{Path(frame.filename).name}:{frame.name}" for frame in stack]


def test_an_event_passes_few_frames_between_the_sender_s_thread_and_the_wire():
    wire = NotingWire()
    run = RunInfo(sync_run_id="r", source_id="s", source_type="web")
    with SdkClient("http://manager", wire=wire) as client:
        sync = SyncRun(run, client, RunState("r"))
        ctx = SyncContext(sync, Blocking())
        ctx.emit(Document(external_id="d", title="t", content="text"))
        ctx.flush()
        sync.close()
    events = wire.stacks["/sdk/events/batch"]
    assert events[0] == "delivery.py:_run"
    assert len(events) <= MOST_FRAMES, events


def test_never_more_than_two_extractions_are_under_way_in_a_process(manager):
    """Of all clients together, and of both kinds (PROTOCOL, section 21)."""
    under_way, most, lock, looked = [0], [0], threading.Lock(), threading.Event()

    def answer(request):
        if "extract" in request.path:
            with lock:
                under_way[0] += 1
                most[0] = max(most[0], under_way[0])
            looked.wait(60)
            with lock:
                under_way[0] -= 1
        return STORED

    manager.otherwise = answer
    with SdkClient(manager.url) as first, SdkClient(manager.url) as second:
        uploads = [
            client.upload_file("r", lambda: io.BytesIO(b"x"), "application/pdf", None)
            for client in (first, second) * 4
        ]
        blocking = threading.Thread(
            target=lambda: [
                first.extract_text("r", io.BytesIO(b"x"), mime_type="application/pdf") for _ in range(4)
            ]
        )
        blocking.start()
        manager.wait_for(2)
        for client in (first, second):
            client.heartbeat("r")  # Behind the uploads: a third that is let through comes before it.
        assert len(manager.requests) == 2 + 2
        looked.set()
        assert [upload.result(20) for upload in uploads] == ["c"] * 8
        blocking.join()
    assert most[0] == 2


def test_an_aborted_run_gets_an_answer_for_each_upload_and_sends_no_more(client, manager):
    manager.otherwise = HANG
    stop = threading.Event()
    of_run = client.for_run(stop)
    uploads = [of_run.upload_text("r", b'"text"') for _ in range(50)]
    manager.wait_for(4)
    stop.set()
    of_run.abort()
    for upload in uploads:
        with pytest.raises(SdkClientError, match="the run was stopped"):
            upload.result(5)
    manager.otherwise = STORED
    assert client.store_content("other", "text") == "c"  # Other runs go on.
    assert len(manager.requests) <= 5 + 4


def test_an_upload_that_is_cancelled_is_not_kept(client, manager):
    """A run that is cancelled drops its uploads, with up to 16 MiB of contents."""
    manager.otherwise = HANG
    of_run = client.for_run(threading.Event())
    uploads = [of_run.upload_text("r", b'"text"') for _ in range(20)]
    for upload in uploads:
        upload.cancel()
    assert (of_run._owner.calls, client._sender.means.open) == (set(), set())


def test_closing_ends_what_waits(manager):
    manager.otherwise = HANG
    client = SdkClient(manager.url)
    uploads = [client.upload_text("r", b'"text"') for _ in range(20)]
    manager.wait_for(1)
    client.close()
    for upload in [*uploads, client.upload_text("r", b'"text"')]:
        assert isinstance(upload.exception(60), SdkClientError)


def test_a_file_that_cannot_be_opened_is_the_answer(client):
    def no_file():
        raise FileNotFoundError("gone")

    upload = client.upload_file("r", no_file, "application/pdf", None)
    assert isinstance(upload.exception(60), FileNotFoundError)


@pytest.mark.parametrize("kind", ["wire", "clock"])
def test_a_thread_that_cannot_be_started_is_an_error_of_that_call(manager, monkeypatch, kind):
    """As with ``ulimit -v`` in the middle of a run; afterwards everything works again."""

    def no_thread(_):
        raise RuntimeError("can't start new thread")

    policies = Policies(bulk=RetryPolicy(total_seconds=5.0, first_delay_seconds=0.01))
    with requests.Session() as session:
        wire = SessionWire(manager.url, session)
        with SdkClient(manager.url, session=session, wire=wire, policies=policies) as client:
            if kind == "clock":
                client.heartbeat("r")  # The wire has its threads.
                manager.script(Answer(500, b""))
            with monkeypatch.context() as patched:
                patched.setattr(threading.Thread, "start", no_thread)
                upload = client.upload_text("r", b'"text"')
                assert isinstance(upload.exception(60), SdkClientError)
            manager.otherwise = STORED
            assert client.store_content("r", "text") == "c"


def test_a_manager_that_comes_back_gets_everything_and_the_log_has_two_lines(manager, caplog):
    caplog.set_level("INFO", logger="omni_connector")
    away_until = time.monotonic() + 1.5

    def answer(_request):
        return STORED if time.monotonic() > away_until else Answer(503, b"", {"Retry-After": "0.1"})

    manager.otherwise = answer
    caplog.handler.addFilter(RunContextFilter())
    run = RunIdentity(connector="notes", sync_run_id="r", source_id="s", sync_mode="full")
    with SdkClient(manager.url) as client:
        with in_run(run):
            uploads = [client.upload_text("r", b'"text"') for _ in range(20)]
        assert [upload.result(30) for upload in uploads] == ["c"] * 20
    assert {record.sync_run_id for record in caplog.records} == {"r"}, "threads of the wire write them"
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2, lines
    assert "answers 503" in lines[0]
    assert "answers again" in lines[1]
    assert "what waited for it: " in lines[1]


def child_stores(client, results):
    results.put(client.store_content("child", "text"))
    client.close()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_process_that_forks_after_use_goes_on_in_both(client, manager):
    manager.otherwise = STORED
    assert client.store_content("parent", "text") == "c"
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    child = context.Process(target=child_stores, args=(client, results))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert results.get() == "c"
    assert client.store_content("parent", "text") == "c"


def test_what_was_certainly_not_sent_is_a_manager_that_is_away():
    class Refusing(NotingWire):
        def answer(self, _request):
            raise WireError("refused", was_sent=False)

    with SdkClient("http://manager", wire=Refusing()) as client:
        with pytest.raises(ManagerUnreachableError):
            client.heartbeat("r")
        assert eventually(lambda: not client._sender.means.open)


class Passing:
    """Time that passes only while a retry waits."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now

    def after(self, seconds, call, **_):
        self.now += seconds
        call()

    def close(self):
        """No thread."""


class Answering(NotingWire):
    """Answers with a status."""

    def __init__(self, status):
        super().__init__()
        self.status, self.calls = status, 0

    def answer(self, _request):
        self.calls += 1
        return WireAnswer(self.status, {}, b"trouble")


@pytest.mark.parametrize(
    ("status", "insistent", "shortest", "longest"),
    [(500, False, 5.0, 15.0), (500, True, 250.0, 300.0), (503, False, 250.0, 300.0)],
)
def test_a_batch_answered_500_is_repeated_briefly_with_the_default_policies(
    monkeypatch, status, insistent, shortest, longest
):
    passing, wire = Passing(), Answering(status)
    monkeypatch.setattr("omni_connector.manager.sending.time", passing)
    with SdkClient("http://manager", wire=wire) as client:
        client._sender.means.clock = passing
        began = passing.now
        with pytest.raises(SdkClientError):
            client.send_events("r", "s", [b"{}"], insistent=insistent)
    assert shortest <= passing.now - began <= longest
    assert wire.calls <= 8 or status != 500 or insistent


def children_store(client, results):
    ready = threading.Barrier(8)

    def store():
        ready.wait(60)
        client.store_content("child", "text")

    threads = [threading.Thread(target=store) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    results.put(sum(not thread.is_alive() for thread in threads))
    client.close()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_begins_anew_though_locks_were_held_and_many_threads_call_first(manager):
    manager.otherwise = STORED
    with requests.Session() as session:
        wire = SessionWire(manager.url, session)
        with SdkClient(manager.url, session=session, wire=wire) as client:
            client.store_content("parent", "text")
            context = multiprocessing.get_context("fork")
            results = context.SimpleQueue()
            child = context.Process(target=children_store, args=(client, results))
            with client._sender.means.presence._lock, client._compatibility._lock, wire._changed:
                child.start()
            child.join(60)
            assert child.exitcode == 0
            assert results.get() == 8


def test_extractions_have_one_gate_from_the_beginning():
    gate = means_module.EXTRACTIONS
    assert gate is means_module.EXTRACTIONS
    assert gate.limit == 2


def test_a_clock_calls_at_once_what_can_be_hastened():
    clock, called = Clock("test-clock"), threading.Event()
    late = []
    try:
        clock.after(60.0, lambda: late.append(1))
        clock.after(30.0, called.set, can_hasten=True)
        clock.hasten()
        assert called.wait(60)
    finally:
        clock.close()
    assert late == []
