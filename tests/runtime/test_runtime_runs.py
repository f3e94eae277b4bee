"""Runs: slots that are claimed atomically, repeats that start nothing, and exactly one report at the end."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import threading

import attrs
import pytest
from support.scripted import WAIT, Holding, Scripted, emit, sync_request

from omni_connector import (
    ConfigurationError,
    Connector,
    ErrorLimits,
    ManagerUnreachableError,
    SdkClientError,
    Settings,
    SyncCancelledError,
)
from omni_connector.exceptions import MalformedRequestError, SyncConflictError, SyncStartError
from omni_connector.models import SyncConfig, SyncRequest
from omni_connector.models.sync import Slot
from omni_connector.runtime.options import RuntimeOptions
from omni_connector.runtime.run_reports import KEPT_REPORTS
from omni_connector.runtime.runs import RunRegistry
from omni_connector.runtime.watch import WatchTimes
from omni_connector.sync.delivery_limits import DeliveryLimits

FINAL = {"complete", "fail"}


def finals(manager):
    return [name for name in manager.operations() if name in FINAL]


# -- starting ---------------------------------------------------------------------------------------------------


def test_sync_is_given_what_the_source_says_by_position(serve, manager, ended):
    manager.config = SyncConfig(
        config={"folder": "x"},
        credentials={"token": "t"},
        connector_state={"notes": 1},
        checkpoint={"cursor": 0},
        source_type="web",
    )
    connector = Scripted()
    service = serve(connector)
    service.start_sync(
        sync_request(mode="incremental", checkpoint={"cursor": 1}, last_sync_at="2026-08-01T12:00:00Z")
    )
    assert ended(service).outcome == "completed"
    ((config, credentials, state, ctx),) = connector.syncs
    assert (config, credentials, state) == ({"folder": "x"}, {"token": "t"}, {"cursor": 1})
    assert (ctx.sync_run_id, ctx.source_id, ctx.source_type) == ("run-1", "source-1", "web")
    assert (ctx.sync_mode, ctx.is_resume, ctx.connector_state) == ("incremental", False, {"notes": 1})


def test_a_source_without_config_and_credentials_gives_empty_ones(serve, ended):
    connector = Scripted()
    service = serve(connector)
    service.start_sync(sync_request(is_resume=True))
    ended(service)
    assert connector.syncs[0][:3] == ({}, {}, None)
    assert connector.ctx.is_resume


@pytest.mark.parametrize(
    "case",
    [
        ({"checkpoint": {"of": "request"}}, {"checkpoint": {"of": "source"}}, {"of": "request"}),
        ({"checkpoint": None}, {"checkpoint": {"of": "source"}}, None),
        ({}, {"checkpoint": {"of": "source"}}, {"of": "source"}),
        ({}, {"checkpoint": None, "connector_state": {"old": 1}}, None),
        ({}, {"connector_state": {"old": 1}}, {"old": 1}),  # A manager without checkpoints.
    ],
)
def test_the_checkpoint_is_the_request_s_else_the_source_s_else_an_old_manager_s_state(
    serve, manager, ended, case
):
    sent, config, given = case
    manager.config = SyncConfig(**config)
    connector = Scripted()
    service = serve(connector)
    service.start_sync(sync_request(**sent))
    ended(service)
    assert connector.syncs[0][2] == given
    assert connector.ctx.state == given


class Incremental(Scripted):
    sync_modes = ["full", "incremental"]


OWN, PUBLISHED = {"cursor": "own"}, {"cursor": "published"}


@pytest.mark.parametrize(
    ("kind", "mode", "sent", "given"),
    [
        (Incremental, "full", {"checkpoint": PUBLISHED}, None),
        (Incremental, "full", {}, None),
        (Incremental, "full", {"checkpoint": OWN, "is_resume": True}, OWN),
        (Incremental, "full", {"checkpoint": PUBLISHED, "is_resume": True}, None),
        (Incremental, "full", {"is_resume": True}, None),
        (Incremental, "incremental", {"checkpoint": PUBLISHED}, PUBLISHED),
        (Incremental, "incremental", {"checkpoint": PUBLISHED, "is_resume": True}, PUBLISHED),
        (Scripted, "full", {"checkpoint": PUBLISHED}, PUBLISHED),
        (Scripted, "full", {"checkpoint": PUBLISHED, "is_resume": True}, PUBLISHED),
    ],
)
def test_a_full_run_starts_from_nothing_where_there_are_incremental_ones(
    serve, manager, ended, kind, mode, sent, given
):
    manager.config = SyncConfig(checkpoint=PUBLISHED)
    seen = []
    connector = kind(lambda ctx: seen.append((ctx.state, ctx.checkpoint)))
    service = serve(connector)
    service.start_sync(sync_request(mode=mode, **sent))
    ended(service)
    assert connector.syncs[0][2] == given
    assert seen == [(given, sent.get("checkpoint", PUBLISHED))]
    assert manager.config.checkpoint == sent.get("checkpoint", PUBLISHED), "a run without news keeps it"


def test_what_a_full_run_saves_is_its_state_from_then_on(serve, manager, ended):
    manager.config = SyncConfig(checkpoint=PUBLISHED)
    seen = []

    def script(ctx):
        ctx.save_state(OWN)
        seen.append((ctx.state, ctx.checkpoint))

    service = serve(Incremental(script))
    service.start_sync(sync_request())
    ended(service)
    assert seen == [(OWN, OWN)]
    assert manager.config.checkpoint == OWN


def test_validation_is_told_the_state_that_sync_is_given(serve, manager, ended):
    manager.config = SyncConfig(checkpoint=PUBLISHED)
    asked = []

    class Asking(Incremental):
        def validate_sync_request(self, state, checkpoint):
            asked.append((state, checkpoint))

    service = serve(Asking())
    service.start_sync(sync_request())
    ended(service)
    assert asked == [(None, PUBLISHED)]


def test_one_of_many_that_ask_at_once_starts_and_the_others_conflict(serve, manager):
    connector = Holding()
    service = serve(connector)
    together = threading.Barrier(8)

    def start(number):
        together.wait(WAIT)
        try:
            service.start_sync(sync_request(run=f"run-{number}"))
        except SyncConflictError as error:
            return error.source_id
        return "started"

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(start, range(8)))
    assert sorted(answers) == ["source-1"] * 7 + ["started"]
    assert manager.operations() == ["sync_config"]
    connector.release.set()


def test_many_repeats_of_one_run_at_once_start_it_once(serve, manager, ended):
    connector = Holding()
    service = serve(connector)
    together = threading.Barrier(8)

    def start(_):
        together.wait(WAIT)
        service.start_sync(sync_request())

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(start, range(8)))
    connector.meet()
    connector.release.set()
    ended(service)
    assert len(connector.syncs) == 1
    assert manager.operations() == ["sync_config", "complete"]


def test_a_repeat_while_the_first_still_asks_the_manager_is_answered_at_once(serve, manager, ended):
    connector = Scripted()
    service = serve(connector)
    asked, answer = threading.Event(), threading.Event()
    manager.on("sync_config", lambda _: (asked.set(), answer.wait(WAIT)))
    first = threading.Thread(target=lambda: service.start_sync(sync_request()))
    first.start()
    assert asked.wait(WAIT)
    assert service.is_running("run-1")
    service.start_sync(sync_request())
    with pytest.raises(SyncConflictError):
        service.start_sync(sync_request(run="run-2"))
    answer.set()
    first.join(WAIT)
    connector.meet()
    ended(service)
    assert len(connector.syncs) == 1


def test_a_realtime_run_goes_beside_a_scheduled_one(serve):
    connector = Holding()
    service = serve(connector)
    service.start_sync(sync_request(run="run-1", mode="incremental"))
    service.start_sync(sync_request(run="run-2", mode="realtime"))
    with pytest.raises(SyncConflictError):
        service.start_sync(sync_request(run="run-3", mode="full"))
    with pytest.raises(SyncConflictError):
        service.start_sync(sync_request(run="run-4", mode="realtime"))
    service.start_sync(sync_request(run="run-5", source="source-2"))
    assert [service.is_running(f"run-{n}") for n in range(1, 6)] == [True, True, False, False, True]
    connector.release.set()


@pytest.mark.parametrize(
    "case",
    [
        (SdkClientError("404", status=404), 404, "Source not found: source-1"),
        (
            SdkClientError("500 https://u:secret@m/", status=500),
            500,
            "Failed to fetch source data: 500 https://***@m/",
        ),
        (ManagerUnreachableError("no answer"), 500, "Failed to fetch source data: no answer"),
        (MalformedRequestError("body: odd", field="body"), 500, "Failed to fetch source data: body: odd"),
    ],
)
def test_a_run_whose_source_cannot_be_read_is_not_started_and_frees_its_slot(serve, manager, ended, case):
    error, status, message = case
    connector = Scripted()
    service = serve(connector)
    manager.on("sync_config", error)
    with pytest.raises(SyncStartError, match="^" + message.replace("*", r"\*")) as caught:
        service.start_sync(sync_request())
    assert caught.value.status == status
    assert not service.is_running("run-1")
    assert service.report("run-1").outcome == "not started"
    manager.on("sync_config", None)
    service.start_sync(sync_request(run="run-2"))
    ended(service, "run-2")
    assert len(connector.syncs) == 1


def test_a_bug_while_starting_frees_the_slot_too(serve, manager, ended):
    service = serve(Scripted())
    manager.on("sync_config", ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        service.start_sync(sync_request())
    manager.on("sync_config", None)
    service.start_sync(sync_request())
    assert ended(service).outcome == "completed"


# -- ending -----------------------------------------------------------------------------------------------------


class Steps(Scripted):
    """Takes the steps that a generator yields, in either colour."""

    def sync(self, source_config, credentials, state, ctx):
        for _ in self.script(ctx):
            """The call has done its work."""


class AsyncSteps(Steps):
    async def sync(self, source_config, credentials, state, ctx):
        for value in self.script(ctx):
            await value


def returning(ctx):
    yield emit(ctx, 1)


def completing(ctx):
    yield ctx.complete({"c": 1})


def completing_twice(ctx):
    yield ctx.complete()
    yield ctx.complete()


def completing_and_raising(ctx):
    yield ctx.complete()
    raise LookupError("after the end")


def completing_and_emitting(ctx):
    yield ctx.complete()
    yield emit(ctx, 1)


def failing(ctx):
    yield ctx.fail("no")


def failing_and_completing(ctx):
    yield ctx.fail("no")
    yield ctx.complete()


def raising(ctx):
    yield emit(ctx, 1)
    raise LookupError("no")


def exiting(ctx):
    yield emit(ctx, 1)
    raise SystemExit(3)


def raising_a_cancellation_of_its_own(ctx):
    yield emit(ctx, 1)
    raise SyncCancelledError("another run")


WAYS = [
    (returning, "complete", "completed"),
    (completing, "complete", "completed"),
    (completing_twice, "complete", "completed"),
    (completing_and_raising, "complete", "completed"),
    (completing_and_emitting, "complete", "completed"),
    (failing, "fail", "failed"),
    (failing_and_completing, "fail", "failed"),
    (raising, "fail", "failed"),
    (exiting, "fail", "failed"),
    (raising_a_cancellation_of_its_own, "fail", "failed"),
]


@pytest.mark.parametrize("kind", [Steps, AsyncSteps])
@pytest.mark.parametrize("way", WAYS, ids=[way[0].__name__ for way in WAYS])
def test_however_a_run_ends_there_is_one_report(serve, manager, ended, kind, way):
    script, reported, outcome = way
    service = serve(kind(script))
    service.start_sync(sync_request())
    assert ended(service).outcome == outcome
    assert finals(manager) == [reported]
    assert not service.is_running("run-1")


@pytest.mark.parametrize("operation", sorted(FINAL))
def test_a_final_call_that_fails_leaves_the_run_to_the_manager(serve, manager, ended, operation):
    manager.on(operation, ManagerUnreachableError("gone"))
    script = (lambda ctx: ctx.complete()) if operation == "complete" else (lambda ctx: ctx.fail("no"))
    service = serve(Scripted(script))
    service.start_sync(sync_request())
    assert ended(service).outcome == "left to the manager"
    assert finals(manager) == [operation]


def test_a_failure_that_cannot_be_reported_leaves_the_run_to_the_manager(serve, manager, ended, caplog):
    manager.on("fail", ManagerUnreachableError("gone"))
    service = serve(Scripted(lambda ctx: 1 / 0))
    service.start_sync(sync_request())
    assert ended(service).outcome == "left to the manager"
    assert "The failure could not be reported; the manager will find the run lost: gone" in caplog.text


def test_a_run_that_lost_events_fails_although_its_sync_returns(serve, manager, ended, caplog):
    manager.on("send_events", SdkClientError("forbidden", status=403))
    service = serve(Scripted(lambda ctx: emit(ctx, 1)))
    service.start_sync(sync_request())
    assert ended(service).outcome == "failed"
    assert manager.error == "SdkClientError: forbidden"
    assert "failed: SdkClientError: forbidden" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_run_that_raises_delivers_what_it_has_and_is_told_without_secrets(serve, manager, ended, caplog):
    manager.config = SyncConfig(credentials={"token": "t0p-secret"})

    def script(ctx):
        emit(ctx, 1)
        raise ValueError("401 for t0p-secret")

    service = serve(Scripted(script))
    service.start_sync(sync_request())
    ended(service)
    assert manager.error == "ValueError: 401 for ***"
    assert [event["document_id"] for event in manager.events] == ["1"]
    assert "Traceback" in caplog.text
    assert "t0p-secret" not in caplog.text


def test_the_error_limits_of_the_connector_hold_for_its_runs(serve, manager, ended):
    class Strict(Scripted):
        error_limits = ErrorLimits(total=1)

    service = serve(Strict(lambda ctx: [ctx.emit_error(str(n), "unreadable") for n in range(9)]))
    service.start_sync(sync_request())
    report = ended(service)
    assert (report.outcome, report.error_count) == ("failed", 2)
    assert manager.error.startswith("TooManyErrorsError: Too many documents failed: 2 in this run.")


def test_the_limits_of_the_delivery_can_be_handed_in(serve, manager, ended):
    options = RuntimeOptions(limits=lambda mode: DeliveryLimits(batch_events=2))
    service = serve(Scripted(lambda ctx: [ctx.emit_deleted(n) for n in range(5)]), options=options)
    service.start_sync(sync_request())
    ended(service)
    batches = [len(call.args["events"]) for call in manager.calls if call.operation == "send_events"]
    assert batches == [2, 2, 1]


def test_a_realtime_run_that_returns_is_flushed_and_left_to_the_manager(serve, manager, ended):
    service = serve(Scripted(lambda ctx: emit(ctx, 1)))
    service.start_sync(sync_request(mode="realtime"))
    assert ended(service).outcome == "left to the manager"
    assert finals(manager) == []
    assert len(manager.events) == 1


def test_a_realtime_run_that_raises_fails(serve, manager, ended):
    service = serve(Scripted(lambda ctx: 1 / 0))
    service.start_sync(sync_request(mode="realtime"))
    assert ended(service).outcome == "failed"


@pytest.mark.parametrize("operation", sorted(FINAL))
def test_while_its_final_call_is_answered_a_run_is_running_and_its_slot_is_free(
    serve, manager, ended, operation
):
    connector = Scripted(lambda ctx: getattr(ctx, operation)(*(["no"] if operation == "fail" else [])))
    service = serve(connector)
    reached, answer = threading.Event(), threading.Event()

    def hold(args):
        if args["sync_run_id"] == "run-1":
            reached.set()
            answer.wait(WAIT)

    manager.on(operation, hold)
    service.start_sync(sync_request())
    assert reached.wait(WAIT)
    assert service.is_running("run-1")
    service.start_sync(sync_request(run="run-2"))
    ended(service, "run-2")
    assert service.is_running("run-1")
    answer.set()
    ended(service)
    assert not service.is_running("run-1")


# -- cancelling -------------------------------------------------------------------------------------------------


def test_a_cancelled_run_that_heeds_it_ends_without_a_report(serve, manager, ended, caplog):
    connector = Holding(heeds=True)
    service = serve(connector)
    service.start_sync(sync_request())
    connector.meet()
    assert service.cancel("run-1")
    assert ended(service).outcome == "cancelled"
    assert finals(manager) == []
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_connector_that_ignores_its_cancellation_is_fenced_and_its_slot_is_free(serve, manager, ended):
    connector = Holding()
    refused = []
    holding = threading.Event()

    def script(ctx):
        emit(ctx, 1)
        ctx.flush()
        holding.set()
        connector.hold(ctx)
        for call in (lambda: emit(ctx, 2), lambda: ctx.save_state({"c": 2}), ctx.increment_scanned):
            try:
                call()
            except SyncCancelledError as error:
                refused.append(error.reason)
        ctx.complete({"c": 3})
        ctx.fail("no")

    connector.script = script
    service = serve(connector)
    service.start_sync(sync_request())
    assert holding.wait(WAIT)
    assert service.cancel("run-1")
    assert not service.is_running("run-1")
    before = len(manager.calls)
    connector.script = connector.hold
    service.start_sync(sync_request(run="run-2"))
    connector.release.set()
    assert ended(service).outcome == "cancelled"
    assert ended(service, "run-2").outcome == "completed"
    assert refused == ["cancelled by the manager"] * 3
    assert [call.operation for call in manager.calls[before:]] == ["sync_config", "complete"]
    assert manager.statuses == {"run-2": "completed"}


def test_cancelling_twice_or_something_unknown_is_answered_so(serve):
    connector = Holding(heeds=True)
    service = serve(connector)
    assert not service.cancel("run-9")
    service.start_sync(sync_request())
    connector.meet()
    assert service.cancel("run-1")
    assert not service.cancel("run-1")


def test_a_run_that_is_cancelled_while_it_starts_does_not_sync_for_long(serve, manager, ended):
    connector = Scripted(lambda ctx: ctx.flush())
    service = serve(connector)
    manager.on("sync_config", lambda _: service.cancel("run-1"))
    service.start_sync(sync_request())
    assert ended(service).outcome == "cancelled"
    assert finals(manager) == []


def test_a_run_that_is_over_at_the_manager_frees_its_slot_while_its_thread_goes_on(serve, manager, ended):
    connector = Holding()
    over = threading.Event()

    def script(ctx):
        manager.end_run("run-1")
        emit(ctx, 1)
        with pytest.raises(SyncCancelledError):
            ctx.flush()
        over.set()
        connector.hold(ctx)

    connector.script = script
    service = serve(connector)
    service.start_sync(sync_request())
    assert over.wait(WAIT)
    assert not service.is_running("run-1")
    connector.script = connector.hold
    service.start_sync(sync_request(run="run-2"))
    connector.release.set()
    assert ended(service).outcome == "cancelled"
    assert ended(service, "run-2").outcome == "completed"
    assert finals(manager) == ["complete"]


class CancelHook(Holding):
    def __init__(self, answer):
        super().__init__(heeds=True)
        self.answer = answer
        self.told = []

    def cancel(self, sync_run_id):
        self.told.append(sync_run_id)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class AsyncCancelHook(CancelHook):
    async def cancel(self, sync_run_id):
        return super().cancel(sync_run_id)


@pytest.mark.parametrize("kind", [CancelHook, AsyncCancelHook])
@pytest.mark.parametrize(
    ("answer", "unknown_run"), [(True, True), (False, False), (None, False), (ValueError("no"), False)]
)
def test_the_cancel_hook_is_told_and_answers_for_runs_of_its_own(serve, ended, kind, answer, unknown_run):
    connector = kind(answer)
    service = serve(connector)
    assert service.cancel("own-run") is unknown_run
    service.start_sync(sync_request())
    connector.meet()
    assert service.cancel("run-1")
    ended(service)
    assert connector.told == ["own-run", "run-1"]


# -- colours ----------------------------------------------------------------------------------------------------


def wrapping(hook):
    @functools.wraps(hook)
    def wrapper(*args):
        return hook(*args)

    return wrapper


def hiding(hook):
    def nameless(*args):
        return hook(*args)

    return nameless


class AsyncNotes(Scripted):
    async def sync(self, source_config, credentials, state, ctx):
        assert asyncio.get_running_loop()
        self.syncs.append((source_config, credentials, state, ctx))
        await emit(ctx, 1)
        await ctx.save_state({"c": 1})
        assert await ctx.sleep(0.001)


class Wrapped(AsyncNotes):
    sync = wrapping(AsyncNotes.sync)


class Hidden(AsyncNotes):
    sync = hiding(AsyncNotes.sync)


class Handing(AsyncNotes):
    def sync(self, *args):
        return super().sync(*args)


@pytest.mark.parametrize("kind", [AsyncNotes, Wrapped, Hidden, Handing])
def test_an_async_sync_is_run_however_it_is_dressed(serve, manager, ended, kind, caplog):
    service = serve(kind())
    service.start_sync(sync_request())
    assert ended(service).outcome == "completed"
    assert (len(manager.events), manager.checkpoint) == (1, {"c": 1})
    hidden = "is not async, but returned an awaitable" in caplog.text
    assert hidden == (kind in {Hidden, Handing})


def test_a_blocking_sync_may_return_what_the_context_returned(serve, manager, ended, caplog):
    class Returning(Scripted):
        def sync(self, *args):
            return args[-1].complete({"c": 1})

    service = serve(Returning())
    service.start_sync(sync_request())
    assert ended(service).outcome == "completed"
    assert "awaitable" not in caplog.text


def test_an_async_run_that_ignores_its_cancellation_is_cancelled_after_a_grace_period(serve, manager, ended):
    begun = threading.Event()

    class Deaf(Scripted):
        async def sync(self, source_config, credentials, state, ctx):
            begun.set()
            await asyncio.Event().wait()

    service = serve(Deaf(), options=RuntimeOptions(cancel_grace_seconds=0.01))
    service.start_sync(sync_request())
    assert begun.wait(WAIT)
    assert service.cancel("run-1")
    assert ended(service).outcome == "cancelled"
    assert finals(manager) == []


def test_clients_of_an_async_connector_stay_usable_from_run_to_run(serve, ended):
    loops = []

    class Keeping(Scripted):
        async def sync(self, *args):
            loops.append(asyncio.get_running_loop())

    service = serve(Keeping())
    for run in ("run-1", "run-2"):
        service.start_sync(sync_request(run=run))
        ended(service, run)
    assert loops[0] is loops[1]


# -- reports ----------------------------------------------------------------------------------------------------


def test_a_report_tells_the_figures_during_and_after_the_run(serve, ended):
    connector = Holding()

    def script(ctx):
        emit(ctx, 1)
        ctx.emit_deleted("2")
        ctx.emit_error("3", "unreadable")
        ctx.increment_scanned(3)
        connector.hold(ctx)

    connector.script = script
    service = serve(connector)
    assert service.report("run-1") is None
    service.start_sync(sync_request())
    connector.meet()
    assert service.report("run-1").outcome == "running"
    connector.release.set()
    report = ended(service)
    assert attrs.asdict(attrs.evolve(report, errors=[], seconds=0)) == {
        "sync_run_id": "run-1",
        "outcome": "completed",
        "scanned": 3,
        "emitted": 1,
        "deleted": 1,
        "error_count": 1,
        "errors": [],
        "seconds": 0,
        "phase": "",
        "total": None,
        "share": None,
        "remaining_seconds": None,
    }
    assert [error.reason for error in report.errors] == ["unreadable"]
    assert report.seconds > 0


def test_the_last_hundred_reports_are_kept():
    registry = RunRegistry()
    for number in range(KEPT_REPORTS + 1):
        registry.release(registry.claim(f"run-{number}", "source", Slot.SCHEDULED), "completed")
    assert registry.report("run-0") is None
    assert registry.report("run-1").outcome == "completed"
    assert registry.alive() == []


def test_the_end_of_a_cancelled_run_does_not_free_the_slot_of_its_successor():
    registry = RunRegistry()
    first = registry.claim("run-1", "source", Slot.SCHEDULED)
    assert registry.cancel("run-1")
    second = registry.claim("run-2", "source", Slot.SCHEDULED)
    registry.free_slot(first)
    registry.release(first, "cancelled")
    with pytest.raises(SyncConflictError):
        registry.claim("run-3", "source", Slot.SCHEDULED)
    assert registry.alive() == [second]


def test_the_same_run_may_be_started_again_after_its_end():
    registry = RunRegistry()
    first = registry.claim("run-1", "source", Slot.SCHEDULED)
    registry.cancel("run-1")
    again = registry.claim("run-1", "source", Slot.SCHEDULED)
    assert again is not None
    registry.release(first, "cancelled")
    assert registry.is_running("run-1")


# -- shutting down ----------------------------------------------------------------------------------------------


def test_closing_interrupts_runs_and_delivers_what_they_have_without_a_report(serve, manager):
    connector = Holding(heeds=True)
    emitted = threading.Event()

    def script(ctx):
        for number in range(20):
            emit(ctx, number)
        emitted.set()
        connector.hold(ctx)

    connector.script = script
    service = serve(connector)
    service.start_sync(sync_request())
    assert emitted.wait(WAIT)
    service.close(quick=True)
    assert len(manager.events) == 20
    assert finals(manager) == []
    assert service.report("run-1").outcome == "interrupted"
    assert manager.closed
    assert manager.operations()[-1] != "fail"
    service.close()


def test_a_run_that_stops_at_once_still_delivers_what_it_has(serve, manager, ended):
    connector = Holding(heeds=True)
    emitted, reached, release = threading.Event(), threading.Event(), threading.Event()

    def script(ctx):
        for number in range(6):
            ctx.emit_deleted(number)
        emitted.set()
        connector.hold(ctx)

    manager.on("send_events", lambda _: (reached.set(), release.wait(WAIT)))
    connector.script = script
    service = serve(connector, options=RuntimeOptions(limits=lambda mode: DeliveryLimits(batch_events=2)))
    service.start_sync(sync_request())
    assert emitted.wait(WAIT)
    (run,) = service._runs.alive()
    run.state.interrupt()
    assert reached.wait(WAIT)  # The first two travel, and the run's own thread has nothing left to do ...
    run.thread.join(0.05)
    release.set()
    assert ended(service).outcome == "interrupted"
    assert len(manager.events) == 6  # ... but to see the others off.


def test_a_run_that_completes_while_the_process_shuts_down_is_left_to_the_manager(serve, manager):
    connector = Holding()
    service = serve(connector)
    service.start_sync(sync_request())
    connector.meet()
    closer = threading.Thread(target=service.close)
    closer.start()
    assert connector.ctx._run.state.stopped.wait(WAIT)
    connector.release.set()
    closer.join(WAIT)
    assert service.report("run-1").outcome == "interrupted"
    assert finals(manager) == []


def test_closing_waits_no_longer_than_it_may_for_a_connector_that_ignores_it(serve):
    connector = Holding()
    service = serve(connector)
    service.shutdown_seconds = 0.05
    service.start_sync(sync_request())
    connector.meet()
    service.close()
    assert len(service._runs.alive()) == 1
    connector.release.set()


def test_a_closed_service_starts_nothing(serve):
    service = serve(Scripted())
    service.close()
    service.start_sync(sync_request())
    assert service.connector.syncs == []
    assert not service.is_running("run-1"), (
        "it is answered as started, so that the manager does not fail it, and is lost"
    )


def test_beyond_the_limit_a_run_waits_alive_for_its_turn(serve, manager, ended):
    settings = Settings(manager_url="http://manager", max_concurrent_syncs=1)
    connector = Holding()
    watch = WatchTimes(look_seconds=0.01, heartbeat_seconds=0.0, stalled_seconds=0.05)
    service = serve(connector, settings=settings, options=RuntimeOptions(watch=watch))
    for number in (1, 2, 3):
        service.start_sync(sync_request(run=f"run-{number}", source=f"source-{number}"))
    connector.meet()
    assert [service.is_running(f"run-{number}") for number in (1, 2, 3)] == [True, True, True]
    manager.wait_for(
        lambda one: (
            {"run-2", "run-3"}
            <= {call.args["sync_run_id"] for call in one.calls if call.operation == "heartbeat"}
        )
    )
    service.start_sync(sync_request(run="run-2", source="source-2"))  # A repeat starts nothing.
    assert len(connector.syncs) == 1
    assert service.cancel("run-3")
    assert ended(service, "run-3").outcome == "cancelled"
    connector.release.set()
    connector.meet()
    assert ended(service, "run-2").outcome == "completed"
    assert len(connector.syncs) == 2


def test_a_run_that_waits_when_the_process_ends_is_left_to_the_manager(serve, manager):
    settings = Settings(manager_url="http://manager", max_concurrent_syncs=1)
    connector = Holding(heeds=True)
    service = serve(connector, settings=settings)
    for number in (1, 2):
        service.start_sync(sync_request(run=f"run-{number}", source=f"source-{number}"))
    connector.meet()
    service.close()
    assert {service.report(f"run-{number}").outcome for number in (1, 2)} == {"interrupted"}
    assert len(connector.syncs) == 1
    assert finals(manager) == []


class Stepping(Scripted):
    """Emits and saves a document a step; a test lets it take the steps."""

    def __init__(self):
        super().__init__(self.walk)
        self.may_go = threading.Semaphore(0)
        self.emitted = threading.Semaphore(0)
        self.is_saving = True

    def walk(self, ctx):
        for number in range(100):
            ctx.increment_scanned()
            emit(ctx, number)
            self.emitted.release()
            assert self.may_go.acquire(timeout=WAIT)
            if self.is_saving:
                ctx.save_state({"number": number})


def test_a_run_goes_on_to_its_next_checkpoint_and_stops_there(serve, manager, ended):
    connector = Stepping()
    service = serve(connector)
    service.start_sync(sync_request())
    for _ in range(3):
        assert connector.emitted.acquire(timeout=WAIT)
        connector.may_go.release()
    assert connector.emitted.acquire(timeout=WAIT)
    closer = threading.Thread(target=service.close)
    closer.start()
    state = service._runs.alive()[0].state
    assert not state.stopped.wait(0.1), "three documents are covered, and a fourth is on its way"
    connector.may_go.release(10)
    closer.join(WAIT)
    assert service.report("run-1").outcome == "interrupted"
    assert manager.checkpoint == {"number": 3}
    assert [event["document_id"] for event in manager.events] == ["0", "1", "2", "3"]
    assert (manager.scanned, manager.updated) == (4, 4)
    assert finals(manager) == []


def test_a_run_that_reaches_no_checkpoint_in_half_the_time_delivers_what_it_has_and_counts_it_not(
    serve, manager
):
    connector = Stepping()
    service = serve(connector)
    service.shutdown_seconds = 2.0
    service.start_sync(sync_request())
    assert connector.emitted.acquire(timeout=WAIT)
    connector.may_go.release()
    assert connector.emitted.acquire(timeout=WAIT)
    connector.is_saving = False
    state = service._runs.alive()[0].state
    state.on_stop(lambda: connector.may_go.release(100))
    service.close()
    assert service.report("run-1").outcome == "interrupted"
    assert manager.checkpoint == {"number": 0}
    assert [event["document_id"] for event in manager.events] == ["0", "1"]
    assert (manager.scanned, manager.updated) == (1, 1)
    assert finals(manager) == []


def test_a_second_quick_call_ends_the_wait_for_a_checkpoint(serve, manager):
    connector = Stepping()
    service = serve(connector)
    service.shutdown_seconds = 3600
    service.start_sync(sync_request())
    assert connector.emitted.acquire(timeout=WAIT)
    state = service._runs.alive()[0].state
    closer = threading.Thread(target=service.close)
    closer.start()
    assert not state.stopped.wait(0.1)
    state.on_stop(connector.may_go.release)
    service.close(quick=True)
    closer.join(WAIT)
    assert not closer.is_alive()
    assert service.report("run-1").outcome == "interrupted"


def test_no_thread_before_the_first_run(serve):
    before = threading.active_count()
    serve(Scripted())
    assert threading.active_count() == before


def test_threads_are_named_after_what_they_do(serve, ended):
    names = []
    service = serve(
        Scripted(lambda ctx: (emit(ctx, 1), ctx.flush(), names.extend(t.name for t in threading.enumerate())))
    )
    service.start_sync(sync_request())
    ended(service)
    assert {"omni-sync-run-1", "omni-send-run-1"} <= set(names)


def test_the_base_class_needs_no_set_up_of_a_subclass(serve, ended):
    class Bare(Connector):
        name = "bare"
        version = "1"

        def __init__(self):
            """Not the base's."""

        def sync(self, a, b, c, d, /):
            d.complete({"any": "names"})

    service = serve(Bare())
    service.start_sync(sync_request())
    assert ended(service).outcome == "completed"


