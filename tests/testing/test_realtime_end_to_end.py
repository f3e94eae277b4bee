"""Realtime connectors in both colours, through the real protocol: at once, idle, beside a full sync, stopped, resumed."""

from __future__ import annotations

import queue
import threading

import attrs
import pytest
from support.local_manager import StillClock
from support.waiting import eventually

from omni_connector import Connector, Document, DocumentPermissions, SyncCancelledError
from omni_connector.local import LocalManager, LocalSettings
from omni_connector.runtime.options import RuntimeOptions
from omni_connector.runtime.watch import WatchTimes
from omni_connector.sync.delivery_limits import DeliveryLimits
from omni_connector.testing import serve_connector

EVERYBODY = DocumentPermissions(public=True)
ATTENTIVE = RuntimeOptions(
    # Patient where an emit of a realtime run must not be, so that only what is sent at once arrives in time.
    limits=lambda mode: attrs.evolve(DeliveryLimits.for_mode(mode), flush_seconds=3600.0),
    watch=WatchTimes(look_seconds=0.02, heartbeat_seconds=0.02, stalled_seconds=0.1),
)
WAIT = 60


def doc(name):
    return Document(external_id=name, title=name, content=f"text of {name}", permissions=EVERYBODY)


class Watching(Connector):
    """Emits what a test puts into ``changes``, in a loop with ``ctx.sleep``; full syncs emit ``all``."""

    name = "watching"
    version = "1.0.0"
    sync_modes = ["full", "realtime"]
    source_types = ["web"]

    def __init__(self):
        self.changes = queue.SimpleQueue()
        self.begun = queue.Queue()
        self.left = threading.Event()
        self.hold = threading.Event()

    def sync(self, source_config, credentials, state, ctx):
        self.begun.put((ctx, state))
        if ctx.sync_mode != "realtime":
            ctx.emit(doc("all"))
            assert self.hold.wait(WAIT)
            ctx.complete({"page": 1})
            return
        try:
            while ctx.sleep(0.02):
                self.take(ctx)
        finally:
            self.left.set()

    def take(self, ctx):
        while not self.changes.empty():
            name = self.changes.get()
            ctx.emit(doc(name))
            ctx.increment_scanned()
            if name.startswith("save"):
                ctx.save_state({"after": name})


class WatchingAsync(Watching):
    """The same with ``async def``."""

    name = "watching-async"

    async def sync(self, source_config, credentials, state, ctx):
        self.begun.put((ctx, state))
        if ctx.sync_mode != "realtime":
            await ctx.emit(doc("all"))
            while not self.hold.is_set():
                await ctx.sleep(0.02)
            await ctx.complete({"page": 1})
            return
        try:
            while await ctx.sleep(0.02):
                while not self.changes.empty():
                    name = self.changes.get()
                    await ctx.emit(doc(name))
                    await ctx.increment_scanned()
                    if name.startswith("save"):
                        await ctx.save_state({"after": name})
        finally:
            self.left.set()


@pytest.fixture
def clock():
    return StillClock()


@pytest.fixture
def manager(tmp_path, clock):
    for_ever = LocalSettings(registration_lifetime_seconds=10**6)  # The clock jumps; connectors cannot know.
    with LocalManager(tmp_path / "data", settings=for_ever, clock=clock, schedule=False) as manager:
        yield manager


@pytest.fixture(params=[Watching, WatchingAsync], ids=["blocking", "async"])
def connector(request):
    return request.param()


@pytest.fixture
def served(connector, manager):
    with serve_connector(connector, manager, options=ATTENTIVE) as served:
        yield served
        connector.hold.set()


@pytest.fixture
def source(served):
    return served.put_source(config={})


def thread_of(run_id):
    return next((one for one in threading.enumerate() if one.name == f"omni-sync-{run_id}"), None)


def test_every_emit_arrives_while_the_loop_goes_on(connector, manager, served, source):
    run_id = manager.trigger(source, "realtime")
    for name in ("first", "second", "third"):
        connector.changes.put(name)
        document = eventually(lambda name=name: manager.document(source, name))
        assert document.content == f"text of {name}"
    assert manager.run(run_id).status == "running"
    assert [event.payload["document_id"] for event in manager.events(run_id)] == ["first", "second", "third"]