# -- repeats, generators, late cancellations ----------------------------------------------------------------------


class Short(Connector):
    name = "short"
    version = "1"

    def __init__(self):
        self.calls = 0

    def sync(self, source_config, credentials, state, ctx):
        self.calls += 1


def request_of(**changes):
    return SyncRequest(**{"sync_run_id": "r", "source_id": "s", "sync_mode": "full", **changes})


def test_a_first_dispatch_repeated_after_the_run_has_ended_starts_nothing(serve, manager):
    connector = Short()
    service = serve(connector)
    service.start_sync(request_of())
    manager.wait_for(lambda memory: memory.status == "completed")
    join_syncs()
    service.start_sync(request_of())
    join_syncs()
    assert connector.calls == 1
    service.start_sync(request_of(is_resume=True))
    join_syncs()
    assert connector.calls == 2


@pytest.mark.parametrize("known", [True, False])
def test_a_first_dispatch_of_a_run_that_got_further_elsewhere_takes_its_checkpoint_back(
    serve, manager, known
):
    """Else a resume would go on behind what this start emits again, and leave old versions in place."""
    manager.scanned = 10
    manager.checkpoints["r"] = {"step": 10}
    if not known:
        manager.on("progress", ManagerUnreachableError("gone", operation="progress"))
    connector = Holding()
    service = serve(connector, young=True)
    service.start_sync(request_of(checkpoint={"step": 1}))
    connector.meet()
    assert manager.checkpoints["r"] == {"step": 1}
    connector.ctx.increment_scanned(2)
    connector.release.set()
    join_syncs()
    assert manager.scanned == (2 if known else 12), "what is scanned again is not counted twice"


@pytest.mark.parametrize(
    ("young", "resumed", "scanned"), [(True, True, 10), (True, False, 0), (False, False, 10)]
)
def test_the_checkpoint_of_a_run_that_goes_on_or_is_new_stays(serve, manager, young, resumed, scanned):
    manager.scanned = scanned
    connector = Holding()
    service = serve(connector, young=young)
    service.start_sync(request_of(checkpoint={"step": 10}, is_resume=resumed))
    connector.meet()
    assert "save_checkpoint" not in manager.operations()
    connector.release.set()


def join_syncs():
    for thread in threading.enumerate():
        if thread.name.startswith("omni-sync-"):
            thread.join(WAIT)


@pytest.mark.parametrize("colour", ["blocking", "async"])
def test_a_sync_that_yields_is_refused_before_it_completes_with_nothing_read(serve, colour):
    class Yields(Connector):
        name = "yields"
        version = "1"

        if colour == "blocking":

            def sync(self, source_config, credentials, state, ctx):
                yield 1

        else:

            async def sync(self, source_config, credentials, state, ctx):
                yield 1

    with pytest.raises(ConfigurationError, match=r"Yields.sync contains yield.*ctx.emit"):
        serve(Yields())


def test_a_run_cancelled_while_its_source_is_fetched_never_calls_sync(serve, manager):
    connector = Short()
    service = serve(connector)
    manager.on("sync_config", lambda _: service.cancel("r"))
    service.start_sync(request_of())
    join_syncs()
    assert connector.calls == 0
    assert service.report("r").outcome == "cancelled"