def test_a_cancelled_loop_stops_at_once_and_the_slot_is_free(connector, manager, served, source):
    run_id = manager.trigger(source, "realtime")
    ctx, _ = connector.begun.get(timeout=WAIT)
    thread = thread_of(run_id)
    manager.cancel(run_id)
    assert connector.left.wait(WAIT)
    thread.join(WAIT)
    assert not thread.is_alive()
    assert (manager.run(run_id).status, served.service.report(run_id).outcome) == ("cancelled", "cancelled")
    with pytest.raises(SyncCancelledError):
        ctx.emit_deleted("late")
    assert manager.events(run_id) == []
    assert manager.run(manager.trigger(source, "realtime")).is_running


class Patient(Watching):
    """Waits an hour for its source."""

    name = "patient"

    def sync(self, source_config, credentials, state, ctx):
        self.begun.put((ctx, state))
        ctx.sleep(3600)
        self.left.set()


class PatientAsync(Watching):
    name = "patient-async"

    async def sync(self, source_config, credentials, state, ctx):
        self.begun.put((ctx, state))
        await ctx.sleep(3600)
        self.left.set()


@pytest.mark.parametrize("kind", [Watching, WatchingAsync, Patient, PatientAsync])
def test_a_loop_that_only_sleeps_is_kept_alive(kind, manager, clock):
    connector = kind()
    with serve_connector(connector, manager, options=ATTENTIVE) as served:
        run_id = manager.trigger(served.put_source(config={}), "realtime")
        ctx, _ = connector.begun.get(timeout=WAIT)
        for _ in range(3):
            clock.advance(minutes=50)
            threading.Event().wait(
                0.15
            )  # Longer than a run may be silent that does not sleep in the context.
            eventually(lambda: manager.run(run_id).last_activity_at == clock.now())
            manager.tick()
            assert manager.run(run_id).status == "running"
        assert not ctx.is_cancelled()
        assert manager.events(run_id) == []


@pytest.mark.parametrize("kind", [Patient, PatientAsync], ids=["blocking", "async"])
@pytest.mark.parametrize("way", ["cancelled", "disabled", "stale", "shutdown"])
def test_a_long_sleep_ends_in_every_way_to_stop(kind, manager, way, clock):
    connector = kind()
    silent = RuntimeOptions(watch=WatchTimes(look_seconds=3600))
    with serve_connector(connector, manager, options=silent) as served:
        source = served.put_source(config={})
        run_id = manager.trigger(source, "realtime")
        connector.begun.get(timeout=WAIT)
        if way == "cancelled":
            manager.cancel(run_id)
        elif way == "disabled":
            manager.set_source(source, is_active=False)
            manager.tick()
        elif way == "stale":
            clock.advance(minutes=61)
            manager.tick()
        else:
            served.service.close()
        assert connector.left.wait(WAIT)
    status = {"cancelled": "cancelled", "disabled": "cancelled", "stale": "failed", "shutdown": "running"}
    assert manager.run(run_id).status == status[way]


def test_a_realtime_run_goes_beside_a_full_one_and_keeps_its_own_checkpoint(
    connector, manager, served, source
):
    realtime = manager.trigger(source, "realtime")
    full = manager.trigger(source, "full")
    assert {connector.begun.get(timeout=WAIT)[0].sync_mode for _ in range(2)} == {"realtime", "full"}
    connector.changes.put("save-1")
    eventually(lambda: manager.run(realtime).checkpoint == {"after": "save-1"})
    connector.hold.set()
    assert manager.wait_for_run(full, WAIT).status == "completed"
    connector.changes.put("later")
    eventually(lambda: manager.document(source, "later"))
    assert manager.run(realtime).is_running
    assert manager.source(source).checkpoint == {"page": 1}
    assert {document.external_id for document in manager.documents(source)} == {"all", "save-1", "later"}


def test_the_manager_starts_the_loop_by_itself_and_resumes_it_after_a_restart(connector, manager, clock):
    with serve_connector(connector, manager, options=ATTENTIVE) as served:
        source = served.put_source(config={})
        manager.tick()
        ctx, state = connector.begun.get(timeout=WAIT)
        assert (ctx.sync_mode, state, ctx.is_resume) == ("realtime", None, False)
        connector.changes.put("save-1")
        eventually(lambda: manager.run(ctx.sync_run_id).checkpoint == {"after": "save-1"})
    assert manager.run(ctx.sync_run_id).is_running
    again = type(connector)()
    with serve_connector(again, manager, options=ATTENTIVE):
        manager.tick()
        resumed, state = again.begun.get(timeout=WAIT)
        assert (resumed.sync_run_id, resumed.is_resume, state) == (
            ctx.sync_run_id,
            True,
            {"after": "save-1"},
        )
        assert resumed.documents_scanned == 1
        again.changes.put("after")
        eventually(lambda: manager.document(source, "after"))
        manager.cancel(resumed.sync_run_id)