# -- what is checked at the start ---------------------------------------------------------------------------------


def test_one_service_is_mounted_in_one_place_only(serve):
    service = serve(Short())
    service.start(url_prefix="/a")
    service.start(url_prefix="/a/")
    with pytest.raises(ConfigurationError, match=r"mounted at '/a' already.*'/b'"):
        service.start(url_prefix="/b")


def test_a_manifest_that_cannot_be_made_stops_the_start(serve):
    class Wrong(Short):
        sync_modes = ("full", "sometimes")

    with pytest.raises(ConfigurationError, match=r"short cannot be announced: .*sync_modes.*'sometimes'"):
        serve(Wrong()).start()


def test_a_slow_cancel_hook_does_not_hold_up_the_answer(serve, caplog, monkeypatch):
    release = threading.Event()

    class Slow(Short):
        def cancel(self, sync_run_id):
            return release.wait(WAIT)

    monkeypatch.setattr("omni_connector.runtime.service.CANCEL_HOOK_SECONDS", 0.01)
    service = serve(Slow())
    assert not service.cancel("unknown")
    assert "short.cancel takes long; it goes on by itself" in caplog.text
    release.set()


@pytest.mark.parametrize("end", ["complete", "fail"])
def test_what_sync_raises_after_the_end_is_in_the_report_and_in_the_log(serve, manager, ended, caplog, end):
    def script(ctx):
        ctx.complete() if end == "complete" else ctx.fail("no use")
        emit(ctx, 1)

    service = serve(Scripted(script))
    service.start_sync(sync_request())
    report = ended(service)
    outcome = {"complete": "completed", "fail": "failed"}[end]
    assert (report.outcome, report.error_count, finals(manager)) == (outcome, 1, [end])
    (error,) = report.errors
    assert (error.kind, error.stage) == ("run", "ended")
    assert "SyncFinishedError" in error.reason
    told = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    *before, last = told
    assert before == (["Sync of source source-1 failed: no use"] if end == "fail" else [])
    assert last.startswith(f"Sync of source source-1 {outcome}, but its sync() went on and raised")
